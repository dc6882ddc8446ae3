//! What happened to a session, read from the log of pointers and the accepted payments in their one order.

use crate::ledger::sqlite::statements::{Outcome, missing, queries::snapshot, select};
use crate::{
    domain::{
        amount::Amount,
        history::{Cursor, Happened, History, PaymentTimes, Position, Progress},
        hold::{Hold, HoldId, HoldState},
        reason::PayReason,
        session::{SessionId, SessionState},
        settlement::{Event, SettlementId},
    },
    ledger::{LedgerError, rows},
};
use rusqlite::{Connection, params};
use solana_signature::Signature;
use uuid::Uuid;

/// What happened to a session after a position, at most `most` things.
pub(in crate::ledger) fn history(
    conn: &Connection,
    session: SessionId,
    after: Cursor,
    most: usize,
) -> Outcome<History> {
    snapshot(conn, |conn| {
        let most_rows = i64::try_from(most).unwrap_or(i64::MAX);
        let mut accepted = accepted(conn, session, after, most_rows)?.into_iter().peekable();
        let mut logged = logged(conn, session, after.position, most_rows)?.into_iter().peekable();
        let mut events = Vec::new();
        let mut at = after.position;
        // Of both lists the first `most` are at hand, so the first `most` of both together are too.
        while events.len() < most {
            let hold_first = match (accepted.peek(), logged.peek()) {
                (None, None) => return Ok(History { events, upto: walked(conn, newest(conn, session, at)?)? }),
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (Some((seq, _)), Some(row)) => *seq <= row.holds_before,
            };
            if hold_first {
                let Some((seq, happened)) = accepted.next() else { continue };
                at = Position { holds: seq, ..at };
                events.push((at, happened));
            } else {
                let Some(row) = logged.next() else { continue };
                at = Position { log: row.seq, holds: at.holds.max(row.holds_before) };
                events.push((at, row.happened(conn)?));
            }
        }
        Ok(History { events, upto: Cursor { position: at, ..after } })
    })
}

/// The end of a session's order: nothing of it that is told later stands before it.
pub(in crate::ledger) fn end(conn: &Connection, session: SessionId) -> Outcome<Position> {
    snapshot(conn, |conn| newest(conn, session, Position::default()))
}

fn newest(conn: &Connection, session: SessionId, at_least: Position) -> Outcome<Position> {
    let log = "SELECT max(seq) FROM session_events WHERE session = ?1";
    let log: Option<i64> = select::value(conn, log, [session.to_bytes()])?.flatten();
    let log = number(log.unwrap_or_default())?;
    let holds = newest_hold(conn, session)?;
    Ok(Position { log: log.max(at_least.log), holds: holds.max(at_least.holds) })
}

/// The cursor of a reader who has read everything: with one writer, what is accepted later has a greater number. The newest
/// payment of all is never archived.
fn walked(conn: &Connection, position: Position) -> Outcome<Cursor> {
    let newest: Option<i64> = select::value(conn, "SELECT max(seq) FROM main.holds", [])?.flatten();
    Ok(Cursor { position, walked: number(newest.unwrap_or_default())? })
}

/// The number of the last payment that a session accepted; 0 for none.
fn newest_hold(conn: &Connection, session: SessionId) -> Outcome<u64> {
    let sql = "SELECT newest_hold FROM session_sums WHERE session = (SELECT seq FROM sessions WHERE id = ?1)";
    Ok(number(select::value(conn, sql, [session.to_bytes()])?.unwrap_or_default())?)
}

fn number(column: i64) -> Result<u64, LedgerError> {
    u64::try_from(column).map_err(|_| LedgerError::Inconsistent("a row's number is negative".to_owned()))
}

fn accepted(conn: &Connection, session: SessionId, after: Cursor, most: i64) -> Outcome<Vec<(u64, Happened)>> {
    // Between the two numbers stand the payments of others, which are walked: no index finds a session's own.
    let newest = newest_hold(conn, session)?;
    let after = after.position.holds.max(after.walked);
    if newest <= after {
        return Ok(Vec::new());
    }
    let sql = "SELECT seq, id, amount, deferred, accepted_at FROM holds \
               WHERE session = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq LIMIT ?4";
    let after = rows::column("position", after)?;
    let asked = params![session.to_bytes(), after, rows::column("position", newest)?, most];
    select::list(conn, sql, asked, |row| {
        let amount = Amount::try_from(row.get::<_, i64>(2)?)
            .map_err(|_| LedgerError::Inconsistent("a hold's amount is negative".to_owned()))?;
        let happened = Happened::Accepted {
            payment: hold_id(row.get(1)?),
            amount,
            deferred: row.get(3)?,
            at: number(row.get(4)?)?,
        };
        Ok((number(row.get(0)?)?, happened))
    })
}

fn hold_id(bytes: [u8; 16]) -> HoldId {
    HoldId(Uuid::from_bytes(bytes))
}

/// A row of `session_events`: it names the settlement's event, the hold or the state that it tells of.
struct Pointer {
    seq: u64,
    holds_before: u64,
    settlement: Option<([u8; 16], i64)>,
    hold: Option<[u8; 16]>,
    state: Option<String>,
    session: SessionId,
}

