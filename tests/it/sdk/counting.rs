//! A wallet that counts what it is asked to sign.

use super::journey::key;
use crate::support::Wallet;
use solana_pubkey::Pubkey;
use solana_transaction::versioned::VersionedTransaction;
use sotto::client::{LocalKey, PayerSigner, SigningError};
use std::sync::atomic::{AtomicU32, Ordering};

pub(super) struct Counting {
    key: LocalKey,
    messages: AtomicU32,
    transactions: AtomicU32,
}

impl Counting {
    pub(super) fn of(wallet: &Wallet) -> Self {
        Self { key: key(wallet), messages: AtomicU32::default(), transactions: AtomicU32::default() }
    }

    /// Messages and transactions since this was last asked.
    pub(super) fn asked(&self) -> [u32; 2] {
        [&self.messages, &self.transactions].map(|count| count.swap(0, Ordering::SeqCst))
    }
}

#[async_trait::async_trait]
impl PayerSigner for Counting {
    fn pubkey(&self) -> Pubkey {
        self.key.pubkey()
    }

    async fn sign_message(&self, message: &[u8]) -> Result<[u8; 64], SigningError> {
        self.messages.fetch_add(1, Ordering::SeqCst);
        self.key.sign_message(message).await
    }

    async fn sign_transaction(&self, transaction: VersionedTransaction) -> Result<VersionedTransaction, SigningError> {
        self.transactions.fetch_add(1, Ordering::SeqCst);
        self.key.sign_transaction(transaction).await
    }
}
