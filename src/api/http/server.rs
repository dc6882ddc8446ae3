//! Serving a router: connections are counted, and have deadlines for sending a request's headers and for taking an answer.
//!
//! `axum::serve` has neither a bound on connections nor these deadlines, and a caller who opens many and sends (or takes)
//! nothing would cost memory without end. Who gets a place is [`super::connections`]' matter; what a request may cost after
//! its headers is the router's.

use crate::{
    api::http::{
        connections::{Activity, Answering, Connections, Place, PlaceFor},
        probe::Probe,
        rate_limit::Peer,
        surface::{Fault, RouteSurface, Surface},
        write_timeout::WriteTimeout,
    },
    domain::addresses::Addresses,
};
use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderValue, header::CONNECTION},
    middleware::{self, Next},
    response::Response,
};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{io, net::IpAddr, sync::Arc, time::Duration};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

/// How long the server waits after the system refused it a connection, most likely for want of file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(200);

/// How connections are treated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerSettings {
    /// The most at the same time; for more, those that are idle longest are closed. None for no limit.
    pub connections: Option<usize>,
    /// The most from one address (one /64 of IPv6) at the same time; more are closed at once. None for no limit.
    pub connections_per_ip: Option<usize>,
    /// How long a connection may take over the headers of its first request. None for as long as over the others.
    pub first_header_timeout: Option<Duration>,
    /// How long a connection may take over the headers of a request, and rest between two. None for ever.
    pub header_timeout: Option<Duration>,
    /// How long a connection may take nothing of what it is told. None for ever.
    pub write_timeout: Option<Duration>,
    /// Proxies, which hold connections for many.
    pub trusted_proxies: Vec<Addresses>,
    /// From where probes of `/health` and `/ready` come, beside this machine: a few places are theirs alone.
    pub probe_addresses: Vec<Addresses>,
}

/// The routers of the two kinds of places.
struct Routers {
    anything: Router,
    probes: Router,
}

/// How long a connection may take over headers.
#[derive(Clone, Copy)]
struct HeaderTimeouts {
    first: Option<Duration>,
    each: Option<Duration>,
}

/// Serves until `stop`, then ends connections after the requests they carry, and returns when all have ended.
pub async fn serve(listener: TcpListener, router: Router, settings: ServerSettings, stop: CancellationToken) {
    let ServerSettings { connections, connections_per_ip, trusted_proxies, probe_addresses, .. } = &settings;
    let places = Connections::new(*connections, *connections_per_ip, trusted_proxies, probe_addresses);
    let timeouts = HeaderTimeouts { first: settings.first_header_timeout, each: settings.header_timeout };
    let routers = Routers { probes: router.clone().layer(middleware::from_fn(only_probes)), anything: router };
    let connections = TaskTracker::new();
    loop {
        let Some((stream, peer)) = stop.run_until_cancelled(accept(&listener)).await else { break };
        let Some(place) = places.admit(peer) else {
            // Dropped: the caller has too many already, or everybody is being answered.
            tracing::debug!("a connection was closed: there is no place for it");
            continue;
        };
        // Answers are small and waited for.
        let _ = stream.set_nodelay(true);
        let stream = WriteTimeout::new(stream, settings.write_timeout);
        let router = match place.is_for() {
            PlaceFor::Anything => &routers.anything,
            PlaceFor::Probes => &routers.probes,
        };
        connections.spawn(connection(stream, peer, router.clone(), place, timeouts, stop.clone()));
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

/// Answers probes alone: all other places are taken. Anybody else is told to come again by another connection, which may
/// find a place of the others.
async fn only_probes(request: Request, next: Next) -> Response {
    if Probe::of(request.uri().path()).is_some() {
        return next.run(request).await;
    }
    let mut refused = RouteSurface { surface: Surface::Plain, network: "".into() }.refuse(Fault::Overloaded);
    refused.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    refused
}

async fn connection(
    stream: WriteTimeout,
    peer: IpAddr,
    router: Router,
    place: Place,
    timeouts: HeaderTimeouts,
    stop: CancellationToken,
) {
    let activity = &place.activity;
    let (asking, answering) = (Arc::clone(activity), Arc::clone(activity));
    let service = router
        .map_request(move |request: Request<Incoming>| {
            asking.ask();
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer));
            request
        })
        .map_response(move |response: Response| response.map(|body| Answering::new(body, Arc::clone(&answering))));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(timeouts.each);
    let serving = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = asks_nothing(activity, timeouts.first) => return,
        () = ends(activity, &stop) => {
            // One that never asked ends here. What has just been asked is answered, and what was answered is sent, first.
            if !activity.has_asked() {
                return;
            }
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        // The caller hung up, was too slow or spoke something else than HTTP.
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Waits until a connection has taken too long over the headers of its first request.
async fn asks_nothing(activity: &Activity, patience: Option<Duration>) {
    if let Some(patience) = patience {
        tokio::time::sleep(patience).await;
        if !activity.has_asked() {
            tracing::debug!("a connection was closed: it asked for nothing in time");
            return;
        }
    }
    std::future::pending::<()>().await;
}

/// Waits until a connection has to end: its place is another's, or the server stops.
async fn ends(activity: &Activity, stop: &CancellationToken) {
    tokio::select! {
        () = activity.closing() => tracing::debug!("a connection was closed: it was idle, and others came"),
        () = stop.cancelled() => {}
    }
}
