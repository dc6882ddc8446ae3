//! Swig wallets: our own encoders and decoder, byte for byte those of the published coder (`spec/mpp.md` §6.2).
//!
//! A Swig is a config account with roles, and a wallet that the program signs for. The buyer is its root; we have a role whose
//! session key is ours, with a limit for one token and an end in slots, both of which the program enforces. All integers are
//! little endian. No code of the Swig family is linked: it is under the AGPL.

mod account;
mod action;
mod error;
mod instruction;
mod rounds;

pub use account::{Authority, SwigAccount, SwigRole};
pub use action::Action;
pub use error::SwigError;
pub use instruction::{RoleGrant, SwigAddresses};
pub use rounds::{Existing, OurRole, Round};

use solana_pubkey::Pubkey;

/// The program.
pub const PROGRAM: Pubkey = Pubkey::from_str_const("swigypWHEksbC64pWKwah1WTeh9JXwx8H1rJHLdbQMB");
/// The compute units of every transaction here.
pub const UNITS: u32 = 200_000;

/// Rents that the buyer, as root, can take by closing, in lamports: config account, wallet, the wallet's token account.
pub const RENTS: [u64; 3] = [2_895_360, 890_880, 2_039_280];
/// What the config account of a role for one seller costs more, in lamports.
pub const BOUND_SELLER_RENT: u64 = 556_800;

/// The number of the authority that is one key.
const ED25519: u16 = 1;
/// The number of the authority that is a root and its session key.
const ED25519_SESSION: u16 = 2;
