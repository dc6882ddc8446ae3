//! The local network as the Covalidator's stand-in and the faucet reach it.

use solana_account::Account;
use solana_hash::Hash;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;

use super::network::Network;

/// A network in this process. There is no implementation that reaches out of it, and there must be none: stand-ins
/// prove nothing about a real chain.
pub trait LocalChain: Send + Sync + 'static {
    /// An account in the newest state.
    fn account(&self, key: &Pubkey) -> Option<Account>;

    /// The current slot.
    fn slot(&self) -> u64;

    /// A blockhash that new transactions can use.
    fn latest_blockhash(&self) -> Hash;

    /// Takes a transaction as if a client had sent it. `Ok` does not mean success: it may have landed and failed, and
    /// a node that stands still executes it later. Look at what it should have changed.
    fn send(&self, tx: VersionedTransaction) -> Result<Signature, TransactionError>;

    /// Gives lamports to `to`.
    fn airdrop(&self, to: &Pubkey, lamports: u64) -> Result<Signature, TransactionError>;
}

impl LocalChain for Network {
    fn account(&self, key: &Pubkey) -> Option<Account> {
        Self::account(self, key)
    }

    fn slot(&self) -> u64 {
        Self::slot(self)
    }

    fn latest_blockhash(&self) -> Hash {
        Self::latest_blockhash(self)
    }

    fn send(&self, tx: VersionedTransaction) -> Result<Signature, TransactionError> {
        Self::send(self, tx)
    }

    fn airdrop(&self, to: &Pubkey, lamports: u64) -> Result<Signature, TransactionError> {
        Self::airdrop(self, to, lamports)
    }
}
