//! Anchor's own refusals, which both real programs give before their code runs, and its argument encoding.

use solana_instruction_error::InstructionError::{self, Custom};
use solana_pubkey::Pubkey;

use super::host::Outcome;
use crate::programs::inco_token::{ACCOUNT_NOT_INITIALIZED, IncoTokenError};

/// No discriminator at all.
pub(super) const NO_INSTRUCTION: InstructionError = Custom(100);
/// A discriminator that the program does not know.
pub(super) const UNKNOWN_INSTRUCTION: InstructionError = Custom(101);
/// Arguments that do not decode.
pub(super) const BAD_ARGUMENTS: InstructionError = Custom(102);
/// An account that must be writable is not.
pub(super) const NOT_WRITABLE: InstructionError = Custom(2000);
/// An address that does not follow from its seeds.
pub(super) const WRONG_SEEDS: InstructionError = Custom(2006);
/// An account with a fixed address is another.
pub(super) const WRONG_ADDRESS: InstructionError = Custom(2012);
/// An account too short for a discriminator.
pub(super) const NO_DISCRIMINATOR: InstructionError = Custom(3001);
/// An account of another kind.
pub(super) const WRONG_DISCRIMINATOR: InstructionError = Custom(3002);
/// An account whose bytes do not decode.
pub(super) const BAD_ACCOUNT: InstructionError = Custom(3003);
/// Fewer accounts than the instruction needs.
pub(super) const NOT_ENOUGH_ACCOUNTS: InstructionError = Custom(3005);
/// An account of another program.
pub(super) const WRONG_OWNER: InstructionError = Custom(3007);
/// A program account that is another program.
pub(super) const WRONG_PROGRAM: InstructionError = Custom(3008);
/// An account that must sign did not.
pub(super) const NOT_A_SIGNER: InstructionError = Custom(3010);
/// An account that does not exist.
pub(super) const NOT_INITIALIZED: InstructionError = Custom(ACCOUNT_NOT_INITIALIZED);

/// A refusal of `IncoToken` as the chain carries it.
pub(super) fn refuse<T>(error: IncoTokenError) -> Outcome<T> {
    Err(Custom(error.code()))
}

/// Refuses with `error` unless `condition` holds.
pub(super) fn require(condition: bool, error: IncoTokenError) -> Outcome {
    if condition { Ok(()) } else { refuse(error) }
}

/// Reads Borsh arguments from the front; bytes that are left over are ignored, as Anchor does.
pub(super) struct Arguments<'a>(pub(super) &'a [u8]);

impl<'a> Arguments<'a> {
    fn take<const N: usize>(&mut self) -> Outcome<[u8; N]> {
        let (front, rest) = self.0.split_first_chunk().ok_or(BAD_ARGUMENTS)?;
        self.0 = rest;
        Ok(*front)
    }

    pub(super) fn byte(&mut self) -> Outcome<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    pub(super) fn boolean(&mut self) -> Outcome<bool> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(BAD_ARGUMENTS),
        }
    }

    pub(super) fn number(&mut self) -> Outcome<u128> {
        self.take().map(u128::from_le_bytes)
    }

    pub(super) fn key(&mut self) -> Outcome<Pubkey> {
        self.take().map(Pubkey::new_from_array)
    }

    pub(super) fn length(&mut self) -> Outcome<usize> {
        usize::try_from(u32::from_le_bytes(self.take()?)).map_err(|_| BAD_ARGUMENTS)
    }

    pub(super) fn bytes(&mut self) -> Outcome<&'a [u8]> {
        let length = self.length()?;
        let (front, rest) = self.0.split_at_checked(length).ok_or(BAD_ARGUMENTS)?;
        self.0 = rest;
        Ok(front)
    }

    pub(super) fn list(&mut self) -> Outcome<Vec<&'a [u8]>> {
        // Each item takes at least its length's four bytes, so a lying count runs out of input, never of memory.
        (0..self.length()?).map(|_| self.bytes()).collect()
    }

    pub(super) fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<Option<T>> {
        if self.boolean()? { read(self).map(Some) } else { Ok(None) }
    }
}
