//! Approvals: which approve stands behind an account, opening on one, and what one is learnt to have delegated.

use crate::ledger::sqlite::statements::{Outcome, bindings, funding, missing, select, sessions};
use crate::{
    domain::{
        amount::Amount,
        approval::{Approval, LandedApprove},
        reason::SessionReason,
        session::{CapCheck, Session, SessionId, SessionState},
        settlement::Settlement,
    },
    ledger::{
        LedgerError, OpenedOnApproval, is_same_opening,
        rows::{ApprovalRow, column, count},
    },
};
use rusqlite::{Connection, Params, Row, params};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

const APPROVAL: &str = "SELECT a.seq, a.user, a.asset, a.signature, a.amount, a.claimed, a.handle, a.seen_handle, a.state, \
    a.complete, a.seen_slot, (a.drawn >> 32) + (SELECT coalesce(sum(u.taken >> 32), 0) FROM approval_use u WHERE u.approval = a.seq), \
    (a.drawn & 4294967295) + \
    (SELECT coalesce(sum(u.taken & 4294967295), 0) FROM approval_use u WHERE u.approval = a.seq), \
    (SELECT coalesce(sum(u.live), 0) FROM approval_use u WHERE u.approval = a.seq), \
    (SELECT count(*) FROM approval_use u WHERE u.approval = a.seq) FROM approvals a";

/// The approvals that `rest` (from `WHERE` on) selects, with the numbers of their rows.
pub(super) fn approvals(conn: &Connection, rest: &str, params: impl Params) -> Outcome<Vec<(i64, Approval)>> {
    select::list(conn, &format!("{APPROVAL} {rest}"), params, |row| Ok((row.get(0)?, row_of(row)?.into_approval()?)))
}

fn row_of(row: &Row<'_>) -> rusqlite::Result<ApprovalRow> {
    Ok(ApprovalRow {
        seq: row.get(0)?,
        user: row.get(1)?,
        asset: row.get(2)?,
        signature: row.get(3)?,
        amount: row.get(4)?,
        claimed: row.get(5)?,
        handle: row.get(6)?,
        seen_handle: row.get(7)?,
        state: row.get(8)?,
        complete: row.get(9)?,
        seen_slot: row.get(10)?,
        taken: [row.get(11)?, row.get(12)?],
        live: row.get(13)?,
        sessions: row.get(14)?,
    })
}

/// The approval that stands for an account.
pub(in crate::ledger) fn current(conn: &Connection, user: &Pubkey, asset: &Pubkey) -> Outcome<Option<Approval>> {
    let rest = "WHERE a.user = ?1 AND a.asset = ?2 AND a.state = 'current'";
    Ok(approvals(conn, rest, [user.to_bytes(), asset.to_bytes()])?.pop().map(|(_, approval)| approval))
}

/// The approvals that stand for a wallet's accounts. One that a revoke of ours has taken back stands no more, also while the revoke
/// may still be taken back: only then does it stay `current`, because no approval ever becomes that again.
pub(in crate::ledger) fn standing(conn: &Connection, user: &Pubkey) -> Outcome<Vec<Approval>> {
    let rest = format!(
        "WHERE a.user = ?1 AND a.state = 'current' AND NOT EXISTS (SELECT 1 FROM revocations r \
         JOIN settlements s ON s.id = r.settlement WHERE r.user = a.user AND r.asset = a.asset AND s.state = 'landed' \
         AND (a.landed_slot IS NULL OR a.landed_slot <= {REVOKED_IN})) ORDER BY a.seq"
    );
    Ok(approvals(conn, &rest, [user.to_bytes()])?.into_iter().map(|(_, approval)| approval).collect())
}

