//! A bench as the network that the Covalidator and the faucet reach.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use solana_account::Account;
use solana_hash::Hash;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;
use sotto::localnet::LocalChain;

use super::bench::Bench;

pub(super) struct BenchChain {
    bench: Mutex<Bench>,
    slots: AtomicU64,
}

impl BenchChain {
    pub(super) fn new(bench: Bench) -> Self {
        Self { bench: Mutex::new(bench), slots: AtomicU64::new(100) }
    }

    pub(super) fn with<R>(&self, f: impl FnOnce(&mut Bench) -> R) -> R {
        f(&mut self.bench.lock().unwrap())
    }

    pub(super) fn advance(&self, slots: u64) {
        self.slots.fetch_add(slots, Ordering::SeqCst);
    }
}

impl LocalChain for BenchChain {
    fn account(&self, key: &Pubkey) -> Option<Account> {
        self.with(|bench| bench.svm.get_account(key))
    }

    fn slot(&self) -> u64 {
        self.slots.load(Ordering::SeqCst)
    }

    fn latest_blockhash(&self) -> Hash {
        self.with(|bench| {
            bench.svm.expire_blockhash();
            bench.svm.latest_blockhash()
        })
    }

    fn send(&self, tx: VersionedTransaction) -> Result<Signature, TransactionError> {
        self.with(|bench| bench.land_transaction(tx).map(|landed| landed.signature))
    }

    fn airdrop(&self, to: &Pubkey, lamports: u64) -> Result<Signature, TransactionError> {
        self.with(|bench| {
            let landed = bench.svm.airdrop(to, lamports);
            landed.map(|landed| landed.signature).map_err(|failed| failed.err)
        })
    }
}
