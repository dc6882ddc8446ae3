//! Opening, confirming and ending sessions.

use super::{Outcome, approvals, bindings, missing, revocations, select};
use crate::{
    domain::{
        amount::Amount,
        approval::LandedApprove,
        clock::UnixSeconds,
        reason::SessionReason,
        session::{CapCheck, Session, SessionId, SessionState},
    },
    ledger::{
        LedgerError, Opened, is_same_opening,
        rows::{NOT_SIGNED, column},
    },
};
use rusqlite::{Connection, Row, params};
use solana_pubkey::Pubkey;

/// Writes a session in state `opening`, or finds what its user opened with its nonce.
///
/// Refuses a session that is not fresh: what settlements did to it comes from settlements only.
pub(in crate::ledger) fn open(conn: &Connection, session: &Session) -> Outcome<Opened> {
    if let Some(known) = find(conn, session.user(), &session.intent.nonce)? {
        let is_same = is_same_opening(&known, session);
        return Ok(if is_same { Opened::Existing(known) } else { Opened::NonceReused });
    }
    let fresh = session.state == SessionState::Opening && session.spent() == Amount::ZERO;
    if !fresh {
        return Err(LedgerError::Inconsistent("a new session is `opening` and has spent nothing".to_owned()).into());
    }
    if revocations::is_on_its_way(conn, session.user(), &session.intent.asset)? {
        return Ok(Opened::RevokeOnItsWay);
    }
    insert(conn, session, Amount::ZERO)?;
    Ok(Opened::New(session.clone()))
}

/// The session that this user opened with this nonce.
pub(in crate::ledger) fn find(conn: &Connection, user: &Pubkey, nonce: &str) -> Outcome<Option<Session>> {
    Ok(select::sessions(conn, "WHERE user = ?1 AND nonce = ?2", params![user.to_bytes(), nonce])?.pop())
}

/// Writes a session as it is; `captured_before` of what it has captured was captured by no hold of ours.
pub(in crate::ledger) fn insert(conn: &Connection, session: &Session, captured_before: Amount) -> Outcome<()> {
    let intent = &session.intent;
    conn.prepare_cached(
        "INSERT INTO sessions (id, user, asset, recipient, spender, session_key, nonce, cap, expires_at, spelling, network, \
         intent, intent_signature, settle_signature, state, rejected, cap_verified, approve, created_at, approved) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
    )?
    .execute(params![
        session.id.to_bytes(),
        intent.user.to_bytes(),
        intent.asset.to_bytes(),
        intent.recipient.to_bytes(),
        intent.spender.to_bytes(),
        intent.session_key.map(|key| key.to_bytes()),
        intent.nonce,
        i64::from(intent.cap),
        column("expires_at", intent.expires_at)?,
        intent.network,
        session.network,
        session.signed.bytes,
        session.signed.signature.unwrap_or(NOT_SIGNED),
        session.signed.settle_signature,
        session.state.word(),
        rejection(session.state),
        session.cap_check == CapCheck::Verified,
        session.approve.as_ref().map(AsRef::<[u8]>::as_ref),
        column("created_at", session.created_at)?,
        intent.approved.map(i64::from),
    ])?;
    conn.prepare_cached(
        "INSERT INTO session_sums (session, cap, captured, held, captured_before, deferred_held, lost) \
         VALUES (?1, ?2, ?3, ?4, ?5, 0, 0)",
    )?
    .execute(params![
        conn.last_insert_rowid(),
        i64::from(intent.cap),
        i64::from(session.captured),
        i64::from(session.held),
        i64::from(captured_before),
    ])?;
    Ok(())
}

fn rejection(state: SessionState) -> Option<&'static str> {
    match state {
        SessionState::Rejected(reason) => Some(reason.word()),
        _ => None,
    }
}

/// `opening` becomes `open` on its approve, which has landed, and `superseded` end; of the account's other sessions those that
/// the approve still backs are bound to it, and the oldest end until they fit. Any other is left alone. An `opening` one becomes
/// `rejected` instead where its approve does not back it, or does so no more.
pub(in crate::ledger) fn mark_open(
    conn: &Connection,
    id: SessionId,
    check: CapCheck,
    approve: &LandedApprove,
    superseded: &[SessionId],
) -> Outcome<Session> {
    let session = select::session(conn, id)?.ok_or_else(|| missing("session"))?;
    let verified = check == CapCheck::Verified;
    match session.state {
        SessionState::Opening => {
            match bindings::bind_opening(conn, &session, approve)? {
                Ok(()) => {
                    conn.prepare_cached(
                        "UPDATE sessions SET state = 'open', cap_verified = ?2, approve = ?3 WHERE id = ?1",
                    )?
                    .execute(params![id.to_bytes(), verified, approve.signature.as_ref()])?;
                    let others: Vec<SessionId> = superseded.iter().copied().filter(|other| *other != id).collect();
                    supersede(conn, &others)?;
                }
                Err(reason) => reject(conn, id, reason)?,
            }
            bindings::rebind(conn, session.user(), &session.intent.asset)?;
        }
        _ => return Ok(session),
    }
    select::session(conn, id)?.ok_or_else(|| missing("session"))
}

