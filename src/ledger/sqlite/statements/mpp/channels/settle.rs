//! Settling what channels owe: planned here, carried by the driver of every settlement, and booked here again by its events.

use super::{LIVE, channel, delegation, delegation_of, known_parties, numbered};
use crate::ledger::sqlite::statements::{
    Outcome, missing,
    mpp::{issued, sponsoring},
    select, settlements,
};
use crate::{
    domain::{
        amount::Amount,
        clock::UnixSeconds,
        mpp::{
            caps::{Caps, Sponsored},
            channel::{Channel, ChannelState, EndReason},
            channel_id::PublicId,
            money::{Claimant, worthwhile_shares},
        },
        settlement::{Event, Purpose, Settlement, SettlementId, State, Subject},
    },
    ledger::{
        LedgerError,
        rows::{column, count},
    },
};
use rusqlite::{Connection, params};
use solana_pubkey::Pubkey;

/// What a settlement of a channel costs, in lamports: two signatures and its compute.
const SETTLEMENT_FEE: u64 = 10_001;

/// Plans a settlement of `amount` for a channel.
fn plan(
    conn: &Connection,
    row: i64,
    channel: &Channel,
    (id, amount): (SettlementId, Amount),
    now: UnixSeconds,
) -> Outcome<Settlement> {
    conn.prepare_cached(
        "INSERT INTO channel_settlements (settlement, channel, settled_before, amount, sequence, generation) \
         SELECT ?1, ?2, ?3, ?4, ?5, d.generation FROM delegations d WHERE d.seq = ?6",
    )?
    .execute(params![
        select::settlement_key(id),
        row,
        i64::from(channel.money.settled),
        i64::from(amount),
        column("sequence", channel.sequence)?,
        delegation_of(conn, row)?,
    ])?;
    sponsor(conn, row, channel, id, now)?;
    settlements::insert(conn, id, Purpose::MppClose, Subject::Channel(channel.terms.id.into()), amount, now)
}

/// Writes who is sponsored by a channel's settlement; no cap refuses one.
fn sponsor(conn: &Connection, row: i64, channel: &Channel, id: SettlementId, now: UnixSeconds) -> Outcome<()> {
    // Whoever was known when it was opened is.
    let known = known_parties(conn, row)?;
    let sponsored = Sponsored {
        payer: channel.terms.buyer,
        seller: Some(channel.terms.seller),
        payer_is_listed: known.buyer,
        seller_is_listed: known.seller,
        lamports: SETTLEMENT_FEE,
        caps: Caps::DEFAULT,
    };
    sponsoring::sponsor(conn, id, &sponsored, now)
}

/// What may be planned on the grant of a delegation: what was granted and has neither moved nor is on its way. Nothing where no grant
/// stands, or while a message is on its way that replaces or ends it.
fn may_move(conn: &Connection, delegation: i64) -> Outcome<Amount> {
    if issued::changes_grant(conn, delegation)? {
        return Ok(Amount::ZERO);
    }
    let sql = "SELECT max(g.spend_limit - g.moved - coalesce((SELECT sum(p.amount) FROM live_channels l \
            JOIN channel_settlements p ON p.channel = l.channel AND p.live = 1 AND p.generation = g.generation \
            JOIN settlements s ON s.id = p.settlement \
            WHERE l.delegation = d.seq AND s.state IN ('reserved', 'in_flight')), 0), 0) \
        FROM delegations d JOIN delegation_grants g ON g.delegation = d.seq AND g.generation = d.generation \
        WHERE d.seq = ?1 AND d.state = 'active'";
    let left: Option<i64> = select::value(conn, sql, [delegation])?;
    Amount::try_from(left.unwrap_or(0))
        .map_err(|_| LedgerError::Inconsistent("what is left of a grant is no amount".to_owned()).into())
}

/// Plans the settlement of what a channel owes, as far as the grant goes, where none is on its way and the grant stands. Else the
/// monitor plans it when it does.
pub(super) fn plan_owed(
    conn: &Connection,
    row: i64,
    channel: &Channel,
    id: SettlementId,
    now: UnixSeconds,
) -> Outcome<Option<Settlement>> {
    let owed = channel.money.owed();
    if owed == Amount::ZERO || is_settling(conn, row)? {
        return Ok(None);
    }
    let amount = owed.min(may_move(conn, delegation_of(conn, row)?)?);
    if amount == Amount::ZERO {
        return Ok(None);
    }
    plan(conn, row, channel, (id, amount), now).map(Some)
}

