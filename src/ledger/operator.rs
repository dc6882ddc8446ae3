//! The verbs of what an operator has to know of and decide on: settlements that are held, and who told of landings.

use crate::{
    domain::{
        clock::UnixSeconds,
        settlement::{AbsenceVoices, Attempt, Event, HeldBecause, Resolution, Settlement, SettlementId},
    },
    ledger::{LedgerError, Recorded},
};
use async_trait::async_trait;
use solana_signature::Signature;

/// A settlement with everything that is on record of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettlementRecord {
    /// The settlement.
    pub settlement: Settlement,
    /// When it was planned.
    pub planned_at: UnixSeconds,
    /// Every attempt, the first one first.
    pub attempts: Vec<Recorded<Attempt>>,
    /// The attempt whose effect is open or known; none between two.
    pub live: Option<Signature>,
    /// What happened to it and when, oldest first.
    pub events: Vec<(UnixSeconds, Event)>,
    /// What operators have said of it and when, oldest first; empty where they only named a transaction.
    pub words: Vec<(UnixSeconds, String)>,
}

/// Why an operator's word about a settlement is not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotResolved {
    /// There is no such settlement.
    #[error("there is no such settlement")]
    Unknown,
    /// It is settled or released: what has ended never changes.
    #[error("it has ended, and what has ended never changes")]
    Ended,
    /// It is neither held nor landed: the service still finds out by itself.
    #[error("it is not held: the service goes on with it by itself")]
    NotHeld,
    /// The transaction is none of its attempts.
    #[error("this transaction is no attempt of it")]
    NoAttempt,
    /// Another attempt may still turn out to have landed.
    #[error("its attempt {0} was signed later and is open: say first that it is absent")]
    AnotherIsLive(Signature),
}

/// What became of an operator's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// It is on record, and this is how the settlement stands.
    Written(Settlement),
    /// Nothing was written.
    Refused(NotResolved),
}

/// That a voice told of a landing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenLanding {
    /// The transaction.
    pub signature: Signature,
    /// The voice's name.
    pub voice: String,
    /// The slot that it told.
    pub slot: u64,
}

/// The verbs of what an operator decides; [`super::Ledger`] has all others, and what they all promise.
#[async_trait]
pub trait OperatorLedger: Send + Sync + 'static {
    /// Notes that a settlement is held, and why, until its next event; the first cause stays. `LostRace` where it has had
    /// another event meanwhile.
    async fn note_held(
        &self,
        settlement: &Settlement,
        because: HeldBecause,
        now: UnixSeconds,
    ) -> Result<Settlement, LedgerError>;

    /// Everything on record of what is held, oldest first.
    async fn held_settlements(&self) -> Result<Vec<SettlementRecord>, LedgerError>;

    /// Everything on record of one settlement.
    async fn settlement_record(&self, id: SettlementId) -> Result<Option<SettlementRecord>, LedgerError>;

    /// Writes what an operator says of a settlement, with what follows from it. Whoever calls it has asked the chain.
    async fn resolve(&self, resolution: &Resolution, now: UnixSeconds) -> Result<Resolved, LedgerError>;

    /// Remembers who told of landings; what is remembered stays.
    async fn note_seen(&self, seen: &[SeenLanding], now: UnixSeconds) -> Result<(), LedgerError>;

    /// How many voices everybody who works on this ledger asks for before an attempt has no effect; none where nobody has started on
    /// it yet.
    async fn agreed_voices(&self) -> Result<Option<AbsenceVoices>, LedgerError>;

    /// Agrees on so many voices where nothing was agreed on, and tells what is: a service that asks for another number must not
    /// work on this ledger.
    async fn agree_on_voices(&self, voices: AbsenceVoices, now: UnixSeconds) -> Result<AbsenceVoices, LedgerError>;

    /// Replaces what was agreed on, by an operator's word. Nobody else may be working on the ledger.
    async fn change_voices(&self, voices: AbsenceVoices, now: UnixSeconds) -> Result<(), LedgerError>;

    /// Remembers a slot by which finality had passed the life of an attempt; the first one stays.
    async fn note_past(&self, attempt: &Signature, slot: u64, now: UnixSeconds) -> Result<(), LedgerError>;
}
