//! Who is sponsored, and whether one more transaction is within the caps (`spec/mpp.md` §10).
//!
//! Must be true: whoever asks before writing does both in one transaction. What is used follows what is written by triggers
//! (migrations 25 and 31), so nothing here adds it up.

use crate::{
    domain::{
        budget::Credit,
        clock::{DAY, UnixSeconds},
        mpp::{
            caps::{
                CONCURRENCY, FAILURES_WITHIN, MOST_FAILURES, RowUse, SETTLE, SponsorBar, Sponsored, Standing, Use,
                until_tomorrow,
            },
            reason::ChargeReason,
        },
        settlement::SettlementId,
    },
    ledger::{
        rows::{column, count},
        sqlite::statements::{Outcome, select},
    },
};
use rusqlite::{Connection, Params, params};
use solana_pubkey::Pubkey;

/// When it may be worth coming back while too much is in flight, in seconds.
const UNTIL_LANDED: u64 = 2;

/// Why one more transaction is not sponsored; the first cap that it would pass.
pub(in crate::ledger) fn bar(
    conn: &Connection,
    sponsored: &Sponsored,
    now: UnixSeconds,
) -> Outcome<Option<SponsorBar>> {
    if let Some(again_in) = failed_often(conn, &sponsored.payer, now)? {
        return Ok(Some(SponsorBar { reason: ChargeReason::PayerSettleCap, again_in }));
    }
    let (caps, standing) = (&sponsored.caps, standing(conn, sponsored, now)?);
    let tomorrow = |reason| SponsorBar { reason, again_in: until_tomorrow(now) };
    if let Some(reason) = caps.settle.judge(settled(conn, sponsored, now)?, standing, SETTLE) {
        return Ok(Some(tomorrow(reason)));
    }
    if standing == Standing::Stranger && passes_own_fees(conn, sponsored, now)? {
        return Ok(Some(tomorrow(ChargeReason::PayerFeeCap)));
    }
    let in_flight = in_flight(conn, sponsored)?;
    let reason = caps.concurrency.judge(in_flight, standing, CONCURRENCY);
    Ok(reason.map(|reason| SponsorBar { reason, again_in: UNTIL_LANDED }))
}

/// Writes who is sponsored by a settlement that is about to be written, and forgets what of caps was used on days that are over.
pub(in crate::ledger) fn sponsor(
    conn: &Connection,
    settlement: SettlementId,
    sponsored: &Sponsored,
    now: UnixSeconds,
) -> Outcome<()> {
    let today = now / DAY;
    // A day is kept for a process whose clock is late.
    conn.prepare_cached("DELETE FROM mpp_use WHERE day < ?1")?.execute([column("day", today.saturating_sub(1))?])?;
    conn.prepare_cached(
        "INSERT INTO mpp_transactions (settlement, payer, seller, stranger, seller_known, lamports, day) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        select::settlement_key(settlement),
        sponsored.payer.to_bytes(),
        sponsored.seller.map(|seller| seller.to_bytes()),
        standing(conn, sponsored, now)? == Standing::Stranger,
        // By the operator's word alone: a wallet that is paid on three days may be its payer's own.
        sponsored.seller.is_some() && sponsored.seller_is_listed,
        column("lamports", sponsored.lamports)?,
        column("day", today)?,
    ])?;
    Ok(())
}

/// The credit by which budgets count what is about to be sponsored.
pub(in crate::ledger) fn credit(conn: &Connection, sponsored: &Sponsored, now: UnixSeconds) -> Outcome<Credit> {
    Ok(match standing(conn, sponsored, now)? {
        Standing::Known => Credit::Earned,
        Standing::Stranger => Credit::Newcomer,
    })
}

/// The credit by which budgets count a settlement of the protocol, as it was recorded.
pub(in crate::ledger) fn recorded_credit(conn: &Connection, settlement: SettlementId) -> Outcome<Credit> {
    let sql = "SELECT stranger FROM mpp_transactions WHERE settlement = ?1";
    let stranger: Option<i64> = select::value(conn, sql, [select::settlement_key(settlement)])?;
    Ok(if stranger == Some(0) { Credit::Earned } else { Credit::Newcomer })
}

fn standing(conn: &Connection, sponsored: &Sponsored, now: UnixSeconds) -> Outcome<Standing> {
    if sponsored.payer_is_listed {
        return Ok(Standing::Known);
    }
    let sql = "SELECT count(*), coalesce(min(day), 0) FROM mpp_days WHERE wallet = ?1 AND role = 'payer'";
    let (days, first) = pair(conn, sql, [sponsored.payer.to_bytes()])?;
    Ok(Standing::of_days(days, first, now))
}

