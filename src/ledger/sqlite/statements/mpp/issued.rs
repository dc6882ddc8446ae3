//! Issued messages: writing one voids what its wallet was issued before.
//!
//! Must be true: a generation is issued once; what is on its way keeps everything else of its wallet from being issued; a proof
//! asks for one message for ever.

use crate::{
    domain::{
        clock::UnixSeconds,
        hold::ContentHash,
        mpp::delegation::{
            Delegation, DelegationId, GrantPlan, GrantTerms, IssuePlan, IssuedKind, IssuedMessage, UsedProof,
        },
        settlement::IssuedId,
    },
    ledger::{
        DelegationKey, IssuedKey, LedgerError, WasIssued,
        rows::{IssuedRow, column},
        sqlite::statements::{
            Outcome, missing,
            mpp::{delegations, sign_ins},
            select,
        },
    },
};
use rusqlite::{Connection, Params, params};
use sha2::{Digest as _, Sha256};

/// How long what was never signed is remembered after its end, in seconds: until then its wallet is told that it came too late.
const REMEMBERED: u64 = 600;

const ISSUED: &str = "SELECT m.seq, m.id, d.buyer, d.id, m.kind, m.generation, m.message, m.hash, \
    m.last_valid_block_height, m.until, m.voided, m.settlement, s.state, s.signature, m.rent \
    FROM issued_messages m JOIN delegations d ON d.seq = m.delegation LEFT JOIN settlements s ON s.id = m.settlement";

fn messages(conn: &Connection, rest: &str, params: impl Params) -> Outcome<Vec<IssuedMessage>> {
    select::list(conn, &format!("{ISSUED} {rest}"), params, |row| {
        let row = IssuedRow {
            seq: row.get(0)?,
            id: row.get(1)?,
            buyer: row.get(2)?,
            delegation: row.get(3)?,
            kind: row.get(4)?,
            generation: row.get(5)?,
            message: row.get(6)?,
            hash: row.get(7)?,
            last_valid_block_height: row.get(8)?,
            until: row.get(9)?,
            voided: row.get(10)?,
            settlement: row.get(11)?,
            state: row.get(12)?,
            signature: row.get(13)?,
            rent: row.get(14)?,
        };
        Ok(row.into_message()?)
    })
}

/// The issued message under this key.
pub(in crate::ledger) fn find(conn: &Connection, key: &IssuedKey) -> Outcome<Option<IssuedMessage>> {
    let mut found = match key {
        IssuedKey::Id(id) => messages(conn, "WHERE m.id = ?1", [id.0.into_bytes()])?,
        IssuedKey::Hash(hash) => messages(conn, "WHERE m.hash = ?1", [hash.0])?,
    };
    Ok(found.pop())
}

/// The message of a delegation that may or may not have landed.
pub(in crate::ledger) fn on_its_way(conn: &Connection, id: DelegationId) -> Outcome<Option<IssuedMessage>> {
    let rest = "WHERE d.id = ?1 AND s.state IN ('reserved', 'in_flight')";
    Ok(messages(conn, rest, [id.0.into_bytes()])?.pop())
}

/// Whether a message that replaces or ends the grant of a delegation is on its way: nobody knows which grant stands.
pub(super) fn changes_grant(conn: &Connection, delegation: i64) -> Outcome<bool> {
    let sql = "SELECT 1 FROM issued_messages m JOIN settlements s ON s.id = m.settlement WHERE m.delegation = ?1 \
        AND m.kind <> 'create_swig' AND s.state IN ('reserved', 'in_flight') LIMIT 1";
    Ok(select::value::<i64>(conn, sql, [delegation])?.is_some())
}

/// Whether a leave of a delegation may still be signed, or is on its way.
pub(in crate::ledger) fn is_leaving(conn: &Connection, id: DelegationId, now: UnixSeconds) -> Outcome<bool> {
    let rest = "WHERE d.id = ?1 AND m.kind = 'leave' AND (s.state IN ('reserved', 'in_flight') \
        OR (m.settlement IS NULL AND m.voided = 0 AND m.until > ?2)) LIMIT 1";
    Ok(!messages(conn, rest, params![id.0.into_bytes(), column("until", now)?])?.is_empty())
}

/// Writes a message, unless something keeps it from being issued.
pub(in crate::ledger) fn issue(conn: &Connection, plan: &IssuePlan, now: UnixSeconds) -> Outcome<WasIssued> {
    if let Some(proof) = &plan.proof
        && let Some(repeated) = repeated(conn, plan, proof)?
    {
        return Ok(repeated);
    }
    let key = DelegationKey::Buyer(plan.buyer, plan.mint);
    let known = delegations::numbered(conn, &key)?;
    let Some(id) = free_id(conn, plan)? else { return Ok(WasIssued::Raced) };
    if is_taken(plan, known.as_ref().map_or(0, |(_, known)| known.next_generation)) {
        return Ok(WasIssued::Raced);
    }
    if let Some((seq, known)) = known {
        if let Some(refused) = refused(conn, plan, &known)? {
            return Ok(refused);
        }
        forget_ended(conn, seq, now)?;
        // The schema refuses it where something stands at the old place.
        conn.prepare_cached("UPDATE delegations SET account = ?2, salted = ?3 WHERE seq = ?1 AND account <> ?2")?
            .execute(params![seq, plan.account.to_bytes(), plan.is_salted])?;
    } else {
        begin(conn, plan, now)?;
    }
    let (seq, _) = delegations::numbered(conn, &key)?.ok_or_else(|| missing("delegation"))?;
    conn.prepare_cached("UPDATE issued_messages SET voided = 1 WHERE delegation = ?1 AND settlement IS NULL")?
        .execute([seq])?;
    let generation = match plan.grant {
        Some(GrantPlan::New(terms)) => Some(grant(conn, seq, &terms)?),
        Some(GrantPlan::Earlier(generation)) => Some(generation),
        None => None,
    };
    insert(conn, plan, (id, seq, generation), now)?;
    if let Some(proof) = &plan.proof {
        sign_ins::use_proof(conn, &plan.buyer, proof, id.0.into_bytes(), now)?;
    }
    Ok(WasIssued::Issued)
}

