//! What merchants and facilitators say to each other: `/verify`, `/settle` and `/supported`. The bodies are the same
//! in both x402 versions (`spec/x402.md` §1.1).

use crate::wire::session::{SessionAfterPayment, SessionTerms};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The body of `POST /verify` and `POST /settle`, as a merchant writes it. The facilitator reads it with
/// [`crate::wire::payment::payment`].
///
/// Both objects stay raw JSON, so that the payer's text and the merchant's offer arrive member for member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRequest {
    /// 1 or 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x402_version: Option<u64>,
    /// What the payer sent.
    pub payment_payload: Value,
    /// What the merchant requires: their own offer, never the payer's copy of it.
    pub payment_requirements: Value,
}

/// The answer of `/verify`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyAnswer {
    /// Whether `/settle` would accept the payment now.
    pub is_valid: bool,
    /// A word of [`crate::domain::reason::PayReason`] (other facilitators have more).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid_reason: Option<String>,
    /// The reason in a sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid_message: Option<String>,
    /// The wallet that pays, base58.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<String>,
    /// Answers of extensions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extensions: Option<AnswerExtensions>,
}

/// The answer of `/settle`, which a merchant passes on in `PAYMENT-RESPONSE`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettleAnswer {
    /// Whether the payment is made.
    pub success: bool,
    /// The transaction that concerns it, base58; empty when there is none.
    pub transaction: String,
    /// The network as the request spelled it.
    pub network: String,
    /// The wallet that pays, base58.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<String>,
    /// What was paid, in base units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// A word of [`crate::domain::reason::PayReason`] (other facilitators have more).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_reason: Option<String>,
    /// The reason in a sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// Answers of extensions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extensions: Option<AnswerExtensions>,
}

/// What extensions add to an answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AnswerExtensions {
    /// The session right after this payment.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "as_extension")]
    pub session: Option<SessionAfterPayment>,
    /// Everything else, untouched.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// Writes the members as ours have always stood, and again in the form that x402 gives extensions: `info` beside its JSON
/// `schema` (`spec/x402.md` §1.6). A package that knows only that form (mppx) refuses a whole answer for one without it.
fn as_extension<T: Serialize, S: Serializer>(members: &T, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Extension<'a, T> {
        #[serde(flatten)]
        members: &'a T,
        #[serde(rename = "info")]
        again: &'a T,
        schema: Value,
    }
    Extension { members, again: members, schema: serde_json::json!({ "type": "object" }) }.serialize(serializer)
}

/// The answer of `GET /supported`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SupportedAnswer {
    /// What is served; the published client takes the first kind it understands.
    pub kinds: Vec<SupportedKind>,
    /// Extensions whose members are read.
    #[serde(default)]
    pub extensions: Vec<String>,
    /// Our keys by CAIP family, as in `solana:*`.
    #[serde(default)]
    pub signers: BTreeMap<String, Vec<String>>,
}

/// One version, scheme and network spelling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SupportedKind {
    /// 1 or 2.
    pub x402_version: u64,
    /// The scheme's name.
    pub scheme: String,
    /// The network in this kind's spelling.
    pub network: String,
    /// The mint, base58; official clients strip it, so it is in `extra` too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// What the scheme needs to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Value>,
}

impl SupportedKind {
    /// The terms of a `session` kind; `None` for other schemes and for terms that are not readable.
    pub fn session_terms(&self) -> Option<SessionTerms> {
        if self.scheme != super::SESSION_SCHEME {
            return None;
        }
        serde_json::from_value(self.extra.clone()?).ok()
    }
}
