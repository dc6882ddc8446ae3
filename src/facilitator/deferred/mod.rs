//! Deferred payments: when promises are settled, and when they are given up.
//!
//! Owns no state: what waits is in the ledger, and counted by [`super::dispatch`], which this notifies. May not plan, sign or
//! drive, and answers no caller.

pub(crate) mod policy;

use crate::facilitator::{core::Core, dispatch::Dispatch};
use std::sync::Arc;

/// Decides when promises are settled.
pub(crate) struct Deferred {
    core: Arc<Core>,
    dispatch: Arc<Dispatch>,
}

impl Deferred {
    pub(crate) fn new(core: Arc<Core>, dispatch: Arc<Dispatch>) -> Self {
        Self { core, dispatch }
    }
}
