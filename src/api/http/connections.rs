//! Which connections are held: so many in all, so many of each address, and a few more for probes.
//!
//! When all places are taken, the connection that has been idle longest is closed for the next one: whoever holds many and
//! asks for nothing keeps nobody out. Only where every connection is being answered is the next one closed. A supervisor
//! that cannot reach `/health` restarts a process that is only busy, so probes have places of their own, in which nothing
//! else is answered ([`super::probe::Probe`]).

use crate::{
    api::http::concurrency::{CallerConcurrency, ConcurrencyPermit},
    domain::addresses::{Addresses, caller_prefix},
};
use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use std::{
    collections::HashMap,
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

/// Places that only probes get, once the others are taken.
const PROBE_PLACES: usize = 16;
/// What a connection is idle since that is being answered.
const BUSY: u64 = u64::MAX;

/// The connections of one server.
pub(super) struct Connections {
    most: usize,
    callers: Arc<CallerConcurrency>,
    /// Their connections are counted against no address.
    trusted_proxies: Vec<Addresses>,
    /// From where probes come, beside this machine.
    probes: Vec<Addresses>,
    began: Instant,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    next: u64,
    connections: HashMap<u64, Arc<Activity>>,
    probes: usize,
}

/// What a connection does, as the others may know it.
#[derive(Debug)]
pub(super) struct Activity {
    server_began: Instant,
    /// Nanoseconds after the server began, or [`BUSY`].
    idle_since: AtomicU64,
    /// Whether it has ever sent the headers of a request.
    has_asked: AtomicBool,
    /// Told to close: its place is another's.
    closing: CancellationToken,
}

/// What a place may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlaceFor {
    /// Any request.
    Anything,
    /// Probes alone.
    Probes,
}

/// One connection's place, given back on drop.
pub(super) struct Place {
    connections: Arc<Connections>,
    /// Its number; none for a place of a probe.
    number: Option<u64>,
    pub(super) activity: Arc<Activity>,
    _permit: Option<ConcurrencyPermit>,
}

