//! The problem documents (RFC 9457) of a 402 and of its relatives.

use serde::{Deserialize, Serialize};

/// The media type.
pub const PROBLEM_JSON: &str = "application/problem+json";
/// Where the types live.
const BASE: &str = "https://paymentauth.org/problems/";

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Nothing was paid yet.
    PaymentRequired,
    /// The credential cannot be read.
    MalformedCredential,
    /// The challenge is not the seller's, or not of this route.
    InvalidChallenge,
    /// The challenge's time is over.
    PaymentExpired,
    /// The payload is none of this method.
    InvalidPayload,
    /// The facilitator or the seller refused the payment, with this text.
    VerificationFailed(String),
    /// The method is not sold by.
    MethodUnsupported,
    /// The request is malformed otherwise.
    BadRequest,
}

/// The document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProblemDocument {
    /// Which problem it is, a URL.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name, for people.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, for people.
    pub detail: String,
    /// The fresh challenge that comes along, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge_id: Option<String>,
}

impl Problem {
    /// The document, beside a fresh challenge where there is one.
    pub fn document(&self, challenge_id: Option<&str>) -> ProblemDocument {
        let (name, title) = self.names();
        ProblemDocument {
            kind: format!("{BASE}{name}"),
            title: title.to_owned(),
            status: self.status(),
            detail: self.detail(),
            challenge_id: challenge_id.map(str::to_owned),
        }
    }

    /// The HTTP status: 402 where a fresh challenge helps.
    pub const fn status(&self) -> u16 {
        match self {
            Self::MethodUnsupported | Self::BadRequest => 400,
            Self::PaymentRequired
            | Self::MalformedCredential
            | Self::InvalidChallenge
            | Self::PaymentExpired
            | Self::InvalidPayload
            | Self::VerificationFailed(_) => 402,
        }
    }

    /// The last part of its URL, and its title.
    const fn names(&self) -> (&'static str, &'static str) {
        match self {
            Self::PaymentRequired => ("payment-required", "Payment Required"),
            Self::MalformedCredential => ("malformed-credential", "Malformed Credential"),
            Self::InvalidChallenge => ("invalid-challenge", "Invalid Challenge"),
            Self::PaymentExpired => ("payment-expired", "Payment Expired"),
            Self::InvalidPayload => ("invalid-payload", "Invalid Payload"),
            Self::VerificationFailed(_) => ("verification-failed", "Verification Failed"),
            Self::MethodUnsupported => ("method-unsupported", "Method Unsupported"),
            Self::BadRequest => ("bad-request", "Bad Request"),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::PaymentRequired => "Payment is required.".to_owned(),
            Self::MalformedCredential => "Credential is malformed.".to_owned(),
            Self::InvalidChallenge => "Challenge is invalid.".to_owned(),
            Self::PaymentExpired => "Payment has expired.".to_owned(),
            Self::InvalidPayload => "Credential payload is invalid.".to_owned(),
            Self::VerificationFailed(why) => {
                format!("Payment verification failed: {}.", why.strip_suffix('.').unwrap_or(why))
            }
            Self::MethodUnsupported => "Payment method is not supported.".to_owned(),
            Self::BadRequest => "Request is malformed.".to_owned(),
        }
    }
}
