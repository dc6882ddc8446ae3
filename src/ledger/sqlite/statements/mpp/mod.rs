//! The statements of the Machine Payments Protocol, a file for each kind of row.

pub(in crate::ledger) mod channels;
pub(in crate::ledger) mod charges;
pub(in crate::ledger) mod counts;
pub(in crate::ledger) mod delegations;
pub(in crate::ledger) mod issued;
pub(in crate::ledger) mod issuers;
pub(in crate::ledger) mod onboardings;
pub(in crate::ledger) mod sign_ins;
pub(in crate::ledger) mod sponsoring;
pub(in crate::ledger) mod verified;
