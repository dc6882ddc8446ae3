//! What a seller remembers of channels, without which an old voucher would pay again.
//!
//! A store compares and replaces: two requests with one voucher must not both be served, in one process or in several. Several
//! processes that sell for one wallet need one shared store.

use crate::domain::{
    amount::Amount,
    clock::{HOUR, UnixSeconds},
    mpp::voucher::SeenChannel,
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// How long a channel is remembered past its end, in seconds: clocks are set back.
const PAST_ITS_END: u64 = HOUR;

/// What is remembered of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The last voucher that was served for.
    pub seen: SeenChannel,
    /// The wallet that pays.
    pub payer: String,
    /// The most that the channel pays.
    pub deposit: Amount,
    /// No voucher is served for from then on, Unix seconds.
    pub expires: UnixSeconds,
    /// Whether its vouchers are paid no more.
    pub standing: Standing,
}

/// Whether a channel's vouchers are paid, as far as the facilitator has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// They are.
    Live,
    /// It has ended.
    Ended,
}

/// What became of a replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swapped {
    /// It is remembered, and so durably as the store promises.
    Done,
    /// Something else was remembered; nothing was changed.
    Changed,
}

/// Why nothing is remembered.
#[derive(Debug, thiserror::Error)]
pub enum StoreFault {
    /// There is no place for another channel.
    #[error("no more channels can be remembered")]
    Full,
    /// The store does not work.
    #[error("what was paid cannot be remembered")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Remembers channels by their public id.
#[async_trait]
pub trait ChannelStore: Send + Sync + 'static {
    /// What is remembered of a channel.
    async fn get(&self, channel: &str) -> Result<Option<Remembered>, StoreFault>;

    /// Remembers `after` in the place of `before`, if it is still that which is remembered. No channel is forgotten before it
    /// expires: with its vouchers it would pay again.
    async fn swap(
        &self,
        channel: &str,
        before: Option<&Remembered>,
        after: &Remembered,
        now: UnixSeconds,
    ) -> Result<Swapped, StoreFault>;

    /// Forgets a channel; its vouchers would be served for again.
    async fn remove(&self, channel: &str) -> Result<(), StoreFault>;
}

/// A bounded number of channels in memory: a restart forgets them, and would serve for old vouchers again.
#[derive(Debug)]
pub struct MemoryStore(Mutex<Channels>);

impl MemoryStore {
    /// Remembers at most so many channels; more are not served for until others expire.
    pub fn new(most: usize) -> Self {
        Self(Mutex::new(Channels::new(most)))
    }

    fn channels(&self) -> MutexGuard<'_, Channels> {
        // Each change is one insertion or removal, so nothing is half done after a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ChannelStore for MemoryStore {
    async fn get(&self, channel: &str) -> Result<Option<Remembered>, StoreFault> {
        Ok(self.channels().get(channel))
    }

    async fn swap(
        &self,
        channel: &str,
        before: Option<&Remembered>,
        after: &Remembered,
        now: UnixSeconds,
    ) -> Result<Swapped, StoreFault> {
        self.channels().swap(channel, before, after, now)
    }

    async fn remove(&self, channel: &str) -> Result<(), StoreFault> {
        self.channels().remove(channel);
        Ok(())
    }
}

/// Channels by their public id, so many at most.
#[derive(Debug)]
pub(super) struct Channels {
    by_id: HashMap<String, Remembered>,
    most: usize,
}

impl Channels {
    pub(super) fn new(most: usize) -> Self {
        Self { by_id: HashMap::new(), most }
    }

    pub(super) fn get(&self, channel: &str) -> Option<Remembered> {
        self.by_id.get(channel).cloned()
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Remembered)> {
        self.by_id.iter()
    }

    pub(super) fn swap(
        &mut self,
        channel: &str,
        before: Option<&Remembered>,
        after: &Remembered,
        now: UnixSeconds,
    ) -> Result<Swapped, StoreFault> {
        if self.by_id.get(channel) != before {
            return Ok(Swapped::Changed);
        }
        if before.is_none() && self.by_id.len() >= self.most {
            self.forget_expired(now);
            if self.by_id.len() >= self.most {
                return Err(StoreFault::Full);
            }
        }
        self.by_id.insert(channel.to_owned(), after.clone());
        Ok(Swapped::Done)
    }

