//! Deferred payments: when promises are settled, and when they are given up.
//!
//! Owns how many promises each payer made lately; what waits is in the ledger, and counted by [`super::dispatch`], which this
//! notifies. May not plan, sign or drive, and answers no caller.

pub(crate) mod policy;
pub(crate) mod promise_quota;

use crate::facilitator::{core::Core, dispatch::Dispatch};
use promise_quota::PromiseQuota;
use std::sync::Arc;

/// Decides when promises are settled.
pub(crate) struct Deferred {
    core: Arc<Core>,
    dispatch: Arc<Dispatch>,
    /// What each payer may still be promised.
    pub(crate) quota: PromiseQuota,
}

impl Deferred {
    pub(crate) fn new(core: Arc<Core>, dispatch: Arc<Dispatch>) -> Self {
        let quota = PromiseQuota::new(core.settings.deferred.promises_per_user_per_hour);
        Self { core, dispatch, quota }
    }
}
