//! The endpoints of one cluster, asked in the order of their health until one answers.
//!
//! Promises: an endpoint is used only after it has proved to serve the cluster the others serve; one that asks to be
//! left alone is, while the others serve; and no reading is older than what this process was told before
//! ([`Pool::minimum_slot`]), so that a node that lags cannot undo what another has shown.

use crate::chain::{
    ChainError,
    counts::{Counters, Reason},
    endpoint,
    health::EndpointHealth,
    minimum_slot::MinimumSlot,
    node::{EndpointUrls, Node, Question},
    voices::{Voices, Whom},
};
use crate::domain::network::Network;
use futures_util::future::join_all;
use lru::LruCache;
use serde::de::DeserializeOwned;
use serde_json::json;
use solana_commitment_config::CommitmentConfig;
use solana_hash::Hash;
use solana_rpc_client_api::{request::RpcRequest, response::Response};
use solana_signature::Signature;
use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep},
};

/// How many sent transactions are remembered, to repeat each through another endpoint.
const REMEMBERED_SENDS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(8_191);
/// When every endpoint is behind or rests, so much waiting is better than an error.
const SHORT_WAIT: Duration = Duration::from_secs(2);
/// The pause before nodes that are behind are asked again.
const CATCHING_UP: Duration = Duration::from_millis(120);
/// How often endpoints that are not asked otherwise are looked at.
const EXAMINE_EVERY: Duration = Duration::from_secs(10);
/// Without a question for so long, nothing is looked at.
const IDLE_AFTER: Duration = Duration::from_mins(1);
/// A blockhash may come from the newest node of all: a reading may be so many slots older.
const SPREAD: u64 = 8;

pub(super) struct Pool {
    nodes: Vec<Arc<Node>>,
    voices: Voices,
    /// What the operator says; without it the first answer decides.
    expected: Option<Network>,
    /// The genesis hash that the others are held to.
    cluster: OnceCell<String>,
    /// The newest slot at which something that matters was seen.
    minimum_slot: MinimumSlot,
    sent: Mutex<LruCache<Signature, usize>>,
    used: Mutex<Instant>,
    timeout: Duration,
}

impl Pool {
    pub(super) fn new(
        urls: Vec<EndpointUrls>,
        voices: Voices,
        expected: Option<Network>,
        timeout: Duration,
        most_bytes: usize,
        counters: &Arc<Counters>,
    ) -> Result<Self, ChainError> {
        let node = |(place, urls)| Node::new(place, urls, timeout, most_bytes, Arc::clone(counters)).map(Arc::new);
        let nodes = urls.into_iter().enumerate().map(node).collect::<Result<Vec<_>, _>>()?;
        if nodes.is_empty() {
            return Err(ChainError::Inconsistent("no endpoint is configured".into()));
        }
        Ok(Self {
            expected,
            cluster: OnceCell::new(),
            minimum_slot: MinimumSlot::new(nodes.len()),
            nodes,
            voices,
            sent: Mutex::new(LruCache::new(REMEMBERED_SENDS)),
            used: Mutex::new(Instant::now()),
            timeout,
        })
    }

    /// The endpoints, the one to ask first at the front.
    pub(super) fn order(&self) -> Vec<Arc<Node>> {
        let now = Instant::now();
        let mut nodes = self.nodes.clone();
        nodes.sort_by_cached_key(|node| node.health.cost(node.place, now));
        nodes
    }

    /// Every endpoint, in the configured order, however it is.
    pub(super) fn configured(&self) -> &[Arc<Node>] {
        &self.nodes
    }

    /// Which endpoints are one voice.
    pub(super) const fn voices(&self) -> &Voices {
        &self.voices
    }

    /// Whether an endpoint was seen, and lately, to serve another cluster than the one the operator named. Where none is
    /// named this is never known: of two that differ either may be the wrong one.
    pub(super) fn serves_another_cluster(&self, node: &Node) -> bool {
        self.expected.is_some() && node.health.is_right(Instant::now()) == Some(false)
    }

