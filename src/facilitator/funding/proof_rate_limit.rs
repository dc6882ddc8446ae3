//! How often proofs of balances are read from the chain: whoever has one may post it, again and again, and each reading
//! costs requests.
//!
//! One handle is read once in [`PAUSE`]. Another handle needs another attestation, and a payer whose balance moved
//! has a new one, so nobody who repeats an old proof keeps a new one from being read; all of one user's together are
//! bounded by [`OF_ONE_USER`]. Kept are the readings of the last [`PAUSE`] alone, so memory is bounded by them.

use solana_pubkey::Pubkey;
use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long one handle of one user is not read again.
pub(crate) const PAUSE: Duration = Duration::from_secs(1);
/// The most handles of one user that are read in that time.
const OF_ONE_USER: usize = 8;

/// What was read lately: when, of whom, and which handle.
#[derive(Default)]
pub(crate) struct ProofRateLimit(Mutex<VecDeque<(Instant, Pubkey, u128)>>);

impl ProofRateLimit {
    /// Whether this user's handle may be read now; if so, it counts as read.
    pub(crate) fn may_read(&self, user: &Pubkey, handle: u128, now: Instant) -> bool {
        let mut read = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while read.front().is_some_and(|(at, ..)| now.duration_since(*at) >= PAUSE) {
            read.pop_front();
        }
        let mut of_user = 0;
        for (_, _, known) in read.iter().filter(|(_, whose, _)| whose == user) {
            of_user += 1;
            if *known == handle {
                return false;
            }
        }
        let may = of_user < OF_ONE_USER;
        if may {
            read.push_back((now, *user, handle));
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_read_once_in_a_while_and_a_user_has_so_many() {
        let (readings, user, now) = (ProofRateLimit::default(), Pubkey::new_unique(), Instant::now());
        assert!(readings.may_read(&user, 1, now) && !readings.may_read(&user, 1, now + PAUSE / 2));
        assert!(readings.may_read(&Pubkey::new_unique(), 1, now), "of each user");
        for handle in 2..=8 {
            assert!(readings.may_read(&user, handle, now), "a balance that moved is another handle");
        }
        assert!(!readings.may_read(&user, 9, now), "but not without end");
        assert!(readings.may_read(&user, 1, now + PAUSE));
        assert_eq!(readings.0.lock().map(|read| read.len()).ok(), Some(1), "nothing is left behind");
    }
}
