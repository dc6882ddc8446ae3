//! A live blockhash, always at hand: a background task asks for a new one while anybody uses them.
//!
//! Promises: a blockhash handed out was told by the endpoint within [`RefreshPolicy::stale_after`], and the chain's
//! height has moved within [`RefreshPolicy::stalled_after`]: a node that stands still would let us sign on dead hashes. Its
//! last valid height is one that it can have, and where several voices have told heights never the word of its teller alone
//! ([`super::heights`]).

use crate::chain::{
    ChainError, LiveBlockhash,
    heights::{HeightVerdict, Heights, KnownHeight, LIFE, LeastLife},
    node::{Node, Question},
    pool::Pool,
};
use lru::LruCache;
use serde_json::json;
use solana_commitment_config::CommitmentConfig;
use solana_hash::Hash;
use solana_rpc_client_api::{
    request::RpcRequest,
    response::{Response, RpcBlockhash},
};
use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

/// Why nothing can be signed while two voices contradict each other about how long a blockhash lives.
const IN_DOUBT: &str = "no second provider tells a block height that fits";

/// How many blockhashes it is remembered of when they were alive.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(511);

/// When blockhashes are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshPolicy {
    /// Time between two refreshes while blockhashes are in use.
    pub every: Duration,
    /// An older one is not handed out any more.
    pub stale_after: Duration,
    /// A chain whose height has not moved for so long is taken to stand still.
    pub stalled_after: Duration,
    /// Without a user for so long, refreshing pauses.
    pub idle_after: Duration,
    /// How long a block takes at least. What the chain's height can be by now follows from it, so one that is too long would
    /// have a voice believed that is behind.
    pub slot: Duration,
}

impl Default for RefreshPolicy {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(2),
            stale_after: Duration::from_secs(10),
            stalled_after: Duration::from_secs(30),
            idle_after: Duration::from_mins(1),
            slot: Duration::from_millis(400),
        }
    }
}

/// The latest blockhash.
pub(super) struct Blockhashes {
    pool: Arc<Pool>,
    policy: RefreshPolicy,
    heights: Heights,
    known: Mutex<Known>,
    /// The slot at which each was alive.
    seen: Mutex<LruCache<Hash, u64>>,
    /// Those that an endpoint told as its latest, as they were told: of no other is it known when it dies.
    told: Mutex<LruCache<Hash, LiveBlockhash>>,
    /// One request at a time: whoever waits for it takes the answer of the one before if that is new enough.
    asking: tokio::sync::Mutex<()>,
    wanted: Notify,
}

#[derive(Clone, Copy)]
struct Known {
    latest: Option<KnownBlockhash>,
    used: Instant,
}

#[derive(Clone, Copy)]
struct KnownBlockhash {
    hash: LiveBlockhash,
    /// The chain's height as it was told with it.
    told_height: u64,
    /// The chain's height as far as is known: of several endpoints one may have told a higher one.
    height: u64,
    /// What other voices say of its life: nothing is signed under it while that is in doubt.
    least: LeastLife,
    /// When it was asked for: it is at least as new as that.
    asked: Instant,
    /// When the height last moved.
    moved: Instant,
}

impl Blockhashes {
    pub(super) fn new(pool: Arc<Pool>, policy: RefreshPolicy) -> Self {
        let known = Mutex::new(Known { latest: None, used: Instant::now() });
        let (seen, told) = (Mutex::new(LruCache::new(REMEMBERED)), Mutex::new(LruCache::new(REMEMBERED)));
        let heights = Heights::new(policy.slot);
        Self { pool, policy, heights, known, seen, told, asking: tokio::sync::Mutex::new(()), wanted: Notify::new() }
    }