    /// The endpoint at `place` said that a transaction never landed, or failed, and another has it: the operator is told.
    pub(super) fn note_contradiction(&self, place: usize, signature: &Signature) {
        if self.nodes.get(place).is_some_and(|node| node.health.contradicted(Instant::now())) {
            let endpoint = place + 1;
            tracing::error!(
                endpoint, %signature, "an endpoint says that a transaction never landed or failed, and another has it"
            );
        }
    }

    /// The slot that no reading may be older than.
    pub(super) fn minimum_slot(&self) -> u64 {
        self.minimum_slot.slot()
    }

    /// A transaction was seen at `slot`: nobody may tell us of a time before that any more.
    pub(super) fn note_landing(&self, slot: u64) {
        if !self.minimum_slot.tell(None, slot, Instant::now()) {
            tracing::warn!(slot, "a landing is told from a time to come");
        }
    }

    /// `node` answered as of `slot`. False when the chain cannot have come so far: then it is not to be believed, and not
    /// soon to be asked again.
    pub(super) fn has_reached(&self, node: &Node, slot: u64) -> bool {
        let now = Instant::now();
        let possible = self.minimum_slot.tell(Some(node.place), slot.saturating_sub(SPREAD), now);
        if !possible {
            tracing::warn!(endpoint = node.place + 1, slot, "an endpoint tells of a time to come");
            node.health.reported_impossible(now);
        }
        possible
    }

    /// Asks until an endpoint answers, each at most once per round.
    pub(super) async fn ask<T: DeserializeOwned>(&self, question: &Question) -> Result<T, ChainError> {
        self.ask_for(question, |_| true).await
    }

    /// Asks until an answer is `good`: an endpoint whose answer is not is treated as one that is behind.
    pub(super) async fn ask_for<T: DeserializeOwned>(
        &self,
        question: &Question,
        good: impl Fn(&T) -> bool + Send,
    ) -> Result<T, ChainError> {
        self.ask_whom(question, Whom::Anybody, good).await.map(|(_, answer)| answer)
    }

    /// Like [`Pool::ask_for`], of those who are meant; tells the place of the endpoint that answered, too.
    pub(super) async fn ask_whom<T: DeserializeOwned>(
        &self,
        question: &Question,
        whom: Whom,
        good: impl Fn(&T) -> bool + Send,
    ) -> Result<(usize, T), ChainError> {
        self.ask_from(question, 0, whom, move |_, answer| good(answer)).await
    }

    /// Like [`Pool::ask_whom`], where `good` judges the endpoint too, by the slots it tells ([`Pool::has_reached`]), and the endpoint of
    /// `turn` is asked first.
    pub(super) async fn ask_judged<T: DeserializeOwned>(
        &self,
        question: &Question,
        turn: usize,
        good: impl Fn(&Node, &T) -> bool + Send,
    ) -> Result<(usize, T), ChainError> {
        if !self.minimum_slot.was_compared() {
            self.examine().await;
        }
        self.ask_from(question, turn, Whom::Anybody, good).await
    }

    /// Like [`Pool::ask_for`], for an answer that is judged by its slot alone.
    pub(super) async fn ask_reached<T: DeserializeOwned>(
        &self,
        question: &Question,
    ) -> Result<Response<T>, ChainError> {
        let reached = |node: &Node, told: &Response<T>| self.has_reached(node, told.context.slot);
        self.ask_judged(question, 0, reached).await.map(|(_, answer)| answer)
    }

    /// Asks every endpoint together; in the configured order, none where one did not answer. Who is silent keeps the others
    /// waiting for a part of the time only.
    pub(super) async fn ask_all<T: DeserializeOwned>(&self, question: &Question) -> Vec<Option<T>> {
        let limit = if self.nodes.len() == 1 { self.timeout } else { self.timeout / 4 };
        join_all(self.nodes.iter().map(|node| async move { self.ask_node(node, question, limit).await.ok() })).await
    }

