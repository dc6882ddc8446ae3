//! Requests for one message, in the order in which they came: one of them works on it, the others wait for it, and the earliest
//! that is still there when it ends goes on.
//!
//! A limit and a hint: between processes the ledger decides whose a success is.

use crate::domain::hold::ContentHash;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::OwnedMutexGuard;

/// How many requests may be at one message at once, the one that works on it included.
const MOST: usize = 4;

/// The requests for each message.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<ContentHash, Line>>);

/// Who is at one message: how many, and whose turn it is (first come, first served).
#[derive(Default)]
struct Line {
    requests: usize,
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// A request's place; given back on drop.
pub(crate) struct Place<'a> {
    turns: &'a Turns,
    message: ContentHash,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Turns {
    /// A place at a message; none while there are as many as there may be.
    pub(crate) fn take(&self, message: ContentHash) -> Option<Place<'_>> {
        let mut lines = self.lock();
        let line = lines.entry(message).or_default();
        if line.requests >= MOST {
            return None;
        }
        line.requests += 1;
        let turn = Arc::clone(&line.turn);
        Some(Place { turns: self, message, turn })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ContentHash, Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Waits until those who came before have been answered or are gone.
    pub(crate) async fn turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.turn).lock_owned().await
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut lines = self.turns.lock();
        if let Some(line) = lines.get_mut(&self.message) {
            line.requests -= 1;
            if line.requests == 0 {
                lines.remove(&self.message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn requests_for_a_message_go_one_after_the_other_and_only_so_many() {
        let (turns, message) = (Turns::default(), ContentHash([1; 32]));
        let places: Vec<_> = (0..MOST).map(|_| turns.take(message).expect("a place")).collect();
        assert!(turns.take(message).is_none());
        assert!(turns.take(ContentHash([2; 32])).is_some(), "another message has its own");
        let first = places[0].turn().await;
        let (mut second, mut third) = (Box::pin(places[1].turn()), Box::pin(places[2].turn()));
        assert!((&mut second).now_or_never().is_none() && (&mut third).now_or_never().is_none());
        drop(second);
        drop(first);
        third.await;
        drop(places);
        assert!(turns.lock().is_empty(), "nothing is remembered of it");
    }
}
