//! `TransferChecked`: the program compares mint and decimals with what the payer was shown.

use crate::programs::spl_token::TokenProgram;
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;

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
    /// The instruction's number in both programs.
    pub const TAG: u8 = 12;

    /// Reads an instruction of a token program; `None` unless it is this one with exactly its bytes and accounts.
    pub fn read(instruction: &Instruction) -> Option<Self> {
        let program = TokenProgram::at(&instruction.program_id)?;
        let (amount, decimals) = match instruction.data.as_slice() {
            [Self::TAG, amount @ .., decimals] => (u64::from_le_bytes(amount.try_into().ok()?), *decimals),
            _ => return None,
        };
        let [source, mint, destination, authority] = instruction.accounts.as_slice() else { return None };
        let [source, mint, destination, authority] = [source, mint, destination, authority].map(|meta| meta.pubkey);
        Some(Self { program, source, mint, destination, authority, amount, decimals })
    }

    /// The instruction.
    pub fn instruction(&self) -> Instruction {
        let mut bytes = vec![Self::TAG];
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