    /// Sends; a repetition goes to another endpoint first.
    pub(super) async fn send(&self, signature: &Signature, question: &Question) -> Result<String, ChainError> {
        let before = {
            let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
            let times = sent.get_or_insert_mut(*signature, || 0);
            *times += 1;
            times.saturating_sub(1)
        };
        self.ask_from(question, before, Whom::Anybody, |_, _| true).await.map(|(_, answer)| answer)
    }

    async fn ask_from<T: DeserializeOwned>(
        &self,
        question: &Question,
        turn: usize,
        whom: Whom,
        good: impl Fn(&Node, &T) -> bool + Send,
    ) -> Result<(usize, T), ChainError> {
        self.use_now();
        let begun = Instant::now();
        loop {
            let mut error = None;
            let mut order = self.order();
            order.retain(|node| self.voices.includes(whom, node.place));
            let turn = turn % self.well(&order);
            order.rotate_left(turn);
            let count = order.len();
            for (asked, node) in order.iter().enumerate() {
                // A silent endpoint leaves the others their share of the time.
                let left = self.timeout.saturating_sub(begun.elapsed()).max(self.timeout / 10);
                let limit = left / u32::try_from(count - asked).unwrap_or(1);
                match self.ask_node(node, question, limit).await {
                    Ok(answer) if good(node, &answer) => return Ok((node.place, answer)),
                    Ok(_) => {
                        let behind = endpoint::behind(question.what);
                        node.remember(&behind);
                        error = Some(worse(error, behind));
                    }
                    Err(refused @ ChainError::Refused(_)) => return Err(refused),
                    Err(failed) => error = Some(worse(error, failed)),
                }
            }
            let error = error.unwrap_or_else(|| endpoint::behind(question.what));
            match wait_after(&error).filter(|wait| begun.elapsed() + *wait < SHORT_WAIT.min(self.timeout)) {
                Some(wait) => sleep(wait).await,
                None => return Err(error),
            }
        }
    }

    /// How many of the endpoints in this order are worth a turn of their own.
    fn well(&self, order: &[Arc<Node>]) -> usize {
        let now = Instant::now();
        let best = order.first().map_or(Duration::ZERO, |node| node.health.cost(node.place, now));
        let near = |node: &&Arc<Node>| node.health.cost(node.place, now) < best + self.timeout;
        order.iter().take_while(near).count().max(1)
    }

    /// Asks one endpoint, once it has proved to serve the right cluster.
    pub(super) async fn ask_node<T: DeserializeOwned>(
        &self,
        node: &Node,
        question: &Question,
        limit: Duration,
    ) -> Result<T, ChainError> {
        // A lone endpoint of which nothing is known has nobody to disagree with.
        if self.nodes.len() > 1 || self.expected.is_some() {
            match node.health.is_right(Instant::now()) {
                Some(true) => {}
                Some(false) => return Err(wrong_cluster()),
                None => {
                    let genesis = genesis(node, limit).await?;
                    if !self.judge(node, &genesis).await? {
                        return Err(wrong_cluster());
                    }
                }
            }
        }
        node.ask(question, limit).await
    }

    /// Whether `genesis` is that of our cluster; remembered for the endpoint.
    async fn judge(&self, node: &Node, genesis: &str) -> Result<bool, ChainError> {
        let right = match &self.expected {
            Some(network) => network.has_genesis(genesis),
            None => self.cluster.get_or_try_init(|| self.establish()).await? == genesis,
        };
        if right {
            node.health.serves_our_cluster();
        } else {
            tracing::error!(endpoint = node.place + 1, "an endpoint serves another cluster and is not used");
            node.health.serves_another_cluster(Instant::now());
        }
        Ok(right)
    }

