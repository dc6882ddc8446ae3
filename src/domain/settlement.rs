//! The settlement state machine: what survives a crash, and what to do next. Pure and total.
//!
//! ```text
//!         planned               signed bytes recorded          confirmed, ok          finalised
//!    new ─────────▶ Reserved ──────────────────────▶ InFlight ─────────────▶ Landed ─────────▶ Settled
//!                    │    ▲── absent, with proof ─────┤   │  ▲─── a fork took it back ──┘
//!                    │    └── failed for its allowance┘   │
//!        given up    │                                    │ landed with an error
//!                    └───────────▶ Released ◀─────────────┘
//! ```
//!
//! One arrow is not in the picture, because only an operator takes it: what had been proved absent and is found on the chain
//! after all goes from Reserved to Landed.
//!
//! `settlement_events` is append-only and the truth; the state is its projection by [`apply`], the only transition
//! function. One driver runs [`next_step`] for live requests and for recovery alike.

use crate::domain::{amount::Amount, reason::PayReason, session::SessionId};
use solana_signature::Signature;
use std::fmt;
use uuid::Uuid;

mod held;
mod purpose;
mod steps;
mod subject;
#[cfg(test)]
mod tests;
mod witness;

pub use held::{HeldBecause, Resolution, SettlementHeld, Verdict};
pub use purpose::Purpose;
pub use steps::{Further, MOST_ATTEMPTS, MOST_EXCUSED, Observation, Step, next_step};
pub use subject::{ChannelId, ChargeId, IssuedId, RevocationId, SingleId, Subject};
pub use witness::{AbsenceVoices, Moves, SeenHandle, Witness};

/// A settlement's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SettlementId(pub Uuid);

impl SettlementId {
    /// An id from 16 random bytes.
    pub fn from_random_bytes(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }
}

impl fmt::Display for SettlementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// Where a settlement stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Planned; no live attempt exists.
    Reserved,
    /// An attempt is signed and recorded; it may or may not have been sent.
    InFlight,
    /// The live attempt is confirmed without an error; callers are answered.
    Landed,
    /// The live attempt is final. Terminal.
    Settled,
    /// Nothing moved and nothing will; every hold went back. Terminal.
    Released,
}

impl State {
    /// The word in the ledger.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::InFlight => "in_flight",
            Self::Landed => "landed",
            Self::Settled => "settled",
            Self::Released => "released",
        }
    }

    /// Whether nothing can change any more.
    pub const fn is_terminal(&self) -> bool {
        matches!(self, Self::Settled | Self::Released)
    }
}

/// Proof that an attempt has not landed and never will (`spec/settlement.md` §2): as many voices as it takes reported a
/// finalised height past the attempt's last valid one, have a history that reaches back before the attempt was signed, and
/// found nothing in it; and where it moves a balance, the balance bears witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbsenceProof {
    /// The lowest finalised block height that was reported.
    pub finalised_height: u64,
    /// The highest of the first blocks that are still there.
    pub first_available_block: u64,
}

/// What happened to a settlement. Append-only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was planned, with its holds.
    Reserved,
    /// An attempt was signed and its bytes recorded.
    Signed {
        /// The attempt's signature, known before anything is sent.
        signature: Signature,
    },
    /// The live attempt is confirmed without an error.
    Landed {
        /// The slot it landed in.
        slot: u64,
    },
    /// An operator found this attempt on the chain, which had been proved absent.
    Found {
        /// The attempt's signature.
        signature: Signature,
        /// The slot it landed in.
        slot: u64,
    },
    /// The live attempt is final.
    Finalised,
    /// A fork took the confirmed transaction back; it may land again while its blockhash lives.
    TakenBack,
    /// The live attempt landed with a program error: its fee is spent, nothing moved.
    Refused {
        /// The slot it landed in.
        slot: u64,
        /// What callers are told.
        reason: PayReason,
    },
    /// The live attempt landed with an error that says nothing against the transfer itself (somebody changed a handle
    /// that a decrypt allowance named): its fee is spent, nothing moved, and the transfer is signed anew.
    Failed {
        /// The slot it landed in.
        slot: u64,
    },
    /// The live attempt never landed and never will.
    Absent(AbsenceProof),
    /// Nothing is live and nothing more will be tried.
    Abandoned {
        /// What callers are told.
        reason: PayReason,
    },
}

impl Event {
    /// The event's word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Signed { .. } => "signed",
            Self::Landed { .. } => "landed",
            Self::Found { .. } => "found",
            Self::Finalised => "finalised",
            Self::TakenBack => "taken_back",
            Self::Refused { .. } => "refused",
            Self::Failed { .. } => "failed",
            Self::Absent(_) => "absent",
            Self::Abandoned { .. } => "abandoned",
        }
    }
}

/// The event does not follow from the state: a bug or a lost race, never something to ignore.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a settlement that is {} cannot take the event {event}", state.as_ref().map_or("new", State::word))]
pub struct IllegalEvent {
    /// The state before; none for a new settlement.
    pub state: Option<State>,
    /// The event's word.
    pub event: &'static str,
}

