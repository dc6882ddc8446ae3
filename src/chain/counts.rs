//! What the way to the chain has cost so far: requests by their reason, subscriptions and pushed notices.

use solana_rpc_client_api::request::RpcRequest;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Requests and pushes since the start. In the steady state a settlement costs one of `sends` and one of `notices`;
/// `blockhashes`, `finality` and `checks` are shared by everything that is in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChainCounts {
    /// Transactions sent, repetitions included.
    pub sends: u64,
    /// Status requests for somebody who waits: the fallback when no notice is pushed. Up to 256 transactions each.
    pub statuses: u64,
    /// Status requests for what has landed and is not final yet. Up to 256 transactions each.
    pub finality: u64,
    /// Blockhashes asked for by the background refresher.
    pub blockhashes: u64,
    /// Requests that only tell how well an endpoint is.
    pub checks: u64,
    /// Everything else: accounts, simulations, fees, proofs of absence.
    pub reads: u64,
    /// Subscriptions that an endpoint has acknowledged.
    pub subscriptions: u64,
    /// Notices of a transaction that were pushed.
    pub notices: u64,
    /// Websockets that came up.
    pub sockets: u64,
}

impl ChainCounts {
    /// Every request, whatever for; subscriptions are none.
    pub const fn requests(&self) -> u64 {
        self.sends + self.statuses + self.finality + self.blockhashes + self.checks + self.reads
    }
}

/// Why something is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// What the method says.
    Method,
    /// Whether landed transactions are final.
    Finality,
    /// What a node no longer remembers.
    History,
    /// How well the endpoint is.
    Check,
}

/// The counters behind [`ChainCounts`].
#[derive(Debug, Default)]
pub(super) struct Counters {
    sends: AtomicU64,
    statuses: AtomicU64,
    finality: AtomicU64,
    blockhashes: AtomicU64,
    checks: AtomicU64,
    reads: AtomicU64,
    pub(super) subscriptions: AtomicU64,
    pub(super) notices: AtomicU64,
    pub(super) sockets: AtomicU64,
}

impl Counters {
    /// One request is about to be made.
    pub(super) fn asks(&self, request: RpcRequest, reason: Reason) {
        let counter = match (reason, request) {
            (Reason::Finality, _) => &self.finality,
            (Reason::Check, _) => &self.checks,
            (Reason::Method, RpcRequest::SendTransaction) => &self.sends,
            (Reason::Method, RpcRequest::GetSignatureStatuses) => &self.statuses,
            (Reason::Method, RpcRequest::GetLatestBlockhash) => &self.blockhashes,
            (Reason::Method | Reason::History, _) => &self.reads,
        };
        counter.fetch_add(1, Relaxed);
    }

    pub(super) fn read(&self) -> ChainCounts {
        ChainCounts {
            sends: self.sends.load(Relaxed),
            statuses: self.statuses.load(Relaxed),
            finality: self.finality.load(Relaxed),
            blockhashes: self.blockhashes.load(Relaxed),
            checks: self.checks.load(Relaxed),
            reads: self.reads.load(Relaxed),
            subscriptions: self.subscriptions.load(Relaxed),
            notices: self.notices.load(Relaxed),
            sockets: self.sockets.load(Relaxed),
        }
    }
}