    /// The cluster of the first endpoint in the operator's order that answers.
    async fn establish(&self) -> Result<String, ChainError> {
        let mut error = None;
        for node in &self.nodes {
            match genesis(node, self.timeout / 2).await {
                Ok(genesis) => return Ok(genesis),
                Err(failed) => error = error.or(Some(failed)),
            }
        }
        Err(error.unwrap_or_else(wrong_cluster))
    }

    /// The genesis hash, asked for anew. Only when no endpoint serves the right cluster, that of a wrong one.
    pub(super) async fn genesis_hash(&self) -> Result<String, ChainError> {
        let (mut wrong, mut error) = (None, None);
        for node in self.order() {
            match genesis(&node, self.timeout).await {
                Ok(genesis) if self.judge(&node, &genesis).await? => return Ok(genesis),
                Ok(genesis) => wrong = wrong.or(Some(genesis)),
                Err(failed) => error = Some(worse(error, failed)),
            }
        }
        wrong.ok_or_else(|| error.unwrap_or_else(|| endpoint::behind("asking for the genesis hash")))
    }

    /// Asks every endpoint where it stands, together, and compares them.
    pub(super) async fn examine(&self) {
        let question = Question {
            reason: Reason::Check,
            ..Question::new("asking for the slot", RpcRequest::GetSlot, json!([CommitmentConfig::confirmed()]))
        };
        let slots = self.ask_all::<u64>(&question).await;
        let told = slots.iter().enumerate().filter_map(|(place, slot)| Some((place, (*slot)?)));
        let best = self.minimum_slot.compared(told.collect(), Instant::now());
        for (node, slot) in self.nodes.iter().zip(slots) {
            if let Some(slot) = slot {
                node.health.compared(best.saturating_sub(slot));
            }
        }
    }

    /// Looks at the endpoints now and then while any is used; never ends.
    pub(super) async fn keep_examining(&self) {
        if self.nodes.len() == 1 {
            return;
        }
        loop {
            let idle = self.used.lock().unwrap_or_else(PoisonError::into_inner).elapsed() > IDLE_AFTER;
            if !idle {
                self.examine().await;
            }
            sleep(EXAMINE_EVERY).await;
        }
    }

    /// How every endpoint is, in the configured order.
    pub(super) fn health(&self) -> Vec<EndpointHealth> {
        let now = Instant::now();
        self.nodes.iter().map(|node| node.health.tell(node.place, now)).collect()
    }

    /// How every endpoint is, with the last error of those that fail: the cause that a log line tells. No URL is in it.
    pub(super) fn trouble(&self) -> String {
        self.nodes.iter().map(|node| node.trouble()).collect::<Vec<_>>().join("; ")
    }

    pub(super) const fn timeout(&self) -> Duration {
        self.timeout
    }

    fn use_now(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

async fn genesis(node: &Node, limit: Duration) -> Result<String, ChainError> {
    let what = "asking for the genesis hash";
    let question = Question { reason: Reason::Check, ..Question::new(what, RpcRequest::GetGenesisHash, json!([])) };
    let genesis: String = node.ask(&question, limit).await?;
    match genesis.parse::<Hash>() {
        Ok(_) => Ok(genesis),
        Err(_) => Err(ChainError::Inconsistent("a genesis hash cannot be read".into())),
    }
}

fn wrong_cluster() -> ChainError {
    ChainError::Inconsistent("the endpoint serves another cluster".into())
}

/// Of two failures the one that says more: that waiting helps, then the first.
fn worse(before: Option<ChainError>, new: ChainError) -> ChainError {
    match before {
        Some(before) if wait_after(&before).is_some() || wait_after(&new).is_none() => before,
        _ => new,
    }
}

/// How long to wait before it is worth asking again, for a failure that passes by itself.
fn wait_after(error: &ChainError) -> Option<Duration> {
    match error {
        ChainError::Unavailable { retry_after: Some(rest), .. } => Some(*rest),
        error if endpoint::is_behind(error) => Some(CATCHING_UP),
        _ => None,
    }
}
