//! The virtual machine and its recent past: reads at a slot, executes, simulates.
//!
//! Signatures, blockhashes and duplicates are the caller's to check (`cluster.rs`): the machine itself only knows the
//! newest blockhash and a short history.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use litesvm::{LiteSVM, types::TransactionMetadata};
use solana_account::{AccountSharedData, ReadableAccount, WritableAccount};
use solana_clock::Clock;
use solana_hash::Hash;
use solana_instruction_error::InstructionError;
use solana_message::{AddressLoader, v0::LoadedAddresses};
use solana_pubkey::Pubkey;
use solana_slot_hashes::SlotHashes;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;

use super::{
    journal::{Before, Journal},
    standins::{Scratch, StandIns},
    token_balances::mint_decimals,
};

/// Lamports a signature costs.
const SIGNATURE_FEE: u64 = 5_000;
/// Slots of an epoch, as on mainnet.
pub(super) const SLOTS_PER_EPOCH: u64 = 432_000;

/// What running a transaction did, or would do.
pub(super) struct Run {
    pub(super) outcome: Result<(), TransactionError>,
    pub(super) meta: TransactionMetadata,
    /// Every account it names, in the order of [`super::history::Landed::keys`].
    pub(super) keys: Vec<Pubkey>,
    pub(super) loaded: LoadedAddresses,
    /// The accounts of `keys` before and after; `None` for one that does not exist.
    pub(super) before: Vec<Option<AccountSharedData>>,
    pub(super) after: Vec<Option<AccountSharedData>>,
}

/// How a transaction ended, and its logs, fee and calls.
type Outcome = (Result<(), TransactionError>, TransactionMetadata);

/// Accounts by their addresses.
pub(super) type Accounts = Vec<(Pubkey, AccountSharedData)>;
/// What accounts were before each recent slot, oldest first.
pub(super) type Notes = Vec<(u64, Before)>;

/// One state, with notes on how it was in recent slots.
pub(super) struct Bank {
    svm: LiteSVM,
    stand_ins: StandIns,
    journal: Journal,
    /// The accounts that every machine starts with.
    fresh: HashMap<Pubkey, AccountSharedData>,
}

impl Bank {
    /// A machine at slot 0 with the standard programs, the precompiles and the stand-ins. Views go back `depth` slots.
    pub(super) fn new(stand_ins: StandIns, genesis: Hash, depth: u64) -> Self {
        let mut svm = LiteSVM::default().with_mainnet_features().with_builtins().with_sysvars();
        // Programs count as deployed in the slot of the clock; LiteSVM's own start is far in our future.
        svm.set_sysvar(&Clock::default());
        let mut svm = svm.with_feature_accounts().with_default_programs().with_precompiles();
        svm.set_sigverify(false);
        svm.set_blockhash_check(false);
        svm.set_transaction_history(0);
        svm.set_latest_blockhash(genesis);
        stand_ins.install(&mut svm);
        let fresh = svm.accounts_db().inner.iter().map(|(key, account)| (*key, account.clone())).collect();
        Self { svm, stand_ins, journal: Journal::new(depth), fresh }
    }

    /// A machine as it was: the accounts that differ from a new one's, the blockhash of its newest block, and its notes.
    pub(super) fn restored(stand_ins: StandIns, newest: Hash, accounts: Accounts, notes: Notes, depth: u64) -> Self {
        let mut bank = Self::new(stand_ins, newest, depth);
        for (key, account) in accounts {
            bank.overwrite(key, Some(account));
        }
        bank.journal = Journal::restored(notes, depth);
        bank
    }

    /// The accounts that differ from a new machine's, without the sysvars, which follow the slots.
    pub(super) fn accounts(&self) -> Accounts {
        let own = |(key, account): &(&Pubkey, &AccountSharedData)| {
            *account.owner() != solana_sdk_ids::sysvar::ID && self.fresh.get(*key) != Some(*account)
        };
        self.svm.accounts_db().inner.iter().filter(own).map(|(key, account)| (*key, account.clone())).collect()
    }

    /// What accounts were before each recent slot.
    pub(super) fn notes(&self) -> Notes {
        self.journal.kept()
    }

