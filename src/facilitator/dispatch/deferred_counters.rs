//! What waits by promise, by session, in memory: enough to know when it has to be settled.
//!
//! A hint: the ledger is the truth, and the counters are rebuilt from it at start. Must be true: what is counted here is at
//! most what the ledger says waits, and the ledger says at most that and what was promised since the last background round
//! asked it. Promises that rest after a settlement came to nothing are known by the moment they may be planned again and
//! count towards no other trigger. What a queue was notified of ([`super::queue_state`]) is counted apart from this: it says
//! that a task has to look, and not what it will find.

use crate::{
    domain::{amount::Amount, clock::UnixSeconds, session::SessionId},
    facilitator::settings::DeferredPolicy,
    ledger::Promised,
};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// The counters of all sessions.
#[derive(Default)]
pub(crate) struct DeferredCounters {
    counters: Mutex<Counters>,
    /// Told when something may be due earlier than before.
    pub(crate) changed: Notify,
}

impl DeferredCounters {
    fn lock(&self) -> MutexGuard<'_, Counters> {
        // Nothing panics while holding it; a poisoned counter is still a counter.
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Counters) -> T) -> T {
        let (result, sooner) = {
            let mut counters = self.lock();
            let before = counters.next_due();
            let result = change(&mut counters);
            let after = counters.next_due();
            (result, after.is_some() && (before.is_none() || after < before))
        };
        if sooner {
            self.changed.notify_one();
        }
        result
    }

    /// Counts a promise in. True when it reaches a trigger of amount or count.
    pub(crate) fn add(&self, session: SessionId, amount: Amount, at: UnixSeconds, policy: &DeferredPolicy) -> bool {
        self.change(|counters| counters.add(session, amount, at, policy))
    }

    /// Takes over what the ledger says at start. True when it has reached a trigger already.
    pub(crate) fn restore(&self, promised: &Promised, policy: &DeferredPolicy) -> bool {
        self.change(|counters| counters.restore(promised, policy))
    }

    /// Counts at least what the ledger says waits. True when it has reached a trigger.
    pub(crate) fn raise_to(&self, promised: &Promised, policy: &DeferredPolicy) -> bool {
        self.change(|counters| counters.raise_to(promised, policy))
    }

    /// Promises of this session came back and may be planned again at `at`.
    pub(crate) fn retry_at(&self, session: SessionId, at: UnixSeconds, policy: &DeferredPolicy) {
        self.change(|counters| counters.retry_at(session, at, policy));
    }

    /// Whether the ledger may be asked what waits in this session: once a second.
    pub(crate) fn may_ask(&self, session: SessionId, now: UnixSeconds) -> bool {
        self.lock().may_ask(session, now)
    }

    /// Resets what is counted for the session, because a settlement covers it; returns how many were counted.
    pub(crate) fn take_counted(&self, session: SessionId, policy: &DeferredPolicy) -> u64 {
        self.lock().take_counted(session, policy)
    }

    /// Removes and returns the sessions that are due at `now`, earliest first; the caller must settle them.
    pub(crate) fn take_due(&self, now: UnixSeconds, policy: &DeferredPolicy) -> Vec<Due> {
        self.lock().take_due(now, policy)
    }

    /// The next moment at which something is due.
    pub(crate) fn next_due(&self) -> Option<UnixSeconds> {
        self.lock().next_due()
    }
}

/// What waits in one session.
#[derive(Clone, Copy, Debug, Default)]
struct SessionCounter {
    count: u64,
    amount: Amount,
    /// When the oldest of them was accepted.
    oldest: Option<UnixSeconds>,
    /// When the first that rests may be planned again.
    again_at: Option<UnixSeconds>,
    /// The session's key in `by_time`: when its promises are next due, Unix seconds.
    due: Option<UnixSeconds>,
}

impl SessionCounter {
    /// Whether its amount or count is a trigger.
    fn is_full(&self, policy: &DeferredPolicy) -> bool {
        self.count >= policy.count || self.amount >= policy.amount
    }

    fn is_empty(&self) -> bool {
        self.oldest.is_none() && self.again_at.is_none()
    }
}

/// A session whose promises are to be settled now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) session: SessionId,
    /// How many promises that do not rest were counted.
    pub(crate) count: u64,
    /// Whether promises that a settlement gave back are among them.
    pub(crate) again: bool,
}

