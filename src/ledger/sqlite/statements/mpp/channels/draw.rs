//! Drawing a voucher: one look at the channel, one at what its buyer owes, one row, one sum.
//!
//! It fails, if it fails, before it has written anything, so that a batch of vouchers needs no savepoints.

use super::{channel, delegation_of, known_parties};
use crate::ledger::sqlite::statements::{
    Outcome,
    mpp::{sponsoring, verified},
    select,
};
use crate::{
    domain::{
        clock::{DAY, UnixSeconds},
        mpp::{
            caps::Standing,
            channel::{
                Channel,
                draw::{
                    BuyerSums, Draw, DrawContext, DrawnVoucher, NotDrawn, VoucherLimits, VoucherUse, judge, judge_known,
                },
            },
            money::Reading,
        },
    },
    ledger::{
        Drawn,
        rows::{VoucherRow, column, count},
    },
};
use rusqlite::{Connection, params};

/// Writes the voucher that is asked for, or finds the one of its sum that is on record. What is on record, and a channel that gives
/// none, ask for no reading.
pub(in crate::ledger) fn draw(
    conn: &Connection,
    draw: &Draw,
    reading: Option<Reading>,
    limits: VoucherLimits,
    now: UnixSeconds,
) -> Outcome<Drawn> {
    let Some((row, channel)) = channel(conn, draw.channel)? else {
        return Ok(Drawn::Refused(NotDrawn::NotFound, None));
    };
    // Above the newest sum there is no voucher.
    let known = if draw.cumulative <= channel.money.cumulative { voucher(conn, row, draw)? } else { None };
    match (judge_known(&channel, known.as_ref(), draw), known) {
        (Some(Ok(())), Some(known)) => return Ok(Drawn::Given(Box::new(channel), known)),
        (Some(Err(why)), _) => return Ok(Drawn::Refused(why, Some(Box::new(channel)))),
        (Some(Ok(())) | None, _) => {}
    }
    if !channel.gives_vouchers(now) {
        return Ok(Drawn::Refused(NotDrawn::NotOpen, Some(Box::new(channel))));
    }
    let Some(reading) = reading else { return Ok(Drawn::ReadingWanted) };
    let used = used(conn, row)?;
    let standing = standing(conn, row, &channel, limits, now)?;
    let sums = sums(conn, row, &channel, limits, now)?;
    match judge(&channel, draw, &DrawContext { reading, sums, standing, used, limits, now }) {
        Ok(sequence) => {
            let voucher = DrawnVoucher {
                sequence,
                cumulative: draw.cumulative,
                meter: draw.meter.clone(),
                units: draw.units,
                server_nonce: draw.server_nonce.clone(),
            };
            write(conn, row, &voucher, used.and_one(now), now)?;
            if counts_for_all(limits) {
                verified::add(conn, &channel.terms.seller, standing, now)?;
            }
            Ok(Drawn::Given(Box::new(channel), voucher))
        }
        Err(why) => Ok(Drawn::Refused(why, Some(Box::new(channel)))),
    }
}

/// The voucher of the sum that is asked for.
fn voucher(conn: &Connection, row: i64, draw: &Draw) -> Outcome<Option<DrawnVoucher>> {
    let found = select::list(
        conn,
        "SELECT sequence, cumulative, meter, units, server_nonce FROM vouchers WHERE cumulative = ?1 AND channel = ?2",
        params![i64::from(draw.cumulative), row],
        |row| {
            let row = VoucherRow {
                sequence: row.get(0)?,
                cumulative: row.get(1)?,
                meter: row.get(2)?,
                units: row.get(3)?,
                server_nonce: row.get(4)?,
            };
            Ok(row.into_voucher()?)
        },
    )?;
    Ok(found.into_iter().next())
}

fn used(conn: &Connection, row: i64) -> Outcome<VoucherUse> {
    let [second, in_second, in_day]: [i64; 3] = conn
        .prepare_cached("SELECT second, in_second, in_day FROM channel_sums WHERE channel = ?1")?
        .query_row([row], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))?;
    Ok(VoucherUse {
        second: count("second", second)?,
        in_second: count("in_second", in_second)?,
        in_day: count("in_day", in_day)?,
    })
}

