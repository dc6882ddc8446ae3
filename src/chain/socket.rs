//! One websocket: the subscriptions it carries, and the heartbeat that tells whether it is alive.

use crate::chain::{
    Commitment,
    counts::Counters,
    node::Node,
    policy::PushPolicy,
    signature_statuses::{Seen, SignatureStatuses, Wanted},
};
use futures_util::StreamExt as _;
use solana_commitment_config::CommitmentConfig;
use solana_pubsub_client::nonblocking::pubsub_client::{PubsubClient, PubsubClientError};
use solana_rpc_client_api::{
    config::RpcSignatureSubscribeConfig,
    response::{ProcessedSignatureResult, RpcSignatureResult},
};
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

/// What a socket carries, or is about to. The same may be wanted anew before its old subscription is given back.
#[derive(Clone, Default)]
pub(super) struct Subscriptions(Arc<Mutex<HashMap<Wanted, usize>>>);

impl Subscriptions {
    fn lock(&self) -> MutexGuard<'_, HashMap<Wanted, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, wanted: Wanted) {
        *self.lock().entry(wanted).or_default() += 1;
    }

    pub(super) fn len(&self) -> usize {
        self.lock().values().sum()
    }

    /// Removes and returns all subscriptions.
    pub(super) fn take(&self) -> Vec<Wanted> {
        self.lock().drain().map(|(wanted, _)| wanted).collect()
    }

    fn remove(&self, wanted: &Wanted) {
        if let Entry::Occupied(mut times) = self.lock().entry(*wanted) {
            *times.get_mut() -= 1;
            if *times.get() == 0 {
                times.remove();
            }
        }
    }
}

/// How a socket ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It could not be had.
    NeverUp,
    /// It was up and is gone.
    Lost,
}

/// How one task on a socket ended.
enum Task {
    /// Its notice came, nobody waits any more, or the endpoint refuses this subscription.
    Over,
    /// The connection is gone.
    Lost,
}

#[derive(Clone)]
pub(super) struct Socket {
    pub(super) statuses: Arc<SignatureStatuses>,
    pub(super) counters: Arc<Counters>,
    pub(super) node: Arc<Node>,
    pub(super) carried: Subscriptions,
    pub(super) policy: PushPolicy,
}

impl Socket {
    /// Connects and subscribes to whatever `requests` brings, until the connection is gone.
    pub(super) async fn run(&self, requests: mpsc::UnboundedReceiver<Wanted>) -> End {
        let url = self.node.websocket.as_deref().unwrap_or_default();
        // The error is not told: it would show the URL, which may hold a key.
        let Ok(Ok(client)) = timeout(self.policy.patience, PubsubClient::new(url)).await else {
            return End::NeverUp;
        };
        let _up = self.statuses.socket_up();
        self.counters.sockets.fetch_add(1, Ordering::Relaxed);
        self.serve(Arc::new(client), requests).await;
        End::Lost
    }

    async fn serve(&self, client: Arc<PubsubClient>, mut requests: mpsc::UnboundedReceiver<Wanted>) {
        // Dropped with this function, which also ends the connection.
        let mut tasks = JoinSet::new();
        let heard = Arc::new(Mutex::new(Instant::now()));
        let spawn = |tasks: &mut JoinSet<Task>, wanted, standing| {
            let (socket, client, heard) = (self.clone(), Arc::clone(&client), Arc::clone(&heard));
            tasks.spawn(async move { socket.subscribe(&client, &heard, wanted, standing).await });
        };
        // Those who waited before the socket was there; when all their subscriptions stand, one question about all of
        // them closes the gap.
        let (standing, mut all_stand) = mpsc::channel::<()>(1);
        let mut gap = false;
        while let Ok(wanted) = requests.try_recv() {
            gap = true;
            spawn(&mut tasks, wanted, Some(standing.clone()));
        }
        drop(standing);
        let mut beat_at = Instant::now() + self.policy.heartbeat;
        loop {
            tokio::select! {
                request = requests.recv() => match request {
                    Some(wanted) => spawn(&mut tasks, wanted, None),
                    None => return,
                },
                Some(ended) = tasks.join_next() => match ended {
                    Ok(Task::Over) => {}
                    Ok(Task::Lost) | Err(_) => return,
                },
                None = all_stand.recv(), if gap => {
                    gap = false;
                    self.statuses.ask_now();
                }
                () = sleep_until(beat_at) => {
                    if self.statuses.notices_are_missing() {
                        tracing::warn!(endpoint = self.node.place + 1, "a websocket pushes nothing; it is given up");
                        return;
                    }
                    let quiet_since = *heard.lock().unwrap_or_else(PoisonError::into_inner);
                    beat_at = quiet_since + self.policy.heartbeat;
                    if beat_at <= Instant::now() {
                        beat_at = Instant::now() + self.policy.heartbeat + self.policy.patience;
                        let (socket, client, heard) = (self.clone(), Arc::clone(&client), Arc::clone(&heard));
                        tasks.spawn(async move { socket.beat(&client, &heard).await });
                    }
                }
            }
        }
    }

