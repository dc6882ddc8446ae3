//! The bus that tells listeners in this process that something happened to a session.
//!
//! It carries news, not truth: what happened is read from the ledger's log by position, so a listener that lags, or that
//! comes back after a while, misses nothing. Whoever writes something that a session's listeners are told calls
//! [`Events::publish`] after the write; with nobody listening that costs one look at an empty map.

use crate::{
    domain::{funding::Funding, session::SessionId},
    facilitator::Facilitator,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::broadcast::{self, error::RecvError};

/// How much news waits for one listener; one that lags further reads the log, which it would have done anyway.
const WAITING_NEWS: usize = 64;

/// News about a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// The ledger has recorded something about its payments, settlements or state: read the log.
    Recorded,
    /// What is known of the payer's balance has changed. Not in the log: the present word is in `GET /sessions/{id}`.
    Funding(Funding),
}

type Channels = HashMap<SessionId, broadcast::Sender<SessionEvent>>;

/// All listeners of this process, by session.
#[derive(Default)]
pub(super) struct Events {
    channels: Mutex<Channels>,
}

/// One listener. Dropping it stops listening.
pub struct Subscription {
    events: Arc<Events>,
    session: SessionId,
    news: Option<broadcast::Receiver<SessionEvent>>,
}

impl Events {
    fn lock(&self) -> MutexGuard<'_, Channels> {
        // Nothing panics while holding it; a poisoned map is still a map.
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells everybody who listens to this session.
    pub(super) fn publish(&self, session: SessionId, event: SessionEvent) {
        if let Some(channel) = self.lock().get(&session) {
            // Nobody listening any more is no failure.
            drop(channel.send(event));
        }
    }

    fn subscribe(self: &Arc<Self>, session: SessionId) -> Subscription {
        let mut channels = self.lock();
        let channel = channels.entry(session).or_insert_with(|| broadcast::channel(WAITING_NEWS).0);
        Subscription { events: Arc::clone(self), session, news: Some(channel.subscribe()) }
    }
}

impl Subscription {
    /// The next news; `None` when so much came that some was dropped: the log tells all of it.
    pub async fn next(&mut self) -> Option<SessionEvent> {
        match &mut self.news {
            Some(news) => match news.recv().await {
                Ok(event) => Some(event),
                Err(RecvError::Lagged(_) | RecvError::Closed) => None,
            },
            None => None,
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        drop(self.news.take());
        let mut channels = self.events.lock();
        if channels.get(&self.session).is_some_and(|channel| channel.receiver_count() == 0) {
            channels.remove(&self.session);
        }
    }
}

impl Facilitator {
    /// Listens to a session from now on.
    pub fn subscribe(&self, session: SessionId) -> Subscription {
        self.events.subscribe(session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(n: u8) -> SessionId {
        SessionId::from_random_bytes([n; 16])
    }

    #[tokio::test]
    async fn listeners_hear_of_their_session_only() {
        let events = Arc::new(Events::default());
        let (mut one, mut other) = (events.subscribe(session(1)), events.subscribe(session(2)));
        events.publish(session(1), SessionEvent::Recorded);
        events.publish(session(2), SessionEvent::Funding(Funding::Unproven));
        assert_eq!(one.next().await, Some(SessionEvent::Recorded));
        assert_eq!(other.next().await, Some(SessionEvent::Funding(Funding::Unproven)));
    }

    #[tokio::test]
    async fn who_lags_is_told_so_and_goes_on() {
        let events = Arc::new(Events::default());
        let mut slow = events.subscribe(session(1));
        for _ in 0..=WAITING_NEWS {
            events.publish(session(1), SessionEvent::Recorded);
        }
        assert_eq!(slow.next().await, None);
        assert_eq!(slow.next().await, Some(SessionEvent::Recorded));
    }

    #[test]
    fn who_leaves_leaves_nothing_behind() {
        let events = Arc::new(Events::default());
        let (one, other) = (events.subscribe(session(1)), events.subscribe(session(1)));
        drop(one);
        assert_eq!(events.lock().len(), 1);
        drop(other);
        assert!(events.lock().is_empty());
        events.publish(session(1), SessionEvent::Recorded);
    }
}
