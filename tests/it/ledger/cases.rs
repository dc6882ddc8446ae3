//! What every engine must do. Each case gets an empty ledger.

pub(crate) mod approvals;
pub(crate) mod archive;
pub(crate) mod bindings;
pub(crate) mod budgets;
pub(crate) mod channel_settlements;
pub(crate) mod channels;
pub(crate) mod charges;
pub(crate) mod credit;
pub(crate) mod debts;
pub(crate) mod deferred;
pub(crate) mod delegations;
pub(crate) mod funding;
pub(crate) mod history;
pub(crate) mod holds;
pub(crate) mod operator;
pub(crate) mod queries;
pub(crate) mod revocations;
pub(crate) mod sessions;
pub(crate) mod settlements;
pub(crate) mod single_payments;
pub(crate) mod subjects;
