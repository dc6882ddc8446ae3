//! The bodies of `/api/sessions/onboard`, its `confirm` and `status`, and `/api/sessions/leave` (`spec/mpp.md` §5).
//!
//! Bodies are `snake_case`; `wallet` is taken for `buyer_wallet`, because the vendor's pages disagree. `null` is absent.

use crate::{
    domain::{amount::Amount, mpp::reason::OnboardReason, signed::parse_key},
    wire::json::{self, Object, WrongType},
};
use serde::{Deserialize, Serialize};
use solana_pubkey::Pubkey;
use std::ops::RangeInclusive;

/// The limit of a grant that names none, in base units.
pub const DEFAULT_SPEND_LIMIT: u64 = 100_000_000;
/// What a limit may be, in base units.
pub const SPEND_LIMITS: RangeInclusive<u64> = 1_000_000..=10_000_000_000;
/// The time of a grant that names none, in seconds.
pub const DEFAULT_TTL: u64 = 86_400;
/// What a time may be, in seconds.
pub const TTLS: RangeInclusive<u64> = 300..=2_592_000;
/// The most transactions that are read of one body.
const MOST_TRANSACTIONS: usize = 8;

/// Nothing is to be signed.
pub const STATUS_READY: &str = "ready";
/// Something is.
pub const STATUS_SIGN: &str = "transactions_required";
/// The wallet is not served.
pub const STATUS_NOT_ELIGIBLE: &str = "not_eligible";
/// Nobody is, for now.
pub const STATUS_UNAVAILABLE: &str = "temporarily_unavailable";
/// A round has landed, and another comes.
pub const STATUS_PENDING: &str = "pending";
/// Everything was taken back.
pub const STATUS_LEFT: &str = "left";
/// No delegation was begun.
pub const STATUS_NOT_ONBOARDED: &str = "not_onboarded";

/// Why a body is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct OnboardBodyError {
    /// The word.
    pub reason: OnboardReason,
    /// A sentence that names the member.
    pub detail: String,
}

impl OnboardBodyError {
    fn new(reason: OnboardReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }

    fn invalid(detail: impl Into<String>) -> Self {
        Self::new(OnboardReason::InvalidRequest, detail)
    }
}

impl From<WrongType> for OnboardBodyError {
    fn from(error: WrongType) -> Self {
        Self::invalid(error.to_string())
    }
}

/// The body of `POST /api/sessions/onboard`, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnboardBody {
    /// The wallet.
    pub wallet: Pubkey,
    /// The most that may ever move, in base units.
    pub spend_limit: Amount,
    /// For how many seconds.
    pub ttl: u64,
    /// What moves into the account that is granted from, in base units.
    pub deposit: Option<Amount>,
    /// The only wallet that is paid.
    pub seller: Option<Pubkey>,
    /// Whether a new grant is wanted where one is active.
    pub renew: Option<bool>,
}

/// The body of `POST /api/sessions/onboard/confirm`, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfirmBody {
    /// The wallet.
    pub wallet: Pubkey,
    /// The signed transactions, each to be base64.
    pub transactions: Vec<String>,
}

impl OnboardBody {
    /// Reads a body; refuses with `invalid_request` and `invalid_wallet`.
    pub fn read(bytes: &[u8]) -> Result<Self, OnboardBodyError> {
        let value = json::read(bytes).map_err(|_| OnboardBodyError::invalid("The body is no JSON object."))?;
        let body = Object::root(&value)?;
        let ttl = match body.get("ttl_seconds") {
            None => DEFAULT_TTL,
            // The published client sends a number, its pages show a text.
            Some(value) => value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(0),
        };
        if !TTLS.contains(&ttl) {
            let detail = format!("`ttl_seconds` lies between {} and {}.", TTLS.start(), TTLS.end());
            return Err(OnboardBodyError::invalid(detail));
        }
        Ok(Self {
            wallet: wallet(&body)?,
            spend_limit: spend_limit(&body)?,
            ttl,
            deposit: units(&body, "deposit_atomic")?,
            seller: seller(&body)?,
            renew: body.flag("renew")?,
        })
    }
}

impl ConfirmBody {
    /// Reads a body; refuses with `invalid_request` and `invalid_wallet`.
    pub fn read(bytes: &[u8]) -> Result<Self, OnboardBodyError> {
        let value = json::read(bytes).map_err(|_| OnboardBodyError::invalid("The body is no JSON object."))?;
        let body = Object::root(&value)?;
        let no_list = || OnboardBodyError::invalid("`signed_transactions` is a list of texts.");
        let listed = body.get("signed_transactions").and_then(|listed| listed.as_array()).ok_or_else(no_list)?;
        if listed.len() > MOST_TRANSACTIONS {
            return Err(no_list());
        }
        let texts: Option<Vec<String>> = listed.iter().map(|text| text.as_str().map(str::to_owned)).collect();
        Ok(Self { wallet: wallet(&body)?, transactions: texts.ok_or_else(no_list)? })
    }
}

