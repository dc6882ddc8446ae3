//! Signing decrypt requests with an Ed25519 key.

use crate::covalidator::RequestSigner;
use ed25519_dalek::{Signer as _, SigningKey};
use solana_pubkey::Pubkey;
use std::fmt;

/// A wallet's key that signs decrypt requests; cleared from memory on drop.
#[derive(Clone)]
pub struct WalletSigner(SigningKey);

impl WalletSigner {
    /// A signer from the 32 secret bytes of a wallet (the first half of a Solana keypair).
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(secret))
    }
}

impl RequestSigner for WalletSigner {
    fn address(&self) -> Pubkey {
        Pubkey::new_from_array(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for WalletSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WalletSigner").field(&self.address()).finish()
    }
}
