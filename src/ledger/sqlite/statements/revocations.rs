//! Revokes that we pay for: what bars one, and its record.
//!
//! Must be true: everything of a revoke (its row, its settlement, its signed bytes, its booking) is written in one transaction,
//! which also looks for what bars it; the schema (migration 18) refuses one that would end what a session needs, whatever is
//! asked here.

use crate::ledger::sqlite::statements::{
    Outcome, budgets, credit, journal, missing, queries::snapshot, select, settlements,
};
use crate::{
    domain::{
        amount::Amount,
        budget::{BudgetSubject, Credit, Window},
        clock::{DAY, HOUR, UnixSeconds},
        revocation::{Revocation, RevocationBar, RevocationKey, RevocationLimits, RevocationPlan},
        settlement::{Attempt, Purpose, Subject},
    },
    ledger::{
        LedgerError, RevocationRecorded, Signed, Work,
        rows::{RevocationRow, column, count},
    },
};
use rusqlite::{Connection, Params, params};
use solana_pubkey::Pubkey;

const REVOCATION: &str = "SELECT r.seq, r.id, r.settlement, r.user, r.asset, r.signed, s.state, s.signature \
    FROM revocations r JOIN settlements s ON s.id = r.settlement";
/// Revokes that have cost us something or may yet.
const PAID_FOR: &str = "SELECT count(*), min(r.created_at) FROM revocations r \
    JOIN settlements s ON s.id = r.settlement JOIN sponsored_lamports b ON b.signature = s.signature";
/// A revoke of a wallet and asset that may still land.
const ON_ITS_WAY: &str = "SELECT 1 FROM revocations r JOIN settlements s ON s.id = r.settlement \
    WHERE r.user = ?1 AND r.asset = ?2 AND s.state IN ('reserved', 'in_flight') LIMIT 1";
/// A transfer of a session of a wallet and asset that a fork may still take back.
const NOT_FINAL: &str = "SELECT 1 FROM settlements t JOIN sessions s ON s.id = t.session \
    WHERE t.state NOT IN ('settled', 'released') AND t.purpose = 'capture' AND s.user = ?1 AND s.asset = ?2 LIMIT 1";
/// When it may be worth asking again where all places are taken, in seconds: about as long as a landing takes.
const AFTER_A_LANDING: u64 = 15;

/// The revoke that was recorded under this key.
pub(in crate::ledger) fn find(conn: &Connection, key: &RevocationKey) -> Outcome<Option<Revocation>> {
    let of = |rest: &str, params: &[&dyn rusqlite::ToSql]| {
        select::list(conn, &format!("{REVOCATION} {rest}"), params, |row| {
            let row = RevocationRow {
                seq: row.get(0)?,
                id: row.get(1)?,
                settlement: row.get(2)?,
                user: row.get(3)?,
                asset: row.get(4)?,
                signed: row.get(5)?,
                state: row.get(6)?,
                signature: row.get(7)?,
            };
            Ok(row.into_revocation()?)
        })
    };
    let mut found = match key {
        RevocationKey::Id(id) => of("WHERE r.id = ?1", &[&id.0.into_bytes()])?,
        RevocationKey::Signed(hash) => of("WHERE r.signed = ?1", &[&hash.0])?,
    };
    Ok(found.pop())
}

/// Why no revoke of this wallet and asset may be recorded, by one snapshot.
pub(in crate::ledger) fn bar(
    conn: &Connection,
    user: &Pubkey,
    asset: &Pubkey,
    limits: RevocationLimits,
    now: UnixSeconds,
) -> Outcome<Option<RevocationBar>> {
    snapshot(conn, |conn| {
        let credit = credit::of_user(conn, user, now)?;
        barred(conn, (user, asset), credit, limits, now)
    })
}

fn barred(
    conn: &Connection,
    (user, asset): (&Pubkey, &Pubkey),
    credit: Credit,
    limits: RevocationLimits,
    now: UnixSeconds,
) -> Outcome<Option<RevocationBar>> {
    let account = [user.to_bytes(), asset.to_bytes()];
    let is_there = |sql: &str| -> Outcome<bool> { Ok(select::value::<i64>(conn, sql, account)?.is_some()) };
    if !is_there("SELECT 1 FROM sessions WHERE user = ?1 AND asset = ?2 LIMIT 1")? {
        return Ok(Some(RevocationBar::NoSession));
    }
    let in_use = "SELECT 1 FROM sessions s JOIN session_sums t ON t.session = s.seq WHERE s.user = ?1 AND s.asset = ?2 \
        AND (s.state IN ('opening', 'open', 'closing') OR t.held > 0) LIMIT 1";
    if is_there(in_use)? {
        return Ok(Some(RevocationBar::InUse));
    }
    if is_on_its_way(conn, user, asset)? {
        return Ok(Some(RevocationBar::OnItsWay));
    }
    let again_in = match too_many_lately(conn, user, credit, limits, now)? {
        Some(again_in) => Some(again_in),
        None => too_many_at_once(conn, credit, limits)?,
    };
    if let Some(again_in) = again_in {
        return Ok(Some(RevocationBar::TooMany { again_in }));
    }
    Ok(is_there(NOT_FINAL)?.then_some(RevocationBar::NotFinal))
}

/// Whether a revoke of this wallet and asset may still land: a session that opens meanwhile could lose its approve to it.
pub(super) fn is_on_its_way(conn: &Connection, user: &Pubkey, asset: &Pubkey) -> Outcome<bool> {
    Ok(select::value::<i64>(conn, ON_ITS_WAY, [user.to_bytes(), asset.to_bytes()])?.is_some())
}

