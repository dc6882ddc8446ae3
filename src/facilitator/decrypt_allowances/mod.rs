//! Decrypt allowances: makes balances readable for their owners, at our cost.
//!
//! Owns what was asked for which account lately. Takes token-account locks and the payment side of the opening lock; has its
//! transfers of zero sent by [`super::dispatch`]. Moves no money and touches no hold.

pub(crate) mod idle_task;
pub(crate) mod refresh;
pub(crate) mod request;

use crate::facilitator::{
    core::Core,
    dispatch::Dispatch,
    locks::{Locks, single_flight::SingleFlight},
    settlement::Settlements,
    sponsor::Sponsor,
};
use request::Requests;
use solana_pubkey::Pubkey;
use std::sync::Arc;

/// Makes balances readable.
pub(crate) struct DecryptAllowances {
    core: Arc<Core>,
    locks: Arc<Locks>,
    sponsor: Arc<Sponsor>,
    settlements: Arc<Settlements>,
    dispatch: Arc<Dispatch>,
    /// What was asked for lately.
    requests: Requests,
    /// Merchants' accounts that a request refreshes right now.
    refreshing: Arc<SingleFlight<Pubkey>>,
}

impl DecryptAllowances {
    pub(crate) fn new(
        core: Arc<Core>,
        locks: Arc<Locks>,
        sponsor: Arc<Sponsor>,
        settlements: Arc<Settlements>,
        dispatch: Arc<Dispatch>,
    ) -> Self {
        let requests = Requests::default();
        Self { core, locks, sponsor, settlements, dispatch, requests, refreshing: Arc::default() }
    }
}