    /// Moves to the next slot and gives its blockhash.
    pub(super) fn begin_slot(&mut self, slot: u64, unix_timestamp: i64, hashes: &[(u64, Hash)]) -> Hash {
        self.journal.begin(slot);
        self.svm.expire_blockhash();
        self.svm.set_sysvar(&SlotHashes::new(hashes));
        let mut clock = self.svm.get_sysvar::<Clock>();
        clock.slot = slot;
        clock.epoch = slot / SLOTS_PER_EPOCH;
        clock.leader_schedule_epoch = clock.epoch + 1;
        clock.unix_timestamp = clock.unix_timestamp.max(unix_timestamp);
        self.svm.set_sysvar(&clock);
        self.svm.latest_blockhash()
    }

    /// Unix seconds that programs see in this slot.
    pub(super) fn unix_timestamp(&self) -> i64 {
        self.svm.get_sysvar::<Clock>().unix_timestamp
    }

    /// The rent-exempt minimum of an account of `bytes`, in lamports.
    pub(super) fn rent(&self, bytes: usize) -> u64 {
        self.svm.minimum_balance_for_rent_exemption(bytes)
    }

    /// An account at the end of slot `at`.
    pub(super) fn account(&self, key: &Pubkey, at: u64) -> Option<AccountSharedData> {
        match self.journal.was(key, at) {
            Some(before) => before.clone(),
            None => self.newest(key),
        }
    }

    /// The accounts of a program at the end of slot `at`, in the order of their addresses.
    pub(super) fn owned_by(&self, program: &Pubkey, at: u64) -> Vec<(Pubkey, AccountSharedData)> {
        let mut owned: HashMap<Pubkey, AccountSharedData> = HashMap::new();
        for (key, account) in &self.svm.accounts_db().inner {
            if account.owner() == program {
                owned.insert(*key, account.clone());
            }
        }
        for (key, before) in self.journal.changed_since(at) {
            match before {
                Some(account) if account.owner() == program => owned.insert(key, account),
                _ => owned.remove(&key),
            };
        }
        let mut owned: Vec<_> = owned.into_iter().filter(|(_, account)| account.lamports() > 0).collect();
        owned.sort_unstable_by_key(|(key, _)| *key);
        owned
    }

    /// Puts an account there, as no transaction could; for genesis and for tests.
    pub(super) fn put(&mut self, key: Pubkey, account: AccountSharedData) {
        self.journal.note(key, self.newest(&key));
        self.overwrite(key, Some(account));
    }

    /// Puts every account back to what it was before `slot` began, and forgets the plaintexts made since.
    pub(super) fn take_back(&mut self, slot: u64) {
        for (key, before) in self.journal.changed_since(slot.saturating_sub(1)) {
            self.overwrite(key, before);
        }
        self.journal.take_back(slot);
        self.stand_ins.take_back(slot);
    }

    /// The decimals of an SPL mint in the newest state.
    pub(super) fn decimals(&self, mint: &Pubkey) -> Option<u8> {
        mint_decimals(&self.newest(mint)?)
    }

    /// Runs a transaction for good. It landed exactly if it succeeded or its fee payer was charged; only then do its
    /// plaintexts become visible, in `slot`.
    pub(super) fn execute(&mut self, tx: &VersionedTransaction, slot: u64) -> Result<Run, TransactionError> {
        let (keys, loaded) = self.keys(tx)?;
        let before: Vec<_> = keys.iter().map(|key| self.newest(key)).collect();
        let (result, scratch) = self.run_guarded(tx);
        let (outcome, meta) = result.unwrap_or_else(|| self.charge_for_panic(tx, &keys));
        let after: Vec<_> = keys.iter().map(|key| self.newest(key)).collect();
        for ((key, before), after) in keys.iter().zip(&before).zip(&after) {
            if before != after {
                self.journal.note(*key, before.clone());
            }
        }
        match &outcome {
            Ok(()) => self.stand_ins.commit(scratch, slot),
            Err(error) if before.first() == after.first() => return Err(error.clone()),
            Err(_) => {}
        }
        Ok(Run { outcome, meta, keys, loaded, before, after })
    }

