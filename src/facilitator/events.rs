//! The bus that tells listeners in this process that something happened to a session.
//!
//! It carries news, not truth: what happened is read from the ledger's log by position, so a listener that lags, or that
//! comes back after a while, misses nothing. Whoever writes something that a session's listeners are told calls
//! [`Events::publish`] after the write; with nobody listening that costs one look at an empty map.

use crate::{
    domain::{funding::Funding, session::SessionId},
    facilitator::settings::ReadPolicy,
};
use solana_pubkey::Pubkey;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

/// How much news waits for one listener; one that lags further reads the log, which it would have done anyway.
const WAITING_NEWS: usize = 64;
/// How many from outside may listen to one session.
const MOST_PER_SESSION: usize = 8;
/// One part in so many of all streams is kept for users with credit (ADR 0036).
const RESERVED_PART: usize = 4;

/// News about a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// The ledger has recorded something about its payments, settlements or state: read the log.
    Recorded,
    /// What is known of the payer's balance has changed. Not in the log: the present word is in `GET /sessions/{id}`.
    Funding(Funding),
}

/// Whether a listener's user has paid before. What was captured in the session would not do: a transfer from an empty account
/// is captured, too, and moves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rank {
    /// They have credit.
    Payer,
    /// They have none, yet.
    Stranger,
}

/// Who listens from outside, and where from where that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    /// The user of the session.
    pub(crate) user: Pubkey,
    /// An IPv4 address or an IPv6 /64.
    pub(crate) address: Option<u128>,
    /// What the user has earned when the stream begins.
    pub(crate) rank: Rank,
}

/// What listeners are counted by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Counted {
    User(Pubkey),
    Address(u128),
}

impl Listener {
    fn counted(self) -> impl Iterator<Item = Counted> {
        [Some(Counted::User(self.user)), self.address.map(Counted::Address)].into_iter().flatten()
    }
}

/// A stream of somebody outside.
struct Stream {
    listener: Listener,
    /// Ends it.
    sent_away: CancellationToken,
}

#[derive(Default)]
struct Listeners {
    channels: HashMap<SessionId, broadcast::Sender<SessionEvent>>,
    /// Those from outside, in the order in which they came.
    streams: BTreeMap<u64, Stream>,
    /// How many came.
    came: u64,
    /// Streams from outside by who has them; no entry is 0.
    counts: HashMap<Counted, usize>,
}

impl Listeners {
    fn count(&self, what: Counted) -> usize {
        self.counts.get(&what).copied().unwrap_or(0)
    }

    fn enter(&mut self, listener: Listener) -> (u64, CancellationToken) {
        for what in listener.counted() {
            *self.counts.entry(what).or_default() += 1;
        }
        self.came += 1;
        let sent_away = CancellationToken::new();
        self.streams.insert(self.came, Stream { listener, sent_away: sent_away.clone() });
        (self.came, sent_away)
    }

    /// Ends a stream; one that was sent away has left already.
    fn leave(&mut self, number: u64) {
        let Some(Stream { listener, sent_away }) = self.streams.remove(&number) else { return };
        sent_away.cancel();
        for what in listener.counted() {
            let left = self.count(what).saturating_sub(1);
            if left == 0 {
                self.counts.remove(&what);
            } else {
                self.counts.insert(what, left);
            }
        }
    }

    /// Whether one more finds a place among so many, for whom the longest stream of whoever holds most may have to end.
    fn makes_place(&mut self, newcomer: &Listener, most: usize) -> bool {
        let strangers = self.streams.values().filter(|stream| stream.listener.rank == Rank::Stranger).count();
        let common = most - most / RESERVED_PART;
        if newcomer.rank == Rank::Stranger && strangers >= common {
            return self.sends_away_for(newcomer, |listener| listener.rank == Rank::Stranger);
        }
        self.streams.len() < most || self.sends_away_for(newcomer, |_| true)
    }

