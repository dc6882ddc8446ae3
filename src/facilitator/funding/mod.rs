//! Funding: what a payer account is worth.

pub(crate) mod account_history;
pub(crate) mod history_budget;
pub(crate) mod monitor;
pub(crate) mod monitor_state;
pub(crate) mod proof;
pub(crate) mod proof_rate_limit;
