//! Serving a router: connections are counted, and may not dawdle over a request's headers.
//!
//! `axum::serve` has neither a bound on connections nor a deadline for headers, and a caller who opens many and sends
//! nothing would cost memory without end. What a request may cost after its headers is the router's matter.

use crate::{
    api::rates::Peer,
    domain::addresses::{Addresses, caller_prefix},
};
use axum::{Router, body::Body, extract::Request};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

/// How long the server waits after the system refused it a connection, most likely for want of file descriptors.
const BREATH: Duration = Duration::from_millis(200);

/// How connections are treated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerSettings {
    /// The most at the same time; more wait in the system's queue. None for no limit.
    pub connections: Option<usize>,
    /// The most from one address (one /64 of IPv6) at the same time; more are closed at once. None for no limit.
    pub connections_per_ip: Option<usize>,
    /// How long a connection may take over the headers of a request, and rest between two. None for ever.
    pub header_timeout: Option<Duration>,
    /// Proxies, which hold connections for many.
    pub trusted_proxies: Vec<Addresses>,
}

/// Serves until `stop`, then ends connections after the requests they carry, and returns when all have ended.
pub async fn serve(listener: TcpListener, router: Router, settings: ServerSettings, stop: CancellationToken) {
    let slots = Arc::new(Semaphore::new(settings.connections.unwrap_or(Semaphore::MAX_PERMITS)));
    let callers = Arc::new(Callers::default());
    let connections = TaskTracker::new();
    loop {
        let next = async {
            // A slot first, so that what has none waits outside.
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, accept(&listener).await)
        };
        let Some((slot, (stream, peer))) = stop.run_until_cancelled(next).await else { break };
        let Ok(place) = callers.admit(peer, &settings) else {
            // Dropped: the caller has too many already.
            tracing::debug!("a connection was closed: too many from one address");
            continue;
        };
        let (router, timeout, stop) = (router.clone(), settings.header_timeout, stop.clone());
        connections.spawn(async move {
            let _held = (slot, place);
            connection(stream, peer, router, timeout, stop).await;
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn accept(listener: &TcpListener) -> (TcpStream, IpAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer.ip()),
            // The caller has gone already.
            Err(error) if is_of_the_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(error.kind(), K::ConnectionRefused | K::ConnectionAborted | K::ConnectionReset)
}

async fn connection(
    stream: TcpStream,
    peer: IpAddr,
    router: Router,
    header_timeout: Option<Duration>,
    stop: CancellationToken,
) {
    // Answers are small and waited for.
    let _ = stream.set_nodelay(true);
    let service = router.map_request(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        request
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(header_timeout);
    let serving = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        // A caller who hung up, dawdled or spoke something else than HTTP.
        tracing::debug!(%error, "a connection ended early");
    }
}

/// How many connections each caller has.
#[derive(Default)]
struct Callers(Mutex<HashMap<u128, usize>>);

/// A caller's place, given back on drop.
struct Place {
    callers: Arc<Callers>,
    caller: u128,
}

/// The caller has all the connections he may have.
struct TooMany;

impl Callers {
    /// A place for one more of this caller, where callers are counted.
    fn admit(self: &Arc<Self>, peer: IpAddr, settings: &ServerSettings) -> Result<Option<Place>, TooMany> {
        let Some(most) = settings.connections_per_ip else { return Ok(None) };
        if settings.trusted_proxies.iter().any(|proxies| proxies.contain(peer)) {
            return Ok(None);
        }
        let caller = caller_prefix(peer);
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
        let mut counted = self.callers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counted.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                counted.remove(&self.caller);
            }
        }
    }
}