    /// Asks whether anybody is there: a subscription that is given back at once. A ping would be answered by a proxy in
    /// front of a dead node, and this client's own pings do not wait for their answer.
    async fn beat(&self, client: &PubsubClient, heard: &Mutex<Instant>) -> Task {
        match timeout(self.policy.patience, client.slot_subscribe()).await {
            Ok(Ok((notices, unsubscribe))) => {
                self.hears(heard);
                drop(notices);
                _ = timeout(self.policy.patience, unsubscribe()).await;
                Task::Over
            }
            // An endpoint that refuses is alive.
            Ok(Err(PubsubClientError::SubscribeFailed { .. } | PubsubClientError::RequestFailed { .. })) => {
                self.hears(heard);
                Task::Over
            }
            Ok(Err(_)) | Err(_) => Task::Lost,
        }
    }

    fn hears(&self, heard: &Mutex<Instant>) {
        self.node.socket_works();
        *heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    async fn subscribe(
        &self,
        client: &PubsubClient,
        heard: &Mutex<Instant>,
        wanted: Wanted,
        standing: Option<mpsc::Sender<()>>,
    ) -> Task {
        let commitment = match wanted.1 {
            Commitment::Confirmed => CommitmentConfig::confirmed(),
            Commitment::Finalized => CommitmentConfig::finalized(),
        };
        let config =
            RpcSignatureSubscribeConfig { commitment: Some(commitment), enable_received_notification: Some(false) };
        let subscribed = client.signature_subscribe(&wanted.0, Some(config));
        let (mut notices, unsubscribe) = match timeout(self.policy.patience, subscribed).await {
            Ok(Ok(subscription)) => subscription,
            Ok(Err(PubsubClientError::SubscribeFailed { .. } | PubsubClientError::RequestFailed { .. })) => {
                self.carried.remove(&wanted);
                return Task::Over;
            }
            Ok(Err(_)) | Err(_) => return Task::Lost,
        };
        self.hears(heard);
        self.counters.subscriptions.fetch_add(1, Ordering::Relaxed);
        self.statuses.subscribed(&wanted);
        drop(standing);
        loop {
            let notice = tokio::select! {
                notice = notices.next() => notice,
                () = self.statuses.abandoned(&wanted) => break,
            };
            let Some(notice) = notice else { return Task::Lost };
            self.hears(heard);
            if let RpcSignatureResult::ProcessedSignature(ProcessedSignatureResult { err }) = notice.value {
                self.counters.notices.fetch_add(1, Ordering::Relaxed);
                let (slot, error) = (notice.context.slot, err.map(|error| error.to_string()));
                let seen = Seen { slot, level: wanted.1.into(), error, by: self.node.place };
                self.statuses.noticed(&wanted.0, &seen);
                break;
            }
        }
        self.carried.remove(&wanted);
        // The endpoint ends a signature's subscription with its notice; the client has to be told to forget it too.
        drop(notices);
        unsubscribe().await;
        Task::Over
    }
}
