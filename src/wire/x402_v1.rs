//! x402 version 1: the challenge in the body of a 402, the payment without `accepted` (`spec/x402.md` §1.3).

use crate::wire::session::SessionPayload;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// This version's number.
pub const VERSION: u64 = 1;

/// What a merchant answers with 402, in the body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRequired {
    /// [`VERSION`].
    pub x402_version: u64,
    /// Why this is a 402, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The offers, best first.
    pub accepts: Vec<Requirements>,
}

/// One way to pay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Requirements {
    /// The scheme's name.
    pub scheme: String,
    /// The v1 name, as in `solana-devnet`, or any other spelling.
    pub network: String,
    /// In base units, plain decimal.
    pub max_amount_required: String,
    /// The amount again: the published session client reads only this one (`spec/session.md` §3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// The URL of what is being sold.
    pub resource: String,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// What is returned, as in `application/json`.
    #[serde(default)]
    pub mime_type: String,
    /// The wallet to be paid, base58.
    pub pay_to: String,
    /// The longest the merchant waits for a settlement, in seconds.
    pub max_timeout_seconds: u64,
    /// The mint, base58.
    pub asset: String,
    /// The form of what is returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
    /// What the scheme adds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Map<String, Value>>,
    /// Members we do not know.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// A payment, in the `X-PAYMENT` header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentPayload {
    /// [`VERSION`].
    #[serde(default = "version")]
    pub x402_version: u64,
    /// The scheme's name.
    pub scheme: String,
    /// The network as the challenge spelled it.
    pub network: String,
    /// The scheme's own part.
    pub payload: SessionPayload,
}

const fn version() -> u64 {
    VERSION
}
