//! Deferred payments: when promises are settled, and when they are given up.

pub(crate) mod policy;