/// The only transition function.
#[expect(clippy::match_same_arms, reason = "one line per arrow of the diagram")]
pub fn apply(state: Option<State>, event: &Event) -> Result<State, IllegalEvent> {
    match (state, event) {
        (None, Event::Reserved) => Ok(State::Reserved),
        (Some(State::Reserved), Event::Signed { .. }) => Ok(State::InFlight),
        (Some(State::Reserved), Event::Abandoned { .. }) => Ok(State::Released),
        (Some(State::Reserved), Event::Found { .. }) => Ok(State::Landed),
        (Some(State::InFlight), Event::Landed { .. }) => Ok(State::Landed),
        (Some(State::InFlight), Event::Refused { .. }) => Ok(State::Released),
        (Some(State::InFlight), Event::Failed { .. }) => Ok(State::Reserved),
        (Some(State::InFlight), Event::Absent(_)) => Ok(State::Reserved),
        (Some(State::Landed), Event::Finalised) => Ok(State::Settled),
        (Some(State::Landed), Event::TakenBack) => Ok(State::InFlight),
        (state, event) => Err(IllegalEvent { state, event: event.word() }),
    }
}

/// Replays a whole log.
pub fn replay<'a>(events: impl IntoIterator<Item = &'a Event>) -> Result<Option<State>, IllegalEvent> {
    events.into_iter().try_fold(None, |state, event| apply(state, event).map(Some))
}

/// One signed transaction of a settlement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The settlement it belongs to.
    pub settlement: SettlementId,
    /// 1 for the first.
    pub number: u32,
    /// The fee payer's signature, which names the transaction.
    pub signature: Signature,
    /// The transaction in its wire encoding, at most 1,232 bytes.
    pub wire: Vec<u8>,
    /// The block height after which it can no longer land.
    pub last_valid_block_height: u64,
    /// The slot we knew when it was signed: a history that starts later proves nothing about it.
    pub signed_at_slot: u64,
    /// What it costs us when it lands, in lamports: fee, and rent and grants paid in it.
    pub cost: Cost,
    /// Whether it buys decrypt allowances, which name handles in advance and fail when somebody changes them first.
    pub allowances: Allowances,
    /// What it moves, and what was seen of that before it was made.
    pub moves: Moves,
    /// The voices that told of its landing, by their names; in no order.
    pub seen_by: Vec<String>,
    /// A slot by which finality had passed its life, as those say who say that it is absent; none where nobody was asked.
    pub past_at: Option<u64>,
}

/// Whether a transfer buys a decrypt allowance for each side's new balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowances {
    /// It moves tokens and buys nothing.
    NotBought,
    /// It buys both, in the same transaction.
    Bought,
}

impl Allowances {
    /// Whether they are bought.
    pub const fn are_bought(self) -> bool {
        matches!(self, Self::Bought)
    }
}

impl From<bool> for Allowances {
    fn from(bought: bool) -> Self {
        if bought { Self::Bought } else { Self::NotBought }
    }
}

/// Lamports that a transaction of ours spends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Signature and priority fees; spent even when the transaction fails.
    pub fee: u64,
    /// Rent for accounts it creates; spent only when it succeeds.
    pub rent: u64,
    /// Lamports given to the user; spent only when it succeeds.
    pub grant: u64,
}

impl Cost {
    /// Everything together.
    pub const fn total(self) -> u64 {
        self.fee.saturating_add(self.rent).saturating_add(self.grant)
    }
}

/// A plan to move what some holds of a session cover, or to send one transaction for another purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// Its id.
    pub id: SettlementId,
    /// Why it exists.
    pub purpose: Purpose,
    /// What it serves.
    pub subject: Subject,
    /// The sum of its holds, in base units; zero for other purposes.
    pub amount: Amount,
    /// The projection of its events.
    pub state: State,
    /// How many events it has. A writer that has seen fewer than are recorded loses the race.
    pub sequence: u32,
    /// How many attempts were signed.
    pub attempts: u32,
    /// The signature of the live or last attempt.
    pub signature: Option<Signature>,
    /// The slot that was told of its landing, while it is [`State::Landed`].
    pub landed_at: Option<u64>,
    /// Why and since when it is held, while it is.
    pub held: Option<SettlementHeld>,
}

impl Settlement {
    /// The session it serves, if it serves one.
    pub const fn session(&self) -> Option<SessionId> {
        self.subject.session()
    }

    /// The session whose payments it carries; `None` for purposes that carry none.
    pub fn pays_from(&self) -> Option<SessionId> {
        self.session().filter(|_| self.purpose.carries_holds())
    }

    /// Whether it has had all its attempts and none is known to have landed: no proof will change that.
    pub fn has_had_all_attempts(&self) -> bool {
        self.state == State::Reserved && self.attempts >= MOST_ATTEMPTS
    }

    /// Whether it is held: nothing is signed for it and nothing it carries is given back until more is known, by a look at the
    /// chain or by an operator. So is one that has had all its attempts, before it is noted.
    pub fn is_held(&self) -> bool {
        self.held.is_some() || self.has_had_all_attempts()
    }

    /// Whether it is seen no later than it was told to have landed. A pushed notice may name a somewhat later slot than
    /// the one it landed in, never an earlier one.
    pub fn stands_at(&self, slot: u64) -> bool {
        self.landed_at.is_none_or(|told| slot <= told)
    }
}
