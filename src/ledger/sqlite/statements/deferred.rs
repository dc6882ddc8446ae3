//! Promised payments: what may be promised at once, what happens to a promise when its settlement comes to nothing, and
//! when a promise is given up and its loss booked.
//!
//! Must be true: `session_sums.deferred_held` and `merchant_exposure.deferred_held` are the sums of deferred holds
//! that are neither captured nor released, and `session_sums.lost` of those that were told and released.

use crate::ledger::sqlite::statements::{Outcome, missing, select, sessions};
use crate::{
    domain::{
        amount::Amount,
        clock::UnixSeconds,
        hold::{Exposure, GiveUp, Hold, rest_after},
        reason::PayReason,
        session::{Session, SessionId},
        settlement::{Settlement, SettlementId},
    },
    ledger::{LedgerError, Promised, rows::column},
};
use rusqlite::{Connection, OptionalExtension as _, params};
use solana_signature::Signature;

/// Holds `amount` as a promise of its session, within the limits; false, and nothing is changed, when it would pass one.
pub(super) fn promise(conn: &Connection, session: &Session, amount: Amount, limits: Exposure) -> Outcome<bool> {
    // Compared as room, so that no sum can overflow.
    let room = |limit: Amount| limit.checked_sub(amount).map(i64::from);
    let (Some(of_session), Some(of_merchant)) = (room(limits.per_session), room(limits.per_merchant)) else {
        return Ok(false);
    };
    let held = conn
        .prepare_cached(
            "UPDATE session_sums SET held = held + ?2, deferred_held = deferred_held + ?2 \
             WHERE session = (SELECT seq FROM sessions WHERE id = ?1) AND deferred_held <= ?3",
        )?
        .execute(params![session.id.to_bytes(), i64::from(amount), of_session])?;
    if held == 0 {
        return Ok(false);
    }
    let intent = &session.intent;
    let exposed = conn
        .prepare_cached(
            "INSERT INTO merchant_exposure (recipient, asset, deferred_held) VALUES (?1, ?2, ?3) \
             ON CONFLICT (recipient, asset) DO UPDATE SET deferred_held = deferred_held + ?3 WHERE deferred_held <= ?4",
        )?
        .execute(params![intent.recipient.to_bytes(), intent.asset.to_bytes(), i64::from(amount), of_merchant])?;
    if exposed == 0 {
        conn.prepare_cached(
            "UPDATE session_sums SET held = held - ?2, deferred_held = deferred_held - ?2 \
             WHERE session = (SELECT seq FROM sessions WHERE id = ?1)",
        )?
        .execute(params![session.id.to_bytes(), i64::from(amount)])?;
    }
    Ok(exposed == 1)
}

/// What of a settlement's holds was deferred.
pub(super) fn deferred_of(conn: &Connection, settlement: SettlementId) -> Outcome<i64> {
    let sum = "SELECT coalesce(sum(amount), 0) FROM holds WHERE settlement = ?1 AND deferred = 1";
    Ok(select::value(conn, sum, [select::settlement_key(settlement)])?.unwrap_or_default())
}

/// Raises (or lowers) what all sessions together hold by promise for this session's merchant.
pub(super) fn expose(conn: &Connection, session: SessionId, more: i64) -> Outcome<()> {
    if more == 0 {
        return Ok(());
    }
    let changed = conn
        .prepare_cached(
            "UPDATE merchant_exposure SET deferred_held = deferred_held + ?2 \
             WHERE (recipient, asset) = (SELECT recipient, asset FROM sessions WHERE id = ?1)",
        )?
        .execute(params![session.to_bytes(), more])?;
    if changed == 1 { Ok(()) } else { Err(missing("merchant's exposure")) }
}

