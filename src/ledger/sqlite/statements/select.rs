//! Reading rows: the column lists, in the order in which they fill the row structs.

use crate::ledger::sqlite::statements::Outcome;
use crate::{
    domain::{
        funding::Source,
        hold::{Hold, HoldId},
        session::{Session, SessionId},
        settlement::{Attempt, Event, Settlement, SettlementId},
    },
    ledger::rows::{AttemptRow, EventRow, HoldRow, SessionRow, SettlementRow, SourceRow},
};
use rusqlite::{Connection, OptionalExtension as _, Params, Row};

const SESSION: &str = "SELECT s.seq, s.id, s.user, s.asset, s.recipient, s.spender, s.session_key, s.nonce, s.cap, \
    s.expires_at, s.spelling, s.network, s.intent, s.intent_signature, s.settle_signature, s.state, s.rejected, \
    s.cap_verified, t.captured, t.held, s.approve, s.created_at, s.approved \
    FROM sessions s JOIN session_sums t ON t.session = s.seq";

const HOLD: &str = "SELECT h.seq, h.id, h.session, h.nonce, h.content, h.amount, h.spent_after, h.remaining_after, \
    h.state, h.settlement, h.reason, h.signature, a.signature, h.told, h.accepted_at, h.deferred, h.returns, h.funding \
    FROM holds h LEFT JOIN attempts a ON a.settlement = h.settlement AND a.live = 1";

const SETTLEMENT: &str = "SELECT seq, id, purpose, subject_kind, subject_id, amount, state, settlements.sequence, attempts, signature, \
    CASE WHEN state = 'landed' THEN (SELECT e.slot FROM settlement_events e WHERE e.settlement = settlements.id \
    AND e.event = 'landed' ORDER BY e.sequence DESC LIMIT 1) END, h.why, h.since FROM settlements \
    LEFT JOIN held_settlements h ON h.settlement = id AND h.sequence = settlements.sequence";

const ATTEMPT: &str = "SELECT signature, settlement, number, wire, last_valid_block_height, signed_at_slot, fee, rent, \
    lamports_granted, bears_allowances, moves_balance, source, handle_before, handle_slot, delegated_before, \
    (SELECT group_concat(t.voice, char(10)) FROM attempt_seen t WHERE t.signature = attempts.signature), \
    (SELECT p.slot FROM attempt_past p WHERE p.signature = attempts.signature) FROM attempts";

const EVENT: &str = "SELECT sequence, event, signature, slot, reason, finalised_height, first_available_block \
    FROM settlement_events WHERE settlement = ?1 ORDER BY sequence";

const SOURCE: &str = "SELECT user, asset, frozen, bound, handle, slot, anchor, proved_at, claimed, examined, final, \
    looked_at, lost, lost_slot, seen_handle, seen_slot, ridden, seen_ridden FROM sources";

/// Bytes of an id as they are bound.
pub(in crate::ledger) fn hold_key(id: HoldId) -> [u8; 16] {
    id.0.into_bytes()
}

/// Bytes of an id as they are bound.
pub(in crate::ledger) fn settlement_key(id: SettlementId) -> [u8; 16] {
    id.0.into_bytes()
}

