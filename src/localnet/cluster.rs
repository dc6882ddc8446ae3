//! What the cluster agrees on: slots, blockhashes, which transactions landed and how sure of them it is.
//!
//! A transaction lands in the slot in which it is sent, in the order in which sends arrive. A slot is confirmed and
//! finalised a fixed number of slots later; reads and simulations at a commitment see the state of that slot, as they
//! do on a validator. A fork takes the newest blocks back, with everything that landed in them; their slots stay empty.
//! Finalised blocks are never taken back.

use std::{collections::BTreeMap, sync::Arc};

use solana_account::{AccountSharedData, ReadableAccount};
use solana_commitment_config::CommitmentLevel;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;
use solana_transaction_status_client_types::{InnerInstruction, InnerInstructions, TransactionStatusMeta};

use super::{
    balance_changes::BalanceChanges,
    bank::{Bank, Run},
    blocks::Blocks,
    genesis::Genesis,
    history::{History, Landed, Notice},
    standins::StandIns,
    token_balances::token_balances,
};

/// How many slots behind the newest one a commitment is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Depths {
    pub(super) confirmed: u64,
    pub(super) finalized: u64,
}

impl Depths {
    /// Slots of the past that somebody may look at.
    pub(super) fn kept(self, memory: Memory) -> u64 {
        self.finalized.max(self.confirmed).saturating_add(memory.most_lag)
    }

    pub(super) fn of(self, level: CommitmentLevel) -> u64 {
        match level {
            CommitmentLevel::Processed => 0,
            CommitmentLevel::Confirmed => self.confirmed,
            CommitmentLevel::Finalized => self.finalized,
        }
    }
}

/// Transactions that reached a commitment, for those who subscribed.
#[derive(Clone, Debug)]
pub(super) struct Reached {
    pub(super) level: CommitmentLevel,
    /// The newest slot of that commitment.
    pub(super) slot: u64,
    pub(super) notices: Arc<[Notice]>,
}

/// How much of its past a cluster keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    /// Slots that an endpoint may lag behind.
    pub(super) most_lag: u64,
    /// Landed transactions, as far as nobody needs older ones.
    pub(super) transactions: usize,
}

/// Slots whose transactions are never pruned: their statuses are told without a search, and a message whose blockhash
/// is alive must not land again.
pub(super) const UNPRUNED_SLOTS: u64 = 300;

/// Why nothing was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForkError {
    /// A fork of no slots is none.
    #[error("a fork takes back at least one slot")]
    Nothing,
    /// What is finalised stays.
    #[error("slot {finalized} is finalised, and nothing up to it is ever taken back")]
    Finalized {
        /// The newest finalised slot.
        finalized: u64,
    },
    /// No such transaction has landed.
    #[error("no such transaction has landed")]
    Unknown,
}

/// What a fork took back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenBack {
    /// The first slot that was taken back.
    pub from: u64,
    /// The last one, which was the current slot.
    pub to: u64,
    /// The transactions that had landed in them, in the order of landing.
    pub transactions: Vec<VersionedTransaction>,
}

/// The state of the network. Everything in it happens under one lock.
pub(super) struct Cluster {
    pub(super) bank: Bank,
    pub(super) blocks: Blocks,
    pub(super) history: History,
    pub(super) depths: Depths,
    pub(super) memory: Memory,
    pub(super) slot: u64,
    pub(super) unconfirmed: BTreeMap<u64, Vec<Notice>>,
    pub(super) unfinalized: BTreeMap<u64, Vec<Notice>>,
    pub(super) balance_changes: BalanceChanges,
}

impl Cluster {
    /// A network in slot 1; slot 0 is the genesis, in which nothing lands.
    pub(super) fn new(
        stand_ins: StandIns,
        genesis: Genesis,
        depths: Depths,
        memory: Memory,
        unix_timestamp: i64,
    ) -> Self {
        let depth = depths.kept(memory);
        let mut cluster = Self {
            bank: Bank::new(stand_ins, genesis.hash, depth),
            blocks: Blocks::new(genesis.hash, depth),
            history: History::default(),
            depths,
            memory,
            slot: 0,
            unconfirmed: BTreeMap::new(),
            unfinalized: BTreeMap::new(),
            balance_changes: BalanceChanges::default(),
        };
        for (key, account) in genesis.accounts {
            cluster.bank.put(key, account);
        }
        cluster.advance(unix_timestamp);
        cluster
    }

