//! The sponsor: our own lamports.

pub(crate) mod budget;
pub(crate) mod fee_payers;
pub(crate) mod rent_checks;
