//! What makes a payment this payment and no other: its idempotency key, and the session key's signature.

use super::Refused;
use crate::{
    domain::{payment::Authorization, reason::PayReason, signed},
    wire::{PAYMENT_IDENTIFIER, json::Object},
};
use std::ops::RangeInclusive;

/// A nonce's length, in printable ASCII characters without spaces. It stays in the ledger for ever, in a row and in an
/// index.
const NONCE_LENGTH: RangeInclusive<usize> = 1..=64;
/// A payment identifier's length, in characters (`spec/x402.md` §1.6).
const IDENTIFIER_LENGTH: RangeInclusive<usize> = 16..=128;
/// A SHA-256 in hex.
const HASH_LENGTH: usize = 64;

/// The idempotency key, whichever of its three places states it, and the authorisation.
///
/// Places that disagree are refused: one payment has one key (`spec/session.md` §3, Idempotency).
pub(super) fn identity(
    payment: &Object<'_>,
    payload: &Object<'_>,
) -> Result<(Option<String>, Option<Authorization>), Refused> {
    let authorization = authorization(payload)?;
    let identifier = identifier(payment)?;
    let nonce = nonce(payload, "nonce")?;
    let signed = authorization.as_ref().map(|authorization| authorization.nonce.as_str());
    let stated = [nonce, identifier.id, signed];
    let key = stated.into_iter().flatten().next();
    if stated.into_iter().flatten().any(|other| Some(other) != key) {
        return Err(bad("the nonce, the payment identifier and the authorisation's nonce must be the same"));
    }
    if identifier.required && key.is_none() {
        return Err(bad(&format!("`extensions.{PAYMENT_IDENTIFIER}` is required and carries no identifier")));
    }
    Ok((key.map(str::to_owned), authorization))
}

/// What the `payment-identifier` extension says.
#[derive(Default)]
struct Identifier<'a> {
    id: Option<&'a str>,
    required: bool,
}

/// The id stands in `info.id`; drafts had it in `info.paymentIdentifier` or beside `info`.
fn identifier<'a>(payment: &Object<'a>) -> Result<Identifier<'a>, Refused> {
    let Some(extensions) = payment.object("extensions")? else {
        return Ok(Identifier::default());
    };
    let Some(extension) = extensions.object(PAYMENT_IDENTIFIER)? else {
        return Ok(Identifier::default());
    };
    let beside = extension.text("paymentIdentifier")?;
    let (required, inside) = match extension.object("info")? {
        Some(info) => (info.flag("required")?.unwrap_or(false), [info.text("id")?, info.text("paymentIdentifier")?]),
        None => (false, [None, None]),
    };
    let mut stated = inside.into_iter().chain([beside]).flatten();
    let id = stated.next();
    if stated.any(|other| Some(other) != id) {
        return Err(bad(&format!("`extensions.{PAYMENT_IDENTIFIER}` names two identifiers")));
    }
    match id {
        Some(id) if !is_identifier(id) => {
            Err(bad(&format!("`extensions.{PAYMENT_IDENTIFIER}` must be 16 to 128 letters, digits, `_` or `-`")))
        }
        id => Ok(Identifier { id, required }),
    }
}

fn is_identifier(text: &str) -> bool {
    IDENTIFIER_LENGTH.contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn nonce<'a>(object: &Object<'a>, name: &str) -> Result<Option<&'a str>, Refused> {
    match object.text(name)? {
        Some(nonce) if !(NONCE_LENGTH.contains(&nonce.len()) && nonce.bytes().all(|byte| byte.is_ascii_graphic())) => {
            Err(bad(&format!("`{}` must be 1 to 64 printable ASCII characters without spaces", object.path_of(name))))
        }
        nonce => Ok(nonce),
    }
}

/// `authorization` and `signature` of `spec/session.md` §4: both or neither.
fn authorization(payload: &Object<'_>) -> Result<Option<Authorization>, Refused> {
    let (parts, signature) = match (payload.object("authorization")?, payload.text("signature")?) {
        (None, None) => return Ok(None),
        (Some(parts), Some(signature)) => (parts, signature),
        (Some(_), None) => return Err(bad(&format!("`{}` is required", payload.path_of("signature")))),
        (None, Some(_)) => return Err(bad(&format!("`{}` is required", payload.path_of("authorization")))),
    };
    let required = |name: &str| bad(&format!("`{}` is required", parts.path_of(name)));
    let resource_hash = parts.text("resourceHash")?;
    if resource_hash.is_some_and(|hash| !is_lower_hex(hash)) {
        return Err(bad(&format!("`{}` must be 64 lower-case hex digits", parts.path_of("resourceHash"))));
    }
    Ok(Some(Authorization {
        nonce: nonce(&parts, "nonce")?.ok_or_else(|| required("nonce"))?.to_owned(),
        expires_at: parts.integer("expiresAt")?.ok_or_else(|| required("expiresAt"))?,
        resource_hash: resource_hash.map(str::to_owned),
        signature: signed::parse_signature(signature)
            .ok_or_else(|| Refused::new(PayReason::InvalidSessionSignature))?,
    }))
}

fn is_lower_hex(text: &str) -> bool {
    text.len() == HASH_LENGTH && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn bad(detail: &str) -> Refused {
    Refused::because(PayReason::BadRequest, format!("{detail}."))
}