/// The id under which a message is issued: that of the very same bytes where they were issued before on this blockhash, so that a
/// proof that asked for them still finds them. `None` where those were signed.
fn free_id(conn: &Connection, plan: &IssuePlan) -> Outcome<Option<IssuedId>> {
    let hash = ContentHash(Sha256::digest(&plan.message).into());
    let Some(same) = find(conn, &IssuedKey::Hash(hash))? else { return Ok(Some(plan.id)) };
    Ok(same.state.transaction().is_none().then_some(same.id))
}

/// Whether the generation of a message is not the next one any more.
fn is_taken(plan: &IssuePlan, next: u32) -> bool {
    matches!(plan.grant, Some(GrantPlan::New(terms)) if terms.generation != next)
}

/// What the proof of a request has led to before.
fn repeated(conn: &Connection, plan: &IssuePlan, proof: &UsedProof) -> Outcome<Option<WasIssued>> {
    let Some((act, subject)) = sign_ins::find_proof(conn, &plan.buyer, &proof.nonce)? else { return Ok(None) };
    let subject = IssuedKey::Id(IssuedId(uuid::Uuid::from_bytes(subject)));
    let known = if act == proof.act { find(conn, &subject)? } else { None };
    Ok(Some(known.map_or(WasIssued::ProofUsed, |message| WasIssued::Repeated(Box::new(message)))))
}

/// Why a message is not issued for a delegation that is known.
fn refused(conn: &Connection, plan: &IssuePlan, known: &Delegation) -> Outcome<Option<WasIssued>> {
    if known.backend != plan.backend {
        return Err(LedgerError::Inconsistent("a delegation keeps what enforces it".to_owned()).into());
    }
    if on_its_way(conn, known.id)?.is_some() {
        return Ok(Some(WasIssued::OnItsWay));
    }
    let limit = match plan.grant {
        Some(GrantPlan::New(terms)) => Some(terms.limit),
        Some(GrantPlan::Earlier(_)) | None => None,
    };
    Ok(match (plan.kind, limit) {
        (IssuedKind::Leave, _) if !known.used.is_free() => Some(WasIssued::ChannelsOpen),
        (IssuedKind::GrantRole | IssuedKind::CreateSessionAccount, Some(limit))
            if !known.used.allows_renewal(known.backend, limit) =>
        {
            Some(WasIssued::NotCovered)
        }
        _ => None,
    })
}

fn begin(conn: &Connection, plan: &IssuePlan, now: UnixSeconds) -> Outcome<()> {
    conn.prepare_cached(
        "INSERT INTO delegations (id, buyer, mint, backend, account, salted, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        plan.delegation.0.into_bytes(),
        plan.buyer.to_bytes(),
        plan.mint.to_bytes(),
        plan.backend.word(),
        plan.account.to_bytes(),
        plan.is_salted,
        column("created_at", now)?,
    ])?;
    Ok(())
}

/// Writes a generation; gives its number.
fn grant(conn: &Connection, seq: i64, terms: &GrantTerms) -> Outcome<u32> {
    conn.prepare_cached(
        "INSERT INTO delegation_grants (delegation, generation, delegate, spend_limit, ttl, seller) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        seq,
        terms.generation,
        terms.delegate.to_bytes(),
        i64::from(terms.limit),
        column("ttl", terms.ttl)?,
        terms.seller.map(|seller| seller.to_bytes()),
    ])?;
    conn.prepare_cached("UPDATE delegations SET next_generation = ?2 + 1 WHERE seq = ?1")?
        .execute(params![seq, terms.generation])?;
    Ok(terms.generation)
}

fn insert(
    conn: &Connection,
    plan: &IssuePlan,
    (id, seq, generation): (IssuedId, i64, Option<u32>),
    now: UnixSeconds,
) -> Outcome<()> {
    conn.prepare_cached("DELETE FROM issued_messages WHERE id = ?1 AND settlement IS NULL")?
        .execute([id.0.into_bytes()])?;
    conn.prepare_cached(
        "INSERT INTO issued_messages (id, delegation, kind, generation, begins, message, hash, last_valid_block_height, \
         rent, issued_at, until) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        id.0.into_bytes(),
        seq,
        plan.kind.word(),
        generation,
        plan.begins,
        plan.message,
        <[u8; 32]>::from(Sha256::digest(&plan.message)),
        column("last_valid_block_height", plan.last_valid_block_height)?,
        column("rent", plan.rent)?,
        column("issued_at", now)?,
        column("until", plan.until)?,
    ])?;
    Ok(())
}

/// Forgets what a wallet was issued, never signed, and cannot sign any more, with the generations that nobody was granted.
fn forget_ended(conn: &Connection, seq: i64, now: UnixSeconds) -> Outcome<()> {
    let before = column("until", now.saturating_sub(REMEMBERED))?;
    conn.prepare_cached("DELETE FROM issued_messages WHERE delegation = ?1 AND settlement IS NULL AND until <= ?2")?
        .execute(params![seq, before])?;
    conn.prepare_cached(
        "DELETE FROM delegation_grants WHERE delegation = ?1 AND granted_at IS NULL AND NOT EXISTS ( \
         SELECT 1 FROM issued_messages m WHERE m.delegation = ?1 AND m.generation = delegation_grants.generation)",
    )?
    .execute([seq])?;
    Ok(())
}