/// All sessions with promises.
#[derive(Default)]
struct Counters {
    sessions: HashMap<SessionId, SessionCounter>,
    by_time: BTreeSet<(UnixSeconds, SessionId)>,
    /// The sessions that the ledger was asked about in this second.
    asked: (UnixSeconds, HashSet<SessionId>),
}

impl Counters {
    /// Counts a promise in. True when it reaches a trigger of amount or count.
    fn add(&mut self, session: SessionId, amount: Amount, at: UnixSeconds, policy: &DeferredPolicy) -> bool {
        let counter = self.sessions.entry(session).or_default();
        counter.count += 1;
        counter.amount = counter.amount.checked_add(amount).unwrap_or(Amount::MAX);
        counter.oldest = Some(counter.oldest.map_or(at, |oldest| oldest.min(at)));
        let reached = counter.is_full(policy);
        self.reschedule(session, policy);
        reached
    }

    /// Takes over what the ledger says at start. True when it has reached a trigger already.
    fn restore(&mut self, promised: &Promised, policy: &DeferredPolicy) -> bool {
        let Promised { session, count, amount, oldest, again_at, .. } = *promised;
        let counter = SessionCounter { count, amount, oldest, again_at, due: None };
        self.sessions.insert(session, counter);
        self.reschedule(session, policy);
        counter.is_full(policy)
    }

    /// Whether the ledger may be asked what waits in this session: once a second.
    fn may_ask(&mut self, session: SessionId, now: UnixSeconds) -> bool {
        if self.asked.0 != now {
            self.asked = (now, HashSet::new());
        }
        self.asked.1.insert(session)
    }

    /// At least what the ledger says waits. True when it has reached a trigger.
    fn raise_to(&mut self, promised: &Promised, policy: &DeferredPolicy) -> bool {
        let counter = self.sessions.entry(promised.session).or_default();
        counter.count = counter.count.max(promised.count);
        counter.amount = counter.amount.max(promised.amount);
        counter.oldest = [counter.oldest, promised.oldest].into_iter().flatten().min();
        counter.again_at = [counter.again_at, promised.again_at].into_iter().flatten().min();
        let full = counter.is_full(policy);
        self.reschedule(promised.session, policy);
        full
    }

    /// Promises of this session came back and may be planned again at `at`.
    fn retry_at(&mut self, session: SessionId, at: UnixSeconds, policy: &DeferredPolicy) {
        let counter = self.sessions.entry(session).or_default();
        counter.again_at = Some(counter.again_at.map_or(at, |earlier| earlier.min(at)));
        self.reschedule(session, policy);
    }

    /// Counts a session from zero: all that does not rest is covered by a settlement, or is about to be. Gives how many were
    /// counted.
    fn take_counted(&mut self, session: SessionId, policy: &DeferredPolicy) -> u64 {
        let Some(counter) = self.sessions.get_mut(&session) else { return 0 };
        let count = counter.count;
        (counter.count, counter.amount, counter.oldest) = (0, Amount::ZERO, None);
        self.reschedule(session, policy);
        count
    }

    /// Removes and returns the sessions that are due at `now`, earliest first; the caller must settle them.
    fn take_due(&mut self, now: UnixSeconds, policy: &DeferredPolicy) -> Vec<Due> {
        let mut taken = Vec::new();
        while let Some(&(due, session)) = self.by_time.first()
            && due <= now
        {
            let mut again = false;
            if let Some(counter) = self.sessions.get_mut(&session)
                && counter.again_at.is_some_and(|at| at <= now)
            {
                counter.again_at = None;
                again = true;
            }
            let count = self.take_counted(session, policy);
            taken.push(Due { session, count, again });
        }
        taken
    }

    /// The next moment at which something is due.
    fn next_due(&self) -> Option<UnixSeconds> {
        self.by_time.first().map(|(due, _)| *due)
    }

