//! The audit: replays every log and compares it with its projection, its attempts, its bookings and its holds, and
//! every session's sums with its holds. Reads one snapshot; names the first contradiction by table and row.

use super::{
    Outcome,
    bookings::{self, Booking},
    funding,
    queries::snapshot,
    select,
};
use crate::{
    domain::{
        hold::{Hold, HoldState},
        intent::Intent,
        reason::PayReason,
        session::{Session, SessionId},
        settlement::{Cost, Event, Purpose, Settlement, State, apply},
    },
    ledger::LedgerError,
};
use rusqlite::Connection;
use solana_signature::Signature;
use std::collections::HashMap;

/// Finds the first contradiction.
pub(in crate::ledger) fn audit(conn: &Connection) -> Outcome<()> {
    snapshot(conn, |conn| {
        database(conn)?;
        for_each(conn, "settlements", |row| settlement(conn, row))?;
        let sums = sums_of_holds(conn)?;
        for_each(conn, "sessions", |row| session(conn, row, &sums))?;
        sources(conn)?;
        CONTRADICTIONS.iter().try_for_each(|(table, text, sql)| {
            let found = select::value::<i64>(conn, sql, [])?;
            found.map_or(Ok(()), |row| Err(contradiction(table, row, text)))
        })?;
        bookings::audit(conn)
    })
}

/// Questions whose every answer is a contradiction.
const CONTRADICTIONS: [(&str, &str, &str); 9] = [
    (
        "holds",
        "told, but neither promised nor ever covered by a settlement",
        "SELECT seq FROM holds WHERE told = 1 AND settlement IS NULL AND deferred = 0 AND returns = 0 LIMIT 1",
    ),
    (
        "holds",
        "its spent and remaining do not add up to the cap",
        "SELECT h.seq FROM holds h JOIN sessions s ON s.id = h.session \
         WHERE h.spent_after > s.cap OR h.remaining_after <> s.cap - h.spent_after LIMIT 1",
    ),
    (
        "holds",
        "covered by a settlement of another session",
        "SELECT h.seq FROM holds h JOIN settlements s ON s.id = h.settlement WHERE s.session IS NOT h.session LIMIT 1",
    ),
    (
        "holds",
        "its returns are not those that are on record",
        "SELECT h.seq FROM holds h WHERE h.returns <> (SELECT count(*) FROM hold_returns r WHERE r.hold = h.id) LIMIT 1",
    ),
    (
        "holds",
        "it came back from a settlement that was not its own, or was never promised",
        "SELECT h.seq FROM hold_returns r JOIN holds h ON h.id = r.hold JOIN settlements s ON s.id = r.settlement \
         WHERE h.told = 0 OR s.session IS NOT h.session OR s.state <> 'released' OR h.settlement IS s.id LIMIT 1",
    ),
    (
        "sessions",
        "its merchant's exposure is not what deferred holds add up to",
        "SELECT min(s.seq) FROM sessions s JOIN session_sums t ON t.session = s.seq \
         LEFT JOIN merchant_exposure m USING (recipient, asset) \
         GROUP BY s.recipient, s.asset HAVING coalesce(max(m.deferred_held), 0) <> sum(t.deferred_held) LIMIT 1",
    ),
    (
        "session_events",
        "it tells of a settlement or payment of another session",
        "SELECT e.seq FROM session_events e LEFT JOIN settlements s ON s.id = e.settlement \
         LEFT JOIN holds h ON h.id = e.hold WHERE (e.settlement IS NOT NULL AND s.session IS NOT e.session) \
         OR (e.hold IS NOT NULL AND h.session IS NOT e.session) LIMIT 1",
    ),
    (
        "sessions",
        "it is closed and still holds something",
        "SELECT s.seq FROM sessions s JOIN session_sums t ON t.session = s.seq \
         WHERE s.state = 'closed' AND t.held > 0 LIMIT 1",
    ),
    (
        "sessions",
        "its sums are kept below another cap",
        "SELECT s.seq FROM sessions s JOIN session_sums t ON t.session = s.seq WHERE t.cap <> s.cap LIMIT 1",
    ),
];

fn contradiction(table: &str, row: i64, text: &str) -> super::VerbError {
    LedgerError::Inconsistent(format!("{table}, row {row}: {text}")).into()
}

/// The database's own checks: pages, indexes, CHECK and NOT NULL constraints, references.
fn database(conn: &Connection) -> Outcome<()> {
    let told: Option<String> = select::value(conn, "PRAGMA integrity_check(1)", [])?;
    if told.as_deref() != Some("ok") {
        return Err(LedgerError::Inconsistent("the database fails SQLite's integrity check".to_owned()).into());
    }
    let dangling: Option<String> = select::value(conn, "PRAGMA foreign_key_check", [])?;
    match dangling {
        None => Ok(()),
        Some(table) => Err(LedgerError::Inconsistent(format!("{table} refers to a row that is not there")).into()),
    }
}

