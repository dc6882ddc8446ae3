//! How often one caller may ask (`spec/security.md` §1.3, R-17, R-18): token buckets by IP address.
//!
//! A caller is an IPv4 address or an IPv6 /64. It is the connection's own, or what a trusted proxy says it is; where no
//! address is known (a router that is not served by [`crate::api::serve`]) nothing is counted. Memory is bounded: the
//! buckets that were not used for longest are forgotten, which only ever forgives. A bucket is one number, the time at
//! which it will be full again, so asking costs one lock of one shard.

use crate::domain::{addresses::Addresses, session::SessionId};
use axum::http::{Extensions, HeaderMap};
use lru::LruCache;
use std::{
    net::IpAddr,
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Locks that callers are spread over; a power of two.
const SHARDS: usize = 32;
/// Callers remembered per shard: 65,536 in all, in about 6 MiB.
const CALLERS_PER_SHARD: NonZeroUsize = NonZeroUsize::MIN.saturating_add(2_047);

/// So many at once, and then one in every `interval`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The time in which one request is earned.
    pub interval: Duration,
    /// How many may come at once.
    pub burst: u32,
}

impl Rate {
    /// `count` in each `period`, all of them at once if need be; none for a count of zero.
    pub fn per(count: u32, period: Duration) -> Option<Self> {
        let interval = period.checked_div(count)?;
        Some(Self { interval, burst: count })
    }

    /// Replaces the burst, keeping the interval.
    #[must_use]
    pub const fn bursting(self, burst: u32) -> Self {
        Self { burst, ..self }
    }
}

/// What one caller may ask for, and what may be asked of one session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateSettings {
    /// Requests of any kind but liveness; none for no limit.
    pub requests: Option<Rate>,
    /// Openings of sessions; none for no limit.
    pub openings: Option<Rate>,
    /// Verifications of payments of one session, whoever asks; none for no limit.
    pub verifications: Option<Rate>,
    /// Requests of single payments; none for no limit.
    pub single_payments: Option<Rate>,
    /// Approves that are prepared; none for no limit.
    pub prepares: Option<Rate>,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Addresses>,
}

/// The headers by which proxies say for whom they ask.
const FORWARDING: [&str; 4] = ["x-forwarded-for", "forwarded", "x-real-ip", "via"];

/// The address a connection comes from; the server puts it into every request of that connection.
#[derive(Clone, Copy, Debug)]
pub(in crate::api) struct Peer(pub(in crate::api) IpAddr);

/// The buckets of one rate.
struct TokenBuckets {
    shards: Vec<Mutex<LruCache<u128, u64>>>,
    /// Nanoseconds.
    interval: u64,
    /// How far ahead of now a bucket's time may lie: a burst's worth, in nanoseconds.
    tolerance: u64,
    began: Instant,
}

impl TokenBuckets {
    fn new(rate: Rate) -> Self {
        let interval = u64::try_from(rate.interval.as_nanos()).unwrap_or(u64::MAX).max(1);
        Self {
            shards: (0..SHARDS).map(|_| Mutex::new(LruCache::new(CALLERS_PER_SHARD))).collect(),
            interval,
            tolerance: interval.saturating_mul(u64::from(rate.burst.saturating_sub(1))),
            began: Instant::now(),
        }
    }

    /// Takes one, or tells how many seconds until there is one.
    fn take(&self, caller: u128) -> Result<(), u64> {
        let now = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.take_at(caller, now)
    }

    fn take_at(&self, caller: u128, now: u64) -> Result<(), u64> {
        let mut shard = self.shard(caller).lock().unwrap_or_else(PoisonError::into_inner);
        let due = shard.get(&caller).copied().unwrap_or(now).max(now);
        let wait = (due - now).saturating_sub(self.tolerance);
        if wait > 0 {
            return Err(wait.div_ceil(1_000_000_000).max(1));
        }
        shard.put(caller, due.saturating_add(self.interval));
        Ok(())
    }

    #[expect(clippy::indexing_slicing, reason = "the remainder of a division by the length is an index")]
    fn shard(&self, caller: u128) -> &Mutex<LruCache<u128, u64>> {
        // The /64 of IPv6 and the last bytes of IPv4 both reach the low bits.
        let mixed = caller ^ (caller >> 64) ^ (caller >> 72) ^ (caller >> 8);
        &self.shards[(mixed % self.shards.len() as u128) as usize]
    }
}

/// What a request counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Counted {
    /// A request.
    Request,
    /// A request, and an opening of a session.
    Opening,
    /// A request, and one of single payments.
    SinglePayment,
    /// A request, and an approve that is prepared.
    Prepare,
}

/// All rate limits of one API.
pub(in crate::api) struct RateLimits {
    requests: Option<TokenBuckets>,
    openings: Option<TokenBuckets>,
    verifications: Option<TokenBuckets>,
    single_payments: Option<TokenBuckets>,
    prepares: Option<TokenBuckets>,
    trusted_proxies: Vec<Addresses>,
}

impl RateLimits {
    pub(in crate::api) fn new(settings: &RateSettings) -> Self {
        Self {
            requests: settings.requests.map(TokenBuckets::new),
            openings: settings.openings.map(TokenBuckets::new),
            verifications: settings.verifications.map(TokenBuckets::new),
            single_payments: settings.single_payments.map(TokenBuckets::new),
            prepares: settings.prepares.map(TokenBuckets::new),
            trusted_proxies: settings.trusted_proxies.clone(),
        }
    }

    /// Whether anything is counted at all on a route.
    pub(in crate::api) fn apply(&self, counted_as: Counted) -> bool {
        self.requests.is_some() || self.further(counted_as).is_some()
    }