    /// Runs a transaction on the state at the end of slot `at` and leaves everything as it was.
    pub(super) fn simulate(&mut self, tx: &VersionedTransaction, at: u64) -> Result<Run, TransactionError> {
        let (keys, loaded) = self.keys(tx)?;
        let before: Vec<_> = keys.iter().map(|key| self.account(key, at)).collect();
        let newest: Vec<_> = keys.iter().map(|key| self.newest(key)).collect();
        self.exchange(&keys, &newest, &before);
        let (svm, stand_ins) = (&self.svm, &self.stand_ins);
        let simulation = || match svm.simulate_transaction(tx.clone()) {
            Ok(simulated) => (Ok(()), simulated.meta, simulated.post_accounts),
            Err(failed) => (Err(failed.err), failed.meta, vec![]),
        };
        // The scratch is dropped: a simulation makes no plaintext visible.
        let (outcome, meta, post) = catch_unwind(AssertUnwindSafe(|| stand_ins.run(simulation).0))
            .unwrap_or_else(|_| (Err(panicked()), TransactionMetadata::default(), vec![]));
        self.exchange(&keys, &before, &newest);
        let mut after = before.clone();
        let post: HashMap<_, _> = post.into_iter().collect();
        for (key, account) in keys.iter().zip(&mut after) {
            // Accounts that were only read are not told again.
            if let Some(left) = post.get(key) {
                *account = Some(left.clone()).filter(|left| left.lamports() > 0);
            }
        }
        Ok(Run { outcome, meta, keys, loaded, before, after })
    }

    /// Replaces the accounts that differ between two states, `from` being the present one.
    fn exchange(&mut self, keys: &[Pubkey], from: &[Option<AccountSharedData>], to: &[Option<AccountSharedData>]) {
        for ((key, from), to) in keys.iter().zip(from).zip(to) {
            if from != to {
                self.overwrite(*key, to.clone());
            }
        }
    }

    /// Executes; the outcome is `None` when a program panicked.
    fn run_guarded(&mut self, tx: &VersionedTransaction) -> (Option<Outcome>, Scratch) {
        let (svm, stand_ins) = (&mut self.svm, &self.stand_ins);
        let execution = || match svm.send_transaction(tx.clone()) {
            Ok(meta) => (Ok(()), meta),
            Err(failed) => (Err(failed.err), failed.meta),
        };
        // Safe to go on after a panic because LiteSVM writes accounts only after the last instruction returned.
        match catch_unwind(AssertUnwindSafe(|| stand_ins.run(execution))) {
            Ok((outcome, scratch)) => (Some(outcome), scratch),
            Err(_) => (None, Scratch::default()),
        }
    }

    /// A program that panics is a failed program: the transaction lands with its fee and nothing else.
    fn charge_for_panic(&mut self, tx: &VersionedTransaction, keys: &[Pubkey]) -> Outcome {
        let fee = SIGNATURE_FEE * u64::from(tx.message.header().num_required_signatures);
        let payer = keys.first().and_then(|key| self.newest(key).map(|account| (*key, account)));
        let Some((key, mut account)) = payer.filter(|(_, account)| account.lamports() >= fee) else {
            return (Err(TransactionError::InsufficientFundsForFee), TransactionMetadata::default());
        };
        account.set_lamports(account.lamports() - fee);
        self.overwrite(key, Some(account));
        (Err(panicked()), TransactionMetadata { fee, ..TransactionMetadata::default() })
    }

    /// Static keys, then looked-up writable and readonly ones.
    fn keys(&self, tx: &VersionedTransaction) -> Result<(Vec<Pubkey>, LoadedAddresses), TransactionError> {
        let lookups = tx.message.address_table_lookups().unwrap_or_default();
        let loaded = self.svm.accounts_db().load_addresses(lookups)?;
        let all = tx.message.static_account_keys().iter().chain(&loaded.writable).chain(&loaded.readonly);
        Ok((all.copied().collect(), loaded))
    }

    fn newest(&self, key: &Pubkey) -> Option<AccountSharedData> {
        self.svm.accounts_db().get_account(key).filter(|account| account.lamports() > 0)
    }

    fn overwrite(&mut self, key: Pubkey, account: Option<AccountSharedData>) {
        // An account without lamports is read as absent everywhere, so absence can be written as one.
        self.svm.set_account_no_checks(key, account.unwrap_or_default());
    }
}

fn panicked() -> TransactionError {
    TransactionError::InstructionError(0, InstructionError::ProgramFailedToComplete)
}
