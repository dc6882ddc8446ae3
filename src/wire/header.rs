//! The x402 headers: base64 of JSON, bounded on both sides.
//!
//! Written with the standard alphabet and padding, and read in every spelling that has one meaning: writers of other
//! languages leave the padding out or use the alphabet for URLs. What is idempotent is the decoded payment, never its text.

use crate::{
    domain::base64_text,
    wire::json::{self, JsonError},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Serialize, de::DeserializeOwned};

/// A merchant's challenge, on a 402.
pub const PAYMENT_REQUIRED: &str = "payment-required";
/// A payer's payment.
pub const PAYMENT_SIGNATURE: &str = "payment-signature";
/// A payer's payment in x402 v1; the text is the same.
pub const X_PAYMENT: &str = "x-payment";
/// A merchant's receipt.
pub const PAYMENT_RESPONSE: &str = "payment-response";
/// A merchant's receipt in x402 v1.
pub const X_PAYMENT_RESPONSE: &str = "x-payment-response";

/// The longest header value that is read or written, in characters.
pub const MAX_HEADER_LENGTH: usize = 16 * 1024;

/// Why a text is not a header we read, or a value does not fit one.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// Longer than [`MAX_HEADER_LENGTH`].
    #[error("the header has {0} characters; at most {MAX_HEADER_LENGTH} are read")]
    TooLong(usize),
    /// White space, other characters, an impossible length.
    #[error("the header is not base64")]
    NotBase64(#[source] base64::DecodeError),
    /// The text inside is not JSON that we read.
    #[error(transparent)]
    NotJson(#[from] JsonError),
    /// The JSON inside is another object.
    #[error("the header holds other members than expected")]
    Shape(#[source] serde_json::Error),
}

/// Writes a header's value.
pub fn encode<T: Serialize>(value: &T) -> Result<String, HeaderError> {
    let text = STANDARD.encode(serde_json::to_vec(value).map_err(HeaderError::Shape)?);
    if text.len() > MAX_HEADER_LENGTH { Err(HeaderError::TooLong(text.len())) } else { Ok(text) }
}

/// Reads a header's value, in either alphabet of base64, with padding or without. `serde_json::Value` keeps every member, for
/// forwarding it untouched.
pub fn decode<T: DeserializeOwned>(text: &str) -> Result<T, HeaderError> {
    if text.len() > MAX_HEADER_LENGTH {
        return Err(HeaderError::TooLong(text.len()));
    }
    let bytes = base64_text::decode(text).map_err(HeaderError::NotBase64)?;
    serde_json::from_value(json::read(&bytes)?).map_err(HeaderError::Shape)
}
