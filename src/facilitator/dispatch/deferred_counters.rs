//! What waits by promise, by session, in memory: enough to know when somebody has to settle it.
//!
//! The ledger is the truth and [`Tallies`] is rebuilt from it at start. Promises that rest after a settlement came to
//! nothing are known by the moment they may be planned again and count towards no other trigger.

use crate::{
    domain::{amount::Amount, clock::UnixSeconds, session::SessionId},
    facilitator::settings::DeferredPolicy,
    ledger::Promised,
};
use std::collections::{BTreeSet, HashMap, HashSet};

/// What waits in one session.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    count: u64,
    amount: Amount,
    /// When the oldest of them was accepted.
    oldest: Option<UnixSeconds>,
    /// When the first that rests may be planned again.
    again_at: Option<UnixSeconds>,
    /// The moment under which the session stands in the order of time.
    due: Option<UnixSeconds>,
}

impl Tally {
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
pub(crate) struct Tallies {
    sessions: HashMap<SessionId, Tally>,
    by_time: BTreeSet<(UnixSeconds, SessionId)>,
    /// The sessions that the ledger was asked about in this second.
    asked: (UnixSeconds, HashSet<SessionId>),
}

impl Tallies {
    /// Counts a promise in. True when it reaches a trigger of amount or count.
    pub(crate) fn accept(
        &mut self,
        session: SessionId,
        amount: Amount,
        at: UnixSeconds,
        policy: &DeferredPolicy,
    ) -> bool {
        let tally = self.sessions.entry(session).or_default();
        tally.count += 1;
        tally.amount = tally.amount.checked_add(amount).unwrap_or(Amount::MAX);
        tally.oldest = Some(tally.oldest.map_or(at, |oldest| oldest.min(at)));
        let reached = tally.is_full(policy);
        self.arrange(session, policy);
        reached
    }

    /// Takes over what the ledger says at start. True when it has reached a trigger already.
    pub(crate) fn restore(&mut self, promised: &Promised, policy: &DeferredPolicy) -> bool {
        let Promised { session, count, amount, oldest, again_at, .. } = *promised;
        let tally = Tally { count, amount, oldest, again_at, due: None };
        self.sessions.insert(session, tally);
        self.arrange(session, policy);
        tally.is_full(policy)
    }

    /// Whether the ledger may be asked what waits in this session: once a second.
    pub(crate) fn may_ask(&mut self, session: SessionId, now: UnixSeconds) -> bool {
        if self.asked.0 != now {
            self.asked = (now, HashSet::new());
        }
        self.asked.1.insert(session)
    }

    /// At least what the ledger says waits. True when it has reached a trigger.
    pub(crate) fn at_least(&mut self, promised: &Promised, policy: &DeferredPolicy) -> bool {
        let tally = self.sessions.entry(promised.session).or_default();
        tally.count = tally.count.max(promised.count);
        tally.amount = tally.amount.max(promised.amount);
        tally.oldest = [tally.oldest, promised.oldest].into_iter().flatten().min();
        tally.again_at = [tally.again_at, promised.again_at].into_iter().flatten().min();
        let full = tally.is_full(policy);
        self.arrange(promised.session, policy);
        full
    }

    /// Promises of this session came back and may be planned again at `at`.
    pub(crate) fn came_back(&mut self, session: SessionId, at: UnixSeconds, policy: &DeferredPolicy) {
        let tally = self.sessions.entry(session).or_default();
        tally.again_at = Some(tally.again_at.map_or(at, |earlier| earlier.min(at)));
        self.arrange(session, policy);
    }

    /// Everything of this session that does not rest is covered by a settlement, or is about to be. How many were
    /// counted.
    pub(crate) fn planned(&mut self, session: SessionId, policy: &DeferredPolicy) -> u64 {
        let Some(tally) = self.sessions.get_mut(&session) else { return 0 };
        let count = tally.count;
        (tally.count, tally.amount, tally.oldest) = (0, Amount::ZERO, None);
        self.arrange(session, policy);
        count
    }

    /// The sessions whose time has come, in its order; they are settled by whoever gets them.
    pub(crate) fn take_due(&mut self, now: UnixSeconds, policy: &DeferredPolicy) -> Vec<Due> {
        let mut taken = Vec::new();
        while let Some(&(due, session)) = self.by_time.first()
            && due <= now
        {
            let mut again = false;
            if let Some(tally) = self.sessions.get_mut(&session)
                && tally.again_at.is_some_and(|at| at <= now)
            {
                tally.again_at = None;
                again = true;
            }
            let count = self.planned(session, policy);
            taken.push(Due { session, count, again });
        }
        taken
    }

