//! Serving a router: connections are counted, and have deadlines for sending a request's headers and for taking an answer.
//!
//! `axum::serve` has neither a bound on connections nor these deadlines, and a caller who opens many and sends (or takes)
//! nothing would cost memory without end. What a request may cost after its headers is the router's matter.

use crate::{
    api::http::{
        concurrency::{CallerConcurrency, ConcurrencyPermit, TooMany},
        rate_limit::Peer,
        write_timeout::WriteTimeout,
    },
    domain::addresses::{Addresses, caller_prefix},
};
use axum::{Router, body::Body, extract::Request};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{io, net::IpAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

/// How long the server waits after the system refused it a connection, most likely for want of file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(200);

/// How connections are treated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerSettings {
    /// The most at the same time; more wait in the system's queue. None for no limit.
    pub connections: Option<usize>,
    /// The most from one address (one /64 of IPv6) at the same time; more are closed at once. None for no limit.
    pub connections_per_ip: Option<usize>,
    /// How long a connection may take over the headers of a request, and rest between two. None for ever.
    pub header_timeout: Option<Duration>,
    /// How long a connection may take nothing of what it is told. None for ever.
    pub write_timeout: Option<Duration>,
    /// Proxies, which hold connections for many.
    pub trusted_proxies: Vec<Addresses>,
}

/// Serves until `stop`, then ends connections after the requests they carry, and returns when all have ended.
pub async fn serve(listener: TcpListener, router: Router, settings: ServerSettings, stop: CancellationToken) {
    let slots = Arc::new(Semaphore::new(settings.connections.unwrap_or(Semaphore::MAX_PERMITS)));
    let callers = CallerConcurrency::new(settings.connections_per_ip);
    let connections = TaskTracker::new();
    loop {
        let next = async {
            // A slot first, so that a connection without one waits in the system's queue.
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, accept(&listener).await)
        };
        let Some((slot, (stream, peer))) = stop.run_until_cancelled(next).await else { break };
        let Ok(permit) = admit(&callers, peer, &settings) else {
            // Dropped: the caller has too many already.
            tracing::debug!("a connection was closed: too many from one address");
            continue;
        };
        // Answers are small and waited for.
        let _ = stream.set_nodelay(true);
        let stream = WriteTimeout::new(stream, settings.write_timeout);
        let (router, timeout, stop) = (router.clone(), settings.header_timeout, stop.clone());
        connections.spawn(async move {
            let _held = (slot, permit);
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
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
}

fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(error.kind(), K::ConnectionRefused | K::ConnectionAborted | K::ConnectionReset)
}

async fn connection(
    stream: WriteTimeout,
    peer: IpAddr,
    router: Router,
    header_timeout: Option<Duration>,
    stop: CancellationToken,
) {
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
        // The caller hung up, was too slow or spoke something else than HTTP.
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Takes a permit for one more connection of this address; `None` where its connections are not counted.
fn admit(
    callers: &Arc<CallerConcurrency>,
    peer: IpAddr,
    settings: &ServerSettings,
) -> Result<Option<ConcurrencyPermit>, TooMany> {
    if settings.trusted_proxies.iter().any(|proxies| proxies.contain(peer)) {
        return Ok(None);
    }
    callers.admit(caller_prefix(peer))
}