/// Seconds until one more may be paid for, where as many as may be were lately.
fn too_many_lately(
    conn: &Connection,
    user: &Pubkey,
    credit: Credit,
    limits: RevocationLimits,
    now: UnixSeconds,
) -> Outcome<Option<u64>> {
    let [day, hour] = [DAY, HOUR].map(Window::of_events);
    let since = |window: Window| column("created_at", window.oldest(now));
    let recorded = "SELECT count(*), min(created_at) FROM revocations WHERE user = ?1 AND created_at >= ?2";
    let (number, first) = counted(conn, recorded, params![user.to_bytes(), since(day)?])?;
    if number >= limits.recorded_of_user_per_day {
        return Ok(Some(first.map_or(DAY, |first| day.leaves_in(first, now))));
    }
    let of_user = "WHERE r.user = ?1 AND r.created_at >= ?2 AND b.state <> 'void'";
    let (number, first) = counted(conn, &format!("{PAID_FOR} {of_user}"), params![user.to_bytes(), since(day)?])?;
    if number >= limits.of_user_per_day {
        return Ok(Some(first.map_or(DAY, |first| day.leaves_in(first, now))));
    }
    if credit == Credit::Earned {
        return Ok(None);
    }
    let of_newcomers = "WHERE r.newcomer = 1 AND r.created_at >= ?1 AND b.state <> 'void'";
    let (number, first) = counted(conn, &format!("{PAID_FOR} {of_newcomers}"), [since(hour)?])?;
    let full = number >= limits.of_newcomers_per_hour;
    Ok(full.then(|| first.map_or(HOUR, |first| hour.leaves_in(first, now))))
}

/// Seconds after which a place may be free, where all that this wallet may take are taken.
fn too_many_at_once(conn: &Connection, credit: Credit, limits: RevocationLimits) -> Outcome<Option<u64>> {
    let sql = "SELECT count(*), coalesce(sum(r.newcomer), 0) FROM settlements s JOIN revocations r ON r.settlement = s.id \
        WHERE s.state NOT IN ('settled', 'released') AND s.state <> 'landed' AND s.purpose = 'revoke'";
    let (all, newcomers): (i64, i64) = conn.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let full = count("revocations", all)? >= limits.in_flight
        || (credit != Credit::Earned && count("revocations", newcomers)? >= limits.of_newcomers_in_flight);
    Ok(full.then_some(AFTER_A_LANDING))
}

/// How many there are, and when the first of them was recorded.
fn counted(conn: &Connection, sql: &str, params: impl Params) -> Outcome<(u64, Option<UnixSeconds>)> {
    let (number, first): (i64, Option<i64>) =
        conn.prepare_cached(sql)?.query_row(params, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((count("revocations", number)?, first.map(|first| count("created_at", first)).transpose()?))
}

/// Writes a revoke, its settlement and its signed attempt, unless something forbids it.
pub(in crate::ledger) fn record(
    conn: &Connection,
    plan: &RevocationPlan,
    attempt: &Attempt,
    now: UnixSeconds,
) -> Outcome<RevocationRecorded> {
    if let Some(known) = find(conn, &RevocationKey::Signed(plan.signed))? {
        return Ok(RevocationRecorded::Known(Box::new(known)));
    }
    let credit = credit::of_user(conn, &plan.user, now)?;
    if let Some(bar) = barred(conn, (&plan.user, &plan.asset), credit, plan.limits, now)? {
        return Ok(RevocationRecorded::Barred(bar));
    }
    let subject = BudgetSubject { session: None, user: plan.user, recipient: plan.user };
    if let Some(over) = budgets::judge_settlement(conn, plan.settlement, (Some(&subject), credit), attempt.cost, now)? {
        return Ok(RevocationRecorded::OverBudget(over));
    }
    conn.prepare_cached(
        "INSERT INTO revocations (id, settlement, user, asset, signed, newcomer, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        plan.id.0.into_bytes(),
        select::settlement_key(plan.settlement),
        plan.user.to_bytes(),
        plan.asset.to_bytes(),
        plan.signed.0,
        credit != Credit::Earned,
        column("created_at", now)?,
    ])?;
    let subject = Subject::Revocation(plan.id);
    let planned = settlements::insert(conn, plan.settlement, Purpose::Revoke, subject, Amount::ZERO, now)?;
    match journal::record_signed(conn, &planned, attempt, now)? {
        Signed::Recorded { settlement, attempt } => {
            let revocation = find(conn, &RevocationKey::Signed(plan.signed))?.ok_or_else(|| missing("revoke"))?;
            let work = Work { settlement, attempt: Some(attempt) };
            Ok(RevocationRecorded::Recorded(Box::new(revocation), Box::new(work)))
        }
        Signed::OverBudget(_) => {
            Err(LedgerError::Inconsistent("a budget that was met is passed by the same cost".to_owned()).into())
        }
    }
}

/// Refuses a revoke that is not what its settlement says, and a settlement without its revoke.
pub(super) const CONTRADICTIONS: [(&str, &str, &str); 2] = [
    (
        "revocations",
        "its settlement is another's",
        "SELECT r.seq FROM revocations r LEFT JOIN settlements s ON s.id = r.settlement \
         WHERE s.id IS NULL OR s.purpose <> 'revoke' OR s.subject_id <> r.id LIMIT 1",
    ),
    (
        "settlements",
        "it carries a revoke that is not there",
        "SELECT s.seq FROM settlements s LEFT JOIN revocations r ON r.settlement = s.id \
         WHERE s.purpose = 'revoke' AND r.id IS NULL LIMIT 1",
    ),
];
