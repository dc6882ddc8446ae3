//! What became of a payment, what happens to a session, and the request to close one (`spec/session.md` §4).

use crate::{
    domain::{clock::UnixSeconds, reason::SessionReason, signed},
    wire::{
        json::{self, Object},
        opening::{self, RefusedOpening},
        revoke::RevokeOffer,
    },
};
use serde::{Deserialize, Serialize};
use solana_pubkey::Pubkey;

/// The longest nonce of a close, in characters.
const MAX_NONCE: usize = 128;

/// The answer of `GET /sessions/{id}/payments/{nonce-or-id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentView {
    /// The payment's id.
    pub payment: String,
    /// Its session.
    pub session_id: String,
    /// `held`, `pending`, `captured`, `released` or `lost`.
    pub state: String,
    /// Whether it was answered as held.
    pub deferred: bool,
    /// The transaction that carried it or may still carry it, or the last that failed to, base58; empty when there is
    /// none.
    pub transaction: String,
    /// In base units; only to who may read the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// Its idempotency key, if it has one; only to who may read the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// Why it was released or lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many settlements came to nothing under it.
    pub returns: u32,
    /// When it was accepted, Unix seconds.
    pub accepted_at: u64,
    /// When the transfer that carried it landed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub captured_at: Option<u64>,
    /// When that could no longer be taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<u64>,
    /// When its settlement came to nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<u64>,
}

/// The body of `POST /sessions/{id}/close`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseBody {
    /// Of the caller's choice, 1 to 128 printable characters.
    pub nonce: String,
    /// Base58, by the session key or the user, over `x402-session-close:1:<intent hash>:<session id>:<nonce>`.
    pub signature: String,
}

/// A well-formed request to close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// What was signed with it.
    pub nonce: String,
    /// Not verified yet.
    pub signature: [u8; 64],
}

/// Reads the body of `POST /sessions/{id}/close`.
pub fn closing(body: &[u8]) -> Result<Closing, RefusedOpening> {
    let json = json::read(body)?;
    let body = Object::root(&json)?;
    let (nonce, signature) = (opening::text(&body, "nonce")?, opening::text(&body, "signature")?);
    let malformed = |detail: &str| RefusedOpening::because(SessionReason::BadRequest, detail);
    if nonce.len() > MAX_NONCE || !nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(malformed("`nonce` must be 1 to 128 printable ASCII characters without spaces."));
    }
    let signature = signed::parse_signature(signature);
    Ok(Closing {
        nonce: nonce.to_owned(),
        signature: signature.ok_or_else(|| malformed("`signature` must be 64 bytes in base58."))?,
    })
}

/// The answer of `POST /sessions/{id}/close`: how the session stands, with all amounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseAnswer {
    /// The session; `closing` until everything is final, then `closed`.
    #[serde(flatten)]
    pub session: super::session::SessionView,
    /// What was promised and never captured, in base units.
    pub lost: String,
    /// What is left to do on chain: the wallet's revoke, where nothing needs our delegation any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoke: Option<RevokeOffer>,
}

/// The body of `POST /sessions/close`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseAllBody {
    /// The wallet, base58.
    pub user: String,
    /// The mint, base58.
    pub asset: String,
    /// When it was signed, Unix seconds; good for five minutes.
    pub at: u64,
    /// Base58, by the wallet, over `x402-session-close-all:1:<spender>:<user>:<asset>:<at>`.
    pub signature: String,
}

/// A well-formed request to close all sessions of a wallet and asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosingAll {
    /// The wallet.
    pub user: Pubkey,
    /// The mint.
    pub asset: Pubkey,
    /// Unix seconds.
    pub at: UnixSeconds,
    /// Not verified yet.
    pub signature: [u8; 64],
}

/// Reads the body of `POST /sessions/close`.
pub fn closing_all(body: &[u8]) -> Result<ClosingAll, RefusedOpening> {
    let json = json::read(body)?;
    let body = Object::root(&json)?;
    let user = opening::key(&body, "user", SessionReason::InvalidUser)?;
    let asset = opening::key(&body, "asset", SessionReason::AssetNotAllowed)?;
    let at = body.integer("at")?.ok_or_else(|| RefusedOpening::missing("at"))?;
    let signature = opening::text(&body, "signature")?;
    let malformed = || RefusedOpening::because(SessionReason::BadRequest, "`signature` must be 64 bytes in base58.");
    Ok(ClosingAll { user, asset, at, signature: signed::parse_signature(signature).ok_or_else(malformed)? })
}

/// The answer of `POST /sessions/close`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseAllAnswer {
    /// Each session that was live or held something, oldest first. One that is `opening` still can open: ask again.
    pub sessions: Vec<CloseAnswer>,
    /// What is left to do on chain: the wallet's revoke, where nothing needs our delegation any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoke: Option<RevokeOffer>,
}

/// What an event of `GET /sessions/{id}/events` carries. Members that do not concern the event are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventBody {
    /// The payment it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<String>,
    /// The payments it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payments: Option<Vec<String>>,
    /// Of a settlement that came to nothing: the payments that were promised and are tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Vec<String>>,
    /// In base units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// Whether it was answered as held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deferred: Option<bool>,
    /// The settlement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settlement: Option<String>,
    /// Its transaction, base58.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    /// Why something came to nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The session's state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// What is known of the payer's balance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub funding: Option<String>,
    /// When, Unix seconds, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_has_a_nonce_and_a_signature() {
        let signature = bs58::encode([7; 64]).into_string();
        let body =
            |nonce: &str, signature: &str| serde_json::json!({ "nonce": nonce, "signature": signature }).to_string();
        let closing_of = |text: String| closing(text.as_bytes());
        assert_eq!(closing_of(body("n-1", &signature)), Ok(Closing { nonce: "n-1".to_owned(), signature: [7; 64] }));
        for (nonce, signature) in
            [("", signature.as_str()), ("n-1", ""), ("a b", &signature), ("n", "7"), (&"n".repeat(129), &signature)]
        {
            assert!(closing_of(body(nonce, signature)).is_err(), "{nonce} {signature}");
        }
        assert!(closing(b"[]").is_err() && closing(b"{").is_err());
    }
}
