//! How much of something each caller takes up at the same time: connections, or requests.
//!
//! A caller is an IPv4 address or an IPv6 /64, as [`crate::domain::addresses::caller_prefix`] tells. Whoever takes up
//! nothing is forgotten.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// What callers take up.
#[derive(Debug)]
pub(in crate::api) struct Callers {
    most: Option<usize>,
    counted: Mutex<HashMap<u128, usize>>,
}

/// A caller's place, given back on drop.
#[derive(Debug)]
pub(in crate::api) struct Place {
    callers: Arc<Callers>,
    caller: u128,
}

/// The caller has all he may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) struct TooMany;

impl Callers {
    /// At most so many for each caller; none for no limit.
    pub(in crate::api) fn new(most: Option<usize>) -> Arc<Self> {
        Arc::new(Self { most, counted: Mutex::default() })
    }

    /// Whether anybody is counted at all.
    pub(in crate::api) const fn are_limited(&self) -> bool {
        self.most.is_some()
    }

    /// A place for one more of this caller, where callers are counted.
    pub(in crate::api) fn admit(self: &Arc<Self>, caller: u128) -> Result<Option<Place>, TooMany> {
        let Some(most) = self.most else { return Ok(None) };
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counted.entry(caller).or_default();
        if *count >= most {
            return Err(TooMany);
        }
        *count += 1;
        Ok(Some(Place { callers: Arc::clone(self), caller }))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counted = self.callers.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counted.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                counted.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_caller_has_his_own_places_and_leaves_nothing_behind() {
        let callers = Callers::new(Some(2));
        let mut mine: Vec<_> = (0..2).map(|_| callers.admit(1)).collect();
        assert_eq!(callers.admit(1).err(), Some(TooMany));
        let his = callers.admit(2);
        assert!(his.is_ok() && mine.pop().is_some());
        assert!(callers.admit(1).is_ok(), "a place that was given back");
        drop((mine, his));
        assert!(callers.counted.lock().is_ok_and(|counted| counted.is_empty()));
        assert!(matches!(Callers::new(None).admit(1), Ok(None)));
    }
}
