//! One endpoint of the cluster: its client, its websocket and its health. Every request to it passes here, so that what
//! it costs is counted and how it went is remembered.

use crate::chain::{
    ChainError,
    counts::{Counters, Reason},
    endpoint::{self, EndpointFault, chain_error},
    health::Health,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client_api::request::RpcRequest;
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, timeout};

/// The pause before a websocket that broke is tried again; doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Where one endpoint is. The URLs may hold keys and are never shown.
#[derive(Clone)]
pub struct EndpointUrls {
    /// JSON-RPC over HTTP.
    pub rpc: String,
    /// Its websocket; without one, nothing is pushed from here.
    pub websocket: Option<String>,
}

impl fmt::Debug for EndpointUrls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointUrls").field("websocket", &self.websocket.is_some()).finish_non_exhaustive()
    }
}

/// A question: what for, the method and its parameters.
pub(super) struct Question {
    /// For errors; no URLs, no keys.
    pub(super) what: &'static str,
    pub(super) request: RpcRequest,
    /// An array.
    pub(super) params: Value,
    pub(super) reason: Reason,
}

impl Question {
    /// An ordinary question.
    pub(super) fn new(what: &'static str, request: RpcRequest, params: Value) -> Self {
        Self { what, request, params, reason: Reason::Method }
    }
}

/// When a websocket may be tried.
#[derive(Clone, Copy)]
struct SocketPause {
    until: Option<Instant>,
    next: Duration,
}

pub(super) struct Node {
    /// In the configured list, 0 for the first.
    pub(super) place: usize,
    pub(super) health: Health,
    pub(super) websocket: Option<String>,
    client: RpcClient,
    counters: Arc<Counters>,
    socket: Mutex<SocketPause>,
    /// Why its last answer was none, or could not be used; without its URL.
    failure: Mutex<Option<String>>,
}

/// The endpoint is not asked before the time that it set.
#[derive(Debug, thiserror::Error)]
#[error("it answered 429 before and is left alone until the time that it set")]
struct RateLimited;

impl Node {
    pub(super) fn new(
        place: usize,
        urls: EndpointUrls,
        timeout: Duration,
        most_bytes: usize,
        counters: Arc<Counters>,
    ) -> Result<Self, ChainError> {
        Ok(Self {
            place,
            health: Health::default(),
            websocket: urls.websocket,
            client: endpoint::connect(urls.rpc, timeout, most_bytes)?,
            counters,
            socket: Mutex::new(SocketPause { until: None, next: FIRST_PAUSE }),
            failure: Mutex::default(),
        })
    }

    /// Asks, within `limit`. While the endpoint wants to be left alone it is: the error tells for how long.
    pub(super) async fn ask<T: DeserializeOwned>(&self, question: &Question, limit: Duration) -> Result<T, ChainError> {
        let what = question.what;
        if let Some(backoff) = self.health.backoff(Instant::now()) {
            return Err(ChainError::Unavailable {
                what,
                source: Some(Box::new(RateLimited)),
                retry_after: Some(backoff),
            });
        }
        self.counters.asks(question.request, question.reason);
        let begun = Instant::now();
        let answer = timeout(limit, self.client.send(question.request, question.params.clone())).await;
        let answer = match answer {
            Ok(answer) => answer.map_err(|error| chain_error(what, error)),
            Err(_) => {
                Err(ChainError::Unavailable { what, source: Some(Box::new(EndpointFault::TooSlow)), retry_after: None })
            }
        };
        match &answer {
            // A known no is an answer.
            Ok(_) | Err(ChainError::Refused(_)) => {
                self.health.answered(begun.elapsed(), Instant::now());
                *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = None;
            }
            Err(error) => {
                self.health.failed(error, Instant::now());
                self.remember(error);
            }
        }
        answer
    }

    /// Remembers why its last answer was of no use, for [`Node::trouble`].
    pub(super) fn remember(&self, error: &ChainError) {
        let why = match error {
            ChainError::Unavailable { source: Some(source), .. } => source.to_string(),
            ChainError::Unavailable { what, source: None, .. } => (*what).to_owned(),
            ChainError::Refused(why) | ChainError::Inconsistent(why) => why.clone(),
        };
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    /// How it is, and why its last answer was of no use where it was not: for logs, because an endpoint's own words may be in it.
    pub(super) fn trouble(&self) -> String {
        let health = self.health.tell(self.place, Instant::now());
        match &*self.failure.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(why) => format!("{health} ({why})"),
            None => health.to_string(),
        }
    }

    /// How long its websocket is to be left alone; `None` when it may be tried now.
    pub(super) fn socket_pause(&self) -> Option<Duration> {
        let until = self.socket.lock().unwrap_or_else(PoisonError::into_inner).until?;
        Some(until.saturating_duration_since(Instant::now())).filter(|pause| !pause.is_zero())
    }

    /// Its websocket broke or could not be had.
    pub(super) fn socket_lost(&self) {
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        socket.until = Some(Instant::now() + socket.next);
        socket.next = (socket.next * 2).min(LONGEST_PAUSE);
    }

    /// Its websocket has proved to work.
    pub(super) fn socket_works(&self) {
        *self.socket.lock().unwrap_or_else(PoisonError::into_inner) = SocketPause { until: None, next: FIRST_PAUSE };
    }
}
