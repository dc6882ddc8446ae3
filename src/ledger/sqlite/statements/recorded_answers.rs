//! Which successes are told again, to which requests and until when (ADR 0065).

use crate::ledger::sqlite::statements::{Outcome, select};
use crate::{
    domain::hold::{HoldId, RecordedAnswer, RequestHash},
    ledger::{
        LedgerError,
        rows::{column, count},
    },
};
use rusqlite::{Connection, params};

/// Writes the row of a success that is told in the same transaction, and deletes up to two that have ended: so there are seldom
/// more than may still be told, and no write takes long.
pub(super) fn write(conn: &Connection, id: HoldId, answer: RecordedAnswer) -> Outcome<()> {
    let told_at = column("told_at", answer.told_at)?;
    conn.prepare_cached(
        "DELETE FROM recorded_answers WHERE hold IN \
         (SELECT hold FROM recorded_answers WHERE answer_until <= ?1 ORDER BY answer_until LIMIT 2)",
    )?
    .execute([told_at])?;
    conn.prepare_cached("INSERT INTO recorded_answers (hold, request, told_at, answer_until) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![select::hold_key(id), answer.request.0, told_at, column("answer_until", answer.until)?])?;
    Ok(())
}

/// The row of a hold's success, if it has one.
pub(in crate::ledger) fn find(conn: &Connection, id: HoldId) -> Outcome<Option<RecordedAnswer>> {
    let sql = "SELECT request, told_at, answer_until FROM recorded_answers WHERE hold = ?1";
    let found = select::list(conn, sql, [select::hold_key(id)], |row| {
        let request: Vec<u8> = row.get(0)?;
        let wrong = |_| LedgerError::Inconsistent("a request of recorded_answers is no hash".to_owned());
        Ok(RecordedAnswer {
            request: RequestHash(request.try_into().map_err(wrong)?),
            told_at: count("told_at", row.get(1)?)?,
            until: count("answer_until", row.get(2)?)?,
        })
    })?;
    Ok(found.into_iter().next())
}
