//! Promised payments: a promise whose settlement came to nothing waits again, and one that is given up is booked as lost.
//!
//! Must be true: `session_sums.deferred_held` and `merchant_exposure.deferred_held` are the sums of deferred holds
//! that are neither captured nor released, and `session_sums.lost` of those that were told and released.

use crate::ledger::sqlite::statements::{Outcome, missing, select, sessions, sums};
use crate::{
    domain::{
        amount::Amount,
        clock::UnixSeconds,
        hold::{GiveUp, Hold, HoldId},
        reason::PayReason,
        session::SessionId,
        settlement::SettlementId,
    },
    ledger::{
        LedgerError, Promised,
        rows::{column, count},
        rules::promise::{self, Backing, Ending, Return, Returned},
    },
};
use rusqlite::{Connection, params};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

/// What of a settlement's holds was deferred.
pub(super) fn deferred_of(conn: &Connection, settlement: SettlementId) -> Outcome<Amount> {
    let sum = "SELECT coalesce(sum(amount), 0) FROM holds WHERE settlement = ?1 AND deferred = 1";
    let sum: i64 = select::value(conn, sum, [select::settlement_key(settlement)])?.unwrap_or_default();
    let negative = |_| LedgerError::Inconsistent("a settlement's holds do not fit an amount".to_owned());
    Ok(Amount::try_from(sum).map_err(negative)?)
}

/// Takes promised holds of a settlement that came to nothing back into their session's pool, each with a trace of why and
/// of the transaction that failed, and to rest for a while.
pub(super) fn take_back(
    conn: &Connection,
    settlement: SettlementId,
    returned: &[Returned],
    (reason, failed): (PayReason, Option<&Signature>),
    now: UnixSeconds,
) -> Outcome<()> {
    let now = column("at", now)?;
    for Returned { id, returns, not_before } in returned {
        conn.prepare_cached(
            "INSERT INTO hold_returns (settlement, hold, reason, signature, at) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            select::settlement_key(settlement),
            select::hold_key(*id),
            reason.word(),
            failed.map(AsRef::<[u8]>::as_ref),
            now,
        ])?;
        conn.prepare_cached(
            "UPDATE holds SET state = 'waiting', settlement = NULL, returns = ?2, not_before = ?3 WHERE id = ?1",
        )?
        .execute(params![select::hold_key(*id), returns, column("not_before", *not_before)?])?;
    }
    Ok(())
}

/// Gives promises up that no settlement could keep, or can: released with the reason of the last one, and booked as lost.
pub(in crate::ledger) fn give_up(conn: &Connection, session: SessionId, when: GiveUp) -> Outcome<Vec<Hold>> {
    let Some(state) = select::session(conn, session)?.map(|session| session.state) else { return Ok(Vec::new()) };
    let backing = Backing::of(state, is_uncovered(conn, session)?, when.delegation);
    let waiting = select::holds(
        conn,
        "WHERE h.seq >> 8 IN (SELECT stretch FROM waiting_stretches) AND h.session = ?1 AND h.state = 'waiting' \
         AND h.told = 1 AND (h.returns > 0 OR ?2) ORDER BY h.seq",
        params![session.to_bytes(), backing != Backing::Stands],
    )?;
    let mut lost = Vec::new();
    for hold in waiting {
        let returns = returns_of(conn, hold.id)?;
        if let Some(ending) = promise::ending(&hold, &returns, backing, when) {
            lose(conn, &hold, ending)?;
            lost.push(select::hold(conn, hold.id)?.ok_or_else(|| missing("hold"))?);
        }
    }
    if !lost.is_empty() {
        sessions::close_when_settled(conn, session)?;
    }
    Ok(lost)
}

/// Whether another approve stands for the account than the one that the session takes from.
fn is_uncovered(conn: &Connection, session: SessionId) -> Outcome<bool> {
    let sql = "SELECT 1 FROM sessions s JOIN approvals a ON a.seq = s.approval WHERE s.id = ?1 AND a.state <> 'current' \
         AND EXISTS (SELECT 1 FROM approvals c WHERE c.user = s.user AND c.asset = s.asset AND c.state = 'current')";
    Ok(select::value::<i64>(conn, sql, [session.to_bytes()])?.is_some())
}