    /// The slot that transactions land in now.
    pub(super) fn slot(&self) -> u64 {
        self.slot
    }

    /// The newest block of a commitment as it was known in slot `now`. Slot 0 has every commitment from the start.
    pub(super) fn slot_at(&self, level: CommitmentLevel, now: u64) -> u64 {
        self.blocks.at(now.saturating_sub(self.depths.of(level))).slot
    }

    /// The next slot begins; gives what thereby became confirmed and finalised.
    pub(super) fn advance(&mut self, unix_timestamp: i64) -> Vec<Reached> {
        self.slot += 1;
        let hash = self.bank.begin_slot(self.slot, unix_timestamp, &self.blocks.newest_first());
        self.blocks.push(self.slot, hash);
        self.history.prune(self.memory.transactions, self.slot.saturating_sub(UNPRUNED_SLOTS));
        self.due()
    }

    /// Takes back the newest `count` blocks. The next slot has to begin right after.
    ///
    /// # Errors
    /// When there is nothing to take back, or some of it is finalised. Nothing has changed then.
    pub(super) fn fork(&mut self, count: u64) -> Result<TakenBack, ForkError> {
        let finalized = self.slot_at(CommitmentLevel::Finalized, self.slot);
        let back = count.checked_sub(1).ok_or(ForkError::Nothing)?;
        let from = self.blocks.slot_before(back).filter(|from| *from > finalized);
        let from = from.ok_or(ForkError::Finalized { finalized })?;
        self.bank.take_back(from);
        self.blocks.take_back(from);
        let taken = self.history.take_back(from);
        for waiting in [&mut self.unconfirmed, &mut self.unfinalized] {
            for notices in waiting.values_mut() {
                notices.retain(|notice| notice.landed.slot < from);
            }
        }
        let transactions = taken.iter().map(|landed| landed.tx.clone()).collect();
        Ok(TakenBack { from, to: self.slot, transactions })
    }

    /// How many blocks a fork has to take back so that a landed transaction goes with them.
    pub(super) fn blocks_since(&self, signature: &Signature) -> Option<u64> {
        let landed = self.history.find(signature)?;
        Some(self.blocks.newest().height.saturating_sub(self.blocks.at(landed.slot).height).saturating_add(1))
    }

    fn due(&mut self) -> Vec<Reached> {
        let slot = self.slot;
        let take = |waiting: &mut BTreeMap<u64, Vec<Notice>>| {
            let later = waiting.split_off(&(slot + 1));
            std::mem::replace(waiting, later).into_values().flatten().collect::<Vec<_>>()
        };
        let confirmed = take(&mut self.unconfirmed);
        let finalized = take(&mut self.unfinalized);
        [(CommitmentLevel::Confirmed, confirmed), (CommitmentLevel::Finalized, finalized)]
            .into_iter()
            .filter(|(_, notices)| !notices.is_empty())
            .map(|(level, notices)| Reached { level, slot: self.slot_at(level, slot), notices: notices.into() })
            .collect()
    }

    /// Why a transaction could not even be tried at the end of slot `at`.
    fn obstacle(&self, tx: &VersionedTransaction, at: u64) -> Option<TransactionError> {
        if !self.blocks.is_live(tx.message.recent_blockhash(), at) {
            return Some(TransactionError::BlockhashNotFound);
        }
        // As on the real network it is the message that lands once: a simulation without signatures is told so too.
        let known = self.history.find_message(&tx.message);
        known.filter(|landed| landed.slot <= at).map(|_| TransactionError::AlreadyProcessed)
    }

    /// What a transaction would do on the state at the end of slot `at`.
    pub(super) fn simulate(&mut self, tx: &VersionedTransaction, at: u64) -> Result<Run, TransactionError> {
        match self.obstacle(tx, at) {
            Some(error) => Err(error),
            None => self.bank.simulate(tx, at),
        }
    }

