//! Dispatch: which holds are carried together.

pub(crate) mod deferred_counters;
pub(crate) mod own_transactions;
pub(crate) mod queue_state;
pub(crate) mod session_queue;
