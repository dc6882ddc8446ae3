//! Locks: everything that a task waits for.

pub(crate) mod account_locks;
pub(crate) mod idle_accounts;
pub(crate) mod in_flight_limits;
pub(crate) mod keyed_locks;
pub(crate) mod single_flight;
pub(crate) mod wait_quota;
pub(crate) mod write_throttle;