    /// Puts a session where it belongs in the order of time, and forgets it when nothing waits.
    fn reschedule(&mut self, session: SessionId, policy: &DeferredPolicy) {
        let Some(counter) = self.sessions.get_mut(&session) else { return };
        let by_age = counter.oldest.map(|oldest| oldest.saturating_add(policy.age_seconds));
        let due = [by_age, counter.again_at].into_iter().flatten().min();
        let before = std::mem::replace(&mut counter.due, due);
        // Most promises are not their session's first, and change no time.
        if before != due {
            self.by_time.extend(due.map(|due| (due, session)));
            if let Some(before) = before {
                self.by_time.remove(&(before, session));
            }
        }
        if counter.is_empty() {
            self.sessions.remove(&session);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(n: u8) -> SessionId {
        SessionId::from_random_bytes([n; 16])
    }

    fn units(units: u64) -> Amount {
        Amount::new(units).unwrap_or_default()
    }

    fn policy() -> DeferredPolicy {
        DeferredPolicy { amount: units(100), count: 3, age_seconds: 60, ..DeferredPolicy::default() }
    }

    #[test]
    fn the_amount_or_the_count_of_one_session_is_a_trigger() {
        let (mut counters, policy) = (Counters::default(), policy());
        assert!(!counters.add(session(1), units(60), 1_000, &policy));
        assert!(!counters.add(session(2), units(60), 1_000, &policy), "another session's are not added");
        assert!(counters.add(session(1), units(40), 1_000, &policy), "by amount");
        assert_eq!(counters.take_counted(session(1), &policy), 2);
        for expected in [false, false, true] {
            assert_eq!(counters.add(session(1), units(1), 1_000, &policy), expected, "by count, from zero");
        }
    }

    #[test]
    fn the_oldest_promise_is_due_at_its_age() {
        let (mut counters, policy) = (Counters::default(), policy());
        counters.add(session(1), units(1), 1_000, &policy);
        counters.add(session(1), units(1), 1_050, &policy);
        counters.add(session(2), units(1), 1_020, &policy);
        assert_eq!(counters.next_due(), Some(1_060));
        assert_eq!(counters.take_due(1_059, &policy), []);
        assert_eq!(counters.take_due(1_060, &policy), [Due { session: session(1), count: 2, again: false }]);
        assert_eq!(counters.take_due(2_000, &policy), [Due { session: session(2), count: 1, again: false }]);
        assert_eq!(counters.next_due(), None);
        assert!(counters.sessions.is_empty(), "nothing is left behind");
    }

    #[test]
    fn what_came_back_rests_and_is_no_other_trigger() {
        let (mut counters, policy) = (Counters::default(), policy());
        counters.retry_at(session(1), 1_010, &policy);
        assert_eq!(counters.take_counted(session(1), &policy), 0, "a settlement made meanwhile does not cover it");
        assert!(!counters.add(session(1), units(99), 1_000, &policy));
        assert_eq!(counters.take_due(1_010, &policy), [Due { session: session(1), count: 1, again: true }]);
        assert_eq!(counters.next_due(), None, "what is fresh goes along");
    }

    /// What the ledger says of two promises, and of one that rests until then.
    fn promised(again_at: Option<UnixSeconds>) -> Promised {
        Promised {
            session: session(1),
            count: 2,
            amount: units(50),
            oldest: Some(900),
            resting: again_at.is_some().into(),
            again_at,
            accepting: true,
        }
    }

    #[test]
    fn what_nobody_counted_is_counted_when_the_ledger_tells_and_never_twice() {
        let (mut counters, policy) = (Counters::default(), policy());
        let promised = promised(None);
        counters.add(session(1), units(20), 950, &policy);
        assert!(!counters.raise_to(&promised, &policy) && !counters.raise_to(&promised, &policy));
        assert_eq!(counters.next_due(), Some(960), "by the age of the one nobody counted");
        assert!(counters.add(session(1), units(1), 960, &policy), "two and one are three");
    }

    #[test]
    fn the_ledger_is_asked_about_a_session_once_a_second() {
        let mut counters = Counters::default();
        let asks = [(1, 100), (1, 100), (2, 100), (1, 101), (1, 101), (1, 100)];
        let may = asks.map(|(number, now)| counters.may_ask(session(number), now));
        assert_eq!(may, [true, false, true, true, false, true]);
        assert_eq!(counters.asked.1.len(), 1, "of the last second alone");
    }

    #[test]
    fn a_start_takes_over_what_the_ledger_says() {
        let (mut counters, policy) = (Counters::default(), policy());
        let promised = promised(Some(5_000));
        assert!(!counters.restore(&promised, &policy));
        assert!(counters.restore(&Promised { count: 3, ..promised }, &policy), "reached while nobody looked");
        counters.restore(&promised, &policy);
        assert_eq!(counters.next_due(), Some(960));
        assert!(counters.add(session(1), units(1), 940, &policy), "two and one are three");
        counters.take_counted(session(1), &policy);
        assert_eq!(counters.next_due(), Some(5_000));
    }
}