/// The cap of an `open` session is verified; any other is left alone.
pub(in crate::ledger) fn verify(conn: &Connection, id: SessionId) -> Outcome<()> {
    conn.prepare_cached("UPDATE sessions SET cap_verified = 1 WHERE id = ?1 AND state = 'open'")?
        .execute([id.to_bytes()])?;
    Ok(())
}

/// Those that are live become `superseded`.
pub(in crate::ledger) fn supersede(conn: &Connection, ended: &[SessionId]) -> Outcome<()> {
    let mut end =
        conn.prepare_cached("UPDATE sessions SET state = 'superseded' WHERE id = ?1 AND state IN ('opening', 'open')")?;
    for id in ended {
        end.execute([id.to_bytes()])?;
    }
    Ok(())
}

/// `opening`, or `open` with an unverified cap, becomes `rejected`; any other is left alone.
pub(in crate::ledger) fn reject(conn: &Connection, id: SessionId, reason: SessionReason) -> Outcome<()> {
    let known = select::value::<i64>(conn, "SELECT 1 FROM sessions WHERE id = ?1", [id.to_bytes()])?;
    known.ok_or_else(|| missing("session"))?;
    conn.prepare_cached(
        "UPDATE sessions SET state = 'rejected', rejected = ?2 \
         WHERE id = ?1 AND (state = 'opening' OR (state = 'open' AND cap_verified = 0))",
    )?
    .execute(params![id.to_bytes(), reason.word()])?;
    Ok(())
}

/// All live sessions of this user and asset become `revoked`, and what stood for the account stands no more.
pub(in crate::ledger) fn revoke(conn: &Connection, user: &Pubkey, asset: &Pubkey) -> Outcome<u64> {
    let changed = conn
        .prepare_cached(
            "UPDATE sessions SET state = 'revoked' WHERE user = ?1 AND asset = ?2 AND state IN ('opening', 'open')",
        )?
        .execute([user.to_bytes(), asset.to_bytes()])?;
    approvals::revoke(conn, user, asset)?;
    Ok(changed as u64)
}

/// Open sessions whose expiration is not after `now` become `expired`: the moment at which they stop accepting. Tells
/// which, oldest first.
pub(in crate::ledger) fn expire(conn: &Connection, now: UnixSeconds) -> Outcome<Vec<SessionId>> {
    let sql = "UPDATE sessions SET state = 'expired' WHERE state = 'open' AND expires_at <= ?1 RETURNING seq, id";
    let read = |row: &Row<'_>| Ok((row.get(0)?, SessionId::from_bytes(row.get(1)?)));
    let mut expired: Vec<(i64, SessionId)> = select::list(conn, sql, [column("now", now)?], read)?;
    expired.sort_unstable_by_key(|(seq, _)| *seq);
    Ok(expired.into_iter().map(|(_, id)| id).collect())
}

/// `open` becomes `closing`, and `closed` at once when nothing is left to settle; any other is left alone. Tells how it
/// stands then.
pub(in crate::ledger) fn close(conn: &Connection, id: SessionId) -> Outcome<Session> {
    conn.prepare_cached("UPDATE sessions SET state = 'closing' WHERE id = ?1 AND state = 'open'")?
        .execute([id.to_bytes()])?;
    close_when_settled(conn, id)?;
    select::session(conn, id)?.ok_or_else(|| missing("session"))
}

/// `closing` becomes `closed` once nothing is held and no transfer can be taken back any more.
pub(super) fn close_when_settled(conn: &Connection, id: SessionId) -> Outcome<()> {
    conn.prepare_cached(
        "UPDATE sessions SET state = 'closed' WHERE id = ?1 AND state = 'closing' \
         AND (SELECT held FROM session_sums WHERE session = sessions.seq) = 0 AND NOT EXISTS \
         (SELECT 1 FROM settlements WHERE session = ?1 AND purpose = 'capture' AND state NOT IN ('settled', 'released'))",
    )?
    .execute([id.to_bytes()])?;
    Ok(())
}

/// Remembers that nothing proved the balance of a session's wallet when its opening was granted SOL.
pub(in crate::ledger) fn mark_unproven_grant(conn: &Connection, session: SessionId) -> Outcome<()> {
    conn.prepare_cached("INSERT INTO unproven_grants (session) VALUES (?1) ON CONFLICT (session) DO NOTHING")?
        .execute([session.to_bytes()])?;
    Ok(())
}
