//! Accepting payments, answering them once, and ending the wait for them.

use crate::ledger::sqlite::statements::{Outcome, deferred, funding, missing, plain_hold, select, sessions};
use crate::{
    domain::{
        amount::Amount,
        clock::UnixSeconds,
        funding::Funding,
        hold::{Hold, HoldId, HoldState, NewHold},
        reason::PayReason,
        session::{Session, SessionId},
    },
    ledger::{Deadline, Held, LedgerError, rows::column},
};
use rusqlite::{Connection, params};

/// Accepts a payment. What was accepted before is recognised first, so that a repeat is told its own outcome and never
/// that the cap is passed or the session has ended since.
pub(in crate::ledger) fn hold(conn: &Connection, new: &NewHold) -> Outcome<Held> {
    if let Some(hold) = plain_hold::write(conn, new)? {
        return Ok(Held::New(hold));
    }
    let earlier = match &new.nonce {
        Some(nonce) => same_nonce(conn, new, nonce)?,
        None => take_over(conn, new)?,
    };
    if let Some(earlier) = earlier {
        return Ok(earlier);
    }
    let Some(session) = select::session(conn, new.session)? else {
        return Ok(Held::Refused(PayReason::SessionNotFound));
    };
    if new.amount == Amount::ZERO {
        return Ok(Held::Refused(PayReason::InvalidAmount));
    }
    match session.may_hold(new.amount, new.now, new.unverified_exposure) {
        Ok(()) => {}
        Err(reason) => return Ok(Held::Refused(reason)),
    }
    match funding::admit(conn, new, &session)? {
        Ok(funding) => write(conn, new, &session, funding).map(Held::New),
        Err(reason) => Ok(Held::Refused(reason)),
    }
}

/// What this nonce was used for in this session.
pub(in crate::ledger) fn find_payment(conn: &Connection, session: SessionId, nonce: &str) -> Outcome<Option<Hold>> {
    let found = select::holds(conn, "WHERE h.session = ?1 AND h.nonce = ?2", params![session.to_bytes(), nonce])?;
    Ok(found.into_iter().next())
}

fn same_nonce(conn: &Connection, new: &NewHold, nonce: &str) -> Outcome<Option<Held>> {
    let earlier = find_payment(conn, new.session, nonce)?;
    Ok(earlier.map(|hold| if hold.content == new.content { Held::Repeat(hold) } else { Held::NonceConflict }))
}

/// A caller without a nonce who was answered `settlement_pending` asks again: the oldest such payment becomes his, and
/// no other request can take the same answer over.
fn take_over(conn: &Connection, new: &NewHold) -> Outcome<Option<Held>> {
    let pending = select::holds(
        conn,
        "WHERE h.session = ?1 AND h.content = ?2 AND h.pending_answered = 1 AND h.nonce IS NULL AND h.told = 0 \
         ORDER BY h.seq LIMIT 1",
        params![new.session.to_bytes(), new.content.0],
    )?;
    let Some(hold) = pending.into_iter().next() else {
        return Ok(None);
    };
    conn.prepare_cached("UPDATE holds SET pending_answered = 0, taken_over = taken_over + 1 WHERE id = ?1")?
        .execute([select::hold_key(hold.id)])?;
    Ok(Some(Held::Repeat(hold)))
}

fn write(conn: &Connection, new: &NewHold, session: &Session, funding: Funding) -> Outcome<Hold> {
    let overflow = || LedgerError::Inconsistent("a hold within the cap does not fit the cap".to_owned());
    let spent_after = session.spent().checked_add(new.amount).ok_or_else(overflow)?;
    let remaining_after = session.intent.cap.checked_sub(spent_after).ok_or_else(overflow)?;
    let promised = match new.deferred {
        Some(limits) => deferred::promise(conn, session, new.amount, limits)?,
        None => false,
    };
    if !promised {
        change_held(conn, new.session, i64::from(new.amount))?;
    }
    let used = || LedgerError::Inconsistent("a hold's id is used already".to_owned());
    Ok(insert(conn, new, [spent_after, remaining_after], promised, funding)?.ok_or_else(used)?)
}

