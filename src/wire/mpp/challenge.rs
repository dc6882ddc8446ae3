//! The challenge of a 402: what a seller asks for, bound to the seller's secret by its id (`spec/mpp.md` §15).
//!
//! A seller keeps no challenges: whoever echoes one shows by its id that the seller made it. The description alone is not
//! bound, and is never read from what is echoed.

mod parse;

pub use parse::read_all;

use crate::{
    domain::mpp::root::keyed,
    wire::mpp::{INTENT_CHARGE, METHOD, SCHEME, canonical},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::Mac as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What joins the parts that the id binds.
const JOINT: &str = "|";

/// What a charge asks for; the published client decodes it and writes it again canonically.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChargeRequested {
    /// Base units.
    pub amount: String,
    /// The token's name, for people.
    pub currency: String,
    /// The seller's wallet.
    pub recipient: String,
    /// What is sold, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Of the seller's choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// How the transaction is to be built.
    pub method_details: MethodDetails,
}

/// How a charge's transaction is to be built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MethodDetails {
    /// A UUID, which the buyer's memo names.
    pub reference: String,
    /// The network as the facilitator spelled it.
    pub network: String,
    /// The mint.
    pub spl_token: String,
    /// Its decimals.
    pub decimals: u8,
    /// Its program.
    pub token_program: String,
    /// Whether `feePayerKey` pays the fee.
    pub fee_payer: bool,
    /// The facilitator's fee payer.
    pub fee_payer_key: String,
    /// What the buyer signs with.
    pub recent_blockhash: String,
    /// The last height at which it can land.
    pub last_valid_block_height: u64,
}

/// A challenge, or what somebody echoes as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Base64url of the HMAC over all members but itself and the description.
    pub id: String,
    /// Whose challenge it is.
    pub realm: String,
    /// How it is paid.
    pub method: String,
    /// What is asked for.
    pub intent: String,
    /// Base64url of the request's canonical JSON, as it was written.
    pub request: String,
    /// For people.
    pub description: Option<String>,
    /// Of the sold request's body.
    pub digest: Option<String>,
    /// RFC 3339.
    pub expires: Option<String>,
    /// Base64url of the seller's own JSON.
    pub opaque: Option<String>,
}

/// What a challenge is made of beside its request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChallengeParts<'a> {
    /// Whose challenge it is.
    pub realm: &'a str,
    /// For people; left out where it could not be quoted.
    pub description: Option<&'a str>,
    /// Of the sold request's body.
    pub digest: Option<&'a str>,
    /// RFC 3339.
    pub expires: Option<&'a str>,
    /// The seller's own JSON.
    pub opaque: Option<&'a Value>,
}

/// Why no challenge can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeError {
    /// The published parser would take it apart wrongly.
    #[error("the {0} may not hold quotes, backslashes, `|`, the word `Payment ` or anything but printable ASCII")]
    NotQuotable(&'static str),
    /// A number in it has no spelling that all readers share.
    #[error(transparent)]
    NotCanonical(#[from] canonical::NotCanonical),
    /// It is no charge.
    #[error("the request is not that of a charge")]
    Request,
}

impl Challenge {
    /// A challenge for a charge under the seller's secret.
    pub fn charge(
        secret: &[u8],
        request: &ChargeRequested,
        parts: &ChallengeParts<'_>,
    ) -> Result<Self, ChallengeError> {
        let request = serde_json::to_value(request).map_err(|_| ChallengeError::Request)?;
        let opaque = parts.opaque.map(encode).transpose()?;
        for (name, text) in [("realm", Some(parts.realm)), ("digest", parts.digest), ("expiry", parts.expires)] {
            if text.is_some_and(|text| !is_quotable(text) || text.contains(JOINT)) {
                return Err(ChallengeError::NotQuotable(name));
            }
        }
        let description = parts.description.filter(|text| is_quotable(text)).map(str::to_owned);
        let mut challenge = Self {
            id: String::new(),
            realm: parts.realm.to_owned(),
            method: METHOD.to_owned(),
            intent: INTENT_CHARGE.to_owned(),
            request: encode(&request)?,
            description,
            digest: parts.digest.map(str::to_owned),
            expires: parts.expires.map(str::to_owned),
            opaque,
        };
        let id = keyed(secret).chain_update(challenge.bound()).finalize().into_bytes();
        challenge.id = URL_SAFE_NO_PAD.encode(id);
        Ok(challenge)
    }

    /// Whether this secret made the challenge, told in constant time.
    pub fn is_of(&self, secret: &[u8]) -> bool {
        // With a joint inside a part, two challenges could share what is bound.
        if self.parts().iter().any(|part| part.contains(JOINT)) {
            return false;
        }
        let id = URL_SAFE_NO_PAD.decode(&self.id).ok();
        id.is_some_and(|id| keyed(secret).chain_update(self.bound()).verify_slice(&id).is_ok())
    }

    /// What the charge asks for.
    pub fn requested(&self) -> Result<ChargeRequested, ChallengeError> {
        let bytes = URL_SAFE_NO_PAD.decode(&self.request).map_err(|_| ChallengeError::Request)?;
        let json = crate::wire::json::read(&bytes).map_err(|_| ChallengeError::Request)?;
        serde_json::from_value(json).map_err(|_| ChallengeError::Request)
    }

    /// The value of `WWW-Authenticate`.
    pub fn header(&self) -> String {
        let members = [
            ("id", Some(&self.id)),
            ("realm", Some(&self.realm)),
            ("method", Some(&self.method)),
            ("intent", Some(&self.intent)),
            ("request", Some(&self.request)),
            ("description", self.description.as_ref()),
            ("digest", self.digest.as_ref()),
            ("expires", self.expires.as_ref()),
            ("opaque", self.opaque.as_ref()),
        ];
        let written = members.iter().filter_map(|(name, value)| Some(format!("{name}=\"{}\"", (*value)?)));
        format!("{SCHEME} {}", written.collect::<Vec<_>>().join(", "))
    }

    /// The parts that the id binds, in their slots; empty where absent.
    fn parts(&self) -> [&str; 7] {
        [
            &self.realm,
            &self.method,
            &self.intent,
            &self.request,
            self.expires.as_deref().unwrap_or_default(),
            self.digest.as_deref().unwrap_or_default(),
            self.opaque.as_deref().unwrap_or_default(),
        ]
    }

    fn bound(&self) -> String {
        self.parts().join(JOINT)
    }
}

/// Base64url without padding of a value's canonical JSON.
pub fn encode(value: &Value) -> Result<String, canonical::NotCanonical> {
    Ok(URL_SAFE_NO_PAD.encode(canonical::text(value)?))
}

/// Whether a text stands between quotes as it is, for the published parser too, which splits a list at `Payment `.
pub fn is_quotable(text: &str) -> bool {
    let is_plain = text.bytes().all(|byte| (0x20..=0x7e).contains(&byte) && byte != b'"' && byte != b'\\');
    is_plain && !text.contains("Payment ")
}
