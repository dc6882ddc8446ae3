//! What every engine must do. Each case gets an empty ledger.

pub mod holds;
pub mod queries;
pub mod sessions;
pub mod settlements;
