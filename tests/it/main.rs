//! Integration tests: one binary, one module per part.
#![expect(clippy::unwrap_used, reason = "tests may panic, and clippy only sees test functions, not what they share")]
#![expect(unreachable_pub, reason = "a test binary exports nothing; pub is what modules offer each other")]

mod allowances;
mod api;
mod architecture;
mod archive;
mod attacks;
mod chain;
mod cli;
mod config;
mod conformance;
mod covalidator;
mod crash;
mod deferred;
mod demo;
mod dispatch;
mod documents;
mod durable_nonces;
mod errors_doc;
mod faults;
mod fee_payers;
mod finality;
mod fuzz;
mod idl;
mod inspect;
mod journey;
mod ledger;
mod localnet;
mod logging;
mod mpp;
mod openapi;
mod probe;
mod processes;
mod programs;
mod sdk;
mod source_files;
mod standins;
mod support;
mod takeover;
mod transaction;
mod wire;