fn logged(conn: &Connection, session: SessionId, after: Position, most: i64) -> Outcome<Vec<Pointer>> {
    let sql = "SELECT seq, holds_before, settlement, sequence, hold, state FROM session_events \
               WHERE session = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
    let asked = params![session.to_bytes(), rows::column("position", after.log)?, most];
    select::list(conn, sql, asked, |row| {
        let (settlement, sequence): (Option<[u8; 16]>, Option<i64>) = (row.get(2)?, row.get(3)?);
        Ok(Pointer {
            seq: number(row.get(0)?)?,
            holds_before: number(row.get(1)?)?,
            settlement: settlement.zip(sequence),
            hold: row.get(4)?,
            state: row.get(5)?,
            session,
        })
    })
}

impl Pointer {
    fn happened(&self, conn: &Connection) -> Outcome<Happened> {
        if let Some((settlement, sequence)) = self.settlement {
            return progress(conn, SettlementId(Uuid::from_bytes(settlement)), sequence);
        }
        if let Some(hold) = self.hold {
            let hold = select::hold(conn, hold_id(hold))?.ok_or_else(|| missing("hold"))?;
            return ended(&hold);
        }
        let word = self.state.as_deref().unwrap_or_default();
        if let Some(state) = SessionState::from_word(word) {
            return Ok(Happened::State(state));
        }
        // A rejection's reason stands with the session, and it is the session's last state.
        let session = select::session(conn, self.session)?.ok_or_else(|| missing("session"))?;
        Ok(Happened::State(session.state))
    }
}

fn ended(hold: &Hold) -> Outcome<Happened> {
    match hold.state {
        HoldState::Released { reason, signature } => {
            Ok(Happened::Ended { payment: hold.id, lost: hold.told, reason, transaction: signature })
        }
        HoldState::Waiting | HoldState::Planned { .. } | HoldState::Captured { .. } => {
            Err(LedgerError::Inconsistent("the log tells of a release that did not happen".to_owned()).into())
        }
    }
}

fn progress(conn: &Connection, id: SettlementId, sequence: i64) -> Outcome<Happened> {
    let events = select::events(conn, id)?;
    let upto = usize::try_from(sequence).unwrap_or(usize::MAX).min(events.len());
    let (_, event) = events.get(upto.wrapping_sub(1)).ok_or_else(|| missing("event of a settlement"))?;
    let signed: Option<Signature> = events[..upto].iter().rev().find_map(|(_, event)| match event {
        Event::Signed { signature } | Event::Found { signature, .. } => Some(*signature),
        _ => None,
    });
    let failed = |reason: PayReason| Progress::Failed(reason);
    let progress = match event {
        Event::Signed { .. } => Progress::Signed,
        Event::Landed { .. } | Event::Found { .. } => Progress::Landed,
        Event::Finalised => Progress::Final,
        Event::TakenBack => Progress::TakenBack,
        Event::Refused { reason, .. } | Event::Abandoned { reason } => failed(*reason),
        Event::Reserved | Event::Failed { .. } | Event::Absent(_) => {
            return Err(LedgerError::Inconsistent("the log tells of what is not told".to_owned()).into());
        }
    };
    // What was abandoned was never signed, or proved to have no effect.
    let transaction = if matches!(event, Event::Abandoned { .. }) { None } else { signed };
    let at = "SELECT at FROM settlement_events WHERE settlement = ?1 AND sequence = ?2";
    let at = select::value(conn, at, params![select::settlement_key(id), sequence])?;
    let kept = ids(conn, "SELECT hold FROM hold_returns WHERE settlement = ?1", id)?;
    let mut payments = ids(conn, "SELECT id FROM holds WHERE settlement = ?1 ORDER BY seq", id)?;
    let came_to_nothing = matches!(progress, Progress::Failed(_));
    if !came_to_nothing {
        payments.extend(&kept);
    }
    let kept = if came_to_nothing { kept } else { Vec::new() };
    let at = number(at.ok_or_else(|| missing("event of a settlement"))?)?;
    Ok(Happened::Settlement { id, progress, transaction, payments, kept, at })
}

fn ids(conn: &Connection, sql: &str, settlement: SettlementId) -> Outcome<Vec<HoldId>> {
    select::list(conn, sql, [select::settlement_key(settlement)], |row| Ok(hold_id(row.get(0)?)))
}

/// When a payment was captured, became final, or failed.
pub(in crate::ledger) fn times(conn: &Connection, payment: HoldId) -> Outcome<PaymentTimes> {
    let mut statement = conn.prepare_cached(
        "SELECT max(e.at) FILTER (WHERE e.event = 'landed' AND h.state = 'captured'), \
         max(e.at) FILTER (WHERE e.event = 'finalised'), \
         max(e.at) FILTER (WHERE e.event IN ('refused', 'abandoned')) \
         FROM holds h JOIN settlement_events e ON e.settlement = h.settlement WHERE h.id = ?1",
    )?;
    let columns: [Option<i64>; 3] =
        statement.query_row([select::hold_key(payment)], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))?;
    let [captured_at, settled_at, failed_at] = columns.map(|column| column.map(number).transpose());
    Ok(PaymentTimes { captured_at: captured_at?, settled_at: settled_at?, failed_at: failed_at? })
}
