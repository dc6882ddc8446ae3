//! What was last read of the accounts behind channels, in memory: a voucher is judged by it and asks the chain only where it is
//! too old.

use crate::domain::mpp::money::{Reading, Role};
use solana_pubkey::Pubkey;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// For how long it is believed that a grant is gone: one that has been renewed since is read anew, and whoever asks again and
/// again costs no request each time.
const GONE_FOR: Duration = Duration::from_secs(2);

/// A reading with its time.
#[derive(Clone, Copy, Debug)]
struct Read {
    reading: Reading,
    slot: u64,
    at: Instant,
}

/// The last readings, by account.
#[derive(Default)]
pub(crate) struct Readings(Mutex<HashMap<Pubkey, Read>>);

impl Readings {
    /// Remembers what was read in a slot, unless something newer is known. Gives the newest, with its slot.
    pub(crate) fn saw(&self, account: &Pubkey, reading: Reading, slot: u64) -> (Reading, u64) {
        self.saw_at(account, reading, slot, Instant::now())
    }

    fn saw_at(&self, account: &Pubkey, reading: Reading, slot: u64, at: Instant) -> (Reading, u64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let read = Read { reading, slot, at };
        let kept = known.entry(*account).or_insert(read);
        if slot >= kept.slot {
            *kept = read;
        }
        (kept.reading, kept.slot)
    }

    /// The newest reading, with its slot, however old it is.
    pub(crate) fn newest(&self, account: &Pubkey) -> Option<(Reading, u64)> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(account).map(|read| (read.reading, read.slot))
    }

    /// Forgets what was read of an account: it was of a time before something that is known.
    pub(crate) fn forget(&self, account: &Pubkey) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(account);
    }

    /// What was read at most `age` ago, and at most [`GONE_FOR`] where the grant was gone.
    pub(crate) fn young(&self, account: &Pubkey, age: Duration) -> Option<Reading> {
        self.young_at(account, age, Instant::now())
    }

    fn young_at(&self, account: &Pubkey, age: Duration, now: Instant) -> Option<Reading> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let longest = |read: &Read| if read.reading.role == Role::Gone { age.min(GONE_FOR) } else { age };
        let is_good = |read: &&Read| now.saturating_duration_since(read.at) <= longest(read);
        known.get(account).filter(is_good).map(|read| read.reading)
    }

    /// Forgets accounts on which nothing stands any more.
    pub(crate) fn keep_only(&self, accounts: &[Pubkey]) {
        let wanted: std::collections::HashSet<&Pubkey> = accounts.iter().collect();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|account, _| wanted.contains(account));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(balance: u64) -> Reading {
        Reading { role: Role::Live, balance, remaining: u64::MAX }
    }

    #[test]
    fn an_older_state_never_replaces_a_newer_one_and_age_counts() {
        let (readings, account, now) = (Readings::default(), Pubkey::new_from_array([1; 32]), Instant::now());
        let later = now + Duration::from_secs(15);
        readings.saw_at(&account, reading(5), 10, now);
        readings.saw_at(&account, reading(9), 9, later);
        assert_eq!(readings.young_at(&account, Duration::ZERO, now), Some(reading(5)));
        assert_eq!(readings.young_at(&account, Duration::from_secs(15), later), Some(reading(5)));
        assert_eq!(readings.young_at(&account, Duration::from_secs(14), later), None);
        readings.saw_at(&account, reading(4), 10, later);
        assert_eq!(readings.young_at(&account, Duration::ZERO, later), Some(reading(4)));
        readings.saw_at(&account, Reading { role: Role::Gone, ..reading(4) }, 11, later);
        let soon = |seconds| readings.young_at(&account, Duration::MAX, later + Duration::from_secs(seconds));
        assert_eq!(soon(2).map(|reading| reading.role), Some(Role::Gone), "whoever asks at once is told the same");
        assert_eq!(soon(3), None, "it is read again");
        readings.saw_at(&account, reading(4), 12, later);
        readings.keep_only(&[]);
        assert_eq!(readings.young_at(&account, Duration::MAX, later), None);
    }
}
