//! The decoding of `POST /sessions`: everything about the body that can be decided without asking anybody.
//!
//! Code that gets an [`Opening`] knows: every member has its type and its one spelling, exactly one approve is named,
//! and the signed bytes have the right size. What they *say* is the facilitator's to compare.

use crate::{
    domain::{
        amount::Amount,
        base64_text,
        funding::FundingProof,
        intent::{IntentHash, MAX_INTENT_BYTES},
        reason::SessionReason,
        session::SignedIntent,
        signed,
    },
    wire::{
        funding,
        json::{self, Object},
    },
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

/// A well-formed request for a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The wallet that pays.
    pub user: Pubkey,
    /// The mint.
    pub asset: Pubkey,
    /// The wallet that is paid.
    pub recipient: Pubkey,
    /// The most that may be captured; positive.
    pub cap: Amount,
    /// Unix seconds.
    pub expires_at: u64,
    /// As the payer spelled it.
    pub network: String,
    /// The approve.
    pub approve: Approve,
    /// The intent and its signatures; nothing is verified yet.
    pub intent: SignedIntent,
    /// What the payer proves of their balance; nothing is verified yet.
    pub funding: Option<FundingProof>,
}

/// The approve that backs a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approve {
    /// A transaction to co-sign and send, base64 as received.
    Transaction(String),
    /// One that is on chain already.
    Landed(Signature),
}

/// Why a body asks for no session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}{}: {detail}", field.unwrap_or_default())]
pub struct RefusedOpening {
    /// The stable word, or its beginning when `field` completes it.
    pub reason: SessionReason,
    /// The member that completes `missing_`.
    pub field: Option<&'static str>,
    /// A sentence that names members and repeats no values.
    pub detail: String,
}

impl RefusedOpening {
    fn new(reason: SessionReason) -> Self {
        Self { reason, field: None, detail: reason.meaning().to_owned() }
    }

    pub(super) fn because(reason: SessionReason, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..Self::new(reason) }
    }

    pub(crate) fn missing(field: &'static str) -> Self {
        Self { reason: SessionReason::MissingField, field: Some(field), detail: format!("`{field}` is required.") }
    }
}

impl From<json::JsonError> for RefusedOpening {
    fn from(error: json::JsonError) -> Self {
        Self::because(SessionReason::BadRequest, error.to_string())
    }
}

impl From<json::WrongType> for RefusedOpening {
    fn from(error: json::WrongType) -> Self {
        Self::because(SessionReason::BadRequest, error.to_string())
    }
}

/// Reads the body of `POST /sessions`.
pub fn opening(body: &[u8]) -> Result<Opening, RefusedOpening> {
    let json = json::read(body)?;
    let body = Object::root(&json)?;
    Ok(Opening {
        user: key(&body, "user", SessionReason::InvalidUser)?,
        asset: key(&body, "asset", SessionReason::AssetNotAllowed)?,
        recipient: key(&body, "recipient", SessionReason::InvalidRecipient)?,
        cap: cap(&body)?,
        expires_at: body.integer("expirationUnix")?.ok_or_else(|| RefusedOpening::missing("expirationUnix"))?,
        network: text(&body, "network")?.to_owned(),
        approve: approve(&body)?,
        intent: intent(&body)?,
        funding: funding::proof(&body)?,
    })
}

/// A required text; the deployed service treats an empty one as missing, and so do we.
pub(super) fn text<'a>(body: &Object<'a>, name: &'static str) -> Result<&'a str, RefusedOpening> {
    optional_text(body, name)?.ok_or_else(|| RefusedOpening::missing(name))
}

fn optional_text<'a>(body: &Object<'a>, name: &str) -> Result<Option<&'a str>, RefusedOpening> {
    Ok(body.text(name)?.filter(|text| !text.is_empty()))
}

/// A required key; `reason` refuses what is none.
pub(super) fn key(body: &Object<'_>, name: &'static str, reason: SessionReason) -> Result<Pubkey, RefusedOpening> {
    public_key(text(body, name)?, name, reason)
}

/// A key from the text of the member `name`; `reason` refuses what is none.
pub(crate) fn public_key(text: &str, name: &str, reason: SessionReason) -> Result<Pubkey, RefusedOpening> {
    signed::parse_key(text)
        .ok_or_else(|| RefusedOpening::because(reason, format!("`{name}` must be a base58 public key of 32 bytes.")))
}

