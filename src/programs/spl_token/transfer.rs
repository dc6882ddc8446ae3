//! `TransferChecked`: the program compares mint and decimals with what the payer was shown.

use crate::programs::spl_token::TokenProgram;
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;

/// The instruction's number in both programs.
const TRANSFER_CHECKED: u8 = 12;

/// A plain transfer of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferChecked {
    /// The mint's program.
    pub program: TokenProgram,
    /// The token account that pays.
    pub source: Pubkey,
    /// The token.
    pub mint: Pubkey,
    /// The token account that is paid.
    pub destination: Pubkey,
    /// The source's owner or delegate, who signs.
    pub authority: Pubkey,
    /// In base units.
    pub amount: u64,
    /// The mint's; another number is refused by the program.
    pub decimals: u8,
}

impl TransferChecked {
    /// The instruction.
    pub fn instruction(&self) -> Instruction {
        let mut bytes = vec![TRANSFER_CHECKED];
        bytes.extend(self.amount.to_le_bytes());
        bytes.push(self.decimals);
        let accounts = vec![
            AccountMeta::new(self.source, false),
            AccountMeta::new_readonly(self.mint, false),
            AccountMeta::new(self.destination, false),
            AccountMeta::new_readonly(self.authority, true),
        ];
        Instruction { program_id: self.program.address(), accounts, data: bytes }
    }
}
