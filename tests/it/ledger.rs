//! The ledger: one contract for every engine, and what only SQLite promises.

pub(crate) mod build;
mod cases;
mod commits;
mod contract;
pub(crate) mod former;
mod funding_model;
mod import;
mod model;
mod nonces;
mod promises;
mod races;
mod sqlite;
mod upgrade;
