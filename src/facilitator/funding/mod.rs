//! Funding: what a payer's account is worth, and whether it still stands.
//!
//! Owns the rate limit of proofs and who reads which account; what was seen of accounts is in [`super::looks`]. Takes the
//! opening lock of a user for a second look, tells the queues of a balance in trouble ([`super::dispatch`]), and answers nobody
//! but the payer who proves.

pub(crate) mod approve_history;
pub(crate) mod approves;
pub(crate) mod delegation;
pub(crate) mod history_budget;
pub(crate) mod monitor;
pub(crate) mod proof;
pub(crate) mod proof_rate_limit;

use crate::facilitator::{
    core::Core,
    dispatch::Dispatch,
    locks::{Locks, single_flight::SingleFlight},
    looks::Looks,
    sponsor::Sponsor,
};
use proof_rate_limit::ProofRateLimit;
use solana_pubkey::Pubkey;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// As many accounts are found out about at once, so that histories take no more requests than this at a time.
const MOST_JUDGED: usize = 8;

/// Takes proofs of balances and watches what they were read from.
pub(crate) struct FundingMonitor {
    core: Arc<Core>,
    locks: Arc<Locks>,
    sponsor: Arc<Sponsor>,
    dispatch: Arc<Dispatch>,
    looks: Arc<Looks>,
    proof_limit: ProofRateLimit,
    /// Users whose proof a task of this process reads right now.
    proving: SingleFlight<Pubkey>,
    /// Users whose delegation a task of this process reads a second time.
    rereading: SingleFlight<Pubkey>,
    /// Users whose delegated amount a task of this process finds out about, or waits to.
    judged: SingleFlight<Pubkey>,
    /// How many accounts this process finds out about at once for which another approve may stand.
    judging: Semaphore,
    /// Held by the task that reads histories, one at a time.
    examining: Arc<SingleFlight<()>>,
}

impl FundingMonitor {
    pub(crate) fn new(
        core: Arc<Core>,
        locks: Arc<Locks>,
        sponsor: Arc<Sponsor>,
        looks: Arc<Looks>,
        dispatch: Arc<Dispatch>,
    ) -> Self {
        Self {
            core,
            locks,
            sponsor,
            dispatch,
            looks,
            proof_limit: ProofRateLimit::default(),
            proving: SingleFlight::default(),
            rereading: SingleFlight::default(),
            judged: SingleFlight::default(),
            judging: Semaphore::new(MOST_JUDGED),
            examining: Arc::default(),
        }
    }
}