fn cap(body: &Object<'_>) -> Result<Amount, RefusedOpening> {
    match body.get("cap") {
        None => Err(RefusedOpening::missing("cap")),
        // A number is refused: beyond 2^53 its meaning depends on who reads it.
        Some(value) => match value.as_str().map(Amount::parse_positive) {
            Some(Ok(cap)) => Ok(cap),
            Some(Err(error)) => Err(RefusedOpening::because(SessionReason::InvalidCap, format!("`cap`: {error}."))),
            None => Err(RefusedOpening::new(SessionReason::InvalidCap)),
        },
    }
}

/// Exactly one of the two; the published client sends the signature's member empty (`spec/session.md` §2).
fn approve(body: &Object<'_>) -> Result<Approve, RefusedOpening> {
    match (optional_text(body, "approveTxBase64")?, optional_text(body, "approveTxSignature")?) {
        (Some(transaction), None) => Ok(Approve::Transaction(transaction.to_owned())),
        // What the wallet has not just shown and signed as a transaction, it has to have shown as a text.
        (None, Some(_)) if optional_text(body, "authSignature")?.is_none() => {
            Err(RefusedOpening::new(SessionReason::AuthSignatureRequired))
        }
        (None, Some(signature)) => landed(signature),
        (None, None) => Err(RefusedOpening::missing("approveTxBase64")),
        (Some(_), Some(_)) => Err(RefusedOpening::because(
            SessionReason::BadRequest,
            "Name the approve once: `approveTxBase64` or `approveTxSignature`, not both.",
        )),
    }
}

fn landed(signature: &str) -> Result<Approve, RefusedOpening> {
    signed::parse_signature(signature).map(|bytes| Approve::Landed(Signature::from(bytes))).ok_or_else(|| {
        RefusedOpening::because(
            SessionReason::BadRequest,
            "`approveTxSignature` must be a base58 signature of 64 bytes.",
        )
    })
}

fn intent(body: &Object<'_>) -> Result<SignedIntent, RefusedOpening> {
    let bytes = base64_text::decode(text(body, "authMessage")?).map_err(|_| {
        RefusedOpening::because(SessionReason::AuthMessageNotJson, "`authMessage` must be base64, without white space.")
    })?;
    if bytes.len() > MAX_INTENT_BYTES {
        return Err(RefusedOpening::because(
            SessionReason::AuthMessageNotJson,
            format!("The intent is {} bytes long; at most {MAX_INTENT_BYTES} are read.", bytes.len()),
        ));
    }
    let signature =
        optional_text(body, "authSignature")?.map(|text| base64_signature(text, "authSignature")).transpose()?;
    let settle_signature = settle_signature(body, &bytes)?;
    // Whether the short message alone is enough is the facilitator's to say (`spec/session.md` §7).
    if signature.is_none() && settle_signature.is_none() {
        return Err(RefusedOpening::missing("authSignature"));
    }
    Ok(SignedIntent { bytes, signature, settle_signature })
}

/// The short authorisation (`spec/session.md` §4). Its text follows from the intent, so it is only checked, and
/// whoever sends it must have signed it.
fn settle_signature(body: &Object<'_>, intent: &[u8]) -> Result<Option<[u8; 64]>, RefusedOpening> {
    let message = optional_text(body, "settleMessage")?;
    if message.is_some_and(|message| message != IntentHash::of(intent).settle_message()) {
        return Err(RefusedOpening::because(
            SessionReason::BadRequest,
            "`settleMessage` must be `x402-session:1:` and the lower-case hex SHA-256 of the intent's bytes.",
        ));
    }
    match (message, optional_text(body, "settleSignature")?) {
        (_, Some(signature)) => base64_signature(signature, "settleSignature").map(Some),
        (Some(_), None) => Err(RefusedOpening::missing("settleSignature")),
        (None, None) => Ok(None),
    }
}

fn base64_signature(text: &str, name: &str) -> Result<[u8; 64], RefusedOpening> {
    base64_text::decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| {
        RefusedOpening::because(
            SessionReason::InvalidAuthSignature,
            format!("`{name}` must be 64 bytes in base64, without white space."),
        )
    })
}
