//! Nonces that a seller issues and takes once. Nothing is kept of one that is issued; what is taken is kept until it is too old.

use crate::domain::{
    chance::{Chance, draw},
    clock::UnixSeconds,
    mpp::root::keyed,
};
use hmac::Mac as _;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};
use zeroize::Zeroizing;

/// How long a nonce is good, in seconds.
const GOOD_FOR: u64 = 300;
/// The bytes of a nonce: its end, chance, and a part of their HMAC.
const PLAIN: usize = 16;
const BYTES: usize = PLAIN + 16;

/// The nonces of one process.
pub(super) struct Nonces {
    key: Zeroizing<[u8; 32]>,
    /// Those that were taken, with their ends. Each was paid for, so there are no more than were sold in five minutes.
    taken: Mutex<HashMap<[u8; PLAIN], UnixSeconds>>,
}

impl Nonces {
    /// Nonces that no other process takes.
    pub(super) fn new(chance: &dyn Chance) -> Self {
        Self { key: Zeroizing::new(draw(chance)), taken: Mutex::default() }
    }

    /// A fresh one.
    pub(super) fn issue(&self, chance: &dyn Chance, now: UnixSeconds) -> String {
        let mut plain = [0; PLAIN];
        plain[..8].copy_from_slice(&now.saturating_add(GOOD_FOR).to_be_bytes());
        plain[8..].copy_from_slice(&draw::<8>(chance));
        hex::encode([&plain[..], &self.mac(&plain)].concat())
    }

    /// Takes a nonce; false where it is none of these, too old, or taken already.
    pub(super) fn take(&self, nonce: &str, now: UnixSeconds) -> bool {
        let Some((plain, end)) = self.read(nonce).filter(|(_, end)| now < *end) else { return false };
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.retain(|_, end| now < *end);
        taken.insert(plain, end).is_none()
    }

    fn read(&self, nonce: &str) -> Option<([u8; PLAIN], UnixSeconds)> {
        let mut bytes = [0; BYTES];
        hex::decode_to_slice(nonce, &mut bytes).ok()?;
        let (plain, mac) = bytes.split_first_chunk::<PLAIN>()?;
        let is_ours = keyed(&*self.key).chain_update(plain).verify_truncated_left(mac).is_ok();
        let end = UnixSeconds::from_be_bytes(*plain.first_chunk()?);
        is_ours.then_some((*plain, end))
    }

    fn mac(&self, plain: &[u8; PLAIN]) -> [u8; BYTES - PLAIN] {
        let whole = keyed(&*self.key).chain_update(plain).finalize().into_bytes();
        std::array::from_fn(|at| whole[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::chance::SeededChance;

    #[test]
    fn a_nonce_is_good_once_for_five_minutes_and_here_alone() {
        let chance = SeededChance::new(1);
        let (ours, others) = (Nonces::new(&chance), Nonces::new(&chance));
        let (first, second) = (ours.issue(&chance, 1_000), ours.issue(&chance, 1_000));
        assert_ne!(first, second);
        assert!(!others.take(&first, 1_000), "of another process");
        assert!(ours.take(&first, 1_299));
        assert!(!ours.take(&first, 1_299), "taken");
        assert!(!ours.take(&second, 1_300), "too old");
        assert!(!ours.take(&first.to_uppercase(), 1_299), "another spelling of one that was taken");
        for nonce in ["", "nonce-1", &first[2..], &first.replace('0', "1")] {
            assert!(!ours.take(nonce, 1_000), "{nonce}");
        }
    }
}