/// Walks a table row by row, so that an audit needs no memory for it.
fn for_each(conn: &Connection, table: &'static str, mut look: impl FnMut(i64) -> Outcome<()>) -> Outcome<()> {
    let mut statement = conn.prepare_cached(&format!("SELECT seq FROM {table} ORDER BY seq"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        look(row.get(0)?)?;
    }
    Ok(())
}

/// What a session's holds add up to; wider than a column, so that no sum of wrong rows can fail to be told.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Sums {
    held: i128,
    captured: i128,
    deferred: i128,
    lost: i128,
}

fn sums_of_holds(conn: &Connection) -> Outcome<HashMap<SessionId, Sums>> {
    let mut sums: HashMap<SessionId, Sums> = HashMap::new();
    let mut statement = conn.prepare_cached("SELECT session, state, amount, deferred, told FROM holds")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let of = sums.entry(SessionId::from_bytes(row.get(0)?)).or_default();
        let amount = i128::from(row.get::<_, i64>(2)?);
        match row.get_ref(1)?.as_str().unwrap_or_default() {
            "waiting" | "planned" => {
                of.held += amount;
                of.deferred += amount * i128::from(row.get::<_, i64>(3)?);
            }
            "captured" => of.captured += amount,
            _ => of.lost += amount * i128::from(row.get::<_, i64>(4)?),
        }
    }
    Ok(sums)
}

fn session(conn: &Connection, row: i64, sums: &HashMap<SessionId, Sums>) -> Outcome<()> {
    let wrong = |text| contradiction("sessions", row, text);
    let Some(session) = select::sessions(conn, "WHERE seq = ?1", [row])?.pop() else {
        return Err(wrong("it or its sums are gone"));
    };
    if !signed_what_it_says(&session) {
        return Err(wrong("its columns are not what its signed intent says"));
    }
    let (before, deferred, lost): (i64, i64, i64) = conn
        .prepare_cached("SELECT captured_before, deferred_held, lost FROM session_sums WHERE session = ?1")?
        .query_row([row], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let of_holds = sums.get(&session.id).copied().unwrap_or_default();
    let of_row = Sums {
        held: i64::from(session.held).into(),
        captured: i128::from(i64::from(session.captured)) - i128::from(before),
        deferred: deferred.into(),
        lost: lost.into(),
    };
    if of_holds.held != of_row.held {
        return Err(wrong("it does not hold what its open holds add up to"));
    }
    if of_holds.captured != of_row.captured {
        return Err(wrong("it has not captured what its captured holds add up to"));
    }
    if of_holds != of_row {
        return Err(wrong("what it promised or lost is not what its holds add up to"));
    }
    Ok(())
}

/// Every proved balance is claimed for what its user's sessions hold and have captured since, and for nothing else.
fn sources(conn: &Connection) -> Outcome<()> {
    for (row, source) in (1..).zip(select::sources(conn, "", [])?) {
        let Some(bound) = source.bound else { continue };
        if funding::claimed_since(conn, &source.user, &source.asset, bound.slot)? != bound.claimed {
            return Err(contradiction(
                "sources",
                row,
                "it is not claimed for what its sessions hold and captured since",
            ));
        }
    }
    Ok(())
}

fn signed_what_it_says(session: &Session) -> bool {
    Intent::parse(&session.signed.bytes).is_ok_and(|intent| intent == session.intent)
}

/// What a log says.
#[derive(Default)]
struct Replay {
    state: Option<State>,
    attempts: Vec<Replayed>,
    landed_once: bool,
    /// Why and with which failed transaction it came to nothing.
    end: Option<(PayReason, Option<Signature>)>,
}

/// What a log says of one attempt.
struct Replayed {
    signature: Signature,
    live: bool,
    booked: Booked,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Booked {
    Reserved,
    Nothing,
    FeeOnly,
    All,
}

impl Replay {
    fn of(events: &[(i64, Event)]) -> Result<Self, &'static str> {
        let mut replay = Self::default();
        for (expected, (number, event)) in (1_i64..).zip(events) {
            if *number != expected {
                return Err("its log has a gap");
            }
            replay.step(event)?;
        }
        Ok(replay)
    }

    fn step(&mut self, event: &Event) -> Result<(), &'static str> {
        let state = apply(self.state.take(), event).map_err(|_| "its log holds an event that cannot follow")?;
        self.state = Some(state);
        if let Event::Signed { signature } = event {
            self.attempts.push(Replayed { signature: *signature, live: true, booked: Booked::Reserved });
        }
        let last = self.attempts.last_mut();
        match (event, last) {
            (Event::Landed { .. }, Some(last)) => {
                last.booked = Booked::All;
                self.landed_once = true;
            }
            (Event::Refused { reason, .. }, Some(last)) => {
                last.booked = Booked::FeeOnly;
                last.live = false;
                self.end = Some((*reason, Some(last.signature)));
            }
            (Event::Failed { .. }, Some(last)) => {
                last.booked = Booked::FeeOnly;
                last.live = false;
            }
            (Event::Absent(_), Some(last)) => {
                last.live = false;
                last.booked = Booked::Nothing;
            }
            (Event::TakenBack, Some(last)) => last.booked = Booked::Reserved,
            (Event::Abandoned { reason }, _) => self.end = Some((*reason, None)),
            _ => {}
        }
        Ok(())
    }
}

