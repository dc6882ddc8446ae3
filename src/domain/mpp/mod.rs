//! The rules of the Machine Payments Protocol (MPP): charges and channels of plain tokens (`spec/mpp.md`).
//!
//! A charge is one transfer that its buyer signs and we pay the fee of. A channel is a delegation of the buyer's from which
//! a seller is paid by vouchers, each of which says the sum so far. Everything here is a value or a total function over
//! values; `tests/vectors/mpp.json` has the golden bytes.

pub mod caps;
pub mod channel;
pub mod channel_id;
pub mod charge;
pub mod choices;
pub mod clock_difference;
pub mod delegation;
pub mod money;
pub mod reason;
pub mod recorded_charge;
pub mod root;
pub mod siwx;
pub mod spellings;
pub mod timestamp;
pub mod voucher;
