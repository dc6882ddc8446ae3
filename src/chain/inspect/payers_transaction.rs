//! A transaction that its payer has signed, as it is sent to us.

use super::{TransactionRefusal, decode};
use sha2::{Digest as _, Sha256};
use solana_pubkey::Pubkey;
use solana_transaction::versioned::VersionedTransaction;

/// A transaction as a payer sends it, in its one canonical encoding; nothing of it is compared with anything yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayersTransaction(VersionedTransaction);

impl PayersTransaction {
    /// Reads base64.
    pub fn read(text: &str) -> Result<Self, TransactionRefusal> {
        decode::decode(text).map(Self)
    }

    /// The hash of its message: what the payer has signed.
    pub fn message_hash(&self) -> [u8; 32] {
        let message = wincode::serialize(&self.0.message).unwrap_or_default();
        Sha256::digest(message).into()
    }

    /// Whether these bytes stand in one of its instructions, where everybody reads them once it is sent.
    pub fn carries(&self, bytes: &[u8]) -> bool {
        let holds = |input: &[u8]| !bytes.is_empty() && input.windows(bytes.len()).any(|window| window == bytes);
        self.0.message.instructions().iter().any(|instruction| holds(&instruction.data))
    }

    /// The transaction itself, for a template to compare.
    pub(super) fn transaction(&self) -> &VersionedTransaction {
        &self.0
    }

    /// The wallet that signs beside the fee payer; none where nobody or more than one does.
    pub fn payer(&self) -> Option<&Pubkey> {
        let signers = usize::from(self.0.message.header().num_required_signatures);
        self.0.message.static_account_keys().get(1).filter(|_| signers == 2)
    }
}