/// For each session the approval that it takes from; each approval is read once.
pub(in crate::ledger) fn of_sessions(conn: &Connection, ids: &[SessionId]) -> Outcome<Vec<Option<Approval>>> {
    let mut known: Vec<(i64, Approval)> = Vec::new();
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        let bound: Option<Option<i64>> =
            select::value(conn, "SELECT approval FROM sessions WHERE id = ?1", [id.to_bytes()])?;
        let Some(seq) = bound.flatten() else {
            found.push(None);
            continue;
        };
        if !known.iter().any(|(other, _)| *other == seq) {
            known.extend(approvals(conn, "WHERE a.seq = ?1", [seq])?);
        }
        found.push(known.iter().find(|(other, _)| *other == seq).map(|(_, approval)| approval.clone()));
    }
    Ok(found)
}

/// Whether sessions that are bound to no approval may have taken from this approve.
pub(in crate::ledger) fn may_have_been_used(
    conn: &Connection,
    user: &Pubkey,
    asset: &Pubkey,
    approve: &LandedApprove,
    landed_at: Option<u64>,
) -> Outcome<bool> {
    let landed_at = landed_at.map(|at| column("landed_at", at)).transpose()?;
    let sql = "SELECT 1 FROM sessions s JOIN session_sums t ON t.session = s.seq \
         WHERE s.user = ?1 AND s.asset = ?2 AND s.approval IS NULL AND s.state <> 'opening' \
         AND (s.state <> 'rejected' OR t.captured + t.held > 0) \
         AND (s.approve = ?3 OR ?4 IS NULL OR s.created_at >= ?4) \
         UNION ALL SELECT 1 FROM used_approves WHERE user = ?1 AND asset = ?2 AND handle = ?5 LIMIT 1";
    let found: Option<i64> = select::value(
        conn,
        sql,
        params![user.to_bytes(), asset.to_bytes(), approve.signature.as_ref(), landed_at, approve.handle.to_le_bytes()],
    )?;
    Ok(found.is_some())
}

/// Notes that an approve has taken the delegate slot, and binds to it what stays.
pub(in crate::ledger) fn land(
    conn: &Connection,
    user: &Pubkey,
    asset: &Pubkey,
    approve: &LandedApprove,
) -> Outcome<Vec<SessionId>> {
    if find(conn, user, asset, &approve.signature)?.is_some() {
        return Ok(Vec::new());
    }
    replace(conn, user, asset, approve, None)?;
    bindings::rebind(conn, user, asset)
}

/// Opens a session on the approval that it names.
pub(in crate::ledger) fn open(conn: &Connection, session: &Session, most: u64) -> Outcome<OpenedOnApproval> {
    if let Some(known) = sessions::find(conn, session.user(), &session.intent.nonce)? {
        let same = is_same_opening(&known, session);
        return Ok(if same { OpenedOnApproval::Existing(known) } else { OpenedOnApproval::NonceReused });
    }
    let named = session.approve.ok_or_else(|| missing("named approve"))?;
    if session.state != SessionState::Opening || session.spent() != Amount::ZERO {
        return Err(LedgerError::Inconsistent("a new session is `opening` and has spent nothing".to_owned()).into());
    }
    let Some((seq, approval)) = find(conn, session.user(), &session.intent.asset, &named)? else {
        return Ok(OpenedOnApproval::Refused(SessionReason::ApproveStale));
    };
    if let Err(reason) = approval.admits(&session.intent, most) {
        return Ok(OpenedOnApproval::Refused(reason));
    }
    if approval.limit().is_none() {
        conn.prepare_cached("UPDATE approvals SET claimed = ?2 WHERE seq = ?1")?
            .execute(params![seq, i64::from(session.intent.said_approved())])?;
    }
    let check = if approval.amount.is_some() { CapCheck::Verified } else { CapCheck::Unverified };
    sessions::insert(conn, &Session { cap_check: check, ..session.clone() }, Amount::ZERO)?;
    bindings::bind(conn, session.id, seq)?;
    conn.prepare_cached("UPDATE sessions SET state = 'open' WHERE id = ?1")?.execute([session.id.to_bytes()])?;
    select::session(conn, session.id)?.map(OpenedOnApproval::New).ok_or_else(|| missing("session"))
}

