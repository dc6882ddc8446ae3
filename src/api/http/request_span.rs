//! One span per request, with an id the caller can quote and nothing confidential: the route's pattern instead of the
//! path (which may name a session), no query (which may hold a signature), sessions as their short hash.

use crate::domain::chance::{self, Chance};
use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, header::CACHE_CONTROL},
    middleware::Next,
    response::Response,
};
use std::sync::Arc;
use tracing::{Instrument as _, field::Empty};

/// The header that carries a request's id, both ways.
pub(in crate::api) const REQUEST_ID: &str = "x-request-id";
/// The longest id we take over from a proxy.
const MAX_ID_LENGTH: usize = 64;

/// Runs a request inside its span, and answers with its id; nothing here may be cached.
pub(in crate::api) async fn observed(State(chance): State<Arc<dyn Chance>>, request: Request, next: Next) -> Response {
    let id = given_id(&request).unwrap_or_else(|| hex::encode(chance::draw::<8>(chance.as_ref())));
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let method = request.method();
    let span = tracing::info_span!("request", id, %method, route, session = Empty);
    let began = tokio::time::Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    // A line for each request would cost a busy service more than the request (ADR 0017), and fill a disk at anybody's
    // will; what went wrong on our side is told where it went wrong, too.
    if response.status().is_server_error() {
        tracing::info!(parent: &span, status = response.status().as_u16(), milliseconds, "answered");
    } else {
        tracing::debug!(parent: &span, status = response.status().as_u16(), milliseconds, "answered");
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A proxy's id, when it is short and plain enough to be logged.
fn given_id(request: &Request) -> Option<String> {
    let text = request.headers().get(REQUEST_ID)?.to_str().ok()?;
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    (plain && (1..=MAX_ID_LENGTH).contains(&text.len())).then(|| text.to_owned())
}
