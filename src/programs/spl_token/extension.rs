//! Which extensions of Token-2022 a mint has: entries of a number, a length and so many bytes, behind the kind of account.

use super::account::{KIND_AT, KIND_MINT};
use crate::programs::{inco_token::DecodeError, spl_token::TokenProgram};
use solana_pubkey::Pubkey;
use std::ops::RangeInclusive;

/// Extensions that only describe: pointers to metadata and groups, and what they point to.
pub const HARMLESS_EXTENSIONS: RangeInclusive<u16> = 18..=23;
/// Wrapped SOL, in both programs.
pub const NATIVE_MINTS: [Pubkey; 2] = [
    Pubkey::from_str_const("So11111111111111111111111111111111111111112"),
    Pubkey::from_str_const("9pan9bMn5HatX4EJdBwg9VgCa7Uz5HL8N1m5D3NdXej9"),
];

/// The numbers of a mint's extensions, in their order; none in SPL Token. Refuses entries that end early.
pub fn extensions(program: TokenProgram, mint: &[u8]) -> Result<Vec<u16>, DecodeError> {
    let Some(rest) = mint.get(KIND_AT..).filter(|_| program == TokenProgram::Token2022) else { return Ok(Vec::new()) };
    let (kind, mut rest) = rest.split_first().ok_or(DecodeError::Truncated)?;
    if *kind != KIND_MINT {
        return Err(DecodeError::Discriminator);
    }
    let mut found = Vec::new();
    // Fewer bytes than an entry's head are padding, and so is everything behind the number zero.
    while let Some(([a, b, c, d], after)) = rest.split_first_chunk::<4>() {
        let (number, length) = (u16::from_le_bytes([*a, *b]), usize::from(u16::from_le_bytes([*c, *d])));
        if number == 0 {
            break;
        }
        found.push(number);
        rest = after.get(length..).ok_or(DecodeError::Truncated)?;
    }
    Ok(found)
}