/// Reads the body of `POST /api/sessions/leave`: the wallet.
pub fn leave_body(bytes: &[u8]) -> Result<Pubkey, OnboardBodyError> {
    let value = json::read(bytes).map_err(|_| OnboardBodyError::invalid("The body is no JSON object."))?;
    wallet(&Object::root(&value)?)
}

/// The wallet of a query that names it.
pub fn query_wallet(text: Option<&str>) -> Result<Pubkey, OnboardBodyError> {
    let invalid = || OnboardBodyError::new(OnboardReason::InvalidWallet, "`buyer_wallet` is no base58 address.");
    text.and_then(parse_key).ok_or_else(invalid)
}

fn wallet(body: &Object<'_>) -> Result<Pubkey, OnboardBodyError> {
    let text = match body.text("buyer_wallet")? {
        Some(text) => Some(text),
        None => body.text("wallet")?,
    };
    query_wallet(text)
}

fn seller(body: &Object<'_>) -> Result<Option<Pubkey>, OnboardBodyError> {
    let invalid = || OnboardBodyError::new(OnboardReason::InvalidWallet, "`seller_wallet` is no base58 address.");
    body.text("seller_wallet")?.map(|text| parse_key(text).ok_or_else(invalid)).transpose()
}

fn spend_limit(body: &Object<'_>) -> Result<Amount, OnboardBodyError> {
    let limit = match units(body, "spend_limit_atomic")? {
        Some(limit) => limit.get(),
        None => DEFAULT_SPEND_LIMIT,
    };
    let detail = || format!("`spend_limit_atomic` lies between {} and {}.", SPEND_LIMITS.start(), SPEND_LIMITS.end());
    let amount = Amount::new(limit).filter(|_| SPEND_LIMITS.contains(&limit));
    amount.ok_or_else(|| OnboardBodyError::invalid(detail()))
}

/// Base units as a text of digits.
fn units(body: &Object<'_>, name: &str) -> Result<Option<Amount>, OnboardBodyError> {
    let invalid =
        || OnboardBodyError::invalid(format!("`{name}` is a positive number of base units, as a text of digits."));
    body.text(name)?.map(|text| Amount::parse_positive(text).map_err(|_| invalid())).transpose()
}

/// The answer of `POST /api/sessions/onboard` and of `/api/sessions/leave`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnboardAnswer {
    /// One of the four words.
    pub status: String,
    /// The session account, or the config account of the Swig.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swig_address: Option<String>,
    /// What is to be signed, in this order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transactions: Option<Vec<OnboardTransaction>>,
    /// From when on they are refused, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// What the wallet can do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_step: Option<String>,
    /// What is granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_details: Option<RoleDetails>,
    /// The role, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_id: Option<u32>,
    /// What may still move, in base units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend_limit_remaining: Option<String>,
}

/// A transaction that is to be signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnboardTransaction {
    /// What it does.
    #[serde(rename = "type")]
    pub kind: String,
    /// The wire bytes with empty signatures, standard base64.
    pub tx: String,
}

/// What a grant lets the facilitator do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleDetails {
    /// The most that may ever move by it, in base units.
    pub spend_limit_atomic: String,
    /// For how many seconds.
    pub ttl_seconds: u64,
    /// The key that is delegated to.
    pub dexter_session_pubkey: String,
    /// The programs whose instructions it may send.
    pub programs: Vec<String>,
}

/// The answer of `POST /api/sessions/onboard/confirm`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmAnswer {
    /// `ready`, `pending`, or `left`.
    pub status: String,
    /// The session account, or the config account of the Swig.
    pub swig_address: String,
    /// The role; 0 before there is one.
    pub role_id: u32,
    /// The transactions that landed.
    pub onboard_tx_signatures: Vec<String>,
    /// What may still move, in base units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend_limit_remaining: Option<String>,
}

/// The answer of `GET /api/sessions/onboard/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusAnswer {
    /// The wallet.
    pub buyer_wallet: String,
    /// The session account, or the config account of the Swig.
    pub swig_address: Option<String>,
    /// The role.
    pub role_id: Option<u32>,
    /// `not_onboarded`, `pending`, `active`, `expired`, `revoked`.
    pub status: String,
    /// What was granted, in base units.
    pub spend_limit_atomic: Option<String>,
    /// When the grant ends, RFC 3339.
    pub role_expires_at: Option<String>,
    /// What may still move, in base units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend_limit_remaining: Option<String>,
    /// What enforces the grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
}

