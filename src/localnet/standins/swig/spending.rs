//! Token accounts and transfers, as far as limits are about them.

use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::super::host::Account;
use super::fields::Fields;
use crate::programs::spl_token::TokenProgram;

/// The token programs' instructions that move tokens.
const TRANSFER: u8 = 3;
const TRANSFER_CHECKED: u8 = 12;
/// The state of a token account that can be used.
const INITIALISED: u8 = 1;
/// Bytes between the balance and the state: delegate, with its tag.
const DELEGATE: usize = 36;
/// Bytes of a token account without extensions.
const SIZE: usize = 165;

/// A token account in parts: what stands before its balance, the balance, and what stands behind.
pub(super) struct Stored<'a> {
    pub(super) mint: Pubkey,
    pub(super) owner: Pubkey,
    /// In base units.
    pub(super) balance: u64,
    rest: &'a [u8],
}

impl<'a> Stored<'a> {
    /// The token account in an account of either token program; `None` when it is none.
    pub(super) fn of(account: &'a Account) -> Option<Self> {
        TokenProgram::at(&account.owner)?;
        if account.bytes.len() < SIZE {
            return None;
        }
        let mut fields = Fields(&account.bytes);
        let (mint, owner, balance) = (fields.key()?, fields.key()?, fields.u64()?);
        Some(Self { mint, owner, balance, rest: fields.0 })
    }

    /// Whether it can be used.
    pub(super) fn is_initialised(&self) -> bool {
        self.rest.get(DELEGATE) == Some(&INITIALISED)
    }

    /// Whether nothing but the balance is another one.
    pub(super) fn differs_only_in_balance(&self, other: &Self) -> bool {
        self.mint == other.mint && self.owner == other.owner && self.rest == other.rest
    }
}

/// What calls transfer from a token account: destination and base units of each.
pub(super) fn transfers_from(source: &Pubkey, calls: &[Instruction]) -> Vec<(Pubkey, u64)> {
    let transfer = |call: &Instruction| {
        TokenProgram::at(&call.program_id)?;
        let mut fields = Fields(&call.data);
        let to = match fields.u8()? {
            TRANSFER => 1,
            TRANSFER_CHECKED => 2,
            _ => return None,
        };
        let from = call.accounts.first().filter(|from| from.pubkey == *source);
        from.and(call.accounts.get(to)).map(|to| to.pubkey).zip(fields.u64())
    };
    calls.iter().filter_map(transfer).collect()
}
