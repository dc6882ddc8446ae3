//! The signed read that `GET` routes of a session accept, in headers or in the query.

use crate::{
    api::error::OpenFailure,
    domain::{reason::SessionReason, signed},
    facilitator::ReadRequest,
};
use axum::{
    extract::{Query, rejection::QueryRejection},
    http::HeaderMap,
};

/// When a signed read was signed, Unix seconds; `?at=` says the same.
pub const READ_AT: &str = "session-read-at";
/// The signature of a signed read, base58; `?signature=` says the same.
pub const READ_SIGNATURE: &str = "session-read-signature";

/// A signed read in the query, for links.
#[derive(serde::Deserialize)]
pub(in crate::api) struct ReadQuery {
    at: Option<String>,
    signature: Option<String>,
}

/// The signed read, from the headers or else from the query.
pub(super) fn read_request(
    query: Result<Query<ReadQuery>, QueryRejection>,
    headers: &HeaderMap,
) -> Result<Option<ReadRequest>, OpenFailure> {
    let malformed = |detail: &str| OpenFailure::new(SessionReason::BadRequest, detail);
    let Query(query) = query.map_err(|_| malformed("The query is not `at` and `signature`, each once."))?;
    let header = |name: &str| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let at = header(READ_AT).or(query.at);
    let signature = header(READ_SIGNATURE).or(query.signature);
    match (at, signature) {
        (None, None) => Ok(None),
        (Some(at), Some(signature)) => Ok(Some(ReadRequest {
            at: seconds(&at).ok_or_else(|| malformed("The read's time must be whole Unix seconds."))?,
            signature: signed::parse_signature(&signature)
                .ok_or_else(|| malformed("The read's signature must be 64 bytes in base58."))?,
        })),
        _ => Err(malformed("A signed read carries both its time and its signature.")),
    }
}

/// Plain digits: the text is signed, so it has one spelling.
fn seconds(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}