/// Takes the promised holds of a settlement that came to nothing back into their session's pool, each with a trace, and
/// to rest for a while. Returns their sum.
pub(super) fn take_back(
    conn: &Connection,
    settlement: &Settlement,
    reason: PayReason,
    failed: Option<&Signature>,
    now: UnixSeconds,
) -> Outcome<Amount> {
    let promised = select::holds(
        conn,
        "WHERE h.settlement = ?1 AND h.state = 'planned' AND h.told = 1 ORDER BY h.seq",
        [select::settlement_key(settlement.id)],
    )?;
    let overflow = || LedgerError::Inconsistent("a settlement's holds do not fit an amount".to_owned());
    let mut sum = Amount::ZERO;
    for hold in &promised {
        sum = sum.checked_add(hold.amount).ok_or_else(overflow)?;
        let returns = hold.returns.checked_add(1).ok_or_else(overflow)?;
        conn.prepare_cached(
            "INSERT INTO hold_returns (settlement, hold, reason, signature, at) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            select::settlement_key(settlement.id),
            select::hold_key(hold.id),
            reason.word(),
            failed.map(AsRef::<[u8]>::as_ref),
            column("at", now)?,
        ])?;
        conn.prepare_cached(
            "UPDATE holds SET state = 'waiting', settlement = NULL, returns = ?2, not_before = ?3 WHERE id = ?1",
        )?
        .execute(params![
            select::hold_key(hold.id),
            returns,
            column("not_before", now.saturating_add(rest_after(returns)))?,
        ])?;
    }
    Ok(sum)
}

/// Gives promises up that no settlement could keep: released with the reason of the last one, and booked as lost. What
/// passes by itself (a budget of ours that is used up, an outage) is no reason to. One that is old is given up only when
/// its latest settlement was tried at that age and came to nothing: until then it is tried once more.
pub(in crate::ledger) fn give_up(conn: &Connection, session: SessionId, when: GiveUp) -> Outcome<Vec<Hold>> {
    // An empty purse of ours says nothing against a promise: it waits until there is money again.
    let [seller, global, payer, purse] = PayReason::OF_THE_SPONSOR.map(PayReason::word);
    let hopeless = select::holds(
        conn,
        "WHERE h.seq >> 8 IN (SELECT stretch FROM waiting_stretches) AND h.session = ?1 AND h.state = 'waiting' \
         AND h.told = 1 AND h.returns > 0 \
         AND ((SELECT count(*) FROM hold_returns r WHERE r.hold = h.id AND r.reason NOT IN (?4, ?5, ?6, ?7)) >= ?2 \
         OR (SELECT r.reason NOT IN (?4, ?5, ?6, ?7) AND r.at - h.accepted_at >= ?3 FROM hold_returns r \
         JOIN settlements s ON s.id = r.settlement WHERE r.hold = h.id ORDER BY s.seq DESC LIMIT 1)) ORDER BY h.seq",
        params![
            session.to_bytes(),
            when.returns,
            // Longer than any promise lasts is for ever.
            i64::try_from(when.age_seconds).unwrap_or(i64::MAX),
            seller,
            global,
            payer,
            purse
        ],
    )?;
    let mut lost = Vec::with_capacity(hopeless.len());
    for hold in hopeless {
        lose(conn, &hold)?;
        lost.push(select::hold(conn, hold.id)?.ok_or_else(|| missing("hold"))?);
    }
    if !lost.is_empty() {
        sessions::close_when_settled(conn, session)?;
    }
    Ok(lost)
}

fn lose(conn: &Connection, hold: &Hold) -> Outcome<()> {
    let (reason, failed): (String, Option<Vec<u8>>) = conn
        .prepare_cached(
            "SELECT r.reason, r.signature FROM hold_returns r JOIN settlements s ON s.id = r.settlement \
             WHERE r.hold = ?1 ORDER BY s.seq DESC LIMIT 1",
        )?
        .query_row([select::hold_key(hold.id)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .ok_or_else(|| missing("return of a hold"))?;
    conn.prepare_cached("UPDATE holds SET state = 'released', reason = ?2, signature = ?3 WHERE id = ?1")?
        .execute(params![select::hold_key(hold.id), reason, failed])?;
    let deferred = if hold.deferred { i64::from(hold.amount) } else { 0 };
    conn.prepare_cached(
        "UPDATE session_sums SET held = held - ?2, deferred_held = deferred_held - ?3, lost = lost + ?2 \
         WHERE session = (SELECT seq FROM sessions WHERE id = ?1)",
    )?
    .execute(params![hold.session.to_bytes(), i64::from(hold.amount), deferred])?;
    expose(conn, hold.session, -deferred)
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
