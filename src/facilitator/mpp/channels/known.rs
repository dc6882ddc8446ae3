//! Keys of channels that were used lately, so that a voucher derives none: bounded, and lost at no cost.

use crate::chain::keys::LocalSigner;
use crate::domain::{
    key_pair::KeyPair,
    mpp::{channel::ChannelTerms, channel_id::PublicId},
};
use lru::LruCache;
use solana_pubkey::Pubkey;
use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

/// Channels kept; about 500 bytes each.
const CAPACITY: NonZeroUsize = NonZeroUsize::MIN.saturating_add(65_535);

/// A channel's terms and the key that signs its vouchers.
pub(super) struct KnownChannel {
    pub(super) terms: ChannelTerms,
    pub(super) key: LocalSigner,
    /// The key that certified it.
    pub(super) issuer: Pubkey,
}

impl KnownChannel {
    pub(super) fn new(terms: ChannelTerms, key: &KeyPair, issuer: Pubkey) -> Self {
        Self { terms, key: LocalSigner::from(key), issuer }
    }
}

/// The channels that were used last.
pub(super) struct KnownChannels(Mutex<LruCache<PublicId, Arc<KnownChannel>>>);

impl KnownChannels {
    pub(super) fn new() -> Self {
        Self(Mutex::new(LruCache::new(CAPACITY)))
    }

    /// The channel, where it is kept.
    pub(super) fn get(&self, id: PublicId) -> Option<Arc<KnownChannel>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Keeps a channel with its key.
    pub(super) fn keep(&self, channel: KnownChannel) -> Arc<KnownChannel> {
        let (id, known) = (channel.terms.id, Arc::new(channel));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(id, Arc::clone(&known));
        known
    }
}