/// Notes what an approval delegated, and ends the sessions on it that said otherwise or that it does not back.
pub(in crate::ledger) fn learn(
    conn: &Connection,
    user: &Pubkey,
    asset: &Pubkey,
    signature: &Signature,
    amount: Amount,
) -> Outcome<Vec<SessionId>> {
    let Some((seq, known)) = find(conn, user, asset, signature)? else { return Ok(Vec::new()) };
    if known.amount.is_some_and(|known| known != amount) {
        return Err(LedgerError::Inconsistent("an approve delegated two amounts".to_owned()).into());
    }
    conn.prepare_cached("UPDATE approvals SET amount = ?2 WHERE seq = ?1 AND amount IS NULL")?
        .execute(params![seq, i64::from(amount)])?;
    let bound = select::sessions(conn, "WHERE approval = ?1 AND state = 'open' ORDER BY seq", [seq])?;
    let mut ended = Vec::new();
    for session in bound.iter().filter(|session| session.cap_check == CapCheck::Unverified) {
        let is_true = match session.intent.approved {
            // One that came from another approve said something of that one.
            _ if session.approve != Some(*signature) => true,
            Some(approved) => approved == amount,
            // More than it needs is no lie: the approve may have covered sessions that have ended since.
            None => session.intent.cap <= amount,
        };
        if is_true {
            sessions::verify(conn, session.id)?;
        } else {
            sessions::reject(conn, session.id, SessionReason::CapMismatch)?;
            ended.push(session.id);
        }
    }
    ended.extend(bindings::supersede_until_it_fits(conn, seq)?);
    Ok(ended)
}

/// The delegation of an account is gone: nothing stands for it any more.
pub(super) fn revoke(conn: &Connection, user: &Pubkey, asset: &Pubkey) -> Outcome<()> {
    conn.prepare_cached("UPDATE approvals SET state = 'revoked' WHERE user = ?1 AND asset = ?2 AND state = 'current'")?
        .execute([user.to_bytes(), asset.to_bytes()])?;
    Ok(())
}

/// The slot in which the revoke of the row `r` has landed.
const REVOKED_IN: &str = "(SELECT e.slot FROM settlement_events e WHERE e.settlement = r.settlement AND e.event = 'landed' \
    ORDER BY e.sequence DESC LIMIT 1)";

/// The wallet, the asset and the slot of a revoke that has landed.
type LandedRevoke = ([u8; 32], [u8; 32], Option<i64>);

