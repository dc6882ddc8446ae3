//! Binding sessions to approvals.
//!
//! Must be true: the trigger `sessions_take_no_more_than_was_approved` stands behind every binding here; what is decided here
//! never comes to it.

use crate::domain::{
    amount::Amount,
    approval::{Approval, LandedApprove},
    reason::SessionReason,
    session::{Session, SessionId, SessionState},
    settlement::SettlementId,
};
use crate::ledger::sqlite::statements::{Outcome, approvals, missing, select, sessions};
use rusqlite::{Connection, params};
use solana_pubkey::Pubkey;

/// Binds a session that opens to the approve it brought, which has landed. `Err` says why it cannot be opened on it; whether
/// or not, the approve stands from then on.
///
/// What a transfer carries right now for sessions that have ended counts before the opening: it may be drawn from the new approve,
/// and cannot be called back.
pub(super) fn bind_opening(
    conn: &Connection,
    session: &Session,
    approve: &LandedApprove,
) -> Outcome<Result<(), SessionReason>> {
    let (user, asset, cap) = (session.user(), &session.intent.asset, session.intent.cap);
    let (known, said) = (approvals::find(conn, user, asset, &approve.signature)?, session.intent.said_approved());
    let is_new = known.is_none();
    if is_new {
        approvals::replace(conn, user, asset, approve, Some(said))?;
    }
    let (seq, approval) = approvals::find(conn, user, asset, &approve.signature)?.ok_or_else(|| missing("approval"))?;
    if approval.free() < cap {
        // Of a new one all is free but what transfers have drawn since it landed. Of one that others were faster to open on, what
        // they left.
        let is_too_small = approval.limit().is_none_or(|limit| limit < cap);
        return Ok(Err(match is_new {
            true if is_too_small => SessionReason::CapMismatch,
            true => SessionReason::ApprovalExhausted,
            false => SessionReason::ApproveUsed,
        }));
    }
    if bind_what_is_carried(conn, session, (seq, approval.free()))? < cap {
        return Ok(Err(SessionReason::ApprovalExhausted));
    }
    bind(conn, session.id, seq)?;
    Ok(Ok(()))
}

/// Binds to an approval what transfers carry right now for ended sessions of the account of `opening`. Tells what is left of the
/// `free` units: nothing, where it does not back all of that.
fn bind_what_is_carried(conn: &Connection, opening: &Session, (seq, free): (i64, Amount)) -> Outcome<Amount> {
    let carried = select::sessions(
        conn,
        "WHERE user = ?1 AND asset = ?2 AND approval IS NOT ?3 AND held > 0 AND state NOT IN ('opening', 'open', 'closing') \
         AND EXISTS (SELECT 1 FROM settlements p WHERE p.session = s.id AND p.purpose = 'capture' \
         AND p.state IN ('reserved', 'in_flight')) ORDER BY seq DESC",
        params![opening.user().to_bytes(), opening.intent.asset.to_bytes(), seq],
    )?;
    let mut left = Some(free);
    for session in carried {
        left = left.and_then(|left| left.checked_sub(session.held));
        if left.is_some() {
            bind(conn, session.id, seq)?;
        }
    }
    Ok(left.unwrap_or_default())
}