/// The settlements that came to nothing under a hold, in their order.
fn returns_of(conn: &Connection, hold: HoldId) -> Outcome<Vec<Return>> {
    select::list(
        conn,
        "SELECT r.reason, r.signature, r.at FROM hold_returns r JOIN settlements s ON s.id = r.settlement \
         WHERE r.hold = ?1 ORDER BY s.seq",
        [select::hold_key(hold)],
        |row| {
            let (reason, failed): (String, Option<[u8; 64]>) = (row.get(0)?, row.get(1)?);
            let no_reason = || LedgerError::Inconsistent("a hold came back for a reason without a meaning".to_owned());
            Ok(Return {
                reason: PayReason::from_word(&reason).ok_or_else(no_reason)?,
                failed: failed.map(Signature::from),
                at: count("at", row.get(2)?)?,
            })
        },
    )
}

fn lose(conn: &Connection, hold: &Hold, Ending { reason, failed }: Ending) -> Outcome<()> {
    conn.prepare_cached("UPDATE holds SET state = 'released', reason = ?2, signature = ?3 WHERE id = ?1")?
        .execute(params![select::hold_key(hold.id), reason.word(), failed.as_ref().map(AsRef::<[u8]>::as_ref)])?;
    sums::change(conn, hold.session, promise::loss(hold))
}

/// Ends the rest of every promise of an account.
pub(in crate::ledger) fn wake(conn: &Connection, user: &Pubkey, asset: &Pubkey, now: UnixSeconds) -> Outcome<()> {
    let holding = "SELECT s.id FROM sessions s JOIN session_sums t ON t.session = s.seq \
         WHERE s.user = ?1 AND s.asset = ?2 AND t.held > 0";
    let read = |row: &rusqlite::Row<'_>| Ok(SessionId::from_bytes(row.get(0)?));
    for session in select::list(conn, holding, [user.to_bytes(), asset.to_bytes()], read)? {
        conn.prepare_cached(
            "UPDATE holds SET not_before = ?2 WHERE seq >> 8 IN (SELECT stretch FROM waiting_stretches) AND session = ?1 \
             AND state = 'waiting' AND told = 1 AND returns > 0 AND not_before > ?2",
        )?
        .execute(params![session.to_bytes(), column("not_before", now)?])?;
    }
    Ok(())
}

/// How many promises of a session rest since a settlement of them came to nothing after `since`.
pub(in crate::ledger) fn tried_since(conn: &Connection, session: SessionId, since: UnixSeconds) -> Outcome<u64> {
    let sql = "SELECT count(*) FROM holds h WHERE h.seq >> 8 IN (SELECT stretch FROM waiting_stretches) AND h.session = ?1 \
         AND h.state = 'waiting' AND h.told = 1 AND h.returns > 0 \
         AND EXISTS (SELECT 1 FROM hold_returns r WHERE r.hold = h.id AND r.at > ?2)";
    let found: Option<i64> = select::value(conn, sql, params![session.to_bytes(), column("since", since)?])?;
    Ok(count("holds", found.unwrap_or_default())?)
}

/// What waits by promise, by session; of one session for `Some`.
pub(in crate::ledger) fn promised(conn: &Connection, session: Option<SessionId>) -> Outcome<Vec<Promised>> {
    // Not one statement for both: a choice inside it would keep the index by stretch and session from being used.
    let which = if session.is_some() {
        "h.seq >> 8 IN (SELECT stretch FROM waiting_stretches) AND h.session = ?1"
    } else {
        "?1 IS NULL"
    };
    let sql = format!(
        "SELECT h.session, count(*) FILTER (WHERE returns = 0), coalesce(sum(amount) FILTER (WHERE returns = 0), 0), \
         min(accepted_at) FILTER (WHERE returns = 0), count(*) FILTER (WHERE returns > 0), \
         min(not_before) FILTER (WHERE returns > 0), s.state = 'open' \
         FROM holds h JOIN sessions s ON s.id = h.session \
         WHERE {which} AND h.state = 'waiting' AND h.told = 1 GROUP BY h.session ORDER BY min(h.seq)"
    );
    select::list(conn, &sql, [session.map(SessionId::to_bytes)], |row| {
        let (oldest, resting, accepting) = (row.get(3)?, (row.get(4)?, row.get(5)?), row.get(6)?);
        Ok(Promised::read(row.get(0)?, row.get(1)?, row.get(2)?, oldest, resting, accepting)?)
    })
}
