//! Settlements that are held, what operators say of them, and who told of landings.

use crate::ledger::sqlite::statements::{Outcome, journal, missing, select};
use crate::{
    domain::{
        clock::UnixSeconds,
        settlement::{HeldBecause, Resolution, Settlement, SettlementId, Verdict},
    },
    ledger::{
        NotResolved, Recorded, Resolved, SeenLanding, SettlementRecord,
        rows::{column, count},
        rules::resolve as rules,
    },
};
use rusqlite::{Connection, params};
use solana_signature::Signature;

/// Notes that a settlement is held from its newest event on.
pub(in crate::ledger) fn note_held(
    conn: &Connection,
    seen: &Settlement,
    because: HeldBecause,
    now: UnixSeconds,
) -> Outcome<Settlement> {
    let settlement = journal::unmoved(conn, seen)?;
    conn.prepare_cached(
        "INSERT INTO held_settlements (settlement, sequence, why, since) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (settlement, sequence) DO NOTHING",
    )?
    .execute(params![
        select::settlement_key(settlement.id),
        settlement.sequence,
        because.word(),
        column("since", now)?
    ])?;
    select::settlement(conn, settlement.id)?.ok_or_else(|| missing("settlement"))
}

/// What is held, oldest first.
pub(in crate::ledger) fn held(conn: &Connection) -> Outcome<Vec<SettlementRecord>> {
    let held = select::settlements(
        conn,
        // Found by the index of those that are not finished.
        "WHERE state NOT IN ('settled', 'released') AND h.since IS NOT NULL ORDER BY seq",
        [],
    )?;
    held.into_iter().map(|settlement| whole(conn, settlement)).collect()
}

/// Everything on record of one settlement.
pub(in crate::ledger) fn record(conn: &Connection, id: SettlementId) -> Outcome<Option<SettlementRecord>> {
    select::settlement(conn, id)?.map(|settlement| whole(conn, settlement)).transpose()
}

fn whole(conn: &Connection, settlement: Settlement) -> Outcome<SettlementRecord> {
    let key = select::settlement_key(settlement.id);
    let attempts = select::attempts(conn, "WHERE settlement = ?1 ORDER BY number", [key])?;
    let live = select::live_attempt(conn, settlement.id)?.map(|attempt| attempt.signature);
    let times = times(conn, "SELECT at FROM settlement_events WHERE settlement = ?1 ORDER BY sequence", key)?;
    let events = select::events(conn, settlement.id)?.into_iter().map(|(_, event)| event);
    let words = "SELECT at, words FROM resolutions WHERE settlement = ?1 ORDER BY sequence";
    let words = select::list(conn, words, [key], |row| Ok((count("at", row.get(0)?)?, row.get(1)?)))?;
    Ok(SettlementRecord {
        planned_at: times.first().copied().unwrap_or_default(),
        attempts: attempts.into_iter().map(Recorded).collect(),
        live,
        events: times.into_iter().zip(events).collect(),
        words,
        settlement,
    })
}

fn times(conn: &Connection, sql: &str, key: [u8; 16]) -> Outcome<Vec<UnixSeconds>> {
    select::list(conn, sql, [key], |row| Ok(count("at", row.get(0)?)?))
}

/// Writes an operator's word and the events that follow from it.
pub(in crate::ledger) fn resolve(conn: &Connection, resolution: &Resolution, now: UnixSeconds) -> Outcome<Resolved> {
    let Some(record) = record(conn, resolution.settlement)? else {
        return Ok(Resolved::Refused(NotResolved::Unknown));
    };
    let attempts: Vec<Signature> = record.attempts.iter().map(|attempt| attempt.get().signature).collect();
    let events = match rules::events(&record.settlement, (&attempts, record.live.as_ref()), resolution.verdict) {
        Ok(events) => events,
        Err(refused) => return Ok(Resolved::Refused(refused)),
    };
    let found = match resolution.verdict {
        Verdict::Landed { signature, .. } => Some(signature),
        Verdict::Absent(_) | Verdict::Failed { .. } => None,
    };
    let mut settlement = record.settlement;
    conn.prepare_cached(
        "INSERT INTO resolutions (settlement, sequence, transaction_found, words, at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        select::settlement_key(settlement.id),
        settlement.sequence + 1,
        found.as_ref().map(AsRef::<[u8]>::as_ref),
        resolution.words,
        column("at", now)?,
    ])?;
    if let (Some(found), None) = (found, record.live) {
        conn.prepare_cached("UPDATE attempts SET live = 1 WHERE signature = ?1")?.execute([found.as_ref()])?;
    }
    for event in &events {
        settlement = journal::record(conn, &settlement, event, &[], now)?;
    }
    Ok(Resolved::Written(settlement))
}

/// Remembers who told of landings.
pub(in crate::ledger) fn note_seen(conn: &Connection, seen: &[SeenLanding], now: UnixSeconds) -> Outcome<()> {
    let mut insert = conn.prepare_cached(
        "INSERT INTO attempt_seen (signature, voice, slot, at) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (signature, voice) DO NOTHING",
    )?;
    for SeenLanding { signature, voice, slot } in seen {
        insert.execute(params![signature.as_ref(), voice, column("slot", *slot)?, column("at", now)?])?;
    }
    Ok(())
}

/// Remembers by which slot finality had passed the life of an attempt.
pub(in crate::ledger) fn note_past(conn: &Connection, attempt: &Signature, slot: u64, now: UnixSeconds) -> Outcome<()> {
    conn.prepare_cached(
        "INSERT INTO attempt_past (signature, slot, at) VALUES (?1, ?2, ?3) ON CONFLICT (signature) DO NOTHING",
    )?
    .execute(params![attempt.as_ref(), column("slot", slot)?, column("at", now)?])?;
    Ok(())
}
