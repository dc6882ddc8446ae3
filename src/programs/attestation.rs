//! Attested decryption: the bytes that are signed when a handle is decrypted (`spec/inco.md` §7).
//!
//! Two signatures meet here. The asker signs [`request_message`]; the Covalidator's attestation key signs
//! [`attestation_digest`]. Only the second makes a plaintext believable.

use crate::domain::signed;
use sha2::{Digest as _, Sha256};
use solana_pubkey::Pubkey;

/// What the asker signs: the handle as a decimal number. Hex makes the service fail.
pub fn request_message(handle: u128) -> String {
    handle.to_string()
}

/// What the attestation key signs: SHA-256 over the handle in lower-case hex without leading zeros, as ASCII, and the
/// plaintext as 16 little-endian bytes.
pub fn attestation_digest(handle: u128, plaintext: u128) -> [u8; 32] {
    Sha256::new().chain_update(format!("{handle:x}")).chain_update(plaintext.to_le_bytes()).finalize().into()
}

/// Whether `attestation_key` vouches that `handle` decrypts to `plaintext`.
pub fn verify_attestation(attestation_key: &Pubkey, handle: u128, plaintext: u128, signature: &[u8; 64]) -> bool {
    signed::verify(attestation_key, &attestation_digest(handle, plaintext), signature)
}
