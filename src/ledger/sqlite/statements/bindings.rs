//! Binding sessions to approvals.
//!
//! Must be true: the trigger `sessions_take_no_more_than_was_approved` stands behind every binding here; what is decided here
//! never comes to it.

use crate::domain::{
    amount::Amount,
    approval::LandedApprove,
    reason::SessionReason,
    session::{Session, SessionId, SessionState},
};
use crate::ledger::sqlite::statements::{Outcome, approvals, missing, select, sessions};
use rusqlite::{Connection, params};
use solana_pubkey::Pubkey;

/// Binds a session that opens to the approve it brought, which has landed. `Err` says why it cannot be opened on it; whether
/// or not, the approve stands from then on.
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
        // Of a new one all is free. Of one that others were faster to open on, what they left.
        return Ok(Err(if is_new { SessionReason::CapMismatch } else { SessionReason::ApproveUsed }));
    }
    bind(conn, session.id, seq)?;
    Ok(Ok(()))
}

/// Binds to the approval that stands whatever of the account is bound to another one or to none: first what is held by sessions
/// that have ended, then live sessions, the newest first; those that do not fit, and all older ones, become `superseded`.
/// What these hold stays with the approval that backed it.
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
    let (mut free, mut fits, mut ended) = (approval.free(), true, Vec::new());
    for other in others {
        let is_open = other.state == SessionState::Open;
        match free.checked_sub(needed(&other)) {
            Some(left) if fits || !is_open => {
                bind(conn, other.id, seq)?;
                free = left;
            }
            // Nothing older than the first that does not fit stays.
            _ if is_open => {
                fits = false;
                sessions::supersede(conn, &[other.id])?;
                ended.push(other.id);
            }
            _ => {}
        }
    }
    Ok(ended)
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

/// Has a session take from this approval, and count from what it has captured by now.
pub(super) fn bind(conn: &Connection, session: SessionId, seq: i64) -> Outcome<()> {
    conn.prepare_cached(
        "UPDATE sessions SET approval = ?2, bound_from = (SELECT captured FROM session_sums WHERE session = sessions.seq) \
         WHERE id = ?1",
    )?
    .execute(params![session.to_bytes(), seq])?;
    Ok(())
}