impl Connections {
    /// At most so many connections in all, and so many of each address; none for no limit.
    pub(super) fn new(
        most: Option<usize>,
        per_ip: Option<usize>,
        trusted_proxies: &[Addresses],
        probes: &[Addresses],
    ) -> Arc<Self> {
        Arc::new(Self {
            most: most.unwrap_or(usize::MAX),
            callers: CallerConcurrency::new(per_ip),
            trusted_proxies: trusted_proxies.to_vec(),
            probes: probes.to_vec(),
            began: Instant::now(),
            held: Mutex::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection from this address; `None` where there is none for it.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let is_proxy = self.trusted_proxies.iter().any(|proxies| proxies.contain(peer));
        let permit = if is_proxy { None } else { self.callers.admit(caller_prefix(peer)).ok()? };
        let activity = Arc::new(Activity::new(self.began));
        let may_probe = peer.to_canonical().is_loopback() || self.probes.iter().any(|probes| probes.contain(peer));
        let mut held = self.lock();
        let number = if held.has_place(self.most) {
            Some(held.add(&activity))
        } else if may_probe && held.probes < PROBE_PLACES {
            held.probes += 1;
            None
        } else {
            return None;
        };
        Some(Place { connections: Arc::clone(self), number, activity, _permit: permit })
    }
}

impl Held {
    fn add(&mut self, activity: &Arc<Activity>) -> u64 {
        let number = self.next;
        self.next += 1;
        self.connections.insert(number, Arc::clone(activity));
        number
    }

    /// Whether there is a place, made by closing the connection that has been idle longest if need be.
    fn has_place(&mut self, most: usize) -> bool {
        if self.connections.len() < most {
            return true;
        }
        let idle = self.connections.iter().filter_map(|(number, one)| Some((one.idle_since()?, *number)));
        let Some((_, longest)) = idle.min() else { return false };
        if let Some(closed) = self.connections.remove(&longest) {
            closed.closing.cancel();
        }
        true
    }
}

impl Place {
    /// What it may be used for.
    pub(super) const fn is_for(&self) -> PlaceFor {
        if self.number.is_some() { PlaceFor::Anything } else { PlaceFor::Probes }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.connections.lock();
        match self.number {
            // Nothing is there any more when another got the place.
            Some(number) => drop(held.connections.remove(&number)),
            None => held.probes -= 1,
        }
    }
}

impl Activity {
    fn new(server_began: Instant) -> Self {
        let activity = Self {
            server_began,
            idle_since: AtomicU64::new(BUSY),
            has_asked: AtomicBool::new(false),
            closing: CancellationToken::new(),
        };
        activity.mark_idle();
        activity
    }

    /// Notes that the headers of a request have come.
    pub(super) fn ask(&self) {
        self.has_asked.store(true, Ordering::Relaxed);
        self.idle_since.store(BUSY, Ordering::Relaxed);
    }

    /// Notes that nothing is being answered any more.
    fn mark_idle(&self) {
        let now = u64::try_from(self.server_began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.idle_since.store(now.min(BUSY - 1), Ordering::Relaxed);
    }

    /// Since when nothing is being answered; `None` while something is.
    fn idle_since(&self) -> Option<u64> {
        Some(self.idle_since.load(Ordering::Relaxed)).filter(|since| *since != BUSY)
    }

    /// Whether it has ever sent the headers of a request.
    pub(super) fn has_asked(&self) -> bool {
        self.has_asked.load(Ordering::Relaxed)
    }

    /// Waits until its place is another's.
    pub(super) fn closing(&self) -> WaitForCancellationFuture<'_> {
        self.closing.cancelled()
    }
}

/// The body of an answer; when it is dropped, its connection is idle.
pub(super) struct Answering {
    body: Body,
    activity: Arc<Activity>,
}

impl Answering {
    pub(super) const fn new(body: Body, activity: Arc<Activity>) -> Self {
        Self { body, activity }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.activity.mark_idle();
    }
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn stranger(number: u8) -> IpAddr {
        Ipv4Addr::new(9, 9, 9, number).into()
    }

    fn is_closed(place: &Place) -> bool {
        place.activity.closing.is_cancelled()
    }

    #[tokio::test]
    async fn the_connection_that_is_idle_longest_makes_place_and_one_that_is_answered_does_not() {
        let connections = Connections::new(Some(3), None, &[], &[]);
        let mut places: Vec<_> = (0..3).filter_map(|number| connections.admit(stranger(number))).collect();
        places[0].activity.ask();
        let fourth = connections.admit(stranger(4)).expect("a place is made");
        assert_eq!(places.iter().map(is_closed).collect::<Vec<_>>(), [false, true, false], "the first is answered");
        // It has been idle for a shorter time than the third from now on.
        drop(Answering::new(Body::empty(), Arc::clone(&places[0].activity)));
        let fifth = connections.admit(stranger(5)).expect("a place is made");
        assert_eq!(places.iter().map(is_closed).collect::<Vec<_>>(), [false, true, true]);
        for place in [&places[0], &fourth, &fifth] {
            place.activity.ask();
        }
        assert!(connections.admit(stranger(6)).is_none(), "everybody is being answered");
        drop(places.remove(0));
        assert!(connections.admit(stranger(6)).is_some());
        drop((places, fourth, fifth));
        assert!(connections.lock().connections.is_empty());
    }

    #[tokio::test]
    async fn probes_have_places_of_their_own_and_no_more_than_those() {
        let probe: IpAddr = Ipv4Addr::new(10, 0, 0, 7).into();
        let trusted = "10.0.0.0/24".parse().expect("a network");
        let connections = Connections::new(Some(1), None, &[], &[trusted]);
        let first = connections.admit(stranger(1)).expect("there is one");
        first.activity.ask();
        let mut probes = Vec::new();
        for peer in [probe, Ipv4Addr::LOCALHOST.into(), "::1".parse().expect("an address")] {
            let place = connections.admit(peer).expect("there is one");
            assert_eq!(place.is_for(), PlaceFor::Probes);
            probes.push(place);
        }
        assert!(connections.admit(stranger(2)).is_none());
        probes.extend((0..PROBE_PLACES).map_while(|_| connections.admit(probe)));
        assert_eq!(probes.len(), PROBE_PLACES);
        drop(first);
        let place = connections.admit(probe).expect("there is one");
        assert_eq!(place.is_for(), PlaceFor::Anything, "where there is place, a probe is like others");
        drop(probes);
        assert_eq!(connections.lock().probes, 0);
    }

    #[tokio::test]
    async fn one_address_has_its_share_and_a_proxy_none() {
        let proxy: IpAddr = Ipv4Addr::new(10, 0, 0, 7).into();
        let connections = Connections::new(None, Some(1), &["10.0.0.7".parse().expect("an address")], &[]);
        let mine = connections.admit(stranger(1));
        assert!(mine.is_some() && connections.admit(stranger(1)).is_none());
        assert!(connections.admit(stranger(2)).is_some());
        let proxied: Vec<_> = (0..3).map_while(|_| connections.admit(proxy)).collect();
        assert_eq!(proxied.len(), 3);
        drop(mine);
        assert!(connections.admit(stranger(1)).is_some());
    }
}