/// Whether vouchers are counted for all together and for sellers: those caps are off unless an operator sets them, and then
/// count from that moment on.
const fn counts_for_all(limits: VoucherLimits) -> bool {
    limits.per_day.global > 0 || limits.per_day.seller > 0
}

/// Whether the buyer is known, where a limit asks for it: by now, or when the channel was opened.
fn standing(
    conn: &Connection,
    row: i64,
    channel: &Channel,
    limits: VoucherLimits,
    now: UnixSeconds,
) -> Outcome<Standing> {
    if !counts_for_all(limits) {
        return Ok(Standing::Stranger);
    }
    if known_parties(conn, row)?.buyer {
        return Ok(Standing::Known);
    }
    sponsoring::payer_standing(conn, &channel.terms.buyer, now)
}

/// What of the buyer's other business the voucher is judged by; what no limit asks for is not read.
fn sums(conn: &Connection, row: i64, channel: &Channel, limits: VoucherLimits, now: UnixSeconds) -> Outcome<BuyerSums> {
    let delegation = delegation_of(conn, row)?;
    let owed: i64 = conn
        .prepare_cached("SELECT owed FROM delegation_use WHERE delegation = ?1")?
        .query_row([delegation], |row| row.get(0))?;
    let mut sums = BuyerSums { owed: u128::from(count("owed", owed)?), ..BuyerSums::default() };
    if counts_for_all(limits) {
        sums.drawn_today.global = verified::of_all(conn, now)?;
        sums.drawn_today.seller = verified::of_seller(conn, &channel.terms.seller, now)?;
    }
    if limits.per_day.payer > 0 {
        let drawn: Option<i64> = select::value(
            conn,
            "SELECT coalesce(sum(iif(s.second / 86400 = ?2, s.in_day, 0)), 0) \
             + coalesce((SELECT vouchers FROM channel_days WHERE delegation = ?1 AND day = ?2), 0) \
             FROM live_channels l JOIN channel_sums s ON s.channel = l.channel WHERE l.delegation = ?1",
            params![delegation, column("day", now / DAY)?],
        )?;
        sums.drawn_today.payer = count("in_day", drawn.unwrap_or(0))?;
    }
    if limits.credit_line.is_some() {
        let owed: Option<i64> = select::value(
            conn,
            "SELECT coalesce(sum(s.cumulative - s.settled), 0) FROM live_channels l \
             JOIN channel_sums s ON s.channel = l.channel WHERE l.delegation = ?1 AND l.seller = ?2",
            params![delegation, channel.terms.seller.to_bytes()],
        )?;
        sums.owed_to_seller = u128::from(count("owed", owed.unwrap_or(0))?);
    }
    Ok(sums)
}

fn write(conn: &Connection, row: i64, voucher: &DrawnVoucher, used: VoucherUse, now: UnixSeconds) -> Outcome<()> {
    let (sequence, cumulative) = (column("sequence", voucher.sequence)?, i64::from(voucher.cumulative));
    let (units, at) = (column("units", voucher.units)?, column("given_at", now)?);
    let [second, in_second, in_day] =
        [column("second", used.second)?, column("in_second", used.in_second)?, column("in_day", used.in_day)?];
    conn.prepare_cached(
        "INSERT INTO vouchers (sequence, channel, cumulative, meter, units, server_nonce, given_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![sequence, row, cumulative, voucher.meter, units, voucher.server_nonce, at])?;
    conn.prepare_cached(
        "UPDATE channel_sums SET cumulative = ?2, sequence = ?3, active_at = ?4, owed_since = coalesce(owed_since, ?4), \
         second = ?5, in_second = ?6, in_day = ?7 WHERE channel = ?1",
    )?
    .execute(params![row, cumulative, sequence, at, second, in_second, in_day])?;
    Ok(())
}
