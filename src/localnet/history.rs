//! Every transaction that landed, found by signature, by address and by slot.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use sha2::{Digest as _, Sha256};
use solana_account::AccountSharedData;
use solana_message::{VersionedMessage, compiled_instruction::CompiledInstruction};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;
use solana_transaction_status_client_types::TransactionStatusMeta;

/// One landed transaction.
#[derive(Debug)]
pub(super) struct Landed {
    /// Its first signature, which names it.
    pub(super) signature: Signature,
    /// The slot it landed in.
    pub(super) slot: u64,
    /// Its place in that slot.
    pub(super) index: u32,
    /// Unix seconds of that slot.
    pub(super) block_time: i64,
    /// The transaction as it was sent.
    pub(super) tx: VersionedTransaction,
    /// Every account it names, static keys first, then looked-up writable, then looked-up readonly ones.
    pub(super) keys: Vec<Pubkey>,
    /// How it ended and what it did.
    pub(super) meta: TransactionStatusMeta,
    /// The slot at which it is reported as confirmed.
    pub(super) confirmed_in: u64,
    /// The slot at which it is reported as finalised.
    pub(super) finalized_in: u64,
}

impl Landed {
    /// Where it stands in the order of landing.
    pub(super) fn place(&self) -> (u64, u32) {
        (self.slot, self.index)
    }

    /// The accounts it names, each once: a lookup table may name one that is named already.
    fn distinct_keys(&self) -> impl Iterator<Item = &Pubkey> {
        let first = |(index, key): &(usize, &Pubkey)| !self.keys.iter().take(*index).any(|earlier| earlier == *key);
        self.keys.iter().enumerate().filter(first).map(|(_, key)| key)
    }

    /// The program error it landed with, if any.
    pub(super) fn error(&self) -> Option<TransactionError> {
        self.meta.status.clone().err()
    }

    /// Whether it locked an account for writing.
    pub(super) fn writes(&self, key: &Pubkey) -> bool {
        let message = &self.tx.message;
        let looked_up = message.static_account_keys().len()..;
        let is_written = |(index, named): (usize, &Pubkey)| {
            let writable = if looked_up.contains(&index) {
                index - looked_up.start < self.meta.loaded_addresses.writable.len()
            } else {
                message.is_maybe_writable_with_reserved_addresses(index, None::<&HashSet<Pubkey>>)
            };
            named == key && writable
        };
        self.keys.iter().enumerate().any(is_written)
    }

    /// Micro-lamports it offered per compute unit.
    pub(super) fn unit_price(&self) -> u64 {
        /// The instruction that sets the price: its tag and a little-endian `u64`.
        const SET_COMPUTE_UNIT_PRICE: u8 = 3;
        let price = |instruction: &CompiledInstruction| {
            let program = self.keys.get(usize::from(instruction.program_id_index))?;
            let (tag, price) = instruction.data.split_first()?;
            let price = <[u8; 8]>::try_from(price).ok()?;
            (*program == solana_sdk_ids::compute_budget::ID && *tag == SET_COMPUTE_UNIT_PRICE)
                .then(|| u64::from_le_bytes(price))
        };
        self.tx.message.instructions().iter().find_map(price).unwrap_or(0)
    }

    /// Its memos, as the RPC lists them: each with its length, joined by semicolons.
    pub(super) fn memo(&self) -> Option<String> {
        let text = |instruction: &CompiledInstruction| {
            let program = self.keys.get(usize::from(instruction.program_id_index))?;
            let text = std::str::from_utf8(&instruction.data).ok()?;
            MEMO_PROGRAMS.contains(program).then(|| format!("[{}] {text}", text.len()))
        };
        let memos: Vec<_> = self.tx.message.instructions().iter().filter_map(text).collect();
        (!memos.is_empty()).then(|| memos.join("; "))
    }
}

/// Both versions of the memo program.
const MEMO_PROGRAMS: [Pubkey; 2] = [
    Pubkey::from_str_const("Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo"),
    Pubkey::from_str_const("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"),
];

/// A landed transaction and the accounts it left behind, for those who subscribed.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    pub(super) landed: Arc<Landed>,
    /// Accounts that it changed, as it left them; `None` for one that is gone.
    pub(super) changed: Arc<[(Pubkey, Option<AccountSharedData>)]>,
}