/// Binds to the approval that stands whatever of the account is bound to another one or to none: first what is held by sessions
/// that have ended, then live sessions, the newest first; those that do not fit, and all older ones, become `superseded`, and
/// what these hold is bound where it fits into what is left. The rest stays with the approval that backed it. Gives the sessions
/// that it has ended, and those whose holds it does not back.
pub(super) fn rebind(conn: &Connection, user: &Pubkey, asset: &Pubkey) -> Outcome<Vec<SessionId>> {
    let rest = "WHERE a.user = ?1 AND a.asset = ?2 AND a.state = 'current'";
    let Some((seq, approval)) = approvals::approvals(conn, rest, [user.to_bytes(), asset.to_bytes()])?.pop() else {
        return Ok(Vec::new());
    };
    let others = select::sessions(
        conn,
        "WHERE user = ?1 AND asset = ?2 AND approval IS NOT ?3 AND (state IN ('open', 'closing') OR held > 0) \
         AND state <> 'opening' ORDER BY state IN ('open', 'closing'), seq DESC",
        params![user.to_bytes(), asset.to_bytes(), seq],
    )?;
    let (mut free, mut fits, mut told) = (approval.free(), true, Vec::new());
    let mut superseded = Vec::new();
    for other in others {
        let is_open = other.state == SessionState::Open;
        match free.checked_sub(needed(&other)) {
            // Nothing is bound to one of which nobody knows what it delegated, not even a session that needs nothing more.
            Some(left) if (fits || !is_open) && approval.limit().is_some() => {
                bind(conn, other.id, seq)?;
                free = left;
                continue;
            }
            // Nothing older than the first that does not fit stays.
            _ if is_open => {
                fits = false;
                sessions::supersede(conn, &[other.id])?;
                superseded.push((other.id, other.held));
            }
            _ => {}
        }
        told.push(other.id);
    }
    for (id, held) in superseded {
        if let Some(left) = free.checked_sub(held).filter(|_| held > Amount::ZERO) {
            bind(conn, id, seq)?;
            free = left;
        }
    }
    Ok(told)
}

/// What a session may still take.
fn needed(session: &Session) -> Amount {
    match session.state {
        SessionState::Open | SessionState::Closing => {
            session.intent.cap.checked_sub(session.captured).unwrap_or_default()
        }
        _ => session.held,
    }
}

/// Has a session take from this approval, and count from what it has captured by now. What of that is not final is noted: a fork
/// may take it back.
pub(super) fn bind(conn: &Connection, session: SessionId, seq: i64) -> Outcome<()> {
    conn.prepare_cached(
        "UPDATE sessions SET approval = ?2, bound_from = (SELECT captured FROM session_sums WHERE session = sessions.seq) \
         WHERE id = ?1",
    )?
    .execute(params![session.to_bytes(), seq])?;
    conn.prepare_cached(
        "INSERT INTO bound_captures (approval, settlement, session, amount) \
         SELECT ?2, p.id, s.seq, p.amount FROM sessions s JOIN settlements p ON p.session = s.id \
         WHERE s.id = ?1 AND p.purpose = 'capture' AND p.state = 'landed' ON CONFLICT DO NOTHING",
    )?
    .execute(params![session.to_bytes(), seq])?;
    Ok(())
}

/// A fork has taken a transfer back. Where it had landed before its session was bound, what it moved is drawn from the approval
/// that backs the session now, and live sessions on that end until the others fit.
pub(super) fn taken_back(conn: &Connection, settlement: SettlementId) -> Outcome<()> {
    let sql = "UPDATE bound_captures SET taken_back = 1 WHERE settlement = ?1 AND taken_back = 0 RETURNING approval";
    let approvals: Vec<i64> = select::list(conn, sql, [select::settlement_key(settlement)], |row| Ok(row.get(0)?))?;
    for seq in approvals {
        supersede_until_it_fits(conn, seq)?;
    }
    Ok(())
}

/// Ends the oldest sessions that are open on an approval until what is taken from it is no more than was approved. Gives them.
pub(super) fn supersede_until_it_fits(conn: &Connection, seq: i64) -> Outcome<Vec<SessionId>> {
    let mut ended = Vec::new();
    for session in select::sessions(conn, "WHERE approval = ?1 AND state = 'open' ORDER BY seq", [seq])? {
        let approval = approvals::approvals(conn, "WHERE a.seq = ?1", [seq])?.pop().map(|(_, approval)| approval);
        let is_passed =
            |approval: &Approval| approval.is_complete && approval.limit().is_some_and(|limit| approval.taken > limit);
        if !approval.as_ref().is_some_and(is_passed) {
            break;
        }
        sessions::supersede(conn, &[session.id])?;
        ended.push(session.id);
    }
    Ok(ended)
}
