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
use tokio_util::sync::CancellationToken;

/// How much news waits for one listener; one that lags further reads the log, which it would have done anyway.
const WAITING_NEWS: usize = 64;
/// How many from outside may listen to one session.
const MOST_PER_SESSION: usize = 8;

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
    /// This process leaves: nobody is told anything more.
    ending: CancellationToken,
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

    /// Listens to a session from now on.
    pub(super) fn subscribe(self: &Arc<Self>, session: SessionId) -> Subscription {
        self.join(&mut self.lock(), session)
    }

    /// The same for somebody outside; `None` when `most` listen already, or too many to this session.
    pub(super) fn listen(self: &Arc<Self>, session: SessionId, most: usize) -> Option<Subscription> {
        let mut channels = self.lock();
        let all: usize = channels.values().map(broadcast::Sender::receiver_count).sum();
        let here = channels.get(&session).map_or(0, broadcast::Sender::receiver_count);
        (all < most && here < MOST_PER_SESSION).then(|| self.join(&mut channels, session))
    }

    /// Sends every listener away, now and from now on.
    pub(super) fn end(&self) {
        self.ending.cancel();
    }

    fn join(self: &Arc<Self>, channels: &mut Channels, session: SessionId) -> Subscription {
        let channel = channels.entry(session).or_insert_with(|| broadcast::channel(WAITING_NEWS).0);
        Subscription { events: Arc::clone(self), session, news: Some(channel.subscribe()) }
    }
}

impl Subscription {
    /// The next news; `None` when this process leaves. Who lags is told to read the log, which tells all of it.
    pub async fn next(&mut self) -> Option<SessionEvent> {
        let news = self.news.as_mut()?;
        tokio::select! {
            () = self.events.ending.cancelled() => None,
            received = news.recv() => match received {
                Ok(event) => Some(event),
                Err(RecvError::Lagged(_)) => Some(SessionEvent::Recorded),
                Err(RecvError::Closed) => None,
            },
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
    /// Ends every stream of events, so that a server which takes no more requests can come to its end. Clients come back
    /// to the next process with the id of their last event.
    pub fn end_streams(&self) {
        self.events.end();
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
        assert_eq!(slow.next().await, Some(SessionEvent::Recorded), "read the log");
        events.end();
        while slow.next().await.is_some() {}
    }

    #[test]
    fn a_crowd_is_kept_out() {
        let events = Arc::new(Events::default());
        let inside: Vec<_> = (0..MOST_PER_SESSION).map(|_| events.listen(session(1), 100)).collect();
        assert!(inside.iter().all(Option::is_some));
        assert!(events.listen(session(1), 100).is_none(), "too many to one session");
        assert!(events.listen(session(2), 100).is_some());
        assert!(events.listen(session(2), MOST_PER_SESSION).is_none(), "too many to all");
        drop(inside);
        assert!(events.listen(session(1), 100).is_some());
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
