//! The rules of a confidential session and of MPP's charges and channels, and nothing else: no I/O, no async, no clock and no
//! chance of its own.
//!
//! Everything here is a value or a total function over values, so that the ledger, the live driver and recovery can
//! share one set of decisions and tests can walk all of them. Times are Unix seconds, amounts are base units of the
//! session's asset, SOL is lamports.

pub mod addresses;
pub mod amount;
pub mod approval;
pub mod base64_text;
pub mod budget;
pub mod chance;
pub mod clock;
pub mod event_id;
pub mod funding;
pub mod grant;
pub mod history;
pub mod hold;
pub mod intent;
pub mod json_rpc;
pub mod key_pair;
pub mod mpp;
pub mod network;
pub mod nonce;
pub mod payment;
pub mod printable;
pub mod reason;
pub mod revocation;
#[cfg(test)]
pub(crate) mod samples;
pub mod session;
pub mod settlement;
pub mod signed;
pub mod signed_receipt;
pub mod single_payment;
pub mod unreachable;
