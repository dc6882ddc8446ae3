//! What was seen of payers' accounts, remembered while this process lives.

use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// What was seen of one account at earlier looks.
#[derive(Clone, Default)]
pub(crate) struct Known {
    /// The balance's handle at the last examination that came to its end.
    pub(crate) handle: u128,
    /// Whether its history was examined when that handle had stood for a whole look already: then nothing that made it
    /// can still be missing from the list.
    pub(crate) still: bool,
    /// Entries that can only have added, and will be listed again. Kept when an examination was cut off, so that the next
    /// one goes on where it ended.
    pub(crate) harmless: HashSet<Signature>,
}

/// One account's place in the monitor's memory.
#[derive(Default)]
struct Account {
    known: Known,
    /// In how many rounds the history since the proof of this slot was not read to its end.
    unfinished_rounds: (u64, u32),
    /// When a payment last had it looked at.
    looked: Option<Instant>,
    /// What the last look showed, whoever made it, and when it was made.
    shown: Option<(Instant, Shown)>,
}

/// What a look at an account showed, as far as promises are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// We are the delegate.
    Delegated,
    /// We are not, or nobody can read it; a second look tells.
    Doubtful,
    /// Nothing: the chain did not answer.
    Nothing,
}

/// How long a doubtful look is not made again for another promise.
const DOUBT: Duration = Duration::from_secs(1);

/// The monitor's memory. Losing it costs requests and nothing else.
#[derive(Default)]
pub(crate) struct MonitorState {
    accounts: Mutex<HashMap<Pubkey, Account>>,
}

impl MonitorState {
    fn lock(&self) -> MutexGuard<'_, HashMap<Pubkey, Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of this user's account.
    pub(crate) fn known(&self, user: &Pubkey) -> Known {
        self.lock().get(user).map(|account| account.known.clone()).unwrap_or_default()
    }

    /// Whether the account was examined when this handle had stood for a whole look.
    pub(crate) fn is_still(&self, user: &Pubkey, handle: u128) -> bool {
        self.lock().get(user).is_some_and(|account| account.known.still && account.known.handle == handle)
    }

    /// Stores what is known of this user's account.
    pub(crate) fn remember(&self, user: &Pubkey, known: Known) {
        self.lock().entry(*user).or_default().known = known;
    }

    /// How many rounds did not get to the end of the history since the proof of this slot.
    pub(crate) fn unfinished_rounds_of(&self, user: &Pubkey, of: u64) -> u32 {
        self.lock()
            .get(user)
            .map_or(0, |account| if account.unfinished_rounds.0 == of { account.unfinished_rounds.1 } else { 0 })
    }

    /// Counts one more round that did not read the history since slot `of` to its end; returns the new count.
    pub(crate) fn count_unfinished(&self, user: &Pubkey, of: u64) -> u32 {
        let mut accounts = self.lock();
        let unfinished_rounds = &mut accounts.entry(*user).or_default().unfinished_rounds;
        *unfinished_rounds = (of, if unfinished_rounds.0 == of { unfinished_rounds.1.saturating_add(1) } else { 1 });
        unfinished_rounds.1
    }

    /// Resets the count of unfinished rounds: the user's history was read to its end.
    pub(crate) fn reset_unfinished(&self, user: &Pubkey) {
        if let Some(account) = self.lock().get_mut(user) {
            account.unfinished_rounds = (0, 0);
        }
    }

    /// Whether a payment may have this account looked at now; not again before `pause` has passed.
    pub(crate) fn may_look(&self, user: &Pubkey, now: Instant, pause: Duration) -> bool {
        let mut accounts = self.lock();
        let looked = &mut accounts.entry(*user).or_default().looked;
        let may = looked.is_none_or(|at| now.duration_since(at) >= pause);
        if may {
            *looked = Some(now);
        }
        may
    }

    /// Stores what a look showed that was made at `at`.
    pub(crate) fn remember_look(&self, user: &Pubkey, shown: Shown, at: Instant) {
        self.lock().entry(*user).or_default().shown = Some((at, shown));
    }

    /// What this user's account showed at a look within `span`; of a doubtful one, within a second.
    pub(crate) fn shown_within(&self, user: &Pubkey, now: Instant, span: Duration) -> Option<Shown> {
        let (at, shown) = self.lock().get(user)?.shown?;
        let span = if shown == Shown::Doubtful { DOUBT } else { span };
        (now.duration_since(at) < span).then_some(shown)
    }

    /// Forgets what is known of this user's account: a new proof was recorded.
    pub(crate) fn forget(&self, user: &Pubkey) {
        self.lock().remove(user);
    }

    /// Forgets every user who is not in `users`.
    pub(crate) fn keep(&self, users: &HashSet<Pubkey>) {
        self.lock().retain(|user, _| users.contains(user));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_in_vain_are_counted_for_one_proof() {
        let (watch, user) = (MonitorState::default(), Pubkey::new_unique());
        assert_eq!([watch.count_unfinished(&user, 5), watch.count_unfinished(&user, 5)], [1, 2]);
        assert_eq!((watch.unfinished_rounds_of(&user, 5), watch.unfinished_rounds_of(&user, 9)), (2, 0));
        assert_eq!(watch.count_unfinished(&user, 9), 1, "a new proof begins anew");
        watch.reset_unfinished(&user);
        assert_eq!(watch.count_unfinished(&user, 9), 1);
    }

    #[test]
    fn a_look_is_good_for_a_while_and_a_doubtful_one_for_a_moment() {
        let (watch, user, span) = (MonitorState::default(), Pubkey::new_unique(), Duration::from_secs(5));
        let now = Instant::now();
        assert_eq!(watch.shown_within(&user, now, span), None);
        for (shown, until) in [(Shown::Delegated, span), (Shown::Nothing, span), (Shown::Doubtful, DOUBT)] {
            watch.remember_look(&user, shown, now);
            let last = until.saturating_sub(Duration::from_millis(1));
            assert_eq!(watch.shown_within(&user, now + last, span), Some(shown));
            assert_eq!(watch.shown_within(&user, now + until, span), None);
        }
    }

    #[test]
    fn payments_have_an_account_looked_at_once_in_a_while() {
        let (watch, user, pause) = (MonitorState::default(), Pubkey::new_unique(), Duration::from_secs(15));
        let now = Instant::now();
        assert!(watch.may_look(&user, now, pause) && !watch.may_look(&user, now + pause / 2, pause));
        assert!(watch.may_look(&Pubkey::new_unique(), now, pause), "of each user");
        assert!(watch.may_look(&user, now + pause, pause));
    }
}
