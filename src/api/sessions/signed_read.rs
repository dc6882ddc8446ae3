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

impl FromRequestParts<App> for SignedRead {
    type Rejection = SessionFailure;

    /// Takes each part from its header, or else from the query.
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, SessionFailure> {
        let query = Query::<ReadQuery>::from_request_parts(parts, app).await;
        let Query(query) = query.map_err(|_| malformed("The query is not `at` and `signature`, each once."))?;
        let header =
            |name: &str| parts.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let at = header(READ_AT).or(query.at);
        let signature = header(READ_SIGNATURE).or(query.signature);
        match (at, signature) {
            (None, None) => Ok(Self(None)),
            (Some(at), Some(signature)) => Ok(Self(Some(ReadRequest {
                at: seconds(&at).ok_or_else(|| malformed("The read's time must be whole Unix seconds."))?,
                signature: signed::parse_signature(&signature)
                    .ok_or_else(|| malformed("The read's signature must be 64 bytes in base58."))?,
            }))),
            _ => Err(malformed("A signed read carries both its time and its signature.")),
        }
    }
}

fn malformed(detail: &str) -> SessionFailure {
    SessionFailure::new(SessionReason::BadRequest, detail)
}

/// Reads plain digits: the text is signed, so it has one spelling.
fn seconds(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}
