//! sotto: a confidential session facilitator for x402 payments on Solana.
//!
//! The layers, from the inside out. Rules know nothing, ports know rules, the facilitator knows ports, the edge knows
//! the facilitator, and only `cli` knows everybody; `tests/it/architecture.rs` holds the code to it.
//!
//! - [`domain`]: the rules. Amounts, intents, sessions, holds, the settlement state machine, and those of the Machine Payments
//!   Protocol; pure.
//! - [`wire`]: what goes over HTTP; serde only.
//! - [`programs`]: what the on-chain programs look like: builders, account decoding, encryption.
//! - `ledger`: durability. One trait of verbs, each one transaction.
//! - `covalidator`: the TEE decrypt service's client.
//! - `chain`: Solana behind deadlines: read, simulate, send what is recorded, look up.
//! - `facilitator`: the use cases: open a session, verify, settle, recover.
//! - `api`: the use cases over HTTP (axum).
//! - `config`, `telemetry`, `cli`: configuration, logs, and the composition root.
//! - `client`: the payer's SDK. `merchant`: the resource server's middleware.
//! - `localnet`: an embedded Solana network with stand-ins for Inco's programs, for development and tests.
//!
//! | feature | modules |
//! |---|---|
//! | (none) | `domain`, `wire`, `programs` |
//! | `server` | `ledger`, `covalidator`, `chain`, `facilitator`, `api`, `config`, `telemetry`, `cli` |
//! | `client` | `covalidator`, `client` |
//! | `merchant` | `covalidator`, `merchant` |
//! | `localnet` | `localnet` |

pub mod domain;
pub mod programs;
pub mod wire;

#[cfg(feature = "server")]
pub mod api;
#[cfg(feature = "server")]
pub mod chain;
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "server")]
pub mod config;
#[cfg(any(feature = "server", feature = "client", feature = "merchant"))]
pub mod covalidator;
#[cfg(feature = "server")]
pub mod facilitator;
#[cfg(feature = "server")]
pub mod ledger;
#[cfg(feature = "localnet")]
pub mod localnet;
#[cfg(feature = "merchant")]
pub mod merchant;
#[cfg(feature = "server")]
pub mod telemetry;
