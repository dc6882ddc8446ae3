//! What the on-chain programs look like: addresses, instructions, accounts, ciphertexts, attestations.
//!
//! Promises bytes: everything here agrees with `tests/vectors/inco.json` byte for byte, and the instructions agree
//! with `idl/*.json` (`tests/it/idl.rs`). Every decoder is total: hostile bytes give an error, never a panic. Nothing
//! here talks to a network, and nothing needs a cargo feature, so that the payer's SDK and the local network's
//! stand-ins share it with the facilitator (ADR 0006).

pub mod attestation;
pub mod charge;
pub mod ciphertext;
pub mod compute_budget;
pub mod delegation;
pub mod inco_token;
pub mod issued_ciphertext;
pub mod lightning;
pub mod memo;
pub mod spl_token;
pub mod wallet;

use sha2::{Digest as _, Sha256};
use solana_pubkey::Pubkey;

/// The addresses of Inco's two programs; the default is devnet (`spec/inco.md` §1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Programs {
    /// `IncoToken`: mints, accounts, spend approvals and transfers.
    pub token: Pubkey,
    /// Inco Lightning: encrypted operations and decrypt allowances.
    pub lightning: Pubkey,
}

impl Default for Programs {
    fn default() -> Self {
        Self {
            token: Pubkey::from_str_const("9Cir3JKBcQ1mzasrQNKWMiGVZvYu3dxvfkGeQ6mohWWi"),
            lightning: Pubkey::from_str_const("5sjEbPiqgZrYwR31ahR6Uk9wf5awoX61YGg7jExQSwaj"),
        }
    }
}

/// Anchor's discriminator of an instruction: the first 8 bytes of SHA-256 over `global:` and its snake-case name.
pub fn discriminator(name: &str) -> [u8; 8] {
    first_eight("global:", name)
}

/// Anchor's discriminator of an account: the first 8 bytes of SHA-256 over `account:` and its type name.
pub fn account_discriminator(type_name: &str) -> [u8; 8] {
    first_eight("account:", type_name)
}

fn first_eight(prefix: &str, name: &str) -> [u8; 8] {
    let digest: [u8; 32] = Sha256::new().chain_update(prefix).chain_update(name).finalize().into();
    std::array::from_fn(|at| digest[at])
}
