//! Settlement: carries one settlement from its plan to finality.
//!
//! Owns who drives which settlement, the callers that wait for holds, what has landed and is not final yet or in dispute,
//! measured compute units, and the sessions whose last transfer failed. Has payers' accounts looked at ([`super::looks`]) where
//! it signs what was accepted as proven ([`proven`]). May lock nothing but what [`refused_transfer`] tries: whoever has a
//! settlement driven hands in the locked accounts. Knows neither queues nor promises: the only way up is the
//! [`SettlementOutcome`] that a drive returns.
//!
//! # The story of a crash
//! Each step is one durable write or one act that a durable write allows, so a process may die between any two of them:
//!
//! | dies | what is on disk | what the next start does |
//! |---|---|---|
//! | before the plan | holds that wait | releases what nobody was promised, counts the promises again |
//! | after the plan | `Reserved` | nobody waits any more: given up, unless a success was told; then it is signed |
//! | while signing | `Reserved`; signed bytes that were never recorded were never sent | as above |
//! | after recording the attempt | `InFlight`, with signature, bytes and last valid height | looks it up, sends the same bytes again while they can land |
//! | after sending | the same | the same: identical bytes land once |
//! | after landing, before its record | the same | finds it landed, captures its holds |
//! | after recording `Landed` | captured | watches it until it is final |
//! | while it is held | `InFlight` and held | asks again, and leaves it again where no more is known |
//! | after a fork took it back | `Landed` | finds it gone, sends the same bytes; signs anew only with proof of absence |
//!
//! There is no second code path: [`driver`] serves live requests and recovery alike.

pub(crate) mod disputes;
pub(crate) mod driver;
pub(crate) mod finality;
pub(crate) mod flips;
mod grant_witness;
pub(crate) mod held;
pub(crate) mod observe;
pub(crate) mod one_voice;
pub(crate) mod progress;
pub(crate) mod proven;
pub(crate) mod record;
pub(crate) mod refused_transfer;
pub(crate) mod sign;
mod sign_channel;
pub(crate) mod simulate;
pub(crate) mod waiters;

use crate::{
    domain::{
        session::SessionId,
        settlement::{Event, Settlement, SettlementId},
    },
    facilitator::{
        core::Core,
        locks::{
            Locks,
            single_flight::{Marks, SingleFlight},
        },
        looks::Looks,
        sponsor::Sponsor,
    },
};
use finality::Finality;
use flips::Flips;
use held::HeldNotes;
use one_voice::OneVoice;
use progress::Progress;
use simulate::ComputeUnits;
use std::sync::Arc;
use waiters::Waiters;

/// Drives settlements.
pub(crate) struct Settlements {
    core: Arc<Core>,
    locks: Arc<Locks>,
    sponsor: Arc<Sponsor>,
    looks: Arc<Looks>,
    pub(crate) waiters: Arc<Waiters>,
    finality: Finality,
    flips: Flips,
    one_voice: OneVoice,
    /// Settlements that a task of this process drives right now.
    pub(crate) driving: SingleFlight<SettlementId>,
    /// Settlements that a task of this process drives, waits to drive, or is about to plan.
    pub(crate) queued: Arc<SingleFlight<SettlementId>>,
    /// Told whenever something was recorded of a settlement: openings and a process that leaves wait for the last ones.
    pub(crate) progress: Progress,
    /// Sessions whose last transfer landed with an error: the next one is simulated first.
    distrusted: Marks<SessionId>,
    /// What was told and noted of settlements that are held.
    held: HeldNotes,
    units: ComputeUnits,
}

impl Settlements {
    pub(crate) fn new(core: Arc<Core>, locks: Arc<Locks>, sponsor: Arc<Sponsor>, looks: Arc<Looks>) -> Self {
        Self {
            core,
            locks,
            sponsor,
            looks,
            waiters: Arc::default(),
            finality: Finality::default(),
            flips: Flips::default(),
            one_voice: OneVoice::default(),
            driving: SingleFlight::default(),
            queued: Arc::default(),
            progress: Progress::default(),
            distrusted: Marks::default(),
            held: HeldNotes::default(),
            units: ComputeUnits::default(),
        }
    }
}

/// How a drive ended, for those above who have to learn of it.
#[must_use = "queues and promises learn of it from this value only"]
pub(crate) enum SettlementOutcome {
    /// Another task of this process drives it; as it was given.
    DrivenElsewhere(Settlement),
    /// Nothing moved, and the holds of a session went back.
    Returned {
        /// As it stands now.
        settlement: Settlement,
        /// Its last event; none where another process or a lost answer keeps it from being known.
        end: Option<Event>,
        /// Whether promises may be among its holds.
        promises: bool,
    },
    /// It has landed and is watched, or ended with nothing that follows from it.
    Ended(Settlement),
}