/// A refusal of these routes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnboardRefused {
    /// False.
    pub success: bool,
    /// False.
    pub ok: bool,
    /// The word.
    pub error: String,
    /// A sentence for people.
    pub detail: String,
}

/// The HTTP status of a refusal.
pub const fn status(reason: OnboardReason) -> u16 {
    match reason {
        OnboardReason::InvalidRequest
        | OnboardReason::InvalidWallet
        | OnboardReason::TxExpired
        | OnboardReason::NotIssued
        | OnboardReason::InvalidSignature
        | OnboardReason::SimulationFailed
        | OnboardReason::SettlementFailed => 400,
        OnboardReason::RoleNotFound => 404,
        OnboardReason::ChannelsOpen => 409,
        OnboardReason::WalletCap | OnboardReason::GlobalCap | OnboardReason::RentCap => 429,
        OnboardReason::InternalError => 500,
        OnboardReason::Pending | OnboardReason::InsufficientSponsorBalance | OnboardReason::Unavailable => 503,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALLET: &str = "F25s3DdjXdCxYBhh2z8FBusVEMT4b9bGNFVKJi3wFoF4";

    fn read(rest: &str) -> Result<OnboardBody, OnboardReason> {
        OnboardBody::read(format!(r#"{{"buyer_wallet":"{WALLET}"{rest}}}"#).as_bytes()).map_err(|error| error.reason)
    }

    #[test]
    fn what_a_body_leaves_out_has_its_default() {
        let body = read("").expect("reads");
        assert_eq!((body.spend_limit.get(), body.ttl), (DEFAULT_SPEND_LIMIT, DEFAULT_TTL));
        assert_eq!((body.deposit, body.seller, body.renew), (None, None, None));
        assert_eq!(body.wallet.to_string(), WALLET);
        let nulls = read(r#","ttl_seconds":null,"seller_wallet":null,"deposit_atomic":null,"renew":null,"x":1"#);
        assert_eq!(nulls, Ok(body));
        let other = OnboardBody::read(format!(r#"{{"wallet":"{WALLET}"}}"#).as_bytes());
        assert_eq!(other, Ok(body), "the vendor's other name");
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for rest in [
            r#","spend_limit_atomic":"999999""#,
            r#","spend_limit_atomic":"10000000001""#,
            r#","spend_limit_atomic":1000000"#,
            r#","spend_limit_atomic":"01000000""#,
            r#","ttl_seconds":299"#,
            r#","ttl_seconds":2592001"#,
            r#","ttl_seconds":-1"#,
            r#","ttl_seconds":300.5"#,
            r#","deposit_atomic":"0""#,
            r#","deposit_atomic":"x""#,
            r#","renew":"yes""#,
        ] {
            assert_eq!(read(rest), Err(OnboardReason::InvalidRequest), "{rest}");
        }
        assert_eq!(read(r#","seller_wallet":"x""#), Err(OnboardReason::InvalidWallet));
        for body in ["{}", r#"{"buyer_wallet":""}"#, r#"{"buyer_wallet":"abc"}"#] {
            assert_eq!(OnboardBody::read(body.as_bytes()).unwrap_err().reason, OnboardReason::InvalidWallet, "{body}");
        }
        for body in ["", "[]", "{", r#"{"buyer_wallet":1}"#, r#"{"buyer_wallet":"a","buyer_wallet":"a"}"#] {
            assert_eq!(OnboardBody::read(body.as_bytes()).unwrap_err().reason, OnboardReason::InvalidRequest, "{body}");
        }
        assert!(read(r#","ttl_seconds":"300","spend_limit_atomic":"1000000""#).is_ok());
    }

    #[test]
    fn a_confirmation_is_a_list_of_texts() {
        let read = |rest: &str| ConfirmBody::read(format!(r#"{{"buyer_wallet":"{WALLET}"{rest}}}"#).as_bytes());
        assert_eq!(read(r#","signed_transactions":["AA=="]"#).expect("reads").transactions, ["AA=="]);
        for rest in ["", r#","signed_transactions":"AA==""#, r#","signed_transactions":[1]"#] {
            assert_eq!(read(rest).unwrap_err().reason, OnboardReason::InvalidRequest, "{rest}");
        }
        assert_eq!(
            leave_body(format!(r#"{{"buyer_wallet":"{WALLET}"}}"#).as_bytes()).expect("reads").to_string(),
            WALLET
        );
    }
}
