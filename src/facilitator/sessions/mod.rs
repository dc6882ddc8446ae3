//! Sessions: open, supersede, close.
//!
//! Owns who finishes which opening, the lock between counting the opening quota and using it, and what strangers share who have
//! approves prepared. Takes wait permits and the
//! opening lock; co-signs a payer's approve and has it carried by [`super::dispatch`]. Takes no payment.

pub(crate) mod adoptions;
pub(crate) mod approved_amount;
pub(crate) mod cap_checks;
pub(crate) mod close;
pub(crate) mod close_all;
pub(crate) mod delegate_slot;
pub(crate) mod imported_approve;
pub(crate) mod land;
pub(crate) mod open;
pub(crate) mod pauses;
pub(crate) mod preflight;
pub(crate) mod prepare;
pub(crate) mod quota;
pub(crate) mod recipient_account;
pub(crate) mod reject;
pub(crate) mod shared_reads;
pub(crate) mod standing;

use crate::{
    domain::session::SessionId,
    facilitator::{
        core::Core,
        dispatch::Dispatch,
        funding::FundingMonitor,
        locks::{Locks, single_flight::SingleFlight},
        settlement::Settlements,
        sponsor::Sponsor,
    },
};
use adoptions::Adoptions;
use shared_reads::SharedReads;
use std::sync::Arc;

/// Opens and closes sessions.
pub(crate) struct Sessions {
    core: Arc<Core>,
    locks: Arc<Locks>,
    sponsor: Arc<Sponsor>,
    settlements: Arc<Settlements>,
    dispatch: Arc<Dispatch>,
    funding: Arc<FundingMonitor>,
    /// Openings that a task of this process finishes right now.
    finishing: SingleFlight<SessionId>,
    /// Held from counting the sessions that were opened lately to writing one more.
    quota: tokio::sync::Mutex<()>,
    /// Held from counting the grants to wallets that prove nothing to booking one more.
    unproven_grants: tokio::sync::Mutex<()>,
    /// What strangers share who have approves prepared.
    prepares: SharedReads,
    /// What openings share that name approves which nobody has seen.
    adoptions: Adoptions,
}

impl Sessions {
    pub(crate) fn new(
        core: Arc<Core>,
        locks: Arc<Locks>,
        sponsor: Arc<Sponsor>,
        settlements: Arc<Settlements>,
        dispatch: Arc<Dispatch>,
        funding: Arc<FundingMonitor>,
    ) -> Self {
        let (finishing, quota) = (SingleFlight::default(), tokio::sync::Mutex::default());
        let unproven_grants = tokio::sync::Mutex::default();
        let shared = core.settings.openings.prepares;
        let prepares = SharedReads::new("approves are prepared", shared);
        let adoptions = Adoptions::new(SharedReads::new("approves are looked up", shared));
        Self {
            core,
            locks,
            sponsor,
            settlements,
            dispatch,
            funding,
            finishing,
            quota,
            unproven_grants,
            prepares,
            adoptions,
        }
    }
}
