//! The signed read that routes of a session accept, in headers or in the query.

use crate::{
    api::{App, error::SessionFailure},
    domain::{reason::SessionReason, signed},
    facilitator::ReadRequest,
};
use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};

/// When a signed read was signed, Unix seconds; `?at=` says the same.
pub const READ_AT: &str = "session-read-at";
/// The signature of a signed read, base58; `?signature=` says the same.
pub const READ_SIGNATURE: &str = "session-read-signature";

/// A signed read in the query, for links.
#[derive(serde::Deserialize)]
struct ReadQuery {
    at: Option<String>,
    signature: Option<String>,
}

/// The signed read of a request, if it carries one.
pub(in crate::api) struct SignedRead(pub(super) Option<ReadRequest>);

/// The signed read of a request whose answer is worth money, if it carries one: in headers alone, because a URL stands in the logs
/// of every proxy.
pub(in crate::api) struct SignedHeaders(pub(super) Option<ReadRequest>);

impl FromRequestParts<App> for SignedRead {
    type Rejection = SessionFailure;

    /// Takes each part from its header, or else from the query.
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, SessionFailure> {
        let query = Query::<ReadQuery>::from_request_parts(parts, app).await;
        let Query(query) = query.map_err(|_| malformed("The query is not `at` and `signature`, each once."))?;
        let at = header(parts, READ_AT).or(query.at);
        let signature = header(parts, READ_SIGNATURE).or(query.signature);
        read(at.as_deref(), signature.as_deref()).map(Self)
    }
}

impl FromRequestParts<App> for SignedHeaders {
    type Rejection = SessionFailure;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, SessionFailure> {
        let (at, signature) = (header(parts, READ_AT), header(parts, READ_SIGNATURE));
        read(at.as_deref(), signature.as_deref()).map(Self)
    }
}

fn header(parts: &Parts, name: &str) -> Option<String> {
    parts.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn read(at: Option<&str>, signature: Option<&str>) -> Result<Option<ReadRequest>, SessionFailure> {
    let (at, signature) = match (at, signature) {
        (None, None) => return Ok(None),
        (Some(at), Some(signature)) => (at, signature),
        _ => return Err(malformed("A signed read carries both its time and its signature.")),
    };
    Ok(Some(ReadRequest {
        at: seconds(at).ok_or_else(|| malformed("The read's time must be whole Unix seconds."))?,
        signature: signed::parse_signature(signature)
            .ok_or_else(|| malformed("The read's signature must be 64 bytes in base58."))?,
    }))
}

fn malformed(detail: &str) -> SessionFailure {
    SessionFailure::new(SessionReason::BadRequest, detail)
}

/// Reads plain digits: the text is signed, so it has one spelling.
fn seconds(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}
