//! How many requests may wait: in all, and for one thing.
//!
//! A request that waits for the chain costs next to nothing but a place, and places are what one payer could fill: with
//! closes of one session, with repeats of one payment, with payments that wait for his own opening. So whoever is to
//! wait takes a seat first, under his name; who finds none is told how things stand, or to come back, at once. Requests
//! that are answered at once need no seat.

use crate::{domain::session::SessionId, facilitator::settings::WaitingSettings};
use solana_pubkey::Pubkey;
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

/// How many may wait for one session's close: all of them are told the same.
const AT_ONE_CLOSE: usize = 4;

/// Seats, under names.
pub(crate) struct Room<K> {
    per_name: usize,
    in_all: usize,
    taken: Mutex<Taken<K>>,
}

struct Taken<K> {
    in_all: usize,
    by_name: HashMap<K, usize>,
}

/// A seat, given back on drop.
pub(crate) struct Seat<K: Eq + Hash> {
    room: Arc<Room<K>>,
    name: K,
}

impl<K: Eq + Hash + Copy> Room<K> {
    fn new(per_name: usize, in_all: usize) -> Arc<Self> {
        Arc::new(Self { per_name, in_all, taken: Mutex::new(Taken { in_all: 0, by_name: HashMap::new() }) })
    }

    /// A seat for one more of this name, while there is one for it.
    pub(crate) fn enter(self: &Arc<Self>, name: K) -> Option<Seat<K>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_name = taken.by_name.get(&name).copied().unwrap_or_default();
        if of_name >= self.per_name || taken.in_all >= self.in_all {
            return None;
        }
        taken.in_all += 1;
        taken.by_name.insert(name, of_name + 1);
        Some(Seat { room: Arc::clone(self), name })
    }
}

impl<K: Eq + Hash> Drop for Seat<K> {
    fn drop(&mut self) {
        let mut taken = self.room.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.in_all -= 1;
        if let Some(count) = taken.by_name.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                taken.by_name.remove(&self.name);
            }
        }
    }
}

/// The rooms of one facilitator.
pub(crate) struct Rooms {
    /// Everybody who waits, by the payer whose transfers, openings or closes he waits for.
    pub(crate) users: Arc<Room<Pubkey>>,
    /// Those of them who wait for a close.
    pub(crate) closes: Arc<Room<SessionId>>,
}

impl Rooms {
    pub(crate) fn new(settings: &WaitingSettings) -> Self {
        Self { users: Room::new(settings.per_user, settings.in_all), closes: Room::new(AT_ONE_CLOSE, usize::MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_so_many_seats_and_all_names_together_have_so_many() {
        let room = Room::new(2, 3);
        let mut mine: Vec<_> = (0..2).filter_map(|_| room.enter(1)).collect();
        assert_eq!((mine.len(), room.enter(1).is_none()), (2, true));
        let his = room.enter(2);
        assert!(his.is_some() && room.enter(3).is_none(), "full");
        mine.pop();
        let other = room.enter(3);
        assert!(other.is_some() && room.enter(1).is_none());
        drop((mine, his, other));
        let taken = room.taken.lock();
        assert!(taken.is_ok_and(|taken| taken.in_all == 0 && taken.by_name.is_empty()), "nothing is left behind");
    }
}
