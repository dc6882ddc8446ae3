//! `IncoToken`: confidential tokens whose amounts are handles (`spec/inco.md` §3 and §4).
//!
//! - [`IncoAccount`] and [`IncoMint`] read and write what the program stores.
//! - `Programs`' methods build the instructions, with or without the accounts that grant decrypt allowances.
//! - [`IncoTokenError`] names the program's refusals.

mod account;
mod error;
mod instruction;

pub use account::{AccountState, DecodeError, IncoAccount, IncoMint};
pub use error::{ACCOUNT_NOT_INITIALIZED, IncoTokenError};
pub use instruction::{Allowance, Transfer, ed25519_verify};
