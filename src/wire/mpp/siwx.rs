//! The header `SIGN-IN-WITH-X`: base64 of the members that a wallet has signed, and its signature.

use crate::{
    domain::{
        base64_text,
        mpp::{reason::SiwxReason, siwx::SignIn},
        signed::parse_signature,
    },
    wire::json::{self, Object},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;

/// The header's name.
pub const SIGN_IN_WITH_X: &str = "sign-in-with-x";
/// The longest value that is read, in characters.
const MAX_LENGTH: usize = 8 * 1024;
/// What signs, and how its text is made.
const TYPE: &str = "ed25519";
const SCHEME: &str = "siws";

/// A sign-in with its signature, which nobody has verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// What was signed.
    pub sign_in: SignIn,
    /// By whom, the address says.
    pub signature: [u8; 64],
}

/// The members in the published client's order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HeaderJson<'a> {
    domain: &'a str,
    address: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<&'a str>,
    uri: &'a str,
    version: &'a str,
    chain_id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    nonce: &'a str,
    issued_at: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration_time: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    resources: &'a [String],
    signature_scheme: &'a str,
    signature: String,
}

impl SignedIn {
    /// Writes the header's value.
    pub fn encode(&self) -> String {
        let of = &self.sign_in;
        let json = HeaderJson {
            domain: &of.domain,
            address: &of.address,
            statement: of.statement.as_deref(),
            uri: &of.uri,
            version: &of.version,
            chain_id: &of.chain_id,
            kind: TYPE,
            nonce: &of.nonce,
            issued_at: &of.issued_at,
            expiration_time: of.expiration_time.as_deref(),
            not_before: of.not_before.as_deref(),
            request_id: of.request_id.as_deref(),
            resources: &of.resources,
            signature_scheme: SCHEME,
            signature: bs58::encode(self.signature).into_string(),
        };
        // Texts: serialising cannot fail.
        STANDARD.encode(serde_json::to_vec(&json).unwrap_or_default())
    }

    /// Reads the header's value; none is [`SiwxReason::Required`].
    pub fn decode(value: Option<&str>) -> Result<Self, SiwxReason> {
        let value = value.ok_or(SiwxReason::Required)?;
        let bytes = (value.len() <= MAX_LENGTH).then(|| base64_text::decode(value).ok()).flatten();
        let json = json::read(&bytes.ok_or(SiwxReason::Malformed)?).map_err(|_| SiwxReason::Malformed)?;
        let object = Object::root(&json).map_err(|_| SiwxReason::Malformed)?;
        let optional =
            |name: &str| object.text(name).map(|text| text.map(str::to_owned)).map_err(|_| SiwxReason::Malformed);
        let required = |name: &str| optional(name)?.ok_or(SiwxReason::Malformed);
        if required("type")? != TYPE || required("signatureScheme")? != SCHEME {
            return Err(SiwxReason::Malformed);
        }
        let sign_in = SignIn {
            domain: required("domain")?,
            address: required("address")?,
            statement: optional("statement")?,
            uri: required("uri")?,
            version: required("version")?,
            chain_id: required("chainId")?,
            nonce: required("nonce")?,
            issued_at: required("issuedAt")?,
            expiration_time: optional("expirationTime")?,
            not_before: optional("notBefore")?,
            request_id: optional("requestId")?,
            resources: resources(&object).ok_or(SiwxReason::Malformed)?,
        };
        let signature = parse_signature(&required("signature")?).ok_or(SiwxReason::Malformed)?;
        Ok(Self { sign_in, signature })
    }
}

/// A list of texts, or nothing.
fn resources(object: &Object<'_>) -> Option<Vec<String>> {
    let Some(listed) = object.get("resources") else { return Some(Vec::new()) };
    listed.as_array()?.iter().map(|resource| resource.as_str().map(str::to_owned)).collect()
}

/// The HTTP status of a refused sign-in.
pub const fn status(reason: SiwxReason) -> u16 {
    match reason {
        SiwxReason::WalletMismatch => 403,
        SiwxReason::Required
        | SiwxReason::Malformed
        | SiwxReason::DomainMismatch
        | SiwxReason::ChainMismatch
        | SiwxReason::Expired
        | SiwxReason::InvalidSignature
        | SiwxReason::NonceExhausted => 401,
    }
}
