//! The key that mints and pays for gifts, and the lamports that it has for that.

use std::sync::Arc;

use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_message::{Message, VersionedMessage};
use solana_signature::Signature;
use solana_signer::Signer as _;
use solana_transaction::versioned::VersionedTransaction;

use super::{FaucetError, LocalChain};

/// What it keeps for fees and rent, in lamports; it is filled up to this when it has less than half.
const FULL: u64 = 100_000_000_000;

/// A key with lamports on one network.
pub(super) struct Purse {
    chain: Arc<dyn LocalChain>,
    key: Keypair,
}

impl Purse {
    /// The purse of the Ed25519 private key `key`, as full as it is.
    pub(super) fn new(chain: Arc<dyn LocalChain>, key: [u8; 32]) -> Self {
        Self { chain, key: Keypair::new_from_array(key) }
    }

    /// Its key.
    pub(super) fn key(&self) -> &Keypair {
        &self.key
    }

    /// Fills it, if it has less than half.
    pub(super) fn fill(&self) -> Result<(), FaucetError> {
        let key = self.key.pubkey();
        let held = self.chain.account(&key).map_or(0, |account| account.lamports);
        if held < FULL / 2 {
            self.chain.airdrop(&key, FULL - held)?;
        }
        Ok(())
    }

    /// Sends instructions that it pays for and signs, together with `others`.
    pub(super) fn send(&self, instructions: &[Instruction], others: &[&Keypair]) -> Result<Signature, FaucetError> {
        let payer = self.key.pubkey();
        let message = Message::new_with_blockhash(instructions, Some(&payer), &self.chain.latest_blockhash());
        let signers: Vec<_> = std::iter::once(&self.key).chain(others.iter().copied()).collect();
        let transaction = VersionedTransaction::try_new(VersionedMessage::Legacy(message), signers.as_slice())?;
        Ok(self.chain.send(transaction)?)
    }
}