    /// The address of the caller: the connection's, or what trusted proxies say it forwards for. Every proxy appends the address
    /// that it saw, so what stands left of an address that is not trusted is not believed.
    pub(in crate::api) fn caller(&self, extensions: &Extensions, headers: &HeaderMap) -> Option<IpAddr> {
        let Peer(peer) = *extensions.get()?;
        let is_trusted = |address: &IpAddr| self.trusted_proxies.iter().any(|proxies| proxies.contain(*address));
        if !is_trusted(&peer) {
            return Some(peer);
        }
        let mut caller = peer;
        for text in forwarded_for(headers).into_iter().rev() {
            let Ok(address) = text.parse() else { break };
            caller = address;
            if !is_trusted(&caller) {
                break;
            }
        }
        Some(caller)
    }

    /// Whether a request says that it was forwarded, by somebody who is not trusted to say so.
    pub(in crate::api) fn is_forwarded_by_stranger(&self, extensions: &Extensions, headers: &HeaderMap) -> bool {
        let says_so = FORWARDING.iter().any(|name| headers.contains_key(*name));
        let is_trusted = extensions
            .get()
            .is_some_and(|Peer(peer)| self.trusted_proxies.iter().any(|proxies| proxies.contain(*peer)));
        says_so && !is_trusted
    }

    /// Counts one request of this caller, or tells in how many seconds they may ask again.
    pub(in crate::api) fn take(&self, caller: u128, counted_as: Counted) -> Result<(), u64> {
        if let Some(requests) = &self.requests {
            requests.take(caller)?;
        }
        self.further(counted_as).map_or(Ok(()), |buckets| buckets.take(caller))
    }

    /// The rate that a request meets beside that of all requests.
    fn further(&self, counted_as: Counted) -> Option<&TokenBuckets> {
        match counted_as {
            Counted::Request => None,
            Counted::Opening => self.openings.as_ref(),
            Counted::SinglePayment => self.single_payments.as_ref(),
            Counted::Prepare => self.prepares.as_ref(),
        }
    }

    /// Counts one verification of a payment of this session, or tells in how many seconds there may be another.
    pub(in crate::api) fn take_verification(&self, session: SessionId) -> Result<(), u64> {
        match &self.verifications {
            Some(verifications) => verifications.take(u128::from_be_bytes(session.to_bytes())),
            None => Ok(()),
        }
    }
}

/// The addresses of all `X-Forwarded-For` headers, in the order in which they were appended.
fn forwarded_for(headers: &HeaderMap) -> Vec<&str> {
    let values = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{body::Body, extract::Request};

    const SECOND: u64 = 1_000_000_000;

    fn buckets(count: u32, burst: u32) -> TokenBuckets {
        TokenBuckets::new(Rate::per(count, Duration::from_secs(1)).expect("above zero").bursting(burst))
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let buckets = buckets(2, 3);
        let taken = (0..5).filter(|_| buckets.take_at(1, 0).is_ok()).count();
        assert_eq!((taken, buckets.take_at(1, 0)), (3, Err(1)));
        assert_eq!(buckets.take_at(2, 0), Ok(()), "another caller has a bucket of their own");
        assert_eq!(buckets.take_at(1, SECOND / 2), Ok(()));
        assert_eq!(buckets.take_at(1, SECOND / 2), Err(1));
        let later = (0..5).filter(|_| buckets.take_at(1, 60 * SECOND).is_ok()).count();
        assert_eq!(later, 3, "what is not used is not saved beyond the burst");
    }

    #[test]
    fn nobody_s_memory_grows_without_bound() {
        let buckets = buckets(1, 1);
        for caller in 0..200_000 {
            let _ = buckets.take_at(caller, 0);
        }
        let remembered: usize = buckets.shards.iter().map(|shard| shard.lock().expect("is whole").len()).sum();
        assert!(remembered <= SHARDS * CALLERS_PER_SHARD.get(), "{remembered}");
        assert!(buckets.shards.iter().all(|shard| shard.lock().expect("is whole").len() > 1_000), "spread evenly");
    }

    fn caller(trusted: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let trusted_proxies = trusted.iter().map(|text| text.parse().expect("a network")).collect();
        let rates = RateLimits::new(&RateSettings { trusted_proxies, ..RateSettings::default() });
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(Peer(peer.parse().expect("an address")));
        for value in forwarded {
            request.headers_mut().append("x-forwarded-for", value.parse().expect("a header"));
        }
        rates.caller(request.extensions(), request.headers()).expect("is known").to_string()
    }

    #[test]
    fn a_forwarded_address_is_believed_only_from_a_trusted_proxy() {
        assert_eq!(caller(&[], "1.1.1.1", &["9.9.9.9"]), "1.1.1.1");
        let trusted = ["10.0.0.0/8"];
        assert_eq!(caller(&trusted, "10.0.0.1", &["9.9.9.9"]), "9.9.9.9");
        assert_eq!(caller(&trusted, "10.0.0.1", &["6.6.6.6, 9.9.9.9, 10.0.0.2"]), "9.9.9.9", "who wrote 6.6.6.6?");
        assert_eq!(caller(&trusted, "10.0.0.1", &["6.6.6.6", "9.9.9.9"]), "9.9.9.9");
        assert_eq!(caller(&trusted, "10.0.0.1", &["nonsense"]), "10.0.0.1");
        assert_eq!(caller(&trusted, "10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(caller(&trusted, "1.1.1.1", &["9.9.9.9"]), "1.1.1.1");
    }

    #[test]
    fn a_rate_of_none_is_no_rate() {
        assert_eq!(Rate::per(0, Duration::from_secs(1)), None);
    }
}
