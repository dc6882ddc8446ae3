//! One endpoint of the network: what goes wrong at it, and what was asked of it.
//!
//! Every endpoint has its own [`Faults`], so one can lag, refuse or forget while another answers truly.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

use super::{faults::Faults, network::Network};

/// What belongs to one endpoint and not to the network.
pub(super) struct Node {
    pub(super) faults: Faults,
    requests: Mutex<BTreeMap<String, u64>>,
}

impl Node {
    /// An endpoint at which nothing goes wrong yet; `seed` makes its chances repeat themselves.
    pub(super) fn new(seed: u64) -> Self {
        Self { faults: Faults::new(seed), requests: Mutex::default() }
    }

    pub(super) fn request_counts(&self) -> BTreeMap<String, u64> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn reset_request_counts(&self) {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(super) fn count_request(&self, method: &str) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        match requests.get_mut(method) {
            Some(count) => *count += 1,
            None => drop(requests.insert(method.to_owned(), 1)),
        }
    }
}

/// Another endpoint of a running network: the same chain behind ports of its own, with faults of its own.
pub struct Endpoint {
    pub(super) network: Network,
    pub(super) addr: SocketAddr,
}

impl Endpoint {
    /// `http://` URL of the JSON-RPC.
    pub fn rpc_url(&self) -> String {
        rpc_url(self.addr)
    }

    /// `ws://` URL of the websocket, on the port that clients derive from the RPC's.
    pub fn ws_url(&self) -> String {
        ws_url(self.addr)
    }

    /// What is to go wrong at this endpoint.
    pub fn faults(&self) -> &Faults {
        self.network.faults()
    }

    /// The network as this endpoint's handle: faults and request counts are the endpoint's, all else is the network's.
    pub fn network(&self) -> &Network {
        &self.network
    }
}

pub(super) fn rpc_url(addr: SocketAddr) -> String {
    format!("http://{addr}")
}

/// On the port above the RPC's.
pub(super) fn ws_url(mut addr: SocketAddr) -> String {
    addr.set_port(addr.port().saturating_add(1));
    format!("ws://{addr}")
}
