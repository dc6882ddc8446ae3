//! Delegations: where each stands, and what was read of it.
//!
//! Must be true: where a delegation stands follows from the messages that landed and from nothing else, so that a fork which takes
//! one back takes its effect back too; every change is an event, in the transaction of the settlement's own.

use crate::{
    domain::{
        clock::UnixSeconds,
        mpp::{
            choices::Backend,
            delegation::{
                Delegation, DelegationId, DelegationReading, DelegationState, GrantTerms, IssuedKind, amount,
            },
        },
        settlement::{IssuedId, Settlement},
    },
    ledger::{
        DelegationKey, LedgerError, SeenRole,
        rows::{DelegationRow, GrantRow, ReadingRow, column, role_word},
        sqlite::statements::{Outcome, missing, select},
    },
};
use rusqlite::{Connection, OptionalExtension as _, Params, Row, params};
use solana_pubkey::Pubkey;

const DELEGATION: &str = "SELECT d.seq, d.id, d.buyer, d.mint, d.backend, d.account, d.salted, d.state, \
    d.next_generation, u.live, u.in_flight, u.reserved, u.owed, \
    g.generation, g.delegate, g.spend_limit, g.ttl, g.seller, g.granted_at, g.expires_at, g.expiry_slot, g.role, g.moved, \
    r.generation, r.role, r.balance, r.remaining, r.slot, r.at \
    FROM delegations d JOIN delegation_use u ON u.delegation = d.seq \
    LEFT JOIN delegation_grants g ON g.delegation = d.seq AND g.generation = d.generation \
    LEFT JOIN delegation_readings r ON r.delegation = d.seq AND r.generation = d.generation";

/// Reads a grant from ten columns, the first at index `first`; none where an outer join found nothing.
fn grant_row(row: &Row<'_>, first: usize) -> Outcome<Option<GrantRow>> {
    let Some(generation) = row.get(first)? else { return Ok(None) };
    Ok(Some(GrantRow {
        generation,
        delegate: row.get(first + 1)?,
        spend_limit: row.get(first + 2)?,
        ttl: row.get(first + 3)?,
        seller: row.get(first + 4)?,
        granted_at: row.get(first + 5)?,
        expires_at: row.get(first + 6)?,
        expiry_slot: row.get(first + 7)?,
        role: row.get(first + 8)?,
        moved: row.get(first + 9)?,
    }))
}

/// Reads a reading from six columns, like [`grant_row`].
fn reading_row(row: &Row<'_>, first: usize) -> Outcome<Option<ReadingRow>> {
    let Some(generation) = row.get(first)? else { return Ok(None) };
    Ok(Some(ReadingRow {
        generation,
        role: row.get(first + 1)?,
        balance: row.get(first + 2)?,
        remaining: row.get(first + 3)?,
        slot: row.get(first + 4)?,
        at: row.get(first + 5)?,
    }))
}

/// The delegations that `rest` selects, and the numbers of their rows.
fn delegations(conn: &Connection, rest: &str, params: impl Params) -> Outcome<Vec<(i64, Delegation)>> {
    select::list(conn, &format!("{DELEGATION} {rest}"), params, |row| {
        let read = DelegationRow {
            seq: row.get(0)?,
            id: row.get(1)?,
            buyer: row.get(2)?,
            mint: row.get(3)?,
            backend: row.get(4)?,
            account: row.get(5)?,
            salted: row.get(6)?,
            state: row.get(7)?,
            next_generation: row.get(8)?,
            counts: [row.get(9)?, row.get(10)?],
            sums: [row.get(11)?, row.get(12)?],
            grant: grant_row(row, 13)?,
            reading: reading_row(row, 23)?,
        };
        Ok((read.seq, read.into_delegation()?))
    })
}

/// The delegation under this key.
pub(in crate::ledger) fn find(conn: &Connection, key: &DelegationKey) -> Outcome<Option<Delegation>> {
    Ok(numbered(conn, key)?.map(|(_, delegation)| delegation))
}

/// The delegation under this key, and the number of its row.
pub(super) fn numbered(conn: &Connection, key: &DelegationKey) -> Outcome<Option<(i64, Delegation)>> {
    let mut found = match key {
        DelegationKey::Id(id) => delegations(conn, "WHERE d.id = ?1", [id.0.into_bytes()])?,
        DelegationKey::Account(account) => delegations(conn, "WHERE d.account = ?1", [account.to_bytes()])?,
        DelegationKey::Buyer(buyer, mint) => {
            delegations(conn, "WHERE d.buyer = ?1 AND d.mint = ?2", [buyer.to_bytes(), mint.to_bytes()])?
        }
    };
    Ok(found.pop())
}