    /// A blockhash was alive at `slot`.
    pub(super) fn saw(&self, hash: &Hash, slot: u64) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).put(*hash, slot);
    }

    /// A node that has reached its slot does not know this blockhash: its block may be gone with a fork. It is not handed
    /// out again before it was told again.
    pub(super) fn distrust(&self, hash: &Hash) {
        let mut known = self.lock();
        known.latest = known.latest.filter(|told| told.hash.hash != *hash);
    }

    /// The slot at which a blockhash was alive: a node that has not reached it may not know it yet.
    pub(super) fn seen_at(&self, hash: &Hash) -> Option<u64> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).peek(hash).copied()
    }

    /// A blockhash that was told as the latest, as it was told then; remembered for longer than one lives.
    pub(super) fn told(&self, hash: &Hash) -> Option<LiveBlockhash> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).peek(hash).copied()
    }

    /// A blockhash that is fresh enough to build on.
    pub(super) async fn latest(&self) -> Result<LiveBlockhash, ChainError> {
        let told = self.newest().await?;
        if told.least == LeastLife::InDoubt {
            return Err(ChainError::Unavailable { what: IN_DOUBT, source: None, retry_after: None });
        }
        Ok(told.hash)
    }

    async fn newest(&self) -> Result<KnownBlockhash, ChainError> {
        self.use_now();
        let told = match self.fresh() {
            Some(told) => told,
            // Whatever is fresh when it is this caller's turn will do, also when it was asked for before they came.
            None => self.ask(None).await?,
        };
        if told.moved.elapsed() > self.policy.stalled_after {
            return Err(ChainError::Unavailable { what: "its slots do not move", source: None, retry_after: None });
        }
        Ok(told)
    }

    /// The chain's block height as far as is known from a recent blockhash; a hint, it may be a few blocks behind.
    pub(super) async fn height(&self) -> Result<u64, ChainError> {
        Ok(self.newest().await?.height)
    }

    /// [`Blockhashes::height`] without asking; `None` when nothing recent is known.
    pub(super) fn known_height(&self) -> Option<u64> {
        self.fresh().map(|told| told.height)
    }

    /// The heights that were asked for.
    pub(super) const fn heights(&self) -> &Heights {
        &self.heights
    }

    fn use_now(&self) {
        let idle = {
            let mut known = self.lock();
            let idle = known.used.elapsed() > self.policy.idle_after;
            known.used = Instant::now();
            idle
        };
        if idle {
            self.wanted.notify_one();
        }
    }

    fn fresh(&self) -> Option<KnownBlockhash> {
        self.lock().latest.filter(|told| told.asked.elapsed() < self.policy.stale_after)
    }

    /// Asks, unless somebody else did meanwhile: since the moment `since` where that matters, else lately.
    async fn ask(&self, since: Option<Instant>) -> Result<KnownBlockhash, ChainError> {
        let _turn = self.asking.lock().await;
        if let Some(told) = self.fresh().filter(|told| since.is_none_or(|moment| told.asked >= moment)) {
            return Ok(told);
        }
        let asked = Instant::now();
        let (teller, answer, anchor) = self.ask_for_one().await?;
        let new = self.live(teller, &answer, anchor, asked)?;
        self.saw(&new.hash.hash, new.hash.slot);
        if new.least != LeastLife::InDoubt {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            told.get_or_insert(new.hash.hash, || new.hash);
        }
        let mut known = self.lock();
        self.warn_of(new.least, known.latest);
        let told = self.merge(known.latest, new);
        known.latest = Some(told);
        Ok(told)
    }

    /// A blockhash whose slot and last valid height can be true, from whoever tells one: the place of its teller, what it told,
    /// and the height that it was judged by.
    async fn ask_for_one(&self) -> Result<(usize, Response<RpcBlockhash>, KnownHeight), ChainError> {
        let params = json!([CommitmentConfig::confirmed()]);
        let question = Question::new("asking for a blockhash", RpcRequest::GetLatestBlockhash, params);
        let pool = &self.pool;
        let reached = |node: &Node, told: &Response<RpcBlockhash>| pool.has_reached(node, told.context.slot);
        let (teller, first) = pool.ask_judged(&question, 0, reached).await?;
        let near = self.heights.near(first.value.last_valid_block_height);
        if let Some(anchor) = near.filter(|_| matches!(self.least_life(teller), LeastLife::Until(_))) {
            return Ok((teller, first, anchor));
        }
        // The chain has moved on, no other voice has spoken yet, or this node is not to be believed.
        let anchor = self.heights.ask(pool).await?;
        let judge = |told: &Response<RpcBlockhash>| anchor.judge(told.value.last_valid_block_height);
        if judge(&first) == HeightVerdict::Plausible {
            return Ok((teller, first, anchor));
        }
        let good = |node: &Node, told: &Response<RpcBlockhash>| {
            let judged = judge(told);
            if judged == HeightVerdict::Absurd {
                let height = told.value.last_valid_block_height;
                tracing::warn!(endpoint = node.place + 1, height, "an endpoint tells a blockhash that lives for ever");
                node.health.reported_impossible(Instant::now());
            }
            judged == HeightVerdict::Plausible && pool.has_reached(node, told.context.slot)
        };
        let (teller, told) = pool.ask_judged(&question, 0, good).await?;
        Ok((teller, told, anchor))
    }

    /// The blockhash as it is recorded with what is signed under it.
    fn live(
        &self,
        teller: usize,
        told: &Response<RpcBlockhash>,
        anchor: KnownHeight,
        asked: Instant,
    ) -> Result<KnownBlockhash, ChainError> {
        let malformed = |_| ChainError::Inconsistent("a blockhash cannot be read".into());
        let hash = told.value.blockhash.parse().map_err(malformed)?;
        let last_valid = told.value.last_valid_block_height;
        let least = self.least_life(teller);
        let until = if let LeastLife::Until(height) = least { height } else { 0 };
        let last_valid_block_height = anchor.at_least(last_valid).max(until);
        let told_height = last_valid.saturating_sub(LIFE);
        let height = anchor.at_least(last_valid).saturating_sub(LIFE);
        let hash = LiveBlockhash { hash, last_valid_block_height, slot: told.context.slot };
        Ok(KnownBlockhash { hash, told_height, height, least, asked, moved: asked })
    }

    /// How long what the endpoint at this place tells lives at least, by the word of other voices.
    fn least_life(&self, teller: usize) -> LeastLife {
        if !self.pool.has_several_voices() {
            return LeastLife::Until(0);
        }
        match self.heights.least_life(self.pool.voices().of(teller)) {
            // The other one is not silent: one of the two serves the wrong cluster, and nobody knows which.
            LeastLife::Untold if self.pool.disagrees_on_the_cluster() => LeastLife::InDoubt,
            least => least,
        }
    }

    /// Tells that a blockhash's life is in doubt, each time, or that it is one voice's word, once until another has spoken.
    fn warn_of(&self, least: LeastLife, before: Option<KnownBlockhash>) {
        match least {
            LeastLife::Until(_) => {}
            LeastLife::InDoubt => tracing::warn!(
                cause = self.pool.trouble(),
                "nothing is signed: no second RPC provider tells a block height that fits the first one's"
            ),
            LeastLife::Untold if before.is_some_and(|told| told.least == LeastLife::Untold) => {}
            LeastLife::Untold => tracing::warn!(
                cause = self.pool.trouble(),
                "what is signed counts as dead late: no second RPC provider has told a block height yet"
            ),
        }
    }

    /// A node that lags behind the one asked before does not take back what is known, unless that has grown stale or was one voice's
    /// word.
    fn merge(&self, before: Option<KnownBlockhash>, new: KnownBlockhash) -> KnownBlockhash {
        match before {
            Some(told)
                if told.told_height > new.told_height
                    && told.asked.elapsed() < self.policy.stale_after
                    && told.least != LeastLife::Untold =>
            {
                told
            }
            Some(told) if told.told_height == new.told_height => KnownBlockhash { moved: told.moved, ..new },
            Some(_) | None => new,
        }
    }

    /// Refreshes while blockhashes are used; never ends.
    pub(super) async fn refresh(&self) {
        loop {
            let used = self.lock().used;
            if used.elapsed() > self.policy.idle_after {
                self.wanted.notified().await;
                continue;
            }
            let pause = match self.ask(Some(Instant::now())).await {
                Ok(_) => self.policy.every,
                Err(error) => {
                    tracing::warn!(%error, cause = self.pool.trouble(), "no fresh blockhash");
                    self.pause_after(&error)
                }
            };
            sleep(pause).await;
        }
    }

    fn pause_after(&self, error: &ChainError) -> Duration {
        match error {
            ChainError::Unavailable { retry_after: Some(after), .. } => self.policy.every.max(*after),
            ChainError::Unavailable { .. } | ChainError::Refused(_) | ChainError::Inconsistent(_) => self.policy.every,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
