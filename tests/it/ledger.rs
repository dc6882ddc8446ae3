//! The ledger: one contract for every engine, and what only SQLite promises.

mod build;
mod cases;
mod contract;