/// Seconds until fewer of a payer's failures count, where they are too many.
fn failed_often(conn: &Connection, payer: &Pubkey, now: UnixSeconds) -> Outcome<Option<u64>> {
    let since = now.saturating_sub(FAILURES_WITHIN);
    let sql = "SELECT count(*), coalesce(min(at), 0) FROM mpp_failures WHERE payer = ?1 AND at > ?2";
    let (failures, first) = pair(conn, sql, params![payer.to_bytes(), column("at", since)?])?;
    let again_in = first.saturating_add(FAILURES_WITHIN).saturating_sub(now).max(1);
    Ok((failures >= MOST_FAILURES).then_some(again_in))
}

/// How much of the day's settlements is used.
fn settled(conn: &Connection, sponsored: &Sponsored, now: UnixSeconds) -> Outcome<RowUse> {
    let day = column("day", now / DAY)?;
    let used = |scope: &str, subject: &[u8]| -> Outcome<Use> {
        let sql = "SELECT coalesce(sum(used), 0), coalesce(sum(used) FILTER (WHERE stranger = 1), 0) FROM mpp_use \
                   WHERE day = ?1 AND cap = 'settle' AND scope = ?2 AND subject = ?3";
        let (all, strangers) = pair(conn, sql, params![day, scope, subject])?;
        Ok(Use { all, strangers })
    };
    let seller = match &sponsored.seller {
        Some(seller) => used("seller", seller.as_ref())?,
        None => Use::default(),
    };
    Ok(RowUse { global: used("global", &[])?, seller, payer: used("payer", sponsored.payer.as_ref())?.all })
}

/// How much is in flight. What was planned and not signed is not, where it waits by itself; a leave counts for nobody.
fn in_flight(conn: &Connection, sponsored: &Sponsored) -> Outcome<RowUse> {
    let used = |of: &str, wallet: Option<&Pubkey>| -> Outcome<Use> {
        let sql = format!(
            "SELECT count(*), coalesce(sum(stranger), 0) FROM mpp_transactions WHERE open = 1 AND (?1 IS NULL OR {of})"
        );
        let (all, strangers) = pair(conn, &sql, [wallet.map(Pubkey::to_bytes)])?;
        Ok(Use { all, strangers })
    };
    let seller = match &sponsored.seller {
        Some(seller) => used("seller = ?1", Some(seller))?,
        None => Use::default(),
    };
    let payer = used("payer = ?1", Some(&sponsored.payer))?.all;
    Ok(RowUse { global: used("TRUE", None)?, seller, payer })
}

/// Whether one more transaction costs more than a wallet that is not known may cost on a day, with what it has paid to known
/// sellers.
fn passes_own_fees(conn: &Connection, sponsored: &Sponsored, now: UnixSeconds) -> Outcome<bool> {
    let most = sponsored.caps.stranger_day_lamports;
    if most == 0 {
        return Ok(false);
    }
    let sql = "SELECT coalesce(sum(used) FILTER (WHERE cap = 'lamports'), 0), \
               coalesce(max(used) FILTER (WHERE cap = 'earned'), 0) FROM mpp_use \
               WHERE day = ?1 AND cap IN ('lamports', 'earned') AND scope = 'payer' AND subject = ?2 AND stranger = 1";
    let day = column("day", now / DAY)?;
    let (used, earned) = pair(conn, sql, params![day, sponsored.payer.to_bytes()])?;
    Ok(used.saturating_add(sponsored.lamports) > most.saturating_add(earned))
}

/// Two numbers out of one row.
fn pair(conn: &Connection, sql: &str, params: impl Params) -> Outcome<(u64, u64)> {
    let mut statement = conn.prepare_cached(sql)?;
    let (first, second): (i64, i64) = statement.query_row(params, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((count("use", first)?, count("use", second)?))
}

/// Refuses caps that are not what transactions add up to.
pub(in crate::ledger::sqlite::statements) const CONTRADICTIONS: [(&str, &str, &str); 2] = [
    (
        "settlements",
        "who is sponsored is in flight and it is not, or the other way round",
        "SELECT s.seq FROM settlements s LEFT JOIN mpp_transactions t ON t.settlement = s.id \
         WHERE substr(s.purpose, 1, 4) = 'mpp_' AND t.open IS NOT (s.purpose <> 'mpp_leave' \
            AND (s.state = 'in_flight' OR (s.state = 'reserved' AND s.purpose <> 'mpp_close'))) LIMIT 1",
    ),
    (
        "mpp_use",
        "a day's transactions are not those that were signed first on it",
        "SELECT u.day FROM mpp_use u WHERE u.cap = 'settle' AND u.scope = 'global' AND u.used <> \
         (SELECT count(*) FROM mpp_transactions t JOIN settlements s ON s.id = t.settlement \
            WHERE s.purpose <> 'mpp_leave' AND t.stranger = u.stranger AND u.day = (SELECT e.at / 86400 \
                FROM settlement_events e WHERE e.settlement = s.id AND e.event = 'signed' ORDER BY e.sequence LIMIT 1)) LIMIT 1",
    ),
];
