//! Pushed notices: few websockets carry the subscriptions of all waiters. Polling covers whatever is missed here.
//!
//! Promises: a socket is open before anybody waits; one that is silent is found out by a heartbeat; when one is lost,
//! whoever waited on it is asked about at once in one batch and subscribed again elsewhere, and asked about once more
//! when the new subscriptions stand, so that nothing falls into the gap between the two.

use crate::chain::{
    counts::Counters,
    node::Node,
    policy::PushPolicy,
    pool::Pool,
    signature_statuses::{SignatureStatuses, Wanted},
    socket::{End, Socket, Subscriptions},
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    task::{Id, JoinSet},
    time::{Instant, sleep},
};

/// The pause before another look for a websocket when all of them are to be left alone.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Keeps websockets open and spreads the subscriptions for signatures over them.
pub(super) struct PushSockets {
    pub(super) pool: Arc<Pool>,
    pub(super) statuses: Arc<SignatureStatuses>,
    pub(super) counters: Arc<Counters>,
    pub(super) policy: PushPolicy,
}

/// An open websocket: its endpoint, the way to subscribe on it, and what it carries.
struct OpenSocket {
    node: Arc<Node>,
    subscribe: mpsc::UnboundedSender<Wanted>,
    carried: Subscriptions,
}

/// The sockets that are open or being opened.
#[derive(Default)]
struct OpenSockets {
    tasks: JoinSet<End>,
    open: HashMap<Id, OpenSocket>,
}

impl OpenSockets {
    /// The socket that carries least, unless all are full.
    fn least(&self, most: usize) -> Option<&OpenSocket> {
        let loads = self.open.values().map(|line| (line.carried.len(), line));
        loads.filter(|(load, _)| *load < most).min_by_key(|(load, _)| *load).map(|(_, line)| line)
    }
}

impl PushSockets {
    /// Keeps at least one websocket open, and more while those are full; ends when `requests` is closed.
    pub(super) async fn keep(&self, mut requests: mpsc::Receiver<Wanted>) {
        let mut lines = OpenSockets::default();
        loop {
            if lines.open.is_empty() {
                // What is queued is among those who wait.
                while requests.try_recv().is_ok() {}
                self.open(&mut lines);
            }
            tokio::select! {
                request = requests.recv() => match request {
                    Some(wanted) => self.place(wanted, &mut lines),
                    None => return,
                },
                Some(ended) = lines.tasks.join_next_with_id() => match ended {
                    Ok((id, end)) => self.lost(id, end, &mut lines),
                    Err(error) => self.lost(error.id(), End::Lost, &mut lines),
                },
                () = sleep(self.pause()), if lines.open.is_empty() => {}
            }
        }
    }

    /// Hands a subscription to the socket that carries least; opens another when all are full.
    fn place(&self, wanted: Wanted, lines: &mut OpenSockets) {
        if lines.least(self.policy.per_socket).is_none() && lines.open.len() < self.policy.sockets {
            self.open(lines);
        }
        // No socket takes more: the poller finds it.
        if let Some(line) = lines.least(self.policy.per_socket) {
            line.carried.add(wanted);
            _ = line.subscribe.send(wanted);
        }
    }

    /// Opens a socket to the best endpoint that may be tried now.
    fn open(&self, lines: &mut OpenSockets) {
        let Some(node) = self.usable().into_iter().find(|node| node.socket_pause().is_none()) else { return };
        let (subscribe, requests) = mpsc::unbounded_channel();
        let carried = Subscriptions::default();
        let socket = Socket {
            statuses: Arc::clone(&self.statuses),
            counters: Arc::clone(&self.counters),
            node: Arc::clone(&node),
            carried: carried.clone(),
            policy: self.policy,
        };
        if lines.open.is_empty() {
            // Those who wait already: from before there was a socket, or from one that was lost.
            for wanted in self.statuses.wanted() {
                carried.add(wanted);
                _ = subscribe.send(wanted);
            }
        }
        let id = lines.tasks.spawn(async move { socket.run(requests).await }).id();
        lines.open.insert(id, OpenSocket { node, subscribe, carried });
    }

    /// A socket is gone: its waiters are asked about at once, and subscribed for elsewhere.
    fn lost(&self, id: Id, end: End, lines: &mut OpenSockets) {
        let Some(line) = lines.open.remove(&id) else { return };
        line.node.socket_lost();
        if end == End::NeverUp {
            tracing::warn!(endpoint = line.node.place + 1, "no websocket for signature notices; polling goes on");
        } else {
            tracing::debug!(endpoint = line.node.place + 1, "a websocket for signature notices is gone");
            self.statuses.ask_now();
        }
        if !lines.open.is_empty() {
            for wanted in line.carried.take() {
                self.place(wanted, lines);
            }
        }
    }

    /// Endpoints that push, the best first.
    fn usable(&self) -> Vec<Arc<Node>> {
        let mut nodes = self.pool.order();
        nodes.retain(|node| node.websocket.is_some() && node.health.is_right(Instant::now()) != Some(false));
        nodes
    }

    /// Until an endpoint's websocket may be tried again.
    fn pause(&self) -> Duration {
        let pauses = self.usable().into_iter().filter_map(|node| node.socket_pause());
        pauses.min().unwrap_or(LONGEST_PAUSE).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
    }
}
