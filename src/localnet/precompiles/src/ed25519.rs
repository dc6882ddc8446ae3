//! The Ed25519 precompile: checks any number of signatures whose parts stand anywhere in the transaction's instructions.
//!
//! Its data are a count (one byte), one byte that nobody reads, and for each signature seven little-endian `u16`: where the
//! signature, the key and the message are. An instruction index of `u16::MAX` means this instruction.

use agave_feature_set::FeatureSet;
use ed25519_dalek::{PUBLIC_KEY_LENGTH, SIGNATURE_LENGTH, Signature, VerifyingKey};
use solana_precompile_error::PrecompileError;

/// Bytes before the first entry.
const HEADER: usize = 2;
/// Bytes of an entry.
const ENTRY: usize = 14;
/// The index that means the instruction itself.
const THIS_INSTRUCTION: u16 = u16::MAX;
/// The highest three bits of a signature's last byte: none is set in a scalar below the group's order.
const BEYOND_ANY_SCALAR: u8 = 0b1110_0000;

/// Checks every signature that an instruction of this program names, in order.
pub(crate) fn verify(data: &[u8], datas: &[&[u8]], _: &FeatureSet) -> Result<(), PrecompileError> {
    let (header, rest) = data.split_at_checked(HEADER).ok_or(PrecompileError::InvalidInstructionDataSize)?;
    let count = usize::from(header[0]);
    if count == 0 && !rest.is_empty() {
        return Err(PrecompileError::InvalidInstructionDataSize);
    }
    let entries = rest.get(..count * ENTRY).ok_or(PrecompileError::InvalidInstructionDataSize)?;
    entries.chunks_exact(ENTRY).try_for_each(|entry| verify_one(entry, data, datas))
}

/// Checks one signature. What fails first decides the error, and a network has to agree on it: the signature's form, the
/// key, the message's place, then the signature itself.
fn verify_one(entry: &[u8], data: &[u8], datas: &[&[u8]]) -> Result<(), PrecompileError> {
    let number = |at: usize| u16::from_le_bytes([entry[2 * at], entry[2 * at + 1]]);
    let part = |instruction: usize, offset: usize, length: usize| -> Result<&[u8], PrecompileError> {
        let within = match number(instruction) {
            THIS_INSTRUCTION => data,
            index => *datas.get(usize::from(index)).ok_or(PrecompileError::InvalidDataOffsets)?,
        };
        let start = usize::from(number(offset));
        within.get(start..start + length).ok_or(PrecompileError::InvalidDataOffsets)
    };
    let signature: &[u8; SIGNATURE_LENGTH] =
        part(1, 0, SIGNATURE_LENGTH)?.try_into().map_err(|_| PrecompileError::InvalidDataOffsets)?;
    if signature[SIGNATURE_LENGTH - 1] & BEYOND_ANY_SCALAR != 0 {
        return Err(PrecompileError::InvalidSignature);
    }
    let key: &[u8; PUBLIC_KEY_LENGTH] =
        part(3, 2, PUBLIC_KEY_LENGTH)?.try_into().map_err(|_| PrecompileError::InvalidDataOffsets)?;
    let key = VerifyingKey::from_bytes(key).map_err(|_| PrecompileError::InvalidPublicKey)?;
    let message = part(6, 4, usize::from(number(5)))?;
    key.verify_strict(message, &Signature::from_bytes(signature)).map_err(|_| PrecompileError::InvalidSignature)
}
