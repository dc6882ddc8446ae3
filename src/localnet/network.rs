//! The network as its servers and tests hold it: one lock, one stream of events, and the faucet's key.
//!
//! A handle belongs to an endpoint, the network's first one unless it came from another [`super::Endpoint`]: faults and
//! request counts are the endpoint's, everything else is the network's.

mod slots;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use solana_account::Account;
use solana_hash::Hash;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_rpc_client_api::response::SlotInfo;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;
use tokio::sync::broadcast;

use super::{
    cluster::{Cluster, Depths, Memory, Reached},
    faults::Faults,
    forks::{Ambush, Replay},
    genesis::Genesis,
    node::Node,
    standins::StandIns,
    state::{Identity, Image, Restored},
    view::View,
};
use crate::domain::clock::Clock;

/// Events a slow websocket may lag behind before it is cut.
const EVENT_BACKLOG: usize = 16_384;

/// What websockets hear of.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Slot(SlotInfo),
    Reached(Reached),
}

/// An event and the slot in which it happened.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) slot: u64,
    pub(super) event: Event,
}

/// A running network without its servers. Clones are the same network.
#[derive(Clone)]
pub struct Network {
    shared: Arc<Shared>,
    node: Arc<Node>,
}

struct Shared {
    cluster: Mutex<Cluster>,
    /// Transactions taken while the node was frozen, in order.
    waiting: Mutex<Vec<VersionedTransaction>>,
    ambushes: Mutex<Vec<Ambush>>,
    replays: Mutex<Vec<Replay>>,
    airdrops: Mutex<u64>,
    events: broadcast::Sender<Told>,
    /// The first endpoint, whose plan decides what goes wrong with the network itself.
    first: Arc<Node>,
    seed: u64,
    genesis: Hash,
    faucet: Keypair,
    stand_ins: StandIns,
    clock: Arc<dyn Clock>,
}

impl Network {
    /// A new network.
    pub(super) fn new(
        stand_ins: StandIns,
        depths: Depths,
        memory: Memory,
        clock: Arc<dyn Clock>,
        identity: &Identity,
    ) -> Self {
        let cluster = Cluster::new(stand_ins.clone(), Genesis::of(identity), depths, memory, seconds(&*clock));
        Self::around(cluster, stand_ins, clock, identity, 0)
    }

    /// A network as it was.
    pub(super) fn restored(
        stand_ins: StandIns,
        depths: Depths,
        memory: Memory,
        clock: Arc<dyn Clock>,
        restored: Restored,
    ) -> Self {
        let cluster = restored.image.cluster(&stand_ins, depths, memory, seconds(&*clock));
        Self::around(cluster, stand_ins, clock, &restored.identity, restored.airdrops)
    }

    fn around(
        cluster: Cluster,
        stand_ins: StandIns,
        clock: Arc<dyn Clock>,
        identity: &Identity,
        airdrops: u64,
    ) -> Self {
        let seed = identity.faults_seed;
        let first = Arc::new(Node::new(seed));
        let shared = Shared {
            cluster: Mutex::new(cluster),
            waiting: Mutex::default(),
            ambushes: Mutex::default(),
            replays: Mutex::default(),
            airdrops: Mutex::new(airdrops),
            events: broadcast::Sender::new(EVENT_BACKLOG),
            first: first.clone(),
            seed,
            genesis: identity.genesis(),
            faucet: Keypair::new_from_array(identity.faucet),
            stand_ins,
            clock,
        };
        Self { shared: Arc::new(shared), node: first }
    }

    /// The handle of the `number`th further endpoint.
    pub(super) fn another(&self, number: u64) -> Self {
        let node = Node::new(self.shared.seed.wrapping_add(number));
        Self { shared: self.shared.clone(), node: Arc::new(node) }
    }

    /// Whether this is a handle of the first endpoint.
    pub(super) fn is_first(&self) -> bool {
        Arc::ptr_eq(&self.node, &self.shared.first)
    }

    /// The genesis hash, which names the network.
    pub fn genesis_hash(&self) -> Hash {
        self.shared.genesis
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

    /// How a transaction ended; `None` when it has not landed.
    pub fn outcome(&self, signature: &Signature) -> Option<Result<(), TransactionError>> {
        self.cluster().history.find(signature).map(|landed| landed.meta.status.clone())
    }

    /// The newest blockhash.
    pub fn latest_blockhash(&self) -> Hash {
        self.cluster().blocks.newest().hash
    }

    /// What is to go wrong at this endpoint; at the first one also with the network.
    pub fn faults(&self) -> &Faults {
        &self.node.faults
    }

    /// The stand-ins for Inco's programs.
    pub fn stand_ins(&self) -> &StandIns {
        &self.shared.stand_ins
    }

    /// Requests that this endpoint has served so far, by method; websocket subscriptions count, admin methods and pushes
    /// do not.
    pub fn request_counts(&self) -> BTreeMap<String, u64> {
        self.node.request_counts()
    }

    /// Starts counting this endpoint's requests anew.
    pub fn reset_request_counts(&self) {
        self.node.reset_request_counts();
    }

    pub(super) fn count_request(&self, method: &str) {
        self.node.count_request(method);
    }

    /// The network's own state.
    pub(super) fn cluster(&self) -> MutexGuard<'_, Cluster> {
        lock(&self.shared.cluster)
    }

    /// The state as this endpoint sees it.
    pub(super) fn view(&self) -> View<'_> {
        let faults = self.faults();
        let (lag, first_block) = (faults.lag(), faults.first_block());
        View::new(self.cluster(), lag, first_block)
    }

    /// Everything the network is, and how many airdrops it has made.
    pub(super) fn image(&self) -> (Image, u64) {
        let airdrops = *lock(&self.shared.airdrops);
        (Image::of(&self.cluster(), &self.shared.stand_ins), airdrops)
    }

    /// How many transactions have landed.
    pub(super) fn landed(&self) -> usize {
        self.cluster().history.len()
    }

    /// Slots that an endpoint can lag behind.
    pub(super) fn most_lag(&self) -> u64 {
        self.cluster().memory.most_lag
    }

    pub(super) fn events(&self) -> broadcast::Receiver<Told> {
        self.shared.events.subscribe()
    }

    pub(super) fn ambushes(&self) -> MutexGuard<'_, Vec<Ambush>> {
        lock(&self.shared.ambushes)
    }

    pub(super) fn replays(&self) -> MutexGuard<'_, Vec<Replay>> {
        lock(&self.shared.replays)
    }
}

fn seconds(clock: &dyn Clock) -> i64 {
    i64::try_from(clock.now()).unwrap_or(i64::MAX)
}

/// A poisoned lock is as good as any: programs that panic are caught below it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
