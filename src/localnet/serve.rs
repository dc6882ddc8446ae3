//! The two ports: JSON-RPC and websocket on one, the websocket again on the next, where published clients look for it.

use std::{io, net::SocketAddr};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderName, Method, header},
    routing::{get, post},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tower_http::cors::{Any, CorsLayer};

use super::{
    rpc::{self, Front},
    ws::{self, Socketry},
};

/// Bytes of the largest request body, as of a validator.
const MAX_BODY_BYTES: usize = 50 * 1024;
/// Free pairs of ports that are tried before giving up.
const PAIR_TRIES: usize = 64;

/// Two bound ports, one above the other.
pub(super) struct Listeners {
    /// The lower one.
    pub(super) addr: SocketAddr,
    pub(super) both: [TcpListener; 2],
}

/// Binds `addr` and the port above it, or with port 0 some free pair.
pub(super) async fn listen(addr: SocketAddr) -> io::Result<Listeners> {
    let mut tries = if addr.port() == 0 { PAIR_TRIES } else { 1 };
    loop {
        tries -= 1;
        match pair(addr).await {
            Err(_) if tries > 0 => {}
            bound => return bound,
        }
    }
}

async fn pair(addr: SocketAddr) -> io::Result<Listeners> {
    let lower = TcpListener::bind(addr).await?;
    let addr = lower.local_addr()?;
    let above = addr.port().checked_add(1).ok_or(io::ErrorKind::AddrNotAvailable)?;
    let upper = TcpListener::bind(SocketAddr::new(addr.ip(), above)).await?;
    Ok(Listeners { addr, both: [lower, upper] })
}

/// Serves both ports until `stop`.
pub(super) fn spawn(listeners: [TcpListener; 2], front: Front, stop: &CancellationToken) -> Vec<JoinHandle<()>> {
    let socketry = Socketry { network: front.network.clone(), stop: stop.clone() };
    let websocket = Router::new().route("/", get(ws::serve)).with_state(socketry);
    let rpc = Router::new()
        .route("/", post(rpc::serve))
        .route("/health", get(async || "ok"))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(front);
    let [lower, upper] = listeners;
    let serve = |listener: TcpListener, router: Router| {
        let stopped = stop.clone().cancelled_owned();
        let router = router.layer(cors());
        tokio::spawn(async move {
            if let Err(fault) = axum::serve(listener, router).with_graceful_shutdown(stopped).await {
                tracing::error!(%fault, "the local network stopped serving");
            }
        })
    };
    vec![serve(lower, rpc.merge(websocket.clone())), serve(upper, websocket)]
}

/// Pages of any origin may ask, with the header that published clients send.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST, Method::OPTIONS])
        .allow_headers([header::CONTENT_TYPE, HeaderName::from_static("solana-client")])
        .allow_private_network(true)
}
