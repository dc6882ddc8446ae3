//! Settlements as their logs tell them: the projection, the attempts, the bookings and the holds have to say the same.

use crate::ledger::sqlite::statements::audit::contradiction;
use crate::{
    domain::{
        hold::{Hold, HoldState},
        reason::PayReason,
        settlement::{Cost, Event, Settlement, State, apply},
    },
    ledger::{
        rules::record::Booking,
        sqlite::statements::{Outcome, VerbError, bookings, select},
    },
};
use rusqlite::Connection;
use solana_signature::Signature;

/// What a log says.
#[derive(Default)]
struct Replay {
    state: Option<State>,
    attempts: Vec<Replayed>,
    /// The attempt that its row names.
    named: Option<Signature>,
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
        if let Event::Signed { signature } | Event::Found { signature, .. } = event {
            self.named = Some(*signature);
        }
        let named = self.named;
        let last = self.attempts.iter_mut().find(|attempt| Some(attempt.signature) == named);
        match (event, last) {
            (Event::Landed { .. }, Some(last)) => {
                last.booked = Booked::All;
                self.landed_once = true;
            }
            (Event::Found { .. }, Some(found)) => {
                found.booked = Booked::All;
                found.live = true;
                self.landed_once = true;
            }
            (Event::Found { .. }, None) => return Err("an operator found an attempt that it never had"),
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

/// Replays the log of the settlement in this row, and holds everything else that is written of it against that.
pub(super) fn settlement(conn: &Connection, row: i64) -> Outcome<()> {
    let wrong = |text| contradiction("settlements", row, text);
    let Some(settlement) = select::settlements(conn, "WHERE seq = ?1", [row])?.pop() else {
        return Err(wrong("it or its sums are gone"));
    };
    let events = select::events(conn, settlement.id)?;
    let replay = Replay::of(&events).map_err(wrong)?;
    let projected = replay.state.as_ref() == Some(&settlement.state)
        && usize::try_from(settlement.sequence).ok() == Some(events.len())
        && usize::try_from(settlement.attempts).ok() == Some(replay.attempts.len())
        && settlement.signature == replay.named;
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
    wrong: &dyn Fn(&'static str) -> VerbError,
) -> Outcome<()> {
    let key = select::settlement_key(settlement.id);
    let recorded = select::attempts(conn, "WHERE settlement = ?1 ORDER BY number", [key])?;
    let same = recorded.iter().map(|a| a.signature).eq(replay.attempts.iter().map(|a| a.signature))
        && (1_u32..).zip(&recorded).all(|(number, attempt)| attempt.number == number);
    if !same {
        return Err(wrong("its attempts are not those that its log signed"));
    }
    if settlement.purpose.is_co_signed() && recorded.len() > 1 {
        return Err(wrong("a client's bytes were co-signed more than once"));
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
    wrong: &dyn Fn(&'static str) -> VerbError,
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
    if !settlement.purpose.carries_holds() {
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
