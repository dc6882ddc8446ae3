//! Sessions: open, supersede, close.

pub(crate) mod approved_amount;
pub(crate) mod close;
pub(crate) mod delegate_slot;
pub(crate) mod land;
pub(crate) mod open;
pub(crate) mod preflight;
pub(crate) mod recipient_account;
