//! The cluster as one endpoint sees it: some slots late, and without what it never had or has pruned.
//!
//! Every read over JSON-RPC and websocket goes through a [`View`], so that an endpoint that lags does so in everything
//! it says. What it takes goes to the cluster at once: a lagging node forwards transactions like any other.

use std::sync::{Arc, MutexGuard};

use solana_account::AccountSharedData;
use solana_commitment_config::CommitmentLevel;
use solana_hash::Hash;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;

use super::{
    bank::Run,
    blocks::Block,
    cluster::{Cluster, UNPRUNED_SLOTS},
    history::Landed,
};

/// A look at the cluster, which stands still meanwhile.
pub(super) struct View<'a> {
    cluster: MutexGuard<'a, Cluster>,
    /// The slot that this endpoint takes for the current one.
    now: u64,
    /// The first block that it has.
    first_block: u64,
}

impl<'a> View<'a> {
    /// A look through an endpoint that is `lag` slots late and has no block before `first_block`.
    pub(super) fn new(cluster: MutexGuard<'a, Cluster>, lag: u64, first_block: u64) -> Self {
        let now = cluster.slot().saturating_sub(lag.min(cluster.memory.most_lag));
        let first_block = first_block.max(cluster.history.first_slot());
        Self { cluster, now, first_block }
    }

    /// The newest slot with a block.
    pub(super) fn slot(&self) -> u64 {
        self.cluster.blocks.at(self.now).slot
    }

    /// Slots for which accounts are remembered.
    pub(super) fn most_lag(&self) -> u64 {
        self.cluster.memory.most_lag
    }

    /// The newest slot of a commitment.
    pub(super) fn slot_at(&self, level: CommitmentLevel) -> u64 {
        self.cluster.slot_at(level, self.now)
    }

    /// The first block that can be asked for.
    pub(super) fn first_block(&self) -> u64 {
        self.first_block
    }

    /// The block of a slot, or the newest one before it.
    pub(super) fn block(&self, slot: u64) -> Block {
        self.cluster.blocks.at(slot)
    }

    /// Whether a transaction on `hash` may run in slot `at`.
    pub(super) fn is_live(&self, hash: &Hash, at: u64) -> bool {
        self.cluster.blocks.is_live(hash, at)
    }

    /// An account at the end of slot `at`.
    pub(super) fn account(&self, key: &Pubkey, at: u64) -> Option<AccountSharedData> {
        self.cluster.bank.account(key, at)
    }

    /// The accounts of a program at the end of slot `at`, in the order of their addresses.
    pub(super) fn owned_by(&self, program: &Pubkey, at: u64) -> Vec<(Pubkey, AccountSharedData)> {
        self.cluster.bank.owned_by(program, at)
    }

    /// The decimals of an SPL mint.
    pub(super) fn decimals(&self, mint: &Pubkey) -> Option<u8> {
        self.cluster.bank.decimals(mint)
    }

    /// The rent-exempt minimum of an account of `bytes`, in lamports.
    pub(super) fn rent(&self, bytes: usize) -> u64 {
        self.cluster.bank.rent(bytes)
    }

    /// What a transaction would do on the state of a commitment.
    pub(super) fn simulate(
        &mut self,
        tx: &VersionedTransaction,
        level: CommitmentLevel,
    ) -> Result<Run, TransactionError> {
        let at = self.slot_at(level);
        self.cluster.simulate(tx, at)
    }

    /// What a run did, in the words of the RPC.
    pub(super) fn status_meta(&self, run: &Run) -> solana_transaction_status_client_types::TransactionStatusMeta {
        self.cluster.status_meta(run)
    }

    /// How many transactions ever landed.
    pub(super) fn transaction_count(&self) -> usize {
        self.cluster.history.len()
    }

    /// A landed transaction, if this endpoint has heard of it and still has it.
    pub(super) fn find(&self, signature: &Signature) -> Option<&Arc<Landed>> {
        self.cluster.history.find(signature).filter(|landed| self.has(landed))
    }

    /// A landed transaction that is young enough to be remembered without a search through history.
    pub(super) fn find_recent(&self, signature: &Signature) -> Option<&Arc<Landed>> {
        self.find(signature).filter(|landed| self.now - landed.slot <= UNPRUNED_SLOTS)
    }

    /// Transactions that name an address, newest first; only those older than `before` when it is given.
    pub(super) fn of_address(&self, address: &Pubkey, before: Option<&Landed>) -> impl Iterator<Item = &Arc<Landed>> {
        self.cluster.history.of_address(address, before).filter(|landed| self.has(landed))
    }

    /// Transactions of a slot, in their order.
    pub(super) fn of_slot(&self, slot: u64) -> impl Iterator<Item = &Arc<Landed>> {
        self.cluster.history.of_slot(slot).iter().filter(|landed| self.has(landed))
    }

    /// How sure the endpoint is of a landed transaction.
    pub(super) fn level_of(&self, landed: &Landed) -> CommitmentLevel {
        if self.has_reached(landed, CommitmentLevel::Finalized) {
            CommitmentLevel::Finalized
        } else if self.has_reached(landed, CommitmentLevel::Confirmed) {
            CommitmentLevel::Confirmed
        } else {
            CommitmentLevel::Processed
        }
    }

    /// Whether a landed transaction has at least this commitment.
    pub(super) fn has_reached(&self, landed: &Landed, level: CommitmentLevel) -> bool {
        match level {
            CommitmentLevel::Processed => true,
            CommitmentLevel::Confirmed => self.now >= landed.confirmed_in,
            CommitmentLevel::Finalized => self.now >= landed.finalized_in,
        }
    }

    /// Slots since a transaction was confirmed, itself included.
    pub(super) fn slots_confirmed(&self, landed: &Landed) -> u64 {
        self.now.saturating_sub(landed.confirmed_in).saturating_add(1)
    }

    fn has(&self, landed: &Landed) -> bool {
        (self.first_block..=self.now).contains(&landed.slot)
    }
}