/// The archive. What is older than all that is kept has been pruned, slot by slot.
#[derive(Default)]
pub(super) struct History {
    signatures: HashMap<Signature, Arc<Landed>>,
    /// By SHA-256 of the message: a message lands once, whatever its signature slots hold.
    messages: HashMap<[u8; 32], Arc<Landed>>,
    addresses: HashMap<Pubkey, VecDeque<Arc<Landed>>>,
    slots: BTreeMap<u64, Vec<Arc<Landed>>>,
    /// The first slot of which everything is kept.
    first_slot: u64,
    /// Transactions that have been pruned.
    pruned: usize,
}

impl History {
    /// Files what landed now: nothing that is kept landed after it.
    pub(super) fn push(&mut self, landed: &Arc<Landed>) {
        self.signatures.insert(landed.signature, landed.clone());
        self.messages.insert(digest(&landed.tx.message), landed.clone());
        self.slots.entry(landed.slot).or_default().push(landed.clone());
        for key in landed.distinct_keys() {
            self.addresses.entry(*key).or_default().push_back(landed.clone());
        }
    }

    /// How many transactions ever landed.
    pub(super) fn len(&self) -> usize {
        self.signatures.len() + self.pruned
    }

    /// The first slot of which everything is kept.
    pub(super) fn first_slot(&self) -> u64 {
        self.first_slot
    }

    /// The transaction of that signature.
    pub(super) fn find(&self, signature: &Signature) -> Option<&Arc<Landed>> {
        self.signatures.get(signature)
    }

    /// The transaction of that message.
    pub(super) fn find_message(&self, message: &VersionedMessage) -> Option<&Arc<Landed>> {
        self.messages.get(&digest(message))
    }

    /// Transactions that name an address, newest first; only those older than `before` when it is given, which need
    /// not name the address.
    pub(super) fn of_address(&self, address: &Pubkey, before: Option<&Landed>) -> impl Iterator<Item = &Arc<Landed>> {
        let all = self.addresses.get(address);
        let older = all.map_or(0, |all| match before {
            Some(before) => all.partition_point(|landed| landed.place() < before.place()),
            None => all.len(),
        });
        all.into_iter().flat_map(move |all| all.range(..older).rev())
    }

    /// Transactions of a slot, in their order.
    pub(super) fn of_slot(&self, slot: u64) -> &[Arc<Landed>] {
        self.slots.get(&slot).map_or(&[], Vec::as_slice)
    }

    /// Forgets what landed in `slot` or later, and gives it, in the order of landing.
    pub(super) fn take_back(&mut self, slot: u64) -> Vec<Arc<Landed>> {
        let taken: Vec<_> = self.slots.split_off(&slot).into_values().flatten().collect();
        for landed in taken.iter().rev() {
            self.forget(landed, VecDeque::pop_back);
        }
        taken
    }

    /// Forgets the oldest slots until at most `most` transactions are kept, but nothing of slot `from` or later.
    pub(super) fn prune(&mut self, most: usize, from: u64) {
        while self.signatures.len() > most {
            let Some(oldest) = self.slots.first_entry().filter(|oldest| *oldest.key() < from) else { return };
            self.first_slot = oldest.key() + 1;
            for landed in oldest.remove() {
                self.pruned += 1;
                self.forget(&landed, VecDeque::pop_front);
            }
        }
    }

    /// Takes a landed transaction, the oldest or newest of all, off every list; `pop` takes it off its end.
    fn forget(&mut self, landed: &Landed, pop: impl Fn(&mut VecDeque<Arc<Landed>>) -> Option<Arc<Landed>>) {
        self.signatures.remove(&landed.signature);
        self.messages.remove(&digest(&landed.tx.message));
        for key in landed.distinct_keys() {
            if let Some(listed) = self.addresses.get_mut(key) {
                pop(listed);
                if listed.is_empty() {
                    self.addresses.remove(key);
                }
            }
        }
    }

    /// Everything that is kept, in the order of landing.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Landed>> {
        self.slots.values().flatten()
    }

    /// Transactions that have been pruned.
    pub(super) fn pruned(&self) -> usize {
        self.pruned
    }

    /// An archive as it was: what is kept, in the order of landing, and where that begins.
    pub(super) fn restored(kept: &[Arc<Landed>], first_slot: u64, pruned: usize) -> Self {
        let mut history = Self { first_slot, pruned, ..Self::default() };
        for landed in kept {
            history.push(landed);
        }
        history
    }
}

fn digest(message: &VersionedMessage) -> [u8; 32] {
    Sha256::digest(message.serialize()).into()
}
