//! The network as its servers and tests hold it: one lock, one stream of events, the faults and the faucet's key.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use solana_account::{Account, AccountSharedData};
use solana_commitment_config::CommitmentLevel;
use solana_hash::Hash;
use solana_keypair::Keypair;
use solana_message::{Message, VersionedMessage};
use solana_pubkey::Pubkey;
use solana_rpc_client_api::response::SlotInfo;
use solana_signature::Signature;
use solana_signer::Signer as _;
use solana_system_interface::instruction::transfer;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;
use tokio::sync::broadcast;

use super::{
    cluster::{Cluster, Depths, Reached},
    faults::Faults,
    standins::StandIns,
};
use crate::domain::{chance::Chance, chance::draw, clock::Clock};

/// Lamports the faucet starts with: half a billion SOL.
const FAUCET_LAMPORTS: u64 = 500_000_000_000_000_000;
/// Events a slow websocket may lag behind before it is cut.
const EVENT_BACKLOG: usize = 16_384;

/// What websockets hear of.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Slot(SlotInfo),
    Reached(Reached),
}

/// A running network without its servers. Clones are the same network.
#[derive(Clone)]
pub struct Network(Arc<Shared>);

struct Shared {
    cluster: Mutex<Cluster>,
    /// Transactions taken while the node was frozen, in order.
    waiting: Mutex<Vec<VersionedTransaction>>,
    airdrops: Mutex<u64>,
    requests: Mutex<BTreeMap<String, u64>>,
    events: broadcast::Sender<Event>,
    faults: Faults,
    genesis: Hash,
    faucet: Keypair,
    stand_ins: StandIns,
    clock: Arc<dyn Clock>,
}

impl Network {
    pub(super) fn new(stand_ins: StandIns, depths: Depths, clock: Arc<dyn Clock>, chance: &dyn Chance) -> Self {
        let genesis = Hash::new_from_array(draw(chance));
        let faucet = Keypair::new_from_array(draw(chance));
        let mut cluster = Cluster::new(stand_ins.clone(), genesis, depths, seconds(&*clock));
        cluster.bank.put(faucet.pubkey(), AccountSharedData::new(FAUCET_LAMPORTS, 0, &Pubkey::default()));
        Self(Arc::new(Shared {
            cluster: Mutex::new(cluster),
            waiting: Mutex::default(),
            airdrops: Mutex::default(),
            requests: Mutex::default(),
            events: broadcast::Sender::new(EVENT_BACKLOG),
            faults: Faults::new(u64::from_le_bytes(draw(chance))),
            genesis,
            faucet,
            stand_ins,
            clock,
        }))
    }

    /// The genesis hash, which names the network.
    pub fn genesis_hash(&self) -> Hash {
        self.0.genesis
    }

    /// The current slot.
    pub fn slot(&self) -> u64 {
        self.cluster().slot()
    }

    /// An account in the newest state.
    pub fn account(&self, key: &Pubkey) -> Option<Account> {
        let cluster = self.cluster();
        cluster.bank.account(key, cluster.slot()).map(Account::from)
    }

    /// Lamports of an account in the newest state; 0 when it does not exist.
    pub fn balance(&self, key: &Pubkey) -> u64 {
        self.account(key).map_or(0, |account| account.lamports)
    }

    /// Puts an account there as no transaction could. Visible at once at `processed`, later at the other commitments.
    pub fn put_account(&self, key: Pubkey, account: Account) {
        self.cluster().bank.put(key, account.into());
    }

    /// The newest blockhash.
    pub fn latest_blockhash(&self) -> Hash {
        let cluster = self.cluster();
        cluster.blockhashes.of_slot(cluster.slot()).0
    }

    /// What is to go wrong.
    pub fn faults(&self) -> &Faults {
        &self.0.faults
    }

    /// The stand-ins for Inco's programs.
    pub fn stand_ins(&self) -> &StandIns {
        &self.0.stand_ins
    }

    /// Takes a transaction as a leader would: it lands in the current slot, or nothing is ever heard of it.
    ///
    /// # Errors
    /// Why it cannot land. A node does not tell its clients; tests may want to know.
    pub fn send(&self, tx: VersionedTransaction) -> Result<Signature, TransactionError> {
        let signature = tx.signatures.first().copied().ok_or(TransactionError::SanitizeFailure)?;
        if tx.verify_with_results().contains(&false) {
            return Err(TransactionError::SignatureFailure);
        }
        if self.0.faults.is_frozen() {
            lock(&self.0.waiting).push(tx);
            return Ok(signature);
        }
        self.land(&mut self.cluster(), tx)?;
        Ok(signature)
    }

