//! What everybody who works on one ledger has to agree on (`ledger_facts`).

use crate::{
    domain::{clock::UnixSeconds, settlement::AbsenceVoices},
    ledger::{LedgerError, rows::column, sqlite::statements::Outcome},
};
use rusqlite::{Connection, OptionalExtension as _, params};

const ABSENCE_VOICES: &str = "absence_voices";

/// How many voices were agreed on; none where nothing was.
pub(in crate::ledger) fn voices(conn: &Connection) -> Outcome<Option<AbsenceVoices>> {
    let text: Option<String> = conn
        .prepare_cached("SELECT value FROM ledger_facts WHERE fact = ?1 ORDER BY number DESC LIMIT 1")?
        .query_row([ABSENCE_VOICES], |row| row.get(0))
        .optional()?;
    let Some(text) = text else { return Ok(None) };
    match text.parse().ok().and_then(AbsenceVoices::from_count) {
        Some(voices) => Ok(Some(voices)),
        None => Err(LedgerError::Inconsistent(format!("ledger_facts tells of {text:?} voices")).into()),
    }
}

/// Agrees on so many where nothing was agreed on; tells what is.
pub(in crate::ledger) fn agree_on_voices(
    conn: &Connection,
    voices: AbsenceVoices,
    now: UnixSeconds,
) -> Outcome<AbsenceVoices> {
    if let Some(agreed) = self::voices(conn)? {
        return Ok(agreed);
    }
    change_voices(conn, voices, now)?;
    Ok(voices)
}

/// Replaces what was agreed on.
pub(in crate::ledger) fn change_voices(conn: &Connection, voices: AbsenceVoices, now: UnixSeconds) -> Outcome<()> {
    conn.prepare_cached(
        "INSERT INTO ledger_facts (fact, number, value, at) \
         VALUES (?1, 1 + (SELECT coalesce(max(number), 0) FROM ledger_facts WHERE fact = ?1), ?2, ?3)",
    )?
    .execute(params![ABSENCE_VOICES, voices.count().to_string(), column("at", now)?])?;
    Ok(())
}
