//! Credit: on which days payments of a user landed that a proof of the balance covered (ADR 0036).
//!
//! Must be true: a day counts once, and no more days are kept than credit takes, so that the table grows with users and not
//! with payments. A fork that takes a payment back leaves its day: nothing but a share of fees follows from it.

use crate::ledger::sqlite::statements::{Outcome, mpp::sponsoring, select, single_claims};
use crate::{
    domain::{
        budget::{BudgetSubject, Credit},
        clock::{DAY, UnixSeconds},
        funding::Funding,
        settlement::{Purpose, Settlement, SettlementId},
    },
    ledger::rows::{column, count},
};
use rusqlite::{Connection, params};
use solana_pubkey::Pubkey;

/// The credit by which a settlement's next transaction counts; without a subject it is ours and meets no limit of users.
pub(in crate::ledger) fn of_settlement(
    conn: &Connection,
    settlement: &Settlement,
    subject: Option<&BudgetSubject>,
    now: UnixSeconds,
) -> Outcome<Credit> {
    if settlement.purpose.is_sponsored_by_caps() {
        return sponsoring::recorded_credit(conn, settlement.id);
    }
    let Some(subject) = subject else { return Ok(Credit::Earned) };
    let credit = of_user(conn, &subject.user, now)?;
    let proven = match settlement.purpose {
        Purpose::SinglePayment => single_claims::is_proven(conn, settlement)?,
        purpose => !purpose.carries_holds() || carries_proven(conn, settlement.id)?,
    };
    Ok(if credit == Credit::Newcomer && !proven { Credit::Start } else { credit })
}

/// The credit by which a single payment counts that is about to be written at this level of its payer's balance.
pub(super) fn of_single(conn: &Connection, payer: &Pubkey, level: Funding, now: UnixSeconds) -> Outcome<Credit> {
    let credit = of_user(conn, payer, now)?;
    Ok(if credit == Credit::Newcomer && level != Funding::Proven { Credit::Start } else { credit })
}

/// What a user has earned.
pub(in crate::ledger) fn of_user(conn: &Connection, user: &Pubkey, now: UnixSeconds) -> Outcome<Credit> {
    let mut statement =
        conn.prepare_cached("SELECT count(*), coalesce(min(day), 0) FROM proven_days WHERE user = ?1")?;
    let (days, first): (i64, i64) = statement.query_row([user.to_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let earned = Credit::is_earned(count("days", days)?, count("day", first)?, now);
    Ok(if earned { Credit::Earned } else { Credit::Newcomer })
}

fn carries_proven(conn: &Connection, id: SettlementId) -> Outcome<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM holds WHERE settlement = ?1 AND funding = 'proven')";
    Ok(conn.prepare_cached(sql)?.query_row([select::settlement_key(id)], |row| row.get(0))?)
}

/// Counts the day on which payments landed, if a proof covered one of them.
pub(super) fn earn(conn: &Connection, settlement: &Settlement, now: UnixSeconds) -> Outcome<()> {
    let Some(session) = settlement.pays_from() else { return Ok(()) };
    if !carries_proven(conn, settlement.id)? {
        return Ok(());
    }
    conn.prepare_cached(
        "INSERT OR IGNORE INTO proven_days (user, day) SELECT s.user, ?2 FROM sessions s WHERE s.id = ?1 \
         AND (SELECT count(*) FROM proven_days d WHERE d.user = s.user) < ?3",
    )?
    .execute(params![session.to_bytes(), column("day", now / DAY)?, column("days", Credit::DAYS)?])?;
    Ok(())
}