    /// Ends the longest stream of the user or address that holds most of those in question, if that is more than the
    /// newcomer will: nobody is sent away for one who has as much.
    fn sends_away_for(&mut self, newcomer: &Listener, in_question: impl Fn(&Listener) -> bool) -> bool {
        let asked = || self.streams.iter().filter(|(_, stream)| in_question(&stream.listener));
        let mut held: HashMap<Counted, usize> = HashMap::new();
        for what in asked().flat_map(|(_, stream)| stream.listener.counted()) {
            *held.entry(what).or_default() += 1;
        }
        let share = 1 + newcomer.counted().map(|what| self.count(what)).max().unwrap_or(0);
        let Some(most) = held.values().copied().max().filter(|most| *most > share) else { return false };
        let holds_most = |listener: &Listener| listener.counted().any(|what| held.get(&what) == Some(&most));
        let longest = asked().find(|(_, stream)| holds_most(&stream.listener)).map(|(number, _)| *number);
        if let Some(number) = longest {
            self.leave(number);
        }
        longest.is_some()
    }
}

/// All listeners of this process, by session.
#[derive(Default)]
pub(crate) struct Events {
    inside: Mutex<Listeners>,
    /// This process leaves: nobody is told anything more.
    ending: CancellationToken,
}

/// One listener. Dropping it stops listening.
pub struct Subscription {
    events: Arc<Events>,
    session: SessionId,
    /// Its number among those from outside, and what ends it.
    outside: Option<(u64, CancellationToken)>,
    news: Option<broadcast::Receiver<SessionEvent>>,
}

impl Events {
    fn lock(&self) -> MutexGuard<'_, Listeners> {
        // Nothing panics while holding it; a poisoned map is still a map.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells everybody who listens to this session.
    pub(crate) fn publish(&self, session: SessionId, event: SessionEvent) {
        if let Some(channel) = self.lock().channels.get(&session) {
            // Nobody listening any more is no failure.
            drop(channel.send(event));
        }
    }

    /// Listens to a session from now on.
    pub(crate) fn subscribe(self: &Arc<Self>, session: SessionId) -> Subscription {
        self.join(&mut self.lock(), session, None)
    }

    /// Listens to a session for a caller outside; `None` when as many listen already as may: to this session, to this user's
    /// sessions, from this address, or in all, where nobody holds more than this caller would.
    pub(crate) fn listen(
        self: &Arc<Self>,
        session: SessionId,
        outsider: Listener,
        limits: &ReadPolicy,
    ) -> Option<Subscription> {
        let mut inside = self.lock();
        let here = inside.channels.get(&session).map_or(0, broadcast::Sender::receiver_count);
        let crowded = outsider.counted().any(|what| {
            let most = match what {
                Counted::User(_) => limits.streams_per_user,
                Counted::Address(_) => limits.streams_per_ip,
            };
            inside.count(what) >= most
        });
        (here < MOST_PER_SESSION && !crowded && inside.makes_place(&outsider, limits.streams))
            .then(|| self.join(&mut inside, session, Some(outsider)))
    }

    /// Sends every listener away, now and from now on.
    pub(crate) fn end(&self) {
        self.ending.cancel();
    }

    fn join(self: &Arc<Self>, inside: &mut Listeners, session: SessionId, outsider: Option<Listener>) -> Subscription {
        let outside = outsider.map(|outsider| inside.enter(outsider));
        let channel = inside.channels.entry(session).or_insert_with(|| broadcast::channel(WAITING_NEWS).0);
        Subscription { events: Arc::clone(self), session, outside, news: Some(channel.subscribe()) }
    }
}

impl Subscription {
    /// The next news; `None` when this process leaves or needs the place for somebody else. Who lags is told to read the
    /// log, which tells all of it.
    pub async fn next(&mut self) -> Option<SessionEvent> {
        let (news, outside) = (self.news.as_mut()?, self.outside.as_ref());
        let sent_away = async {
            match outside {
                Some((_, sent_away)) => sent_away.cancelled().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.events.ending.cancelled() => None,
            () = sent_away => None,
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
        let mut inside = self.events.lock();
        if let Some((number, _)) = &self.outside {
            inside.leave(*number);
        }
        if inside.channels.get(&self.session).is_some_and(|channel| channel.receiver_count() == 0) {
            inside.channels.remove(&self.session);
        }
    }
}

#[cfg(test)]
mod tests;
