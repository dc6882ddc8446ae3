//! The SPL token programs: plain transfers, associated token accounts, and what mints and token accounts store.
//!
//! - [`TransferChecked`] builds the one instruction that moves tokens.
//! - [`associated_account`] derives the account of a wallet, and [`create_associated_account`] makes it.
//! - [`TokenAccount`] and [`Mint`] read what the programs store. Token-2022 appends extensions, of which [`extensions`] tells
//!   the numbers.
//! - [`explain_failure`] says why a transfer would fail.

mod account;
mod error;
mod extension;
mod transfer;

pub use account::{Mint, TokenAccount};
pub use error::explain_failure;
pub use extension::{HARMLESS_EXTENSIONS, NATIVE_MINTS, extensions};
pub use transfer::TransferChecked;

use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;
use solana_sdk_ids::system_program;

/// The program that derives and creates associated token accounts.
pub const ASSOCIATED_TOKEN: Pubkey = Pubkey::from_str_const("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL");

/// The instruction of that program which does nothing where the account is there.
const CREATE_IDEMPOTENT: u8 = 1;

/// Which token program a mint belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenProgram {
    /// SPL Token.
    Token,
    /// Token-2022, with extensions.
    Token2022,
}

impl TokenProgram {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Token, Self::Token2022];

    /// Its address.
    pub const fn address(self) -> Pubkey {
        match self {
            Self::Token => Pubkey::from_str_const("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"),
            Self::Token2022 => Pubkey::from_str_const("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"),
        }
    }

    /// The program at this address.
    pub fn at(address: &Pubkey) -> Option<Self> {
        Self::ALL.into_iter().find(|program| program.address() == *address)
    }
}

/// The token account that is associated with a wallet and a mint of `program`.
pub fn associated_account(program: TokenProgram, wallet: &Pubkey, mint: &Pubkey) -> Pubkey {
    let program = program.address();
    Pubkey::find_program_address(&[wallet.as_ref(), program.as_ref(), mint.as_ref()], &ASSOCIATED_TOKEN).0
}

/// Creates the associated token account of a wallet where it is missing; `payer` pays its rent.
pub fn create_associated_account(program: TokenProgram, payer: &Pubkey, wallet: &Pubkey, mint: &Pubkey) -> Instruction {
    let accounts = vec![
        AccountMeta::new(*payer, true),
        AccountMeta::new(associated_account(program, wallet, mint), false),
        AccountMeta::new_readonly(*wallet, false),
        AccountMeta::new_readonly(*mint, false),
        AccountMeta::new_readonly(system_program::ID, false),
        AccountMeta::new_readonly(program.address(), false),
    ];
    Instruction { program_id: ASSOCIATED_TOKEN, accounts, data: vec![CREATE_IDEMPOTENT] }
}