    /// Takes a correctly signed transaction into the current slot, to be confirmed `late` slots later than usual.
    ///
    /// # Errors
    /// When it cannot land: dead blockhash, landed before, or a fee payer that cannot pay. Nobody is told of it then.
    pub(super) fn land(&mut self, tx: VersionedTransaction, late: u64) -> Result<Vec<Reached>, TransactionError> {
        if let Some(error) = self.obstacle(&tx, self.slot) {
            return Err(error);
        }
        let signature = tx.signatures.first().copied().ok_or(TransactionError::SanitizeFailure)?;
        let run = self.bank.execute(&tx, self.slot)?;
        let changed = changed_accounts(&run);
        self.balance_changes.push(signature, &run, self.memory.transactions);
        let landed = Arc::new(self.record(signature, tx, run, late));
        self.history.push(&landed);
        let notice = Notice { landed, changed };
        self.unconfirmed.entry(notice.landed.confirmed_in).or_default().push(notice.clone());
        self.unfinalized.entry(notice.landed.finalized_in).or_default().push(notice.clone());
        let processed = Reached { level: CommitmentLevel::Processed, slot: self.slot, notices: Arc::from([notice]) };
        Ok(std::iter::once(processed).chain(self.due()).collect())
    }

    fn record(&self, signature: Signature, tx: VersionedTransaction, run: Run, late: u64) -> Landed {
        Landed {
            signature,
            slot: self.slot,
            index: u32::try_from(self.history.of_slot(self.slot).len()).unwrap_or(u32::MAX),
            block_time: self.bank.unix_timestamp(),
            confirmed_in: self.slot.saturating_add(self.depths.confirmed).saturating_add(late),
            finalized_in: self.slot.saturating_add(self.depths.finalized).saturating_add(late),
            tx,
            meta: self.status_meta(&run),
            keys: run.keys,
        }
    }

    /// What a run did, in the words of the RPC.
    pub(super) fn status_meta(&self, run: &Run) -> TransactionStatusMeta {
        let decimals = |mint: &Pubkey| self.bank.decimals(mint);
        TransactionStatusMeta {
            status: run.outcome.clone(),
            fee: run.meta.fee,
            pre_balances: lamports(&run.before),
            post_balances: lamports(&run.after),
            inner_instructions: Some(inner_instructions(run)),
            log_messages: Some(run.meta.logs.clone()),
            pre_token_balances: Some(token_balances(&run.before, decimals)),
            post_token_balances: Some(token_balances(&run.after, decimals)),
            rewards: Some(vec![]),
            loaded_addresses: run.loaded.clone(),
            return_data: Some(run.meta.return_data.clone()).filter(|returned| !returned.data.is_empty()),
            compute_units_consumed: Some(run.meta.compute_units_consumed),
            cost_units: None,
        }
    }
}

fn changed_accounts(run: &Run) -> Arc<[(Pubkey, Option<AccountSharedData>)]> {
    let pairs = run.before.iter().zip(&run.after);
    let changed = run.keys.iter().zip(pairs).filter(|(_, (before, after))| before != after);
    changed.map(|(key, (_, after))| (*key, after.clone())).collect()
}

fn lamports(accounts: &[Option<AccountSharedData>]) -> Vec<u64> {
    accounts.iter().map(|account| account.as_ref().map_or(0, ReadableAccount::lamports)).collect()
}

/// The instructions that programs called, by the instruction of the transaction that led to them.
fn inner_instructions(run: &Run) -> Vec<InnerInstructions> {
    let mut calls = Vec::new();
    for (index, inner) in run.meta.inner_instructions.iter().enumerate() {
        let instructions: Vec<_> = inner
            .iter()
            .map(|call| InnerInstruction {
                instruction: call.instruction.clone(),
                stack_height: Some(u32::from(call.stack_height)),
            })
            .collect();
        if let (Ok(index), false) = (u8::try_from(index), instructions.is_empty()) {
            calls.push(InnerInstructions { index, instructions });
        }
    }
    calls
}