fn is_settling(conn: &Connection, row: i64) -> Outcome<bool> {
    let live = "SELECT 1 FROM channel_settlements WHERE channel = ?1 AND live = 1";
    Ok(select::value::<i64>(conn, live, [row])?.is_some())
}

/// Plans the settlement of what a channel owes; it goes on as it is.
pub(in crate::ledger) fn settle(
    conn: &Connection,
    id: PublicId,
    settlement: SettlementId,
    now: UnixSeconds,
) -> Outcome<Option<Settlement>> {
    match channel(conn, id)? {
        Some((row, found)) if matches!(found.state, ChannelState::Open | ChannelState::Closing) => {
            plan_owed(conn, row, &found, settlement, now)
        }
        _ => Ok(None),
    }
}

/// Divides what is available among the ended channels of an account that owe, while none of its settlements is on its way, and
/// leaves out parts that are worth no fee.
pub(in crate::ledger) fn plan_shares(
    conn: &Connection,
    account: &Pubkey,
    (available, least): (Amount, Amount),
    ids: &[SettlementId],
    now: UnixSeconds,
) -> Outcome<Vec<Settlement>> {
    let Some(delegation) = delegation(conn, account)? else { return Ok(Vec::new()) };
    let moving = "SELECT in_flight FROM delegation_use WHERE delegation = ?1 AND in_flight > 0";
    if select::value::<i64>(conn, moving, [delegation])?.is_some() {
        return Ok(Vec::new());
    }
    let available = available.min(may_move(conn, delegation)?);
    let ended = owing(conn, delegation)?;
    let claimants: Vec<Claimant> = ended.iter().map(|(_, channel)| Claimant::from(channel)).collect();
    let shares = worthwhile_shares(available, least, &claimants);
    let parts = ended.iter().zip(shares).filter(|(_, share)| *share > Amount::ZERO);
    // A share without an id waits for the next round.
    parts.zip(ids).map(|(((row, channel), share), id)| plan(conn, *row, channel, (*id, share), now)).collect()
}

/// The ended channels of a delegation that owe something.
fn owing(conn: &Connection, delegation: i64) -> Outcome<Vec<(i64, Channel)>> {
    let rest =
        format!("{LIVE} WHERE l.delegation = ?1 AND s.state = 'closing' AND s.cumulative > s.settled ORDER BY c.seq");
    numbered(conn, &rest, [delegation])
}

/// Writes off what the ended channels of an account owe and no settlement carries; nothing while a message is on its way that
/// replaces or ends the grant.
pub(in crate::ledger) fn write_off_account(conn: &Connection, account: &Pubkey) -> Outcome<Vec<(PublicId, Amount)>> {
    let Some(delegation) = delegation(conn, account)? else { return Ok(Vec::new()) };
    let mut lost = Vec::new();
    if issued::changes_grant(conn, delegation)? {
        return Ok(lost);
    }
    for (row, channel) in owing(conn, delegation)? {
        if !is_settling(conn, row)? {
            write_off(conn, row)?;
            lost.push((channel.terms.id, channel.money.owed()));
        }
    }
    Ok(lost)
}

/// Writes off what one ended channel owes and no settlement carries. Where its seller's account is the cause, that is why it
/// ended.
pub(in crate::ledger) fn write_off_channel(conn: &Connection, id: PublicId, reason: EndReason) -> Outcome<Amount> {
    let Some((row, found)) = channel(conn, id)? else { return Ok(Amount::ZERO) };
    if found.state != ChannelState::Closing || is_settling(conn, row)? {
        return Ok(Amount::ZERO);
    }
    if reason == EndReason::SellerAccount {
        conn.prepare_cached("UPDATE channel_sums SET reason = ?2 WHERE channel = ?1")?
            .execute(params![row, reason.word()])?;
    }
    write_off(conn, row)?;
    Ok(found.money.owed())
}

fn write_off(conn: &Connection, row: i64) -> Outcome<()> {
    conn.prepare_cached(
        "UPDATE channel_sums SET state = 'closed', shortfall = cumulative - settled, owed_since = NULL \
         WHERE channel = ?1 AND state = 'closing'",
    )?
    .execute([row])?;
    Ok(())
}

