//! Accepting payments, answering them once, and ending the wait for them.

use crate::ledger::sqlite::statements::{
    Outcome, funding, missing, plain_hold, recorded_answers, select, sessions, sums,
};
use crate::{
    domain::{
        clock::UnixSeconds,
        funding::Source,
        hold::{Hold, HoldId, HoldState, NewHold, RecordedAnswer},
        reason::PayReason,
        session::SessionId,
    },
    ledger::{
        Deadline, Held, LedgerError,
        rows::column,
        rules::{
            SumsChange,
            accept::{self, Accepted},
            promise::{self, WaitEnd},
        },
    },
};
use rusqlite::{Connection, params};

/// Accepts a payment. What was accepted before is recognised first, so that a repeat is told its own outcome and never
/// that the cap is passed or the session has ended since.
pub(in crate::ledger) fn hold(conn: &Connection, new: &NewHold) -> Outcome<Held> {
    if let Some(hold) = plain_hold::write(conn, new)? {
        return Ok(Held::New(hold));
    }
    hold_by_rule(conn, new)
}

/// Like [`hold`], without the shorter way of a plain one.
pub(super) fn hold_by_rule(conn: &Connection, new: &NewHold) -> Outcome<Held> {
    let earlier = match &new.nonce {
        Some(nonce) => find_payment(conn, new.session, nonce)?.map(|earlier| accept::repeat(new, earlier)),
        None => take_over(conn, new)?,
    };
    if let Some(earlier) = earlier {
        return Ok(earlier);
    }
    let Some(session) = select::session(conn, new.session)? else {
        return Ok(Held::Refused(PayReason::SessionNotFound));
    };
    let unverified_exposure = sums::unverified_exposure(conn, &session, new.unverified_exposure)?;
    let new = &NewHold { unverified_exposure, ..new.clone() };
    let (user, asset) = (session.user(), &session.intent.asset);
    let source = funding::source(conn, user, asset)?.unwrap_or_else(|| Source::unknown(*user, *asset));
    let is_relied_upon = accept::asks_for_reliance(new, &source) && funding::is_relied_upon(conn, user, asset)?;
    let promised =
        if new.deferred.is_some() { sums::promised(conn, &session)? } else { promise::PromisedSums::default() };
    let rows = accept::Rows { session: &session, source, is_relied_upon, promised };
    match accept::accept(new, &rows) {
        Ok(accepted) => write(conn, new, &accepted).map(Held::New),
        Err(reason) => Ok(Held::Refused(reason)),
    }
}

/// What this nonce was used for in this session.
pub(in crate::ledger) fn find_payment(conn: &Connection, session: SessionId, nonce: &str) -> Outcome<Option<Hold>> {
    let found = select::holds(conn, "WHERE h.session = ?1 AND h.nonce = ?2", params![session.to_bytes(), nonce])?;
    Ok(found.into_iter().next())
}

/// A caller without a nonce who was answered `settlement_pending` asks again: the oldest such payment becomes theirs, and
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

fn write(conn: &Connection, new: &NewHold, accepted: &Accepted) -> Outcome<Hold> {
    let used = || LedgerError::Inconsistent("a hold's id is used already".to_owned());
    let hold = insert(conn, new, accepted)?.ok_or_else(used)?;
    sums::accept(conn, new.session, accepted.sums, conn.last_insert_rowid())?;
    Ok(hold)
}

/// Writes the row of a hold, and what its session has spent and left after it; none, and nothing is written, when its nonce
/// is used already: the constraint looks it up. A promise is told with its row: whoever repeats it finds that it was.
pub(super) fn insert(conn: &Connection, new: &NewHold, accepted: &Accepted) -> Outcome<Option<Hold>> {
    let Accepted { spent_after, remaining_after, promised, funding, .. } = *accepted;
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
    if written == 1
        && promised
        && let Some(answer) = new.answer
    {
        recorded_answers::write(conn, new.id, answer)?;
    }
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

/// Hands out `success:true` for a captured hold to the first who asks.
pub(in crate::ledger) fn claim_success(conn: &Connection, id: HoldId, answer: Option<RecordedAnswer>) -> Outcome<bool> {
    let changed = conn
        .prepare_cached("UPDATE holds SET told = 1 WHERE id = ?1 AND state = 'captured' AND told = 0")?
        .execute([select::hold_key(id)])?;
    if changed == 1
        && let Some(answer) = answer
    {
        recorded_answers::write(conn, id, answer)?;
    }
    Ok(changed == 1)
}

/// Ends a caller's wait: uncovered is released unless it was promised, the others are marked as answered
/// `settlement_pending`, also what was captured meanwhile and told nobody.
pub(in crate::ledger) fn end_wait(conn: &Connection, id: HoldId, reason: PayReason) -> Outcome<Deadline> {
    let hold = select::hold(conn, id)?.ok_or_else(|| missing("hold"))?;
    match promise::end_wait(&hold) {
        WaitEnd::Released => {
            release_waiting(conn, &hold, reason)?;
            Ok(Deadline::Released)
        }
        WaitEnd::Pending => {
            mark_pending(conn, id)?;
            Ok(Deadline::Pending(hold))
        }
        WaitEnd::DecidedUntold => {
            mark_pending(conn, id)?;
            Ok(Deadline::Decided(hold))
        }
        WaitEnd::Decided => Ok(Deadline::Decided(hold)),
    }
}

fn mark_pending(conn: &Connection, id: HoldId) -> Outcome<()> {
    conn.prepare_cached("UPDATE holds SET pending_answered = 1 WHERE id = ?1")?.execute([select::hold_key(id)])?;
    Ok(())
}

/// Releases every uncovered hold accepted before `before` that was not promised.
pub(in crate::ledger) fn release_abandoned(conn: &Connection, before: UnixSeconds, reason: PayReason) -> Outcome<u64> {
    // By the stretches: ordered by what is the table's own key, it would else be walked whole.
    let abandoned = select::holds(
        conn,
        "WHERE h.seq >> 8 IN (SELECT stretch FROM waiting_stretches) AND h.state = 'waiting' AND h.told = 0 \
         AND h.accepted_at < ?1 ORDER BY h.seq",
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
    sums::change(conn, hold.session, SumsChange::give_back(hold.amount))?;
    sessions::close_when_settled(conn, hold.session)
}
