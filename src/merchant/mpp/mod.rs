//! Selling by the Machine Payments Protocol (MPP, method `dexter`): one-shot charges, and vouchers of channels (`spec/mpp.md` §13).
//!
//! Promises: nothing is served unpaid; the price is always the seller's own; whom a buyer names is never asked; and the facilitator
//! is believed only where its proof is what was asked for. `docs/MPP.md` says what a seller trusts it with.
//!
//! - [`charge`]: [`ChargeSeller`], challenges and settled credentials. [`wall`]: [`MppWall`], as a tower layer. [`mcp`]: for tools of the
//!   Model Context Protocol.
//! - [`session`]: [`SessionGate`], vouchers, and [`SessionWall`], as a tower layer.
//! - [`client`]: the facilitator's routes. [`reason`]: the words. [`secret`]: what challenges are bound with.
//! - `judge`: whether a credential is for what is asked, pure. `onchain`: what the seller's own node shows. `nested`: one layer around
//!   another.

mod answers;
pub mod charge;
pub mod client;
mod judge;
pub mod mcp;
mod nested;
mod onchain;
pub mod reason;
pub mod secret;
pub mod session;
pub mod wall;

pub use charge::{BadRealm, ChargeSeller, Charged, Unpaid};
pub use client::{ChargeFault, SettlementError};
pub use reason::SellerReason;
pub use secret::{SecretError, SecretKey};
pub use session::{FileStore, MemoryStore, SessionGate, SessionSale, SessionWall};
pub use wall::MppWall;
