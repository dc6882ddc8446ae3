//! Lifecycle: start, background work, stop, readiness and the self-test.
//!
//! Owns no state. Starts what the folders below offer and stops it; decides about no payment and no session.

pub(crate) mod background;
pub(crate) mod forks;
mod ledger_watch;
pub(crate) mod probe;
pub(crate) mod probe_copies;
pub(crate) mod probe_handles;
pub(crate) mod readiness;
pub(crate) mod shutdown;
pub(crate) mod startup;
