//! Budgets: whether one more transaction still fits.
//!
//! Must be true: whoever asks before booking does both in one transaction. The sums in `budget_use` follow the bookings
//! by triggers (migration 10), so nothing here adds them up.

use crate::ledger::sqlite::statements::{Outcome, bookings::cost, credit, missing, queries::snapshot, select};
use crate::{
    domain::{
        budget::{BudgetSubject, Budgets, Credit, Limit, OverBudget, Part, Scope, Used, judge},
        clock::UnixSeconds,
        settlement::{Cost, SettlementId},
    },
    ledger::{
        LedgerError,
        rows::{column, count},
    },
};
use rusqlite::{Connection, Params, params};
use std::collections::HashMap;

/// Replaces all limits.
pub(in crate::ledger) fn set(conn: &Connection, budgets: &Budgets) -> Outcome<()> {
    conn.prepare_cached("DELETE FROM budget_limits")?.execute([])?;
    for Limit { scope, part, lamports } in &budgets.0 {
        conn.prepare_cached("INSERT INTO budget_limits (scope, part, lamports) VALUES (?1, ?2, ?3)")?
            .execute(params![scope.word(), part.word(), column("lamports", *lamports)?])?;
    }
    Ok(())
}

fn limits(conn: &Connection) -> Outcome<Budgets> {
    let unknown = || LedgerError::Inconsistent("budget_limits holds a limit that has no meaning".to_owned());
    let limits = select::list(conn, "SELECT scope, part, lamports FROM budget_limits", [], |row| {
        Ok(Limit {
            scope: Scope::from_word(row.get_ref(0)?.as_str().unwrap_or_default()).ok_or_else(unknown)?,
            part: Part::from_word(row.get_ref(1)?.as_str().unwrap_or_default()).ok_or_else(unknown)?,
            lamports: count("lamports", row.get(2)?)?,
        })
    });
    Ok(Budgets(limits?))
}

/// Whether one more attempt of a settlement would pass a limit.
pub(in crate::ledger) fn judge_settlement(
    conn: &Connection,
    settlement: SettlementId,
    (subject, credit): (Option<&BudgetSubject>, Credit),
    cost: Cost,
    now: UnixSeconds,
) -> Outcome<Option<OverBudget>> {
    let budgets = limits(conn)?.of(credit);
    let mut used = HashMap::new();
    for Limit { scope, .. } in &budgets.0 {
        if !used.contains_key(scope) {
            used.insert(*scope, used_in(conn, *scope, settlement, subject, now)?);
        }
    }
    Ok(judge(&budgets, cost, |scope| used.get(&scope).copied().unwrap_or_default(), now))
}

/// Whether a new transaction for a subject would pass a limit.
pub(in crate::ledger) fn judge_subject(
    conn: &Connection,
    subject: &BudgetSubject,
    cost: Cost,
    now: UnixSeconds,
) -> Outcome<Option<OverBudget>> {
    // A settlement that is not there has spent nothing.
    let nobodys = SettlementId(uuid::Uuid::nil());
    snapshot(conn, |conn| {
        let credit = credit::of_user(conn, &subject.user, now)?;
        judge_settlement(conn, nobodys, (Some(subject), credit), cost, now)
    })
}

fn used_in(
    conn: &Connection,
    scope: Scope,
    settlement: SettlementId,
    subject: Option<&BudgetSubject>,
    now: UnixSeconds,
) -> Outcome<Used> {
    let subject = match (scope, subject) {
        (Scope::Settlement, _) => return used_by_settlement(conn, settlement),
        (Scope::NewcomersHour | Scope::NewcomersDay | Scope::Hour | Scope::Day, _) => Vec::new(),
        (_, None) => return Ok(Used::default()),
        (Scope::Session, Some(subject)) => match subject.session {
            Some(session) => session.to_bytes().to_vec(),
            None => return Ok(Used::default()),
        },
        (Scope::UnprovenUserHour | Scope::UserHour | Scope::UserDay, Some(subject)) => subject.user.to_bytes().to_vec(),
        (Scope::MerchantHour, Some(subject)) => subject.recipient.to_bytes().to_vec(),
    };
    let oldest = scope.window().map_or(0, |window| window.oldest(now));
    // A piece that holds nothing any more (its attempts are proved dead) is not what one waits for.
    used(
        conn,
        "SELECT coalesce(sum(fee), 0), coalesce(sum(rent), 0), coalesce(sum(lamports_granted), 0), \
         min(CASE WHEN fee + rent + lamports_granted > 0 THEN bucket END) \
         FROM budget_use WHERE scope = ?1 AND subject = ?2 AND bucket >= ?3",
        params![scope.word(), subject, column("bucket", oldest)?],
    )
}

fn used_by_settlement(conn: &Connection, settlement: SettlementId) -> Outcome<Used> {
    used(
        conn,
        "SELECT coalesce(sum(b.fee), 0), coalesce(sum(b.rent), 0), coalesce(sum(b.lamports_granted), 0), NULL \
         FROM attempts a JOIN sponsored_lamports b ON b.signature = a.signature WHERE a.settlement = ?1",
        [select::settlement_key(settlement)],
    )
}

fn used(conn: &Connection, sql: &str, params: impl Params) -> Outcome<Used> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let row = rows.next()?.ok_or_else(|| missing("sum"))?;
    let since: Option<i64> = row.get(3)?;
    Ok(Used { cost: cost(row, 0)?, since: since.map(|start| count("bucket", start)).transpose()? })
}