/// Writes the row of a hold, and what its session has spent and left after it; none, and nothing is written, when its nonce
/// is used already: the constraint looks it up. A promise is told with its row: whoever repeats it finds that it was.
pub(super) fn insert(
    conn: &Connection,
    new: &NewHold,
    [spent_after, remaining_after]: [Amount; 2],
    promised: bool,
    funding: Funding,
) -> Outcome<Option<Hold>> {
    let written = conn
        .prepare_cached(
            "INSERT INTO holds (id, session, nonce, content, amount, spent_after, remaining_after, state, told, \
             pending_answered, taken_over, accepted_at, deferred, funding) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'waiting', ?9, 0, 0, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            select::hold_key(new.id),
            new.session.to_bytes(),
            new.nonce,
            new.content.0,
            i64::from(new.amount),
            i64::from(spent_after),
            i64::from(remaining_after),
            column("accepted_at", new.now)?,
            promised,
            funding.word(),
        ])?;
    Ok((written == 1).then(|| Hold {
        id: new.id,
        session: new.session,
        nonce: new.nonce.clone(),
        content: new.content,
        amount: new.amount,
        spent_after,
        remaining_after,
        state: HoldState::Waiting,
        told: promised,
        deferred: promised,
        returns: 0,
        accepted_at: new.now,
        funding,
    }))
}

/// Changes what a session holds by so many base units; the table refuses to pass the cap or zero.
pub(in crate::ledger) fn change_held(conn: &Connection, id: SessionId, by: i64) -> Outcome<()> {
    let changed = conn
        .prepare_cached(
            "UPDATE session_sums SET held = held + ?2 WHERE session = (SELECT seq FROM sessions WHERE id = ?1)",
        )?
        .execute(params![id.to_bytes(), by])?;
    if changed == 1 { Ok(()) } else { Err(missing("session")) }
}

/// Hands out `success:true` for a captured hold to the first who asks.
pub(in crate::ledger) fn claim_success(conn: &Connection, id: HoldId) -> Outcome<bool> {
    let changed = conn
        .prepare_cached("UPDATE holds SET told = 1 WHERE id = ?1 AND state = 'captured' AND told = 0")?
        .execute([select::hold_key(id)])?;
    Ok(changed == 1)
}

/// Ends a caller's wait: uncovered is released unless it was promised, the others are marked as answered
/// `settlement_pending`, also what was captured meanwhile and told nobody.
pub(in crate::ledger) fn end_wait(conn: &Connection, id: HoldId, reason: PayReason) -> Outcome<Deadline> {
    let hold = select::hold(conn, id)?.ok_or_else(|| missing("hold"))?;
    match hold.state {
        HoldState::Waiting if !hold.told => {
            release_waiting(conn, &hold, reason)?;
            Ok(Deadline::Released)
        }
        HoldState::Waiting | HoldState::Planned { .. } => {
            mark_pending(conn, id)?;
            Ok(Deadline::Pending(hold))
        }
        HoldState::Captured { .. } if !hold.told => {
            mark_pending(conn, id)?;
            Ok(Deadline::Decided(hold))
        }
        HoldState::Captured { .. } | HoldState::Released { .. } => Ok(Deadline::Decided(hold)),
    }
}

fn mark_pending(conn: &Connection, id: HoldId) -> Outcome<()> {
    conn.prepare_cached("UPDATE holds SET pending_answered = 1 WHERE id = ?1")?.execute([select::hold_key(id)])?;
    Ok(())
}

/// Releases every uncovered hold accepted before `before` that was not promised.
pub(in crate::ledger) fn release_abandoned(conn: &Connection, before: UnixSeconds, reason: PayReason) -> Outcome<u64> {
    let abandoned = select::holds(
        conn,
        "WHERE h.state = 'waiting' AND h.told = 0 AND h.accepted_at < ?1 ORDER BY h.seq",
        [column("before", before)?],
    )?;
    for hold in &abandoned {
        release_waiting(conn, hold, reason)?;
    }
    Ok(abandoned.len() as u64)
}

/// Gives back a hold that no settlement covers: nothing was signed for it, so nothing can move.
fn release_waiting(conn: &Connection, hold: &Hold, reason: PayReason) -> Outcome<()> {
    conn.prepare_cached("UPDATE holds SET state = 'released', reason = ?2 WHERE id = ?1 AND state = 'waiting'")?
        .execute(params![select::hold_key(hold.id), reason.word()])?;
    change_held(conn, hold.session, -i64::from(hold.amount))?;
    sessions::close_when_settled(conn, hold.session)
}