/// All rows of `base` and `rest`, read by `read`.
fn all<T>(
    conn: &Connection,
    base: &str,
    rest: &str,
    params: impl Params,
    read: impl Fn(&Row<'_>) -> Outcome<T>,
) -> Outcome<Vec<T>> {
    list(conn, &format!("{base} {rest}"), params, read)
}

/// All rows that a statement yields, read by `read`.
pub(in crate::ledger) fn list<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    read: impl Fn(&Row<'_>) -> Outcome<T>,
) -> Outcome<Vec<T>> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// The sessions that `rest` (from `WHERE` on) selects.
pub(in crate::ledger) fn sessions(conn: &Connection, rest: &str, params: impl Params) -> Outcome<Vec<Session>> {
    all(conn, SESSION, rest, params, |row| Ok(session_row(row)?.into_session()?))
}

/// The session with this id.
pub(in crate::ledger) fn session(conn: &Connection, id: SessionId) -> Outcome<Option<Session>> {
    Ok(sessions(conn, "WHERE id = ?1", [id.to_bytes()])?.pop())
}

/// The session with this id, and the number of its row.
pub(in crate::ledger) fn numbered_session(conn: &Connection, id: SessionId) -> Outcome<Option<(i64, Session)>> {
    Ok(numbered_sessions(conn, "WHERE id = ?1", [id.to_bytes()])?.pop())
}

/// The sessions that `rest` selects, and the numbers of their rows.
pub(in crate::ledger) fn numbered_sessions(
    conn: &Connection,
    rest: &str,
    params: impl Params,
) -> Outcome<Vec<(i64, Session)>> {
    all(conn, SESSION, rest, params, |row| {
        let row = session_row(row)?;
        Ok((row.seq, row.into_session()?))
    })
}

/// The holds that `rest` selects; columns of the hold are `h.`.
pub(in crate::ledger) fn holds(conn: &Connection, rest: &str, params: impl Params) -> Outcome<Vec<Hold>> {
    all(conn, HOLD, rest, params, |row| Ok(hold_row(row)?.into_hold()?))
}

/// The hold with this id.
pub(in crate::ledger) fn hold(conn: &Connection, id: HoldId) -> Outcome<Option<Hold>> {
    Ok(holds(conn, "WHERE h.id = ?1", [hold_key(id)])?.pop())
}

/// The settlements that `rest` selects.
pub(in crate::ledger) fn settlements(conn: &Connection, rest: &str, params: impl Params) -> Outcome<Vec<Settlement>> {
    all(conn, SETTLEMENT, rest, params, |row| Ok(settlement_row(row)?.into_settlement()?))
}

/// The settlement with this id.
pub(in crate::ledger) fn settlement(conn: &Connection, id: SettlementId) -> Outcome<Option<Settlement>> {
    Ok(settlements(conn, "WHERE id = ?1", [settlement_key(id)])?.pop())
}

/// The attempts that `rest` selects.
pub(in crate::ledger) fn attempts(conn: &Connection, rest: &str, params: impl Params) -> Outcome<Vec<Attempt>> {
    all(conn, ATTEMPT, rest, params, |row| Ok(attempt_row(row)?.into_attempt()?))
}

/// The attempt of a settlement that is or became effective.
pub(in crate::ledger) fn live_attempt(conn: &Connection, id: SettlementId) -> Outcome<Option<Attempt>> {
    Ok(attempts(conn, "WHERE settlement = ?1 AND live = 1", [settlement_key(id)])?.pop())
}

/// The sources that `rest` selects.
pub(in crate::ledger) fn sources(conn: &Connection, rest: &str, params: impl Params) -> Outcome<Vec<Source>> {
    all(conn, SOURCE, rest, params, |row| Ok(source_row(row)?.into_source()?))
}

/// The whole log of a settlement with its numbers.
pub(in crate::ledger) fn events(conn: &Connection, id: SettlementId) -> Outcome<Vec<(i64, Event)>> {
    all(conn, EVENT, "", [settlement_key(id)], |row| {
        let row = event_row(row)?;
        Ok((row.sequence, row.into_event()?))
    })
}

/// One value, or none when there is no row.
pub(in crate::ledger) fn value<T: rusqlite::types::FromSql>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
) -> Outcome<Option<T>> {
    Ok(conn.prepare_cached(sql)?.query_row(params, |row| row.get(0)).optional()?)
}