/// Delegations that something stands on, those that were read longest ago first.
pub(in crate::ledger) fn in_use(conn: &Connection) -> Outcome<Vec<Delegation>> {
    let rest = "WHERE u.live > 0 OR u.in_flight > 0 ORDER BY coalesce(r.at, 0), d.seq";
    Ok(delegations(conn, rest, [])?.into_iter().map(|(_, delegation)| delegation).collect())
}

/// Every generation as it was issued, the newest first.
pub(in crate::ledger) fn grants_issued(conn: &Connection, id: DelegationId) -> Outcome<Vec<GrantTerms>> {
    let sql = "SELECT g.delegation, g.generation, g.delegate, g.spend_limit, g.ttl, g.seller, g.granted_at, g.expires_at, \
        g.expiry_slot, g.role, g.moved FROM delegation_grants g JOIN delegations d ON d.seq = g.delegation \
        WHERE d.id = ?1 ORDER BY g.generation DESC";
    select::list(conn, sql, [id.0.into_bytes()], |row| {
        let grant = grant_row(row, 1)?.ok_or_else(|| missing("grant"))?;
        Ok(grant.into_terms(row.get(0)?)?)
    })
}

/// Which of these keys were ever issued to be delegated to.
pub(in crate::ledger) fn delegates_among(conn: &Connection, keys: &[Pubkey]) -> Outcome<Vec<Pubkey>> {
    let mut is_issued = conn.prepare_cached("SELECT 1 FROM delegation_grants WHERE delegate = ?1 LIMIT 1")?;
    let mut found = Vec::new();
    for key in keys {
        if is_issued.exists([key.to_bytes()])? {
            found.push(*key);
        }
    }
    Ok(found)
}

/// Writes where a delegation stands after an event of the settlement of one of its messages.
pub(in crate::ledger) fn follow(
    conn: &Connection,
    after: &Settlement,
    message: IssuedId,
    now: UnixSeconds,
) -> Outcome<()> {
    let sql = "SELECT d.seq, d.backend, d.state, d.generation, d.events FROM issued_messages m \
        JOIN delegations d ON d.seq = m.delegation WHERE m.id = ?1";
    let (seq, backend, state, generation, events): (i64, String, String, Option<i64>, i64) =
        conn.prepare_cached(sql)?.query_row([message.0.into_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        })?;
    let (now_state, now_generation) = landed(conn, seq, &backend)?;
    if (now_state.word(), now_generation) == (state.as_str(), generation) {
        return Ok(());
    }
    conn.prepare_cached("UPDATE delegations SET state = ?2, generation = ?3, events = ?4 WHERE seq = ?1")?
        .execute(params![seq, now_state.word(), now_generation, events + 1])?;
    if now_generation.is_some() {
        // What a fork took back and in again began when it landed first.
        conn.prepare_cached(
            "UPDATE delegation_grants SET granted_at = ?3, expires_at = ?3 + ttl \
             WHERE delegation = ?1 AND generation = ?2 AND granted_at IS NULL",
        )?
        .execute(params![seq, now_generation, column("granted_at", now)?])?;
    }
    conn.prepare_cached(
        "INSERT INTO delegation_events (delegation, number, state, generation, settlement, at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        seq,
        events + 1,
        now_state.word(),
        now_generation,
        select::settlement_key(after.id),
        column("at", now)?,
    ])?;
    Ok(())
}