    /// The next moment at which something is due.
    pub(crate) fn next_due(&self) -> Option<UnixSeconds> {
        self.by_time.first().map(|(due, _)| *due)
    }

    /// Puts a session where it belongs in the order of time, and forgets it when nothing waits.
    fn arrange(&mut self, session: SessionId, policy: &DeferredPolicy) {
        let Some(tally) = self.sessions.get_mut(&session) else { return };
        let by_age = tally.oldest.map(|oldest| oldest.saturating_add(policy.age_seconds));
        let due = [by_age, tally.again_at].into_iter().flatten().min();
        let before = std::mem::replace(&mut tally.due, due);
        // Most promises are not their session's first, and change no time.
        if before != due {
            self.by_time.extend(due.map(|due| (due, session)));
            if let Some(before) = before {
                self.by_time.remove(&(before, session));
            }
        }
        if tally.is_empty() {
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
        let (mut tallies, policy) = (Tallies::default(), policy());
        assert!(!tallies.accept(session(1), units(60), 1_000, &policy));
        assert!(!tallies.accept(session(2), units(60), 1_000, &policy), "another session's are not added");
        assert!(tallies.accept(session(1), units(40), 1_000, &policy), "by amount");
        assert_eq!(tallies.planned(session(1), &policy), 2);
        for expected in [false, false, true] {
            assert_eq!(tallies.accept(session(1), units(1), 1_000, &policy), expected, "by count, from zero");
        }
    }

    #[test]
    fn the_oldest_promise_is_due_at_its_age() {
        let (mut tallies, policy) = (Tallies::default(), policy());
        tallies.accept(session(1), units(1), 1_000, &policy);
        tallies.accept(session(1), units(1), 1_050, &policy);
        tallies.accept(session(2), units(1), 1_020, &policy);
        assert_eq!(tallies.next_due(), Some(1_060));
        assert_eq!(tallies.take_due(1_059, &policy), []);
        assert_eq!(tallies.take_due(1_060, &policy), [Due { session: session(1), count: 2, again: false }]);
        assert_eq!(tallies.take_due(2_000, &policy), [Due { session: session(2), count: 1, again: false }]);
        assert_eq!(tallies.next_due(), None);
        assert!(tallies.sessions.is_empty(), "nothing is left behind");
    }

    #[test]
    fn what_came_back_rests_and_is_no_other_trigger() {
        let (mut tallies, policy) = (Tallies::default(), policy());
        tallies.came_back(session(1), 1_010, &policy);
        assert_eq!(tallies.planned(session(1), &policy), 0, "a settlement made meanwhile does not cover it");
        assert!(!tallies.accept(session(1), units(99), 1_000, &policy));
        assert_eq!(tallies.take_due(1_010, &policy), [Due { session: session(1), count: 1, again: true }]);
        assert_eq!(tallies.next_due(), None, "what is fresh goes along");
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
        let (mut tallies, policy) = (Tallies::default(), policy());
        let promised = promised(None);
        tallies.accept(session(1), units(20), 950, &policy);
        assert!(!tallies.at_least(&promised, &policy) && !tallies.at_least(&promised, &policy));
        assert_eq!(tallies.next_due(), Some(960), "by the age of the one nobody counted");
        assert!(tallies.accept(session(1), units(1), 960, &policy), "two and one are three");
    }

    #[test]
    fn the_ledger_is_asked_about_a_session_once_a_second() {
        let mut tallies = Tallies::default();
        let asks = [(1, 100), (1, 100), (2, 100), (1, 101), (1, 101), (1, 100)];
        let may = asks.map(|(number, now)| tallies.may_ask(session(number), now));
        assert_eq!(may, [true, false, true, true, false, true]);
        assert_eq!(tallies.asked.1.len(), 1, "of the last second alone");
    }

    #[test]
    fn a_start_takes_over_what_the_ledger_says() {
        let (mut tallies, policy) = (Tallies::default(), policy());
        let promised = promised(Some(5_000));
        assert!(!tallies.restore(&promised, &policy));
        assert!(tallies.restore(&Promised { count: 3, ..promised }, &policy), "reached while nobody looked");
        tallies.restore(&promised, &policy);
        assert_eq!(tallies.next_due(), Some(960));
        assert!(tallies.accept(session(1), units(1), 940, &policy), "two and one are three");
        tallies.planned(session(1), &policy);
        assert_eq!(tallies.next_due(), Some(5_000));
    }
}