fn session_row(row: &Row<'_>) -> rusqlite::Result<SessionRow> {
    Ok(SessionRow {
        seq: row.get(0)?,
        id: row.get(1)?,
        user: row.get(2)?,
        asset: row.get(3)?,
        recipient: row.get(4)?,
        spender: row.get(5)?,
        session_key: row.get(6)?,
        nonce: row.get(7)?,
        cap: row.get(8)?,
        expires_at: row.get(9)?,
        spelling: row.get(10)?,
        network: row.get(11)?,
        intent: row.get(12)?,
        intent_signature: row.get(13)?,
        settle_signature: row.get(14)?,
        state: row.get(15)?,
        rejected: row.get(16)?,
        cap_verified: row.get(17)?,
        captured: row.get(18)?,
        held: row.get(19)?,
        approve: row.get(20)?,
        created_at: row.get(21)?,
        approved: row.get(22)?,
    })
}

fn hold_row(row: &Row<'_>) -> rusqlite::Result<HoldRow> {
    Ok(HoldRow {
        seq: row.get(0)?,
        id: row.get(1)?,
        session: row.get(2)?,
        nonce: row.get(3)?,
        content: row.get(4)?,
        amount: row.get(5)?,
        spent_after: row.get(6)?,
        remaining_after: row.get(7)?,
        state: row.get(8)?,
        settlement: row.get(9)?,
        reason: row.get(10)?,
        signature: row.get(11)?,
        live_signature: row.get(12)?,
        told: row.get(13)?,
        accepted_at: row.get(14)?,
        deferred: row.get(15)?,
        returns: row.get(16)?,
        funding: row.get(17)?,
    })
}

fn settlement_row(row: &Row<'_>) -> rusqlite::Result<SettlementRow> {
    Ok(SettlementRow {
        seq: row.get(0)?,
        id: row.get(1)?,
        purpose: row.get(2)?,
        subject_kind: row.get(3)?,
        subject_id: row.get(4)?,
        amount: row.get(5)?,
        state: row.get(6)?,
        sequence: row.get(7)?,
        attempts: row.get(8)?,
        signature: row.get(9)?,
        landed_at: row.get(10)?,
        held: row.get::<_, Option<String>>(11)?.zip(row.get(12)?),
    })
}

fn attempt_row(row: &Row<'_>) -> rusqlite::Result<AttemptRow> {
    Ok(AttemptRow {
        signature: row.get(0)?,
        settlement: row.get(1)?,
        number: row.get(2)?,
        wire: row.get(3)?,
        last_valid_block_height: row.get(4)?,
        signed_at_slot: row.get(5)?,
        fee: row.get(6)?,
        rent: row.get(7)?,
        lamports_granted: row.get(8)?,
        bears_allowances: row.get(9)?,
        moves_balance: row.get(10)?,
        source: row.get(11)?,
        handle_before: row.get(12)?,
        handle_slot: row.get(13)?,
        delegated_before: row.get(14)?,
        seen_by: row
            .get::<_, Option<String>>(15)?
            .iter()
            .flat_map(|voices| voices.lines())
            .map(str::to_owned)
            .collect(),
        past_at: row.get(16)?,
    })
}

fn source_row(row: &Row<'_>) -> rusqlite::Result<SourceRow> {
    Ok(SourceRow {
        user: row.get(0)?,
        asset: row.get(1)?,
        frozen: row.get(2)?,
        bound: row.get(3)?,
        handle: row.get(4)?,
        slot: row.get(5)?,
        anchor: row.get(6)?,
        proved_at: row.get(7)?,
        claimed: row.get(8)?,
        examined: row.get(9)?,
        is_final: row.get(10)?,
        looked_at: row.get(11)?,
        lost: row.get(12)?,
        lost_slot: row.get(13)?,
        seen_handle: row.get(14)?,
        seen_slot: row.get(15)?,
        ridden: row.get(16)?,
        seen_ridden: row.get(17)?,
    })
}

fn event_row(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    Ok(EventRow {
        sequence: row.get(0)?,
        event: row.get(1)?,
        signature: row.get(2)?,
        slot: row.get(3)?,
        reason: row.get(4)?,
        finalised_height: row.get(5)?,
        first_available_block: row.get(6)?,
    })
}
