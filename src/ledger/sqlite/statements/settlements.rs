//! Planning settlements: which holds the next transfer carries, and what else is to be broadcast.

use crate::ledger::sqlite::statements::{Outcome, journal, select};
use crate::{
    domain::{
        amount::Amount,
        clock::UnixSeconds,
        hold::Hold,
        session::SessionId,
        settlement::{Event, Purpose, Settlement, SettlementId, Subject, apply},
    },
    ledger::{Carry, LedgerError, rows::column},
};
use rusqlite::{Connection, params};

/// Covers the oldest waiting holds of a session that do not rest with a new settlement, as far as it may carry them.
pub(in crate::ledger) fn plan(
    conn: &Connection,
    id: SettlementId,
    session: SessionId,
    carry: Carry,
    now: UnixSeconds,
) -> Outcome<Option<Settlement>> {
    let waiting = select::holds(
        conn,
        "WHERE h.seq >> 8 IN (SELECT stretch FROM waiting_stretches) AND h.session = ?1 AND h.state = 'waiting' \
         AND h.not_before <= ?2 ORDER BY h.seq",
        params![session.to_bytes(), column("now", now)?],
    )?;
    if !carry.promises_alone && waiting.iter().all(|hold| hold.told) {
        return Ok(None);
    }
    let (amount, covered) = oldest_within(&waiting, carry.most);
    if covered.is_empty() {
        return Ok(None);
    }
    let settlement = insert(conn, id, Purpose::Capture, Subject::Session(session), amount, now)?;
    for hold in covered {
        conn.prepare_cached("UPDATE holds SET state = 'planned', settlement = ?2 WHERE id = ?1 AND state = 'waiting'")?
            .execute([select::hold_key(hold.id), select::settlement_key(id)])?;
    }
    Ok(Some(settlement))
}

/// The longest run of `waiting` from its start whose sum is at most `most`, but never less than the first: order is
/// kept, so a small payment does not overtake a large one.
fn oldest_within(waiting: &[Hold], most: Amount) -> (Amount, &[Hold]) {
    let mut sum = Amount::ZERO;
    for (index, hold) in waiting.iter().enumerate() {
        match sum.checked_add(hold.amount) {
            Some(more) if more <= most || index == 0 => sum = more,
            _ => return (sum, &waiting[..index]),
        }
    }
    (sum, waiting)
}

/// Plans a settlement without holds. A second approve of a session, or a second creation of a recipient's account, while
/// the first may still have an effect (or has had it) has lost the race against it.
pub(in crate::ledger) fn plan_other(
    conn: &Connection,
    id: SettlementId,
    purpose: Purpose,
    subject: Subject,
    now: UnixSeconds,
) -> Outcome<Settlement> {
    if purpose.carries_holds() {
        return Err(LedgerError::Inconsistent("a capture is planned with its holds".to_owned()).into());
    }
    if let (Purpose::Approve, Some(session)) = (purpose, subject.session()) {
        let other = select::value::<i64>(
            conn,
            "SELECT 1 FROM settlements WHERE session = ?1 AND purpose = 'approve' AND state <> 'released'",
            [session.to_bytes()],
        )?;
        if other.is_some() {
            return Err(LedgerError::LostRace.into());
        }
    }
    if let (Purpose::CreateRecipient, Some(session)) = (purpose, subject.session()) {
        let other = select::value::<i64>(
            conn,
            "SELECT 1 FROM created_recipients c JOIN settlements s ON s.id = c.settlement WHERE s.state <> 'released' \
             AND (c.recipient, c.asset) = (SELECT recipient, asset FROM sessions WHERE id = ?1)",
            [session.to_bytes()],
        )?;
        if other.is_some() {
            return Err(LedgerError::LostRace.into());
        }
    }
    insert(conn, id, purpose, subject, Amount::ZERO, now)
}

/// Writes a new settlement and its first event.
pub(super) fn insert(
    conn: &Connection,
    id: SettlementId,
    purpose: Purpose,
    subject: Subject,
    amount: Amount,
    now: UnixSeconds,
) -> Outcome<Settlement> {
    let state = apply(None, &Event::Reserved).map_err(|error| journal::illegal(&error))?;
    let settlement = Settlement {
        id,
        purpose,
        subject,
        amount,
        state,
        sequence: 1,
        attempts: 0,
        signature: None,
        landed_at: None,
        held: None,
    };
    conn.prepare_cached(
        "INSERT INTO settlements (id, purpose, subject_kind, subject_id, amount, state, sequence, attempts, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8)",
    )?
    .execute(params![
        select::settlement_key(id),
        purpose.word(),
        subject.kind(),
        subject.id().map(uuid::Uuid::into_bytes),
        i64::from(amount),
        settlement.state.word(),
        settlement.sequence,
        column("created_at", now)?,
    ])?;
    journal::append(conn, &settlement, &Event::Reserved, now)?;
    Ok(settlement)
}
