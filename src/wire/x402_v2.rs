//! x402 version 2: the challenge and the payment (`spec/x402.md` §1.3).

use crate::wire::session::SessionPayload;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// This version's number.
pub const VERSION: u64 = 2;

/// What a merchant answers with 402, in the `PAYMENT-REQUIRED` header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRequired {
    /// [`VERSION`].
    pub x402_version: u64,
    /// Why this is a 402, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What is being sold.
    pub resource: Resource,
    /// The offers, best first.
    pub accepts: Vec<Requirements>,
    /// What extensions ask for, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Map<String, Value>>,
}

/// What is being sold. Everything is optional on the way in: published clients send `{}` and relative URLs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// Its URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What is returned, as in `application/json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
}

/// One way to pay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Requirements {
    /// The scheme's name.
    pub scheme: String,
    /// CAIP-2, or an alias with a colon.
    pub network: String,
    /// In base units, plain decimal.
    pub amount: String,
    /// The mint, base58.
    pub asset: String,
    /// The wallet to be paid, base58.
    pub pay_to: String,
    /// The longest the merchant waits for a settlement, in seconds.
    pub max_timeout_seconds: u64,
    /// What the scheme adds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Map<String, Value>>,
    /// Members we do not know; a payer echoes them.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// A payment, in the `PAYMENT-SIGNATURE` header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentPayload {
    /// [`VERSION`]; the published client writes 1 here and means this shape nevertheless.
    #[serde(default = "version")]
    pub x402_version: u64,
    /// What is being bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
    /// The offer that the payer took, echoed member for member.
    pub accepted: Value,
    /// The scheme's own part.
    pub payload: SessionPayload,
    /// What the challenge's extensions asked for, with the payer's additions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Map<String, Value>>,
}

const fn version() -> u64 {
    VERSION
}