/// A revoke that we paid for is final: what stood when it landed stands no more. It may have become final long after, and a newer
/// approve have landed meanwhile: that stands.
pub(super) fn revoked_by(conn: &Connection, settlement: &Settlement) -> Outcome<()> {
    let landed = format!("SELECT r.user, r.asset, {REVOKED_IN} FROM revocations r WHERE r.settlement = ?1");
    let (user, asset, slot): LandedRevoke = conn
        .prepare_cached(&landed)?
        .query_row([select::settlement_key(settlement.id)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    conn.prepare_cached(
        "UPDATE approvals SET state = 'revoked' WHERE user = ?1 AND asset = ?2 AND state = 'current' \
         AND (landed_slot IS NULL OR landed_slot <= ?3)",
    )?
    .execute(params![user, asset, slot])?;
    Ok(())
}

/// Which of these signatures name transactions of ours that change nobody's delegation.
pub(in crate::ledger) fn known_transfers(conn: &Connection, signatures: &[Signature]) -> Outcome<Vec<Signature>> {
    let sql = "SELECT 1 FROM attempts a JOIN settlements s ON s.id = a.settlement \
         WHERE a.signature = ?1 AND s.purpose IN ('capture', 'refresh', 'create_recipient', 'single_payment')";
    let mut known = conn.prepare_cached(sql)?;
    let mut found = Vec::new();
    for signature in signatures {
        if known.exists([signature.as_ref()])? {
            found.push(*signature);
        }
    }
    Ok(found)
}

/// The oldest session that is being opened by the approve which delegated the amount of this handle.
pub(in crate::ledger) fn opening_by(
    conn: &Connection,
    user: &Pubkey,
    asset: &Pubkey,
    handle: u128,
) -> Outcome<Option<SessionId>> {
    // Both terms of the state: the index of live sessions is used by the first.
    let sql = "SELECT s.id FROM sessions s JOIN approve_handles a ON a.session = s.id WHERE s.user = ?1 AND s.asset = ?2 \
         AND s.state IN ('opening', 'open') AND s.state = 'opening' AND a.handle = ?3 ORDER BY s.seq LIMIT 1";
    let session = select::value(conn, sql, params![user.to_bytes(), asset.to_bytes(), handle.to_le_bytes()])?;
    Ok(session.map(SessionId::from_bytes))
}

/// Remembers the handle of what a session's approve delegated; the first one stays.
pub(in crate::ledger) fn record_handle(conn: &Connection, session: SessionId, handle: u128) -> Outcome<()> {
    conn.prepare_cached(
        "INSERT INTO approve_handles (session, handle) VALUES (?1, ?2) ON CONFLICT (session) DO NOTHING",
    )?
    .execute(params![session.to_bytes(), handle.to_le_bytes()])?;
    Ok(())
}

/// The handle of what a session's approve delegated, if it was seen.
pub(in crate::ledger) fn handle(conn: &Connection, session: SessionId) -> Outcome<Option<u128>> {
    let sql = "SELECT handle FROM approve_handles WHERE session = ?1";
    Ok(select::value(conn, sql, [session.to_bytes()])?.map(u128::from_le_bytes))
}

/// The approval of this signature, with the number of its row.
pub(super) fn find(
    conn: &Connection,
    user: &Pubkey,
    asset: &Pubkey,
    signature: &Signature,
) -> Outcome<Option<(i64, Approval)>> {
    let rest = "WHERE a.user = ?1 AND a.asset = ?2 AND a.signature = ?3";
    Ok(approvals(conn, rest, params![user.to_bytes(), asset.to_bytes(), signature.as_ref()])?.pop())
}

/// Writes an approval that stands, in place of the one that stood.
pub(super) fn replace(
    conn: &Connection,
    user: &Pubkey,
    asset: &Pubkey,
    approve: &LandedApprove,
    said: Option<Amount>,
) -> Outcome<()> {
    conn.prepare_cached(
        "UPDATE approvals SET state = 'replaced' WHERE user = ?1 AND asset = ?2 AND state = 'current'",
    )?
    .execute([user.to_bytes(), asset.to_bytes()])?;
    conn.prepare_cached(
        "INSERT INTO approvals (user, asset, signature, amount, claimed, handle, seen_handle, landed_slot, seen_slot, drawn, state, \
         complete) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'current', 1)",
    )?
    .execute(params![
        user.to_bytes(),
        asset.to_bytes(),
        approve.signature.as_ref(),
        approve.amount.map(i64::from),
        said.filter(|_| approve.amount.is_none()).map(i64::from),
        approve.handle.to_le_bytes(),
        approve.seen.to_le_bytes(),
        column("landed_slot", approve.slot)?,
        column("seen_slot", approve.seen_slot)?,
        drawn(conn, user, asset, approve)?,
    ])?;
    Ok(())
}

/// What transfers of ours have drawn from an approve that is not on record yet, where they lower what is delegated: those that landed
/// in its slot or later.
fn drawn(conn: &Connection, user: &Pubkey, asset: &Pubkey, approve: &LandedApprove) -> Outcome<i64> {
    if !approve.delegation.is_lowered() {
        return Ok(0);
    }
    // Of one that we sent, the slot is known in which it landed.
    let landed: Option<i64> = select::value(
        conn,
        "SELECT e.slot FROM attempts a JOIN settlement_events e ON e.settlement = a.settlement \
         WHERE a.signature = ?1 AND e.event = 'landed' ORDER BY e.sequence DESC LIMIT 1",
        [approve.signature.as_ref()],
    )?;
    let slot = landed.map_or(Ok(approve.slot), |slot| count("slot", slot))?;
    funding::captured_since(conn, user, asset, slot.saturating_sub(1))
}
