//! Integration tests: one binary, one module per part.
#![expect(clippy::unwrap_used, reason = "tests may panic, and clippy only sees test functions, not what they share")]

#[cfg(all(feature = "server", feature = "localnet"))]
mod api;
mod architecture;
#[cfg(all(feature = "server", feature = "localnet"))]
mod chain;
mod cli;
mod config;
mod covalidator;
#[cfg(feature = "server")]
mod errors_doc;
mod idl;
mod inspect;
mod journey;
#[cfg(feature = "server")]
mod ledger;
mod localnet;
#[cfg(feature = "server")]
mod openapi;
mod programs;
#[cfg(feature = "localnet")]
mod standins;
mod support;
mod transaction;
mod wire;
