//! Reading the other instructions of the transaction, as programs do to find a verified Ed25519 signature.
//!
//! The Ed25519 program has no state: that its instruction is in the transaction at all is the proof that its
//! signatures hold. What remains to be checked is *what* it verified: its offsets may point into other instructions,
//! so that the bytes one reads need not be the bytes it verified.

use solana_pubkey::Pubkey;
use solana_sdk_ids::ed25519_program;

/// The instructions sysvar's bytes.
pub(super) struct Instructions<'a>(pub(super) &'a [u8]);

/// A signature that the Ed25519 program verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verified {
    pub(super) signer: Pubkey,
    pub(super) signature: [u8; 64],
    pub(super) message: Vec<u8>,
}

impl Instructions<'_> {
    /// The index of the top-level instruction that is running.
    pub(super) fn current(&self) -> Option<u16> {
        self.0.last_chunk().copied().map(u16::from_le_bytes)
    }

    /// The one signature that instruction `index` verified.
    ///
    /// None if it is not the Ed25519 program's, verifies no or several signatures, or takes its key, signature or
    /// message from any other instruction.
    pub(super) fn verified_by(&self, index: u16) -> Option<Verified> {
        let (program, input) = self.instruction(index)?;
        if program != ed25519_program::ID || *input.first()? != 1 {
            return None;
        }
        let field = |position: usize| u16_at(input, 2 + 2 * position);
        let own = |instruction: u16| instruction == u16::MAX || instruction == index;
        if !own(field(1)?) || !own(field(3)?) || !own(field(6)?) {
            return None;
        }
        let signature = slice(input, field(0)?, 64)?.try_into().ok()?;
        let signer = slice(input, field(2)?, 32)?.try_into().ok()?;
        let message = slice(input, field(4)?, field(5)?)?.to_vec();
        Some(Verified { signer, signature, message })
    }

    /// The program and the input of a top-level instruction.
    fn instruction(&self, index: u16) -> Option<(Pubkey, &[u8])> {
        if index >= u16_at(self.0, 0)? {
            return None;
        }
        let start = usize::from(u16_at(self.0, 2 + 2 * usize::from(index))?);
        let accounts = usize::from(u16_at(self.0, start)?);
        let program = start + 2 + accounts * 33;
        let key = self.0.get(program..program + 32)?.try_into().ok()?;
        let length = usize::from(u16_at(self.0, program + 32)?);
        Some((key, self.0.get(program + 34..program + 34 + length)?))
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn slice(bytes: &[u8], at: u16, length: u16) -> Option<&[u8]> {
    bytes.get(usize::from(at)..usize::from(at) + usize::from(length))
}
