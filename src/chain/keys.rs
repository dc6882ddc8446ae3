//! Solana keys that sign: never printed, wiped from memory when dropped.
//!
//! The texts that people keep keys in are read by `domain::key_pair`, and where they are kept is the configuration's
//! matter; here a key can only sign.

use crate::domain::{
    chance::{Chance, draw},
    key_pair::KeyPair,
};
use ed25519_dalek::{Signer as _, SigningKey};
use solana_pubkey::Pubkey;
use std::fmt;
use zeroize::Zeroizing;

/// Something that can sign as one Solana address.
pub trait Signer: Send + Sync + 'static {
    /// The address.
    fn pubkey(&self) -> Pubkey;
    /// Ed25519 over `message`.
    fn sign(&self, message: &[u8]) -> [u8; 64];
}

/// A key held in this process's memory.
pub struct LocalSigner {
    key: SigningKey,
}

impl LocalSigner {
    /// The key of a 32-byte secret seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self { key: SigningKey::from_bytes(seed) }
    }

    /// A new key.
    pub fn generate(chance: &dyn Chance) -> Self {
        Self::from_seed(&Zeroizing::new(draw::<32>(chance)))
    }
}

impl From<&KeyPair> for LocalSigner {
    fn from(pair: &KeyPair) -> Self {
        Self::from_seed(&pair.secret())
    }
}

impl Signer for LocalSigner {
    fn pubkey(&self) -> Pubkey {
        Pubkey::new_from_array(self.key.verifying_key().to_bytes())
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for LocalSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalSigner").field("pubkey", &self.pubkey()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{chance::SeededChance, signed};

    #[test]
    fn debug_does_not_tell_the_secret() {
        let shown = format!("{:?}", LocalSigner::from_seed(&[7; 32]));
        assert!(shown.contains("pubkey"));
        assert!(!shown.contains("7, 7") && !shown.contains(&hex::encode([7; 4])));
    }

    #[test]
    fn signatures_verify_under_the_pairs_public_key() {
        let pair = KeyPair::from_secret(&[7; 32]);
        let signer = LocalSigner::from(&pair);
        assert_eq!(signer.pubkey(), pair.public());
        assert!(signed::verify(&signer.pubkey(), b"message", &signer.sign(b"message")));
        let other = LocalSigner::generate(&SeededChance::new(2));
        assert!(!signed::verify(&other.pubkey(), b"message", &signer.sign(b"message")));
    }
}
