//! Start, background work, stop and self-test.

pub(crate) mod probe;
pub(crate) mod readiness;
pub(crate) mod startup;
