//! Funding: what a payer's account is worth, and whether it still stands.
//!
//! Owns the monitor's memory, the rate limit of proofs, and who reads which account. Takes the opening lock of a user for a
//! second look, tells the queues of a balance in trouble ([`super::dispatch`]), and answers nobody but the payer who proves.

pub(crate) mod account_history;
pub(crate) mod history_budget;
pub(crate) mod monitor;
pub(crate) mod monitor_state;
pub(crate) mod proof;
pub(crate) mod proof_rate_limit;

use crate::facilitator::{
    core::Core,
    dispatch::Dispatch,
    locks::{Locks, keyed_locks::KeyedLocks, single_flight::SingleFlight},
    sponsor::Sponsor,
};
use monitor_state::MonitorState;
use proof_rate_limit::ProofRateLimit;
use solana_pubkey::Pubkey;
use std::sync::Arc;

/// Takes proofs of balances and watches what they were read from.
pub(crate) struct FundingMonitor {
    core: Arc<Core>,
    locks: Arc<Locks>,
    sponsor: Arc<Sponsor>,
    dispatch: Arc<Dispatch>,
    monitor_state: MonitorState,
    proof_limit: ProofRateLimit,
    /// Users whose proof a task of this process reads right now.
    proving: SingleFlight<Pubkey>,
    /// Users whose delegation a task of this process reads a second time.
    rereading: SingleFlight<Pubkey>,
    /// Held by the task that reads histories, one at a time.
    examining: Arc<SingleFlight<()>>,
    /// One look for payments at a time, for each user.
    looks: KeyedLocks<Pubkey, tokio::sync::Mutex<()>>,
}

impl FundingMonitor {
    pub(crate) fn new(core: Arc<Core>, locks: Arc<Locks>, sponsor: Arc<Sponsor>, dispatch: Arc<Dispatch>) -> Self {
        Self {
            core,
            locks,
            sponsor,
            dispatch,
            monitor_state: MonitorState::default(),
            proof_limit: ProofRateLimit::default(),
            proving: SingleFlight::default(),
            rereading: SingleFlight::default(),
            examining: Arc::default(),
            looks: KeyedLocks::default(),
        }
    }
}