/// What settlements of an account have signed that is not known to have landed, in base units.
pub(super) fn in_flight_of(conn: &Connection, account: &Pubkey) -> Outcome<u128> {
    let amounts = select::list(
        conn,
        "SELECT p.amount FROM delegations d JOIN channels c ON c.delegation = d.seq \
         JOIN live_channels l ON l.delegation = d.seq AND l.channel = c.seq \
         JOIN channel_settlements p ON p.channel = c.seq AND p.live = 1 \
         JOIN settlements t ON t.id = p.settlement WHERE d.account = ?1 AND t.state = 'in_flight'",
        [account.to_bytes()],
        |row| Ok(u128::from(count("amount", row.get(0)?)?)),
    )?;
    Ok(amounts.into_iter().sum())
}

/// Writes what follows for a channel from an event of its anchor or of its settlement.
pub(in crate::ledger::sqlite::statements) fn follow(
    conn: &Connection,
    after: &Settlement,
    event: &Event,
    now: UnixSeconds,
) -> Outcome<()> {
    let Subject::Channel(id) = after.subject else { return Err(missing("channel of a settlement")) };
    let (row, _) = channel(conn, id.into())?.ok_or_else(|| missing("channel of a settlement"))?;
    if after.purpose == Purpose::MppOpen {
        return follow_anchor(conn, row, after);
    }
    let amount = i64::from(after.amount);
    match event {
        Event::Landed { .. } | Event::Found { .. } => landed(conn, row, amount, now),
        Event::TakenBack => taken_back(conn, row, amount, now),
        Event::Refused { .. } => {
            conn.prepare_cached("UPDATE channel_sums SET refusals = refusals + 1 WHERE channel = ?1")?
                .execute([row])?;
            Ok(())
        }
        Event::Reserved
        | Event::Signed { .. }
        | Event::Finalised
        | Event::Failed { .. }
        | Event::Absent(_)
        | Event::Abandoned { .. } => Ok(()),
    }
}

/// A channel opens when its anchor has landed, and fails where that came to nothing. A fork that takes it back changes nothing:
/// the same bytes are sent again.
fn follow_anchor(conn: &Connection, row: i64, after: &Settlement) -> Outcome<()> {
    let becomes = match after.state {
        State::Landed => ChannelState::Open,
        State::Released => ChannelState::Failed,
        State::Reserved | State::InFlight | State::Settled => return Ok(()),
    };
    conn.prepare_cached("UPDATE channel_sums SET state = ?2 WHERE channel = ?1 AND state = 'opening'")?
        .execute(params![row, becomes.word()])?;
    Ok(())
}

/// What landed is settled; a channel that has ended and owes nothing more is closed, and what was written off of it is less. One that
/// still owes was paid in part.
fn landed(conn: &Connection, row: i64, amount: i64, now: UnixSeconds) -> Outcome<()> {
    let changed = conn
        .prepare_cached(
            "UPDATE channel_sums SET settled = settled + ?2, refusals = 0, \
             parts = parts + (state = 'closing' AND cumulative > settled + ?2), \
             state = iif(state = 'closing' AND cumulative = settled + ?2, 'closed', state), \
             shortfall = iif(state = 'closed', cumulative - settled - ?2, 0), \
             owed_since = iif(state = 'closed' OR cumulative = settled + ?2, NULL, ?3) WHERE channel = ?1",
        )?
        .execute(params![row, amount, column("owed_since", now)?])?;
    if changed == 1 { Ok(()) } else { Err(missing("channel")) }
}

/// What a fork took back is owed again, and a channel that was closed by it is not. Of a channel that goes on closing it was a part.
fn taken_back(conn: &Connection, row: i64, amount: i64, now: UnixSeconds) -> Outcome<()> {
    let changed = conn
        .prepare_cached(
            "UPDATE channel_sums SET settled = settled - ?2, shortfall = 0, parts = parts - (state = 'closing' AND parts > 0), \
             state = iif(state = 'closed', 'closing', state), owed_since = coalesce(owed_since, ?3) WHERE channel = ?1",
        )?
        .execute(params![row, amount, column("owed_since", now)?])?;
    if changed == 1 { Ok(()) } else { Err(LedgerError::Inconsistent("there is no such channel".to_owned()).into()) }
}
