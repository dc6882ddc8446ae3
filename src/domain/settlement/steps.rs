//! What to do next, from where a settlement stands and what was seen of it. Pure: live work and recovery cannot differ.

use super::{AbsenceProof, Allowances, Event, HeldBecause, Settlement, State};
use crate::domain::reason::PayReason;

/// What was seen of the live attempt on chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// Signed by this process a moment ago and not sent yet.
    JustSigned,
    /// Not asked yet, as after a restart.
    NotAsked,
    /// Not seen, but its blockhash is alive: it may still land.
    Pending,
    /// We cannot know: no answer, or an answer that proves nothing.
    Unknown,
    /// Landed without an error.
    Landed {
        /// The slot.
        slot: u64,
        /// Whether it can no longer be taken back: where several providers are asked, by the word of another than told of it.
        finalised: bool,
    },
    /// Landed with an error.
    Failed {
        /// The slot.
        slot: u64,
        /// Whether it can no longer be taken back: by as many providers' word as absence takes.
        finalised: bool,
        /// The chain's words, for the operator.
        error: String,
    },
    /// Landed without an error, as some endpoints say; others say, with a final view of their own, that it never landed or
    /// failed. Nothing follows from it but that an operator has to look.
    Disputed {
        /// The slot that was told.
        slot: u64,
        /// Who has it: places in the operator's list of endpoints, 1 for the first.
        landed: Vec<usize>,
        /// Who denies it: as above.
        denied: Vec<usize>,
    },
    /// Never landed and never will.
    Absent(AbsenceProof),
    /// It can no longer land and nobody has it, but that it has no effect is not proved, for this cause.
    Unproved(HeldBecause),
}

/// What the driver does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Build and sign an attempt, and record it.
    Sign,
    /// Send the recorded bytes (again: identical bytes land once).
    Send,
    /// Ask the chain.
    LookUp,
    /// Write this event.
    Record(Event),
    /// Leave it as it is, for this cause: nothing is signed and nothing given back ([`Settlement::is_held`]).
    Hold(HeldBecause),
    /// Nothing more to do.
    Done,
}

/// How many attempts may fail for their decrypt allowances before the settlement is refused: each costs a fee, and where
/// the program takes no transfer without allowances a stranger could have us pay for ever.
pub const MOST_EXCUSED: u32 = 3;

/// How many attempts of one settlement are signed. Each follows a proof that the one before it never landed; where so many
/// in a row vanish it is the proofs that are to be doubted, and every further attempt might pay once more.
pub const MOST_ATTEMPTS: u32 = 5;

/// Whether a further attempt is still wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Further {
    /// Somebody waits, or a promise was made.
    Wanted,
    /// Nobody wants it: what is not signed is given up for this reason.
    Unwanted(PayReason),
}

/// Decides the next step from the state and what was seen; pure, so that live work and recovery cannot differ.
///
/// `allowances` are those of the live attempt.
pub fn next_step(settlement: &Settlement, seen: &Observation, further: Further, allowances: Allowances) -> Step {
    match settlement.state {
        State::Settled | State::Released => Step::Done,
        State::Reserved if settlement.has_had_all_attempts() => Step::Hold(HeldBecause::Attempts),
        State::Reserved => match further {
            Further::Wanted if settlement.attempts == 0 || settlement.purpose.may_sign_again() => Step::Sign,
            // Its bytes were made once, and they are dead.
            Further::Wanted => Step::Record(Event::Abandoned { reason: PayReason::SettlementExpired }),
            Further::Unwanted(reason) => Step::Record(Event::Abandoned { reason }),
        },
        State::InFlight => match seen {
            Observation::JustSigned | Observation::Pending => Step::Send,
            // A failed transaction can be taken back too, and then land without an error: until it is final its
            // holds stay held.
            // Where it is not proved that it had no effect, more may be said soon; but an account's past does not change.
            Observation::NotAsked
            | Observation::Unknown
            | Observation::Disputed { .. }
            | Observation::Unproved(HeldBecause::Silence | HeldBecause::Contradiction)
            | Observation::Failed { finalised: false, .. } => Step::LookUp,
            Observation::Landed { slot, .. } => Step::Record(Event::Landed { slot: *slot }),
            // It was simulated a moment before it was sent, so somebody has changed a handle since, or more than that:
            // signed anew, it is simulated again.
            Observation::Failed { slot, finalised: true, .. }
                if allowances.are_bought() && settlement.attempts < MOST_EXCUSED =>
            {
                Step::Record(Event::Failed { slot: *slot })
            }
            Observation::Failed { slot, finalised: true, .. } => {
                Step::Record(Event::Refused { slot: *slot, reason: PayReason::OnchainTransferFailed })
            }
            Observation::Absent(proof) => Step::Record(Event::Absent(*proof)),
            Observation::Unproved(because) => Step::Hold(*because),
        },
        State::Landed => match seen {
            // A fork took it back and in again, later, while nobody looked. What counts by the slot (a proof of the payer's
            // balance that was read in between) has to learn of both.
            Observation::Landed { slot, .. } if !settlement.stands_at(*slot) => Step::Record(Event::TakenBack),
            Observation::Landed { finalised: true, .. } => Step::Record(Event::Finalised),
            // An error now, or proof of absence, means a fork took the success back; the state after that decides.
            Observation::Failed { finalised: true, .. } | Observation::Absent(_) => Step::Record(Event::TakenBack),
            // Not on the chain any more, and it can still land: the same bytes land once, so they are sent again.
            Observation::Pending => Step::Send,
            Observation::JustSigned
            | Observation::NotAsked
            | Observation::Unknown
            | Observation::Unproved(_)
            | Observation::Disputed { .. }
            | Observation::Landed { finalised: false, .. }
            | Observation::Failed { finalised: false, .. } => Step::LookUp,
        },
    }
}
