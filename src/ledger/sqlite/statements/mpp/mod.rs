//! The statements of the Machine Payments Protocol, a file for each kind of row.

pub(in crate::ledger) mod counts;
pub(in crate::ledger) mod issuers;
