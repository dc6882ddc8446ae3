//! Wallets: payers, merchants, strangers.

use super::World;
use ed25519_dalek::{Signer as _, SigningKey};
use solana_pubkey::Pubkey;
use sotto::domain::chance::draw;

/// Somebody with a key.
#[derive(Clone)]
pub struct Wallet(SigningKey);

impl Wallet {
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&seed))
    }

    pub fn key(&self) -> Pubkey {
        Pubkey::new_from_array(self.0.verifying_key().to_bytes())
    }

    pub fn seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl World {
    /// A new wallet with nothing.
    pub fn stranger(&self) -> Wallet {
        Wallet::from_seed(draw(&*self.chance))
    }

    /// A new wallet with a token account that holds `units`, and no SOL.
    pub async fn wallet(&self, units: u64) -> Wallet {
        let wallet = self.stranger();
        self.faucet.fund(&wallet.key(), units).unwrap();
        self.confirmed().await;
        wallet
    }
}