    /// Sends `lamports` from the faucet to `to`.
    ///
    /// # Errors
    /// When the transfer cannot land, such as an amount below the rent-exempt minimum of a new account.
    pub fn airdrop(&self, to: &Pubkey, lamports: u64) -> Result<Signature, TransactionError> {
        let count = {
            let mut airdrops = lock(&self.0.airdrops);
            *airdrops += 1;
            *airdrops
        };
        let faucet = self.0.faucet.pubkey();
        // The second transfer makes equal airdrops within one slot different transactions.
        let transfers = [transfer(&faucet, to, lamports), transfer(&faucet, &faucet, count)];
        let message = Message::new_with_blockhash(&transfers, Some(&faucet), &self.latest_blockhash());
        let tx = VersionedTransaction::try_new(VersionedMessage::Legacy(message), &[&self.0.faucet])
            .map_err(|_| TransactionError::SignatureFailure)?;
        let mut cluster = self.cluster();
        cluster.simulate(&tx, CommitmentLevel::Processed)?.outcome?;
        drop(cluster);
        self.send(tx)
    }

    /// Begins the next slot. A frozen node stays where it is.
    pub fn tick(&self) {
        if self.0.faults.is_frozen() {
            return;
        }
        let mut cluster = self.cluster();
        let reached = cluster.advance(seconds(&*self.0.clock));
        let slot = cluster.slot();
        let root = cluster.slot_at(CommitmentLevel::Finalized);
        self.tell(Event::Slot(SlotInfo { slot, parent: slot - 1, root }));
        for reached in reached {
            self.tell(Event::Reached(reached));
        }
        for tx in std::mem::take(&mut *lock(&self.0.waiting)) {
            // Too late for some of them, and nobody is told, as with any send.
            let _ = self.land(&mut cluster, tx);
        }
    }

    /// Begins the next `n` slots.
    pub fn tick_slots(&self, n: u64) {
        (0..n).for_each(|_| self.tick());
    }

    /// Waits until everything that has landed so far is confirmed, which is what most clients read.
    pub async fn until_confirmed(&self) {
        let mut events = self.events();
        let landed = self.slot();
        while self.cluster().slot_at(CommitmentLevel::Confirmed) < landed {
            // Too slow for some events is no harm: the cluster is looked at again after the next one.
            let _ = events.recv().await;
        }
    }

    /// Requests served so far, by method; websocket subscriptions count, admin methods and pushes do not.
    pub fn request_counts(&self) -> BTreeMap<String, u64> {
        lock(&self.0.requests).clone()
    }

    /// Starts counting requests anew.
    pub fn reset_request_counts(&self) {
        lock(&self.0.requests).clear();
    }

    pub(super) fn count_request(&self, method: &str) {
        let mut requests = lock(&self.0.requests);
        match requests.get_mut(method) {
            Some(count) => *count += 1,
            None => drop(requests.insert(method.to_owned(), 1)),
        }
    }

    pub(super) fn cluster(&self) -> MutexGuard<'_, Cluster> {
        lock(&self.0.cluster)
    }

    pub(super) fn events(&self) -> broadcast::Receiver<Event> {
        self.0.events.subscribe()
    }

    fn land(&self, cluster: &mut Cluster, tx: VersionedTransaction) -> Result<(), TransactionError> {
        let late = tx.signatures.first().map_or(0, |signature| self.0.faults.late_by(signature));
        let reached = cluster.land(tx, late)?;
        for reached in reached {
            self.tell(Event::Reached(reached));
        }
        Ok(())
    }

    /// Events are told while the cluster is locked, so that everybody hears them in their order.
    fn tell(&self, event: Event) {
        // An error means that nobody listens.
        let _ = self.0.events.send(event);
    }
}

fn seconds(clock: &dyn Clock) -> i64 {
    i64::try_from(clock.now()).unwrap_or(i64::MAX)
}

/// A poisoned lock is as good as any: programs that panic are caught below it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
