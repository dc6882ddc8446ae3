//! Payments: take one, answer its caller.
//!
//! Owns no state: a payment is its hold in the ledger. Takes wait permits and the payment side of the opening lock, notifies
//! the session's queue ([`super::dispatch`]), waits for what the driver reports, and has the payer's account looked at before a
//! landing is told as proven. Signs receipts; plans and sends nothing.

pub(crate) mod answer;
pub(crate) mod landed_level;
pub(crate) mod missing_recipient;
pub(crate) mod place_hold;
pub(crate) mod recorded_answer;
pub(crate) mod settle;
pub(crate) mod signed_receipt;
pub(crate) mod verify;

use crate::facilitator::{
    core::Core, deferred::Deferred, dispatch::Dispatch, funding::FundingMonitor, locks::Locks, settlement::Settlements,
    sponsor::Sponsor,
};
use std::sync::Arc;

/// Takes payments.
pub(crate) struct Payments {
    core: Arc<Core>,
    locks: Arc<Locks>,
    sponsor: Arc<Sponsor>,
    settlements: Arc<Settlements>,
    dispatch: Arc<Dispatch>,
    deferred: Arc<Deferred>,
    funding: Arc<FundingMonitor>,
}

impl Payments {
    pub(crate) fn new(
        core: Arc<Core>,
        locks: Arc<Locks>,
        sponsor: Arc<Sponsor>,
        settlements: Arc<Settlements>,
        dispatch: Arc<Dispatch>,
        deferred: Arc<Deferred>,
        funding: Arc<FundingMonitor>,
    ) -> Self {
        Self { core, locks, sponsor, settlements, dispatch, deferred, funding }
    }
}