/// Where a delegation stands by the newest of its messages that has landed and changes it.
fn landed(conn: &Connection, seq: i64, backend: &str) -> Outcome<(DelegationState, Option<i64>)> {
    let wrong = || LedgerError::Inconsistent("a delegation's messages have no meaning".to_owned());
    let backend = Backend::from_word(backend).ok_or_else(wrong)?;
    let sql = "SELECT m.kind, m.generation FROM issued_messages m JOIN settlements s ON s.id = m.settlement \
        WHERE m.delegation = ?1 AND s.state IN ('landed', 'settled') AND m.kind <> 'create_swig' ORDER BY s.seq DESC LIMIT 1";
    let newest: Option<(String, Option<i64>)> =
        conn.prepare_cached(sql)?.query_row([seq], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((message, generation)) = newest else { return Ok((DelegationState::Pending, None)) };
    let state = IssuedKind::from_word(&message).and_then(|message| message.leads_to(backend)).ok_or_else(wrong)?;
    Ok((state, generation.filter(|_| state == DelegationState::Active)))
}

/// Writes what was read of a delegation's account, unless it is older than what is known.
pub(in crate::ledger) fn note_reading(
    conn: &Connection,
    id: DelegationId,
    read: &DelegationReading,
    role: Option<SeenRole>,
) -> Outcome<()> {
    let sql = "SELECT d.seq FROM delegations d LEFT JOIN delegation_readings r ON r.delegation = d.seq \
        WHERE d.id = ?1 AND d.generation = ?2 AND coalesce(iif(r.generation = ?2, r.slot, 0), 0) <= ?3 \
        AND coalesce((SELECT max(e.slot) FROM issued_messages m JOIN settlement_events e ON e.settlement = m.settlement \
            WHERE m.delegation = d.seq AND m.generation = d.generation AND e.event = 'landed'), 0) <= ?3";
    let slot = column("slot", read.slot)?;
    let Some(seq) = select::value::<i64>(conn, sql, params![id.0.into_bytes(), read.generation, slot])? else {
        return Ok(());
    };
    conn.prepare_cached(
        "INSERT INTO delegation_readings (delegation, generation, role, balance, remaining, slot, at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (delegation) DO UPDATE SET generation = excluded.generation, \
         role = excluded.role, balance = excluded.balance, remaining = excluded.remaining, slot = excluded.slot, at = excluded.at",
    )?
    .execute(params![
        seq,
        read.generation,
        role_word(read.reading.role),
        i64::from(amount(read.reading.balance)),
        i64::from(amount(read.reading.remaining)),
        slot,
        column("at", read.at)?,
    ])?;
    let Some(SeenRole { role, expiry_slot, expires_at }) = role else { return Ok(()) };
    conn.prepare_cached(
        "UPDATE delegation_grants SET role = ?3, expiry_slot = ?4, expires_at = max(granted_at, ?5) \
         WHERE delegation = ?1 AND generation = ?2",
    )?
    .execute(params![
        seq,
        read.generation,
        role,
        i64::try_from(expiry_slot).unwrap_or(i64::MAX),
        column("expires_at", expires_at)?,
    ])?;
    Ok(())
}

/// Refuses a message that is not what its settlement says, a settlement without its message, and a delegation that does not stand
/// as its events say.
pub(in crate::ledger) const CONTRADICTIONS: [(&str, &str, &str); 5] = [
    (
        "issued_messages",
        "its settlement is another's",
        "SELECT m.seq FROM issued_messages m LEFT JOIN settlements s ON s.id = m.settlement \
         WHERE m.settlement IS NOT NULL AND (s.id IS NULL OR s.subject_id IS NOT m.id \
          OR s.purpose <> iif(m.kind = 'leave', 'mpp_leave', 'mpp_onboard')) LIMIT 1",
    ),
    (
        "settlements",
        "it carries an issued message that is not there",
        "SELECT s.seq FROM settlements s LEFT JOIN issued_messages m ON m.settlement = s.id \
         WHERE s.purpose IN ('mpp_onboard', 'mpp_leave') AND m.id IS NULL LIMIT 1",
    ),
    (
        "delegations",
        "it does not stand as its last event says",
        "SELECT d.seq FROM delegations d LEFT JOIN delegation_events e ON e.delegation = d.seq AND e.number = d.events \
         WHERE d.events <> (SELECT count(*) FROM delegation_events c WHERE c.delegation = d.seq) \
          OR (d.events = 0 AND d.state <> 'pending') \
          OR (d.events > 0 AND (e.state IS NOT d.state OR e.generation IS NOT d.generation)) LIMIT 1",
    ),
    (
        "delegations",
        "its generation is none that a landed message has granted",
        "SELECT d.seq FROM delegations d WHERE d.generation IS NOT NULL AND NOT EXISTS ( \
         SELECT 1 FROM issued_messages m JOIN settlements s ON s.id = m.settlement \
         WHERE m.delegation = d.seq AND m.generation = d.generation AND s.state IN ('landed', 'settled')) LIMIT 1",
    ),
    (
        "delegations",
        // A fork may take one back that had landed before the next was signed.
        "two of its messages are on their way, and neither has ever landed",
        "SELECT m.delegation FROM issued_messages m JOIN settlements s ON s.id = m.settlement \
         WHERE s.state IN ('reserved', 'in_flight') AND NOT EXISTS ( \
            SELECT 1 FROM settlement_events e WHERE e.settlement = s.id AND e.event = 'landed') \
         GROUP BY m.delegation HAVING count(*) > 1 LIMIT 1",
    ),
];
