//! Signing for the payer: a wallet, or a key in this process.

use crate::domain::chance::{self, Chance};
use async_trait::async_trait;
use ed25519_dalek::{Signer as _, SigningKey};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use std::fmt;
use zeroize::Zeroizing;

/// Why something was not signed.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The person said no.
    #[error("the wallet's owner declined to sign")]
    Declined,
    /// The transaction has no place for this wallet's signature.
    #[error("the transaction does not ask for this wallet's signature")]
    NotASigner,
    /// The wallet failed.
    #[error("the wallet failed to sign")]
    Wallet(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A wallet that can sign messages and transactions. Asked once when a session opens, and never for a payment.
#[async_trait]
pub trait PayerSigner: Send + Sync {
    /// The wallet's address.
    fn pubkey(&self) -> Pubkey;

    /// Ed25519 over `message`.
    async fn sign_message(&self, message: &[u8]) -> Result<[u8; 64], SigningError>;

    /// Puts the wallet's signature into its place. A wallet may add what wallets add while signing (compute budget,
    /// Lighthouse assertions); it may not fill other places.
    async fn sign_transaction(&self, transaction: VersionedTransaction) -> Result<VersionedTransaction, SigningError>;
}

/// Why bytes are not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Neither 32 nor 64 bytes.
    #[error("a key has 32 bytes, or 64 with its public half, not {0}")]
    Length(usize),
    /// The second half is not the public key of the first.
    #[error("the public half does not belong to the secret half")]
    Halves,
}

/// An Ed25519 key in this process: a payer's wallet, or a session key. Cleared from memory on drop, never printed.
///
/// Boxed, so that moving it leaves no copy of the secret behind.
#[derive(Clone)]
pub struct LocalKey(Box<SigningKey>);

impl LocalKey {
    /// A key from 32 secret bytes, or from the 64 bytes of a Solana keypair, whose halves must belong together.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let (secret, public) = bytes.split_at_checked(32).ok_or(KeyError::Length(bytes.len()))?;
        let secret = <&[u8; 32]>::try_from(secret).map_err(|_| KeyError::Length(bytes.len()))?;
        let key = Box::new(SigningKey::from_bytes(secret));
        match public.len() {
            0 => Ok(Self(key)),
            32 if public == key.verifying_key().as_bytes() => Ok(Self(key)),
            32 => Err(KeyError::Halves),
            _ => Err(KeyError::Length(bytes.len())),
        }
    }

    /// A new key.
    pub fn generate(chance: &dyn Chance) -> Self {
        let secret = Zeroizing::new(chance::draw::<32>(chance));
        Self(Box::new(SigningKey::from_bytes(&secret)))
    }

    /// The address.
    pub fn pubkey(&self) -> Pubkey {
        Pubkey::new_from_array(self.0.verifying_key().to_bytes())
    }

    /// Ed25519 over `message`.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }

    /// The secret in base58, for a file that only its owner reads.
    pub(super) fn secret_text(&self) -> Zeroizing<String> {
        Zeroizing::new(bs58::encode(Zeroizing::new(self.0.to_bytes()).as_slice()).into_string())
    }

    /// Reads what [`LocalKey::secret_text`] wrote.
    pub(super) fn from_secret_text(text: &str) -> Option<Self> {
        // 44 characters hold 32 bytes; the bound keeps base58's quadratic decoding away from long texts.
        if text.len() > 44 {
            return None;
        }
        Self::from_bytes(&Zeroizing::new(bs58::decode(text).into_vec().ok()?)).ok()
    }
}

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalKey").field(&self.pubkey()).finish()
    }
}

#[async_trait]
impl PayerSigner for LocalKey {
    fn pubkey(&self) -> Pubkey {
        Self::pubkey(self)
    }

    async fn sign_message(&self, message: &[u8]) -> Result<[u8; 64], SigningError> {
        Ok(self.sign(message))
    }

    async fn sign_transaction(
        &self,
        mut transaction: VersionedTransaction,
    ) -> Result<VersionedTransaction, SigningError> {
        let signers = usize::from(transaction.message.header().num_required_signatures);
        let me = Self::pubkey(self);
        let place = transaction.message.static_account_keys().iter().take(signers).position(|key| *key == me);
        let signature = Signature::from(self.sign(&transaction.message.serialize()));
        let slot = place.and_then(|place| transaction.signatures.get_mut(place)).ok_or(SigningError::NotASigner)?;
        *slot = signature;
        Ok(transaction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{chance::SeededChance, signed};

    #[test]
    fn a_key_reads_both_spellings_and_refuses_halves_of_two_keys() {
        let key = LocalKey::generate(&SeededChance::new(1));
        let other = LocalKey::generate(&SeededChance::new(2));
        let secret = key.0.to_bytes();
        let pair = [secret, key.pubkey().to_bytes()].concat();
        assert_eq!(LocalKey::from_bytes(&secret).map(|k| k.pubkey()), Ok(key.pubkey()));
        assert_eq!(LocalKey::from_bytes(&pair).map(|k| k.pubkey()), Ok(key.pubkey()));
        let mixed = [secret, other.pubkey().to_bytes()].concat();
        assert_eq!(LocalKey::from_bytes(&mixed).err(), Some(KeyError::Halves));
        for length in [0, 31, 33, 63, 65] {
            assert_eq!(LocalKey::from_bytes(&vec![1; length]).err(), Some(KeyError::Length(length)));
        }
    }

    #[test]
    fn a_key_is_never_printed() {
        let key = LocalKey::generate(&SeededChance::new(1));
        let secret = key.secret_text();
        assert!(!format!("{key:?}").contains(secret.as_str()));
        assert_eq!(LocalKey::from_secret_text(&secret).map(|k| k.pubkey()), Some(key.pubkey()));
        assert!(LocalKey::from_secret_text(&"1".repeat(100_000)).is_none());
    }

    #[test]
    fn signatures_verify() {
        let key = LocalKey::generate(&SeededChance::new(1));
        assert!(signed::verify(&key.pubkey(), b"m", &key.sign(b"m")));
    }
}
