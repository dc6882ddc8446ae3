//! Decrypt allowances: make balances readable.

pub(crate) mod idle_task;
pub(crate) mod refresh;
pub(crate) mod request;
