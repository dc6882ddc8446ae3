//! How much of something each caller takes up at the same time: connections, or requests.
//!
//! A caller is an IPv4 address or an IPv6 /64, as [`crate::domain::addresses::caller_prefix`] tells. A caller who takes
//! up nothing is forgotten.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Counts what each caller takes up at the moment, up to a limit.
#[derive(Debug)]
pub(in crate::api) struct CallerConcurrency {
    most: Option<usize>,
    counted: Mutex<HashMap<u128, usize>>,
}

/// One of the permits of a caller, given back on drop.
#[derive(Debug)]
pub(in crate::api) struct ConcurrencyPermit {
    callers: Arc<CallerConcurrency>,
    caller: u128,
}

/// The caller has all the permits that one caller may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) struct TooMany;

impl CallerConcurrency {
    /// Allows at most so many for each caller; none for no limit.
    pub(in crate::api) fn new(most: Option<usize>) -> Arc<Self> {
        Arc::new(Self { most, counted: Mutex::default() })
    }

    /// Whether callers are counted at all.
    pub(in crate::api) const fn are_limited(&self) -> bool {
        self.most.is_some()
    }

    /// Takes one more permit for this caller; `None` where callers are not counted.
    pub(in crate::api) fn admit(self: &Arc<Self>, caller: u128) -> Result<Option<ConcurrencyPermit>, TooMany> {
        let Some(most) = self.most else { return Ok(None) };
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counted.entry(caller).or_default();
        if *count >= most {
            return Err(TooMany);
        }
        *count += 1;
        Ok(Some(ConcurrencyPermit { callers: Arc::clone(self), caller }))
    }
}

impl Drop for ConcurrencyPermit {
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
    fn each_caller_has_permits_of_their_own_and_leaves_nothing_behind() {
        let callers = CallerConcurrency::new(Some(2));
        let mut mine: Vec<_> = (0..2).map(|_| callers.admit(1)).collect();
        assert_eq!(callers.admit(1).err(), Some(TooMany));
        let theirs = callers.admit(2);
        assert!(theirs.is_ok() && mine.pop().is_some());
        assert!(callers.admit(1).is_ok(), "a permit that was given back");
        drop((mine, theirs));
        assert!(callers.counted.lock().is_ok_and(|counted| counted.is_empty()));
        assert!(matches!(CallerConcurrency::new(None).admit(1), Ok(None)));
    }
}