    /// Remembers what was written of a channel; of two the later voucher counts.
    pub(super) fn restore(&mut self, channel: String, written: Remembered) {
        let is_later = self.by_id.get(&channel).is_none_or(|known| written.seen.sequence >= known.seen.sequence);
        if is_later {
            self.by_id.insert(channel, written);
        }
    }

    pub(super) fn remove(&mut self, channel: &str) {
        self.by_id.remove(channel);
    }

    /// Forgets the channels whose vouchers nobody serves for any more.
    fn forget_expired(&mut self, now: UnixSeconds) {
        self.by_id.retain(|_, channel| channel.expires.saturating_add(PAST_ITS_END) > now);
    }
}

/// What is remembered, as stores write it.
#[derive(Serialize, Deserialize)]
struct Written {
    signer: String,
    cumulative: u64,
    sequence: u64,
    payer: String,
    deposit: u64,
    expires: u64,
    standing: Standing,
}

impl Remembered {
    /// A line of JSON that stands for it, for a store of one's own.
    pub fn to_text(&self) -> String {
        let written = Written {
            signer: self.seen.signer.clone(),
            cumulative: self.seen.cumulative.get(),
            sequence: self.seen.sequence,
            payer: self.payer.clone(),
            deposit: self.deposit.get(),
            expires: self.expires,
            standing: self.standing,
        };
        // Texts and whole numbers: serialising cannot fail.
        serde_json::to_string(&written).unwrap_or_default()
    }

    /// What such a line stands for; `None` where it is none.
    pub fn from_text(text: &str) -> Option<Self> {
        let written: Written = serde_json::from_str(text).ok()?;
        let seen = SeenChannel {
            signer: written.signer,
            cumulative: Amount::new(written.cumulative)?,
            sequence: written.sequence,
        };
        let deposit = Amount::new(written.deposit)?;
        Some(Self { seen, payer: written.payer, deposit, expires: written.expires, standing: written.standing })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembered(sequence: u64, expires: UnixSeconds) -> Remembered {
        let seen = SeenChannel { signer: "s".to_owned(), cumulative: Amount::ONE, sequence };
        Remembered { seen, payer: "p".to_owned(), deposit: Amount::MAX, expires, standing: Standing::Live }
    }

    #[test]
    fn a_replacement_finds_what_it_expects_or_does_nothing() {
        let mut channels = Channels::new(2);
        let (first, second) = (remembered(1, 10), remembered(2, 10));
        assert_eq!(channels.swap("a", None, &first, 0).unwrap(), Swapped::Done);
        assert_eq!(channels.swap("a", None, &second, 0).unwrap(), Swapped::Changed, "there is one");
        assert_eq!(channels.swap("a", Some(&second), &first, 0).unwrap(), Swapped::Changed, "there is another one");
        assert_eq!(channels.swap("b", Some(&first), &second, 0).unwrap(), Swapped::Changed, "there is none");
        assert_eq!(channels.swap("a", Some(&first), &second, 0).unwrap(), Swapped::Done);
        assert_eq!(channels.get("a"), Some(second));
    }

    #[test]
    fn no_channel_is_forgotten_before_it_expires() {
        let mut channels = Channels::new(1);
        let mut swap = |name: &str, now| channels.swap(name, None, &remembered(1, 10), now);
        assert!(swap("a", 0).is_ok());
        assert!(matches!(swap("b", 10 + PAST_ITS_END - 1), Err(StoreFault::Full)));
        assert!(matches!(swap("b", 10 + PAST_ITS_END), Ok(Swapped::Done)));
    }

    #[test]
    fn what_is_written_is_read() {
        let channel = remembered(7, u64::MAX);
        assert_eq!(Remembered::from_text(&channel.to_text()), Some(channel));
        for text in ["", "{}", "null"] {
            assert_eq!(Remembered::from_text(text), None);
        }
    }
}
