//! Ciphertexts that one service issued, and that it knows again without keeping any (`spec/session.md` §5).
//!
//! Nobody but the Covalidator can read a ciphertext, so one that a payer brings may hold zero. Ours is made of 16 random
//! bytes and what nobody else can derive from them: the ephemeral key is HKDF-SHA256 of a secret of the service over those
//! bytes, the asset and the amount, and the bytes themselves are the IV. To check one is to make it again for the amount
//! that is claimed, and to compare every byte.

use crate::{
    domain::{
        amount::Amount,
        chance::{Chance, draw},
    },
    programs::ciphertext::{EncryptionKey, IV, encrypt_with, iv},
};
use hmac::Mac as _;
use sha2::Sha256;
use solana_pubkey::Pubkey;
use zeroize::Zeroizing;

/// What the derivation is for: no other use of the secret gives the same bytes.
const LABEL: &[u8] = b"sotto-pay-amount:1";

type Hmac = hmac::Hmac<Sha256>;

/// The ciphertexts of one service: every instance with the same secret knows those of the others.
pub struct IssuedCiphertexts {
    /// HKDF's pseudorandom key of the service's secret.
    key: Zeroizing<[u8; 32]>,
    encryption_key: EncryptionKey,
}

impl IssuedCiphertexts {
    /// Those that are made from this secret, for the Covalidator of this key.
    pub fn new(secret: &[u8; 32], encryption_key: EncryptionKey) -> Self {
        // HKDF-Extract with the salt that stands for none.
        Self { key: hmac(&[0; 32], &[secret]), encryption_key }
    }

    /// A ciphertext of `amount` that [`IssuedCiphertexts::issued`] knows again.
    pub fn issue(&self, asset: &Pubkey, amount: Amount, chance: &dyn Chance) -> Vec<u8> {
        loop {
            // Not a secret scalar once in 2^128 times.
            if let Some(ciphertext) = self.make(asset, amount, &draw(chance)) {
                return ciphertext;
            }
        }
    }

    /// Whether this is a ciphertext that [`IssuedCiphertexts::issue`] made for this asset and amount.
    pub fn issued(&self, asset: &Pubkey, amount: Amount, ciphertext: &[u8]) -> bool {
        iv(ciphertext).and_then(|random| self.make(asset, amount, &random)).is_some_and(|ours| ours == ciphertext)
    }

    fn make(&self, asset: &Pubkey, amount: Amount, random: &[u8; IV]) -> Option<Vec<u8>> {
        // HKDF-Expand to one block.
        let info: [&[u8]; 5] = [LABEL, random, asset.as_ref(), &amount.get().to_le_bytes(), &[1]];
        encrypt_with(&self.encryption_key, amount.get().into(), &hmac(&self.key, &info), random)
    }
}

fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    // HMAC pads a short key with zeros to SHA-256's block, and a key of that length cannot be refused.
    let mut block = Zeroizing::new([0; 64]);
    let (used, _) = block.split_at_mut(32);
    used.copy_from_slice(key);
    let mut mac = <Hmac as hmac::digest::KeyInit>::new(block.as_slice().into());
    for part in parts {
        hmac::Mac::update(&mut mac, part);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests;