fn settlement(conn: &Connection, row: i64) -> Outcome<()> {
    let wrong = |text| contradiction("settlements", row, text);
    let Some(settlement) = select::settlements(conn, "WHERE seq = ?1", [row])?.pop() else {
        return Err(wrong("it or its sums are gone"));
    };
    let events = select::events(conn, settlement.id)?;
    let replay = Replay::of(&events).map_err(wrong)?;
    let projected = replay.state.as_ref() == Some(&settlement.state)
        && usize::try_from(settlement.sequence).ok() == Some(events.len())
        && usize::try_from(settlement.attempts).ok() == Some(replay.attempts.len())
        && settlement.signature == replay.attempts.last().map(|attempt| attempt.signature);
    if !projected {
        return Err(wrong("it is not the projection of its log"));
    }
    attempts(conn, &settlement, &replay, &wrong)?;
    let holds = select::holds(conn, "WHERE h.settlement = ?1", [select::settlement_key(settlement.id)])?;
    let returned = returned(conn, &settlement, &replay, &wrong)?;
    covered(&settlement, &replay, &holds, returned).map_err(wrong)
}

fn attempts(
    conn: &Connection,
    settlement: &Settlement,
    replay: &Replay,
    wrong: &dyn Fn(&'static str) -> super::VerbError,
) -> Outcome<()> {
    let key = select::settlement_key(settlement.id);
    let recorded = select::attempts(conn, "WHERE settlement = ?1 ORDER BY number", [key])?;
    let same = recorded.iter().map(|a| a.signature).eq(replay.attempts.iter().map(|a| a.signature))
        && (1_u32..).zip(&recorded).all(|(number, attempt)| attempt.number == number);
    if !same {
        return Err(wrong("its attempts are not those that its log signed"));
    }
    let live = select::live_attempt(conn, settlement.id)?.map(|attempt| attempt.signature);
    if live != replay.attempts.iter().find(|attempt| attempt.live).map(|attempt| attempt.signature) {
        return Err(wrong("its live attempt is not the one that its log leaves alive"));
    }
    for (attempt, replayed) in recorded.iter().zip(&replay.attempts) {
        let (booked, cost) = match replayed.booked {
            Booked::Reserved => (Booking::Reserved, attempt.cost),
            Booked::Nothing => (Booking::Void, Cost::default()),
            Booked::FeeOnly => (Booking::Spent, Cost { fee: attempt.cost.fee, ..Cost::default() }),
            Booked::All => (Booking::Spent, attempt.cost),
        };
        if !bookings::is_booked(conn, settlement, &attempt.signature, booked, cost)? {
            return Err(wrong("its bookings are not what its log says was spent"));
        }
    }
    Ok(())
}

/// The sum of promised holds that a settlement gave back, for the reason that ended it.
fn returned(
    conn: &Connection,
    settlement: &Settlement,
    replay: &Replay,
    wrong: &dyn Fn(&'static str) -> super::VerbError,
) -> Outcome<i128> {
    let mut statement = conn.prepare_cached(
        "SELECT h.amount, r.reason, r.signature FROM hold_returns r JOIN holds h ON h.id = r.hold WHERE r.settlement = ?1",
    )?;
    let mut rows = statement.query([select::settlement_key(settlement.id)])?;
    let mut sum = 0;
    while let Some(row) = rows.next()? {
        let (reason, signature): (String, Option<Vec<u8>>) = (row.get(1)?, row.get(2)?);
        let ended = replay.end.as_ref().is_some_and(|(word, failed)| {
            word.word() == reason && failed.as_ref().map(AsRef::as_ref) == signature.as_deref()
        });
        if !ended {
            return Err(wrong("it gave holds back for another reason than its log ended with"));
        }
        sum += i128::from(row.get::<_, i64>(0)?);
    }
    Ok(sum)
}

/// Whether a settlement's holds are what its state makes of them.
fn covered(settlement: &Settlement, replay: &Replay, holds: &[Hold], returned: i128) -> Result<(), &'static str> {
    if settlement.purpose != Purpose::Capture {
        return if holds.is_empty() { Ok(()) } else { Err("it covers holds but is not a capture") };
    }
    let sum: i128 = holds.iter().map(|hold| i128::from(i64::from(hold.amount))).sum();
    if sum + returned != i128::from(i64::from(settlement.amount)) {
        return Err("its amount is not the sum of its holds");
    }
    for hold in holds {
        let fits = match (&hold.state, &settlement.state) {
            (HoldState::Planned { .. }, State::Reserved | State::InFlight)
            | (HoldState::Captured { .. }, State::Landed | State::Settled) => true,
            (HoldState::Released { reason, signature }, State::Released) => replay.end == Some((*reason, *signature)),
            _ => false,
        };
        if !fits {
            return Err("one of its holds is not in the state that the settlement's implies");
        }
        if hold.told && !replay.landed_once && !hold.deferred && hold.returns == 0 {
            return Err("success was told for one of its holds, and it never landed");
        }
    }
    Ok(())
}
