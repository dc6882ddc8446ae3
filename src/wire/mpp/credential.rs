//! The credential by which a buyer pays a challenge: the challenge again, and a signed transaction (`spec/mpp.md` §15).

use super::challenge::{self, Challenge};
use crate::{
    domain::base64_text,
    wire::{
        json::{self, Object},
        mpp::{MAX_HEADER_LENGTH, SCHEME},
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::Value;

/// The only type of a payload.
const TRANSACTION: &str = "transaction";

/// A payment of a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// What is paid, as the buyer echoes it; without a description, which nothing binds.
    pub challenge: Challenge,
    /// The signed transaction, standard base64.
    pub transaction: String,
    /// Who pays, by the buyer's word.
    pub source: Option<String>,
}

/// Why there is no credential to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialFault {
    /// The header has none.
    #[error("no credential of the scheme Payment")]
    Absent,
    /// It is not base64url of the documented JSON.
    #[error("the credential is malformed")]
    Malformed,
    /// Its payload is of another type.
    #[error("Unsupported credential type")]
    UnsupportedType,
}

/// The members in the order of the published client.
#[derive(Serialize)]
struct CredentialJson<'a> {
    challenge: EchoedJson<'a>,
    payload: PayloadJson<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
}

#[derive(Serialize)]
struct EchoedJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<&'a str>,
    id: &'a str,
    intent: &'a str,
    method: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    opaque: Option<&'a str>,
    realm: &'a str,
    request: &'a str,
}

#[derive(Serialize)]
struct PayloadJson<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    transaction: &'a str,
}

impl Credential {
    /// The value of `Authorization`.
    pub fn header(&self) -> String {
        // Texts: serialising cannot fail.
        format!("{SCHEME} {}", URL_SAFE_NO_PAD.encode(serde_json::to_vec(&self.json()).unwrap_or_default()))
    }

    /// The credential as an object, as MCP carries it.
    pub fn value(&self) -> Value {
        serde_json::to_value(self.json()).unwrap_or_default()
    }

    fn json(&self) -> CredentialJson<'_> {
        let echoed = &self.challenge;
        CredentialJson {
            challenge: EchoedJson {
                description: echoed.description.as_deref(),
                digest: echoed.digest.as_deref(),
                expires: echoed.expires.as_deref(),
                id: &echoed.id,
                intent: &echoed.intent,
                method: &echoed.method,
                opaque: echoed.opaque.as_deref(),
                realm: &echoed.realm,
                request: &echoed.request,
            },
            payload: PayloadJson { kind: TRANSACTION, transaction: &self.transaction },
            source: self.source.as_deref(),
        }
    }

    /// Reads the value of `Authorization`, which may carry other schemes beside this one in a list; base64url with padding or
    /// without.
    pub fn read(header: &str) -> Result<Self, CredentialFault> {
        if header.len() > MAX_HEADER_LENGTH {
            return Err(CredentialFault::Malformed);
        }
        let tokens = header.split(',').filter_map(|part| {
            let (scheme, token) = part.trim().split_once([' ', '\t'])?;
            scheme.eq_ignore_ascii_case(SCHEME).then(|| token.trim())
        });
        let mut fault = CredentialFault::Absent;
        for token in tokens {
            let bytes = base64_text::decode(token).map_err(|_| CredentialFault::Malformed);
            let json = bytes.and_then(|bytes| json::read(&bytes).map_err(|_| CredentialFault::Malformed));
            match json.and_then(|json| Self::from_value(&json)) {
                Ok(credential) => return Ok(credential),
                Err(found) => fault = found,
            }
        }
        Err(fault)
    }

    /// Reads the object.
    pub fn from_value(json: &Value) -> Result<Self, CredentialFault> {
        let object = Object::root(json).map_err(|_| CredentialFault::Malformed)?;
        let part = |name: &str| object.object(name).ok().flatten().ok_or(CredentialFault::Malformed);
        let (echoed, payload) = (part("challenge")?, part("payload")?);
        let kind = payload.text("type").map_err(|_| CredentialFault::Malformed)?;
        if kind.is_some_and(|kind| kind != TRANSACTION) {
            return Err(CredentialFault::UnsupportedType);
        }
        Ok(Self {
            challenge: Challenge { description: None, ..read_challenge(&echoed)? },
            transaction: required(&payload, TRANSACTION)?,
            source: optional(&object, "source")?,
        })
    }
}

/// A challenge as an object: request and opaque as they were written, or decoded, as older clients and MCP send them.
pub(super) fn read_challenge(echoed: &Object<'_>) -> Result<Challenge, CredentialFault> {
    let written = |name: &str| match echoed.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(object @ Value::Object(_)) => challenge::encode(object).map(Some).map_err(|_| CredentialFault::Malformed),
        Some(_) => Err(CredentialFault::Malformed),
    };
    Ok(Challenge {
        id: required(echoed, "id")?,
        realm: required(echoed, "realm")?,
        method: required(echoed, "method")?,
        intent: required(echoed, "intent")?,
        request: written("request")?.ok_or(CredentialFault::Malformed)?,
        description: optional(echoed, "description")?,
        digest: optional(echoed, "digest")?,
        expires: optional(echoed, "expires")?,
        opaque: written("opaque")?,
    })
}

fn optional(object: &Object<'_>, name: &str) -> Result<Option<String>, CredentialFault> {
    object.text(name).map(|text| text.map(str::to_owned)).map_err(|_| CredentialFault::Malformed)
}

fn required(object: &Object<'_>, name: &str) -> Result<String, CredentialFault> {
    optional(object, name)?.ok_or(CredentialFault::Malformed)
}
