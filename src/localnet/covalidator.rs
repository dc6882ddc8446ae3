//! The stand-in for the Covalidator: attested decryption over HTTP (`spec/inco.md` §7).
//!
//! It promises the real service's request, answer and refusals, real attestations under the network's own key, and
//! faults on demand. It decrypts only what has landed on the [`LocalChain`] it was started with, for whoever holds a
//! decrypt allowance there, and listens on loopback only.

mod faults;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use solana_pubkey::Pubkey;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower_http::cors::CorsLayer;

pub use faults::{CovalidatorFaults, CovalidatorPlan, Lie};

use self::faults::Turn;
use super::local_chain::LocalChain;
use super::standins::StandIns;
use crate::domain::signed;
use crate::programs::attestation::{attestation_digest, request_message};
use crate::programs::ciphertext::canonical_decimal;

/// The path of the decrypt endpoint.
pub const DECRYPT_PATH: &str = "/crypto/getDecryptAttested";
/// The longest request, in bytes; a real one has about 250.
const MAX_REQUEST: usize = 4_096;
/// How long a stop waits for open connections.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// A running Covalidator stand-in. It stops when this is dropped; [`LocalCovalidator::shutdown`] also waits for it.
pub struct LocalCovalidator {
    service: Arc<Service>,
    addr: SocketAddr,
    stop: CancellationToken,
    server: JoinHandle<()>,
}

impl LocalCovalidator {
    /// Starts it at `addr`, where port 0 picks a free one. Refuses an address that is not loopback.
    pub async fn start(addr: SocketAddr, stand_ins: StandIns, chain: Arc<dyn LocalChain>) -> io::Result<Self> {
        if !addr.ip().is_loopback() {
            let refusal = "the Covalidator's stand-in knows secrets of this network only and listens on loopback only";
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, refusal));
        }
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let stop = CancellationToken::new();
        let faults = Arc::new(CovalidatorFaults::default());
        let service = Arc::new(Service { stand_ins, chain, faults, requests: AtomicU64::new(0), stop: stop.clone() });
        let router = router(service.clone());
        let stopped = stop.clone().cancelled_owned();
        let server = tokio::spawn(async move {
            // Accepting never ends by itself, so the only end is the stop that somebody asked for.
            let _ = axum::serve(listener, router).with_graceful_shutdown(stopped).await;
        });
        Ok(Self { service, addr, stop, server })
    }

    /// The decrypt endpoint's URL.
    pub fn url(&self) -> String {
        format!("http://{}{DECRYPT_PATH}", self.addr)
    }

    /// What is to go wrong.
    pub fn faults(&self) -> &Arc<CovalidatorFaults> {
        &self.service.faults
    }

    /// How many requests have arrived.
    pub fn requests(&self) -> u64 {
        self.service.requests.load(Ordering::SeqCst)
    }

    /// Stops it and waits until its port is free.
    pub async fn shutdown(mut self) {
        self.stop().await;
    }

    /// As [`LocalCovalidator::shutdown`], for an owner that is itself dropped afterwards.
    pub(super) async fn stop(&mut self) {
        self.stop.cancel();
        if tokio::time::timeout(STOP_PATIENCE, &mut self.server).await.is_err() {
            self.server.abort();
        }
    }
}

impl Drop for LocalCovalidator {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

struct Service {
    stand_ins: StandIns,
    chain: Arc<dyn LocalChain>,
    faults: Arc<CovalidatorFaults>,
    requests: AtomicU64,
    stop: CancellationToken,
}

fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route(DECRYPT_PATH, post(decrypt))
        .layer(DefaultBodyLimit::max(MAX_REQUEST))
        .layer(CorsLayer::permissive())
        .with_state(service)
}

#[derive(Deserialize)]
struct Request {
    handle: String,
    address: String,
    signature: String,
}

#[derive(Debug, Serialize)]
struct Answer {
    plaintext: String,
    signature: String,
    handle_value: String,
}

/// Why a request gets no plaintext. The texts of the middle two are the real service's; statuses are not published.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum Refusal {
    #[error("invalid request: the handle is decimal, address and signature are base58")]
    Malformed,
    #[error("Address is not allowed to decrypt this handle")]
    NotAllowed,
    #[error("ciphertext not found")]
    NotFound,
    #[error("invalid signature over the handle")]
    Signature,
    #[error("internal error")]
    Internal,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::NotAllowed => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Signature => StatusCode::UNAUTHORIZED,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, Json(serde_json::json!({ "error": self.to_string() }))).into_response()
    }
}

async fn decrypt(
    State(service): State<Arc<Service>>,
    request: Result<Json<Request>, JsonRejection>,
) -> Result<Json<Answer>, Refusal> {
    service.requests.fetch_add(1, Ordering::SeqCst);
    let turn = service.faults.take_turn();
    if let Some(delay) = turn.delay() {
        tokio::time::sleep(delay).await;
    }
    if turn.is_silent() {
        // Until the client gives up, which drops this future, or the network stops.
        service.stop.cancelled().await;
    }
    if turn.is_silent() || turn.fails() {
        return Err(Refusal::Internal);
    }
    let Json(request) = request.map_err(|_| Refusal::Malformed)?;
    service.answer(&request, &turn).map(Json)
}

impl Service {
    fn answer(&self, request: &Request, turn: &Turn) -> Result<Answer, Refusal> {
        let handle = canonical_decimal(request.handle.as_bytes()).ok_or(Refusal::Malformed)?;
        let address = signed::parse_key(&request.address).ok_or(Refusal::Malformed)?;
        let signature = signed::parse_signature(&request.signature).ok_or(Refusal::Malformed)?;
        if !signed::verify(&address, request_message(handle).as_bytes(), &signature) {
            return Err(Refusal::Signature);
        }
        if !self.is_allowed(handle, &address) {
            return Err(Refusal::NotAllowed);
        }
        let landed = self.stand_ins.vault().look_up(handle).ok_or(Refusal::NotFound)?;
        if self.chain.slot() < landed.slot.saturating_add(turn.lag_slots()) {
            return Err(Refusal::NotFound);
        }
        let plaintext = landed.plaintext.ok_or(Refusal::NotFound)?;
        Ok(self.attested(handle, plaintext, turn.lie()))
    }

    /// Whether the chain has a decrypt allowance. The owner is checked, because anybody can send lamports to the
    /// address.
    fn is_allowed(&self, handle: u128, address: &Pubkey) -> bool {
        let allowance = self.stand_ins.config().programs.decrypt_allowance(handle, address);
        self.chain.account(&allowance).is_some_and(|account| self.stand_ins.grants(&account.owner, &account.data))
    }

    fn attested(&self, handle: u128, plaintext: u128, lie: Option<Lie>) -> Answer {
        let attest = |handle| self.stand_ins.attest(&attestation_digest(handle, plaintext));
        let mut signature = attest(handle);
        let (mut told_handle, mut told_plaintext) = (handle, plaintext.to_string());
        match lie {
            None => {}
            Some(Lie::Signature) => signature.reverse(),
            Some(Lie::Handle) => {
                told_handle = handle.wrapping_add(1);
                signature = attest(told_handle);
            }
            Some(Lie::Plaintext) => told_plaintext = plaintext.wrapping_add(1).to_string(),
            Some(Lie::Empty) => told_plaintext.clear(),
        }
        Answer {
            plaintext: told_plaintext,
            signature: bs58::encode(signature).into_string(),
            handle_value: told_handle.to_string(),
        }
    }
}
