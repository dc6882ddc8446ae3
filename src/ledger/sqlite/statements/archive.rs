//! Which sessions' payments may move to the archive, which have, and deleting what was moved.
//!
//! Must be true: a row is deleted only after the archive has it on disk ([`crate::ledger::sqlite::archive`]). The triggers of
//! `migrations/sqlite/0013_archive.sql` refuse the rest: rows of a session that is not being moved, and of one that lives.

use crate::ledger::sqlite::statements::{Outcome, missing, select};
use crate::{
    domain::{clock::UnixSeconds, hold::HoldId, session::SessionId, settlement::SettlementId},
    ledger::rows::column,
};
use rusqlite::{Connection, params};

/// Whose payments a question is about.
#[derive(Clone, Copy, Debug)]
pub(in crate::ledger) enum Whose {
    /// Those of a session.
    Session(SessionId),
    /// Those of a settlement.
    Settlement(SettlementId),
    /// One payment.
    Payment(HoldId),
}

/// What is moved, in this order: events refer to payments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ledger) enum Part {
    /// What happened to the session.
    Events,
    /// Payments that a settlement covered.
    Covered,
    /// Payments that came to nothing before a settlement covered them.
    Uncovered,
}

impl Part {
    /// Every part, in order.
    pub(in crate::ledger) const ALL: [Self; 3] = [Self::Events, Self::Covered, Self::Uncovered];
}

/// Whether any session's payments have moved, or are being moved.
pub(in crate::ledger) fn is_in_use(conn: &Connection) -> Outcome<bool> {
    Ok(select::value::<i64>(conn, "SELECT 1 FROM sessions WHERE archived > 0 LIMIT 1", [])?.is_some())
}

/// Whether what a question is about has moved, or is being moved. Asked after the question: what began to move later was
/// there while it was asked.
pub(in crate::ledger) fn has_moved(conn: &Connection, whose: Whose) -> Outcome<bool> {
    let found: Option<i64> = match whose {
        Whose::Session(id) => {
            select::value(conn, "SELECT 1 FROM sessions WHERE id = ?1 AND archived > 0", [id.to_bytes()])?
        }
        Whose::Settlement(id) => select::value(
            conn,
            "SELECT 1 FROM settlements t JOIN sessions s ON s.id = t.session WHERE t.id = ?1 AND s.archived > 0",
            [select::settlement_key(id)],
        )?,
        // Of one that is not here only the archive knows whose it is.
        Whose::Payment(id) => select::value(
            conn,
            "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM holds WHERE id = ?1) \
             AND EXISTS (SELECT 1 FROM sessions WHERE archived > 0)",
            [select::hold_key(id)],
        )?,
    };
    Ok(found.is_some())
}

/// The session to move next: one that is being moved, or else one that has ended and holds nothing, was made before `before`
/// and accepted its last payment before. The rows with the greatest numbers stay.
pub(in crate::ledger) fn next(conn: &Connection, before: UnixSeconds) -> Outcome<Option<SessionId>> {
    let begun = "SELECT id FROM sessions WHERE archived > 0 AND archived = 1 LIMIT 1";
    if let Some(begun) = select::value(conn, begun, [])? {
        return Ok(Some(SessionId::from_bytes(begun)));
    }
    let sql = "SELECT s.id FROM sessions s JOIN session_sums t ON t.session = s.seq \
        WHERE s.archived = 0 AND s.state NOT IN ('opening', 'open', 'closing') AND s.created_at < ?1 AND t.held = 0 \
        AND t.newest_hold < (SELECT max(seq) FROM holds) \
        AND coalesce((SELECT accepted_at FROM holds WHERE seq = t.newest_hold), 0) < ?1 \
        AND coalesce((SELECT max(seq) FROM session_events WHERE session = s.id), 0) \
            < (SELECT max(seq) FROM session_events) \
        AND NOT EXISTS (SELECT 1 FROM settlements x WHERE x.session = s.id AND x.state NOT IN ('settled', 'released')) \
        ORDER BY s.created_at LIMIT 1";
    Ok(select::value(conn, sql, [column("before", before)?])?.map(SessionId::from_bytes))
}

/// Marks a session as being moved: from now on its payments are looked for in both files.
pub(in crate::ledger) fn begin(conn: &Connection, id: SessionId) -> Outcome<()> {
    conn.prepare_cached("UPDATE sessions SET archived = 1 WHERE id = ?1 AND archived = 0")?.execute([id.to_bytes()])?;
    Ok(())
}

/// Marks a session as moved.
pub(in crate::ledger) fn finish(conn: &Connection, id: SessionId) -> Outcome<()> {
    let changed = conn
        .prepare_cached("UPDATE sessions SET archived = 2 WHERE id = ?1 AND archived = 1")?
        .execute([id.to_bytes()])?;
    if changed == 1 { Ok(()) } else { Err(missing("session that is being archived")) }
}

/// Deletes rows that the archive has.
pub(in crate::ledger) fn remove(conn: &Connection, part: Part, rows: &[i64]) -> Outcome<()> {
    for row in rows {
        if part == Part::Events {
            conn.prepare_cached("DELETE FROM session_events WHERE seq = ?1")?.execute(params![row])?;
            continue;
        }
        conn.prepare_cached("DELETE FROM hold_returns WHERE hold = (SELECT id FROM holds WHERE seq = ?1)")?
            .execute(params![row])?;
        conn.prepare_cached("DELETE FROM holds WHERE seq = ?1")?.execute(params![row])?;
    }
    Ok(())
}
