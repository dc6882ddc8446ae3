//! The bodies of `/mpp/session/*` (`spec/mpp.md` §7): snake case, but for the voucher and its nonce.
//!
//! Requests are read from raw JSON, so that each refusal has its word. Where the vendor's pages spell a member in two ways, both
//! are read.

use crate::{
    domain::{
        amount::Amount,
        mpp::{
            channel::{
                draw::{is_meter, is_server_nonce},
                reason::ChannelReason,
            },
            channel_id::{ChannelSecret, PublicId},
            voucher::read_units,
        },
        signed::parse_key,
    },
    wire::json::{self, Object},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use solana_pubkey::Pubkey;

/// The idle timeouts that may be asked for, in seconds.
const IDLE_TIMEOUTS: std::ops::RangeInclusive<u64> = 60..=2_592_000;
/// The idle timeout of who asks for none, in seconds.
const IDLE_TIMEOUT: u64 = 3_600;
/// What is counted where nothing else is said.
const METER: &str = "request";
/// The largest `metadata` that is read, in bytes.
const MAX_METADATA: usize = 4_096;

/// A body that asks for nothing that can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedBody {
    /// The word.
    pub reason: ChannelReason,
    /// A sentence for people.
    pub detail: String,
}

/// The body of `POST /mpp/session/open`, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenBody {
    /// The wallet that pays.
    pub buyer: Pubkey,
    /// What the caller knows of the delegation's account, or any text instead.
    pub account: String,
    /// The wallet that is paid.
    pub seller: Pubkey,
    /// The ceiling; not zero.
    pub deposit: Amount,
    /// To be a spelling of the network.
    pub network: Option<String>,
    /// How long it may lie still, in seconds.
    pub idle_timeout: u64,
    /// The header value of a proof, where one came in `metadata.siwx`.
    pub proof: Option<String>,
}

/// The body of `POST /mpp/session/voucher`, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoucherBody {
    /// The channel, by its secret; none where the text is no such name.
    pub channel: Option<ChannelSecret>,
    /// What is owed in all from now on; not zero.
    pub cumulative: Amount,
    /// What is counted.
    pub meter: String,
    /// How many of it.
    pub units: u64,
    /// Of the seller's or the buyer's choice.
    pub server_nonce: String,
}

/// By which of its names a channel is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClosedBy {
    /// The secret, which whoever opened it knows.
    Secret(ChannelSecret),
    /// The public id, which takes a proof.
    Public(PublicId),
    /// Neither.
    Unknown,
}

/// The body of `POST /mpp/session/close`, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseBody {
    /// The channel.
    pub channel: ClosedBy,
    /// Its text as it was sent, which is answered.
    pub echo: String,
    /// The header value of a proof, where one came in `metadata.siwx`.
    pub proof: Option<String>,
}

/// The answer of `POST /mpp/session/open`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenAnswer {
    /// True.
    pub success: bool,
    /// True.
    pub ok: bool,
    /// The secret: whoever knows it draws vouchers and closes.
    pub channel_id: String,
    /// The key that signs its vouchers.
    pub session_pubkey: String,
    /// The ceiling.
    pub deposit_atomic: String,
    /// The network as the request spelled it.
    pub network: String,
    /// The program that enforces the grant.
    pub channel_program: String,
    /// `open`.
    pub state: String,
    /// No voucher from then on, RFC 3339.
    pub expires_at: String,
    /// The anchor.
    pub open_tx_signature: String,
    /// The key that certifies it.
    pub issuer: String,
    /// Base64 of its certificate.
    pub certificate: String,
}

/// The answer of `POST /mpp/session/close`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseAnswer {
    /// True.
    pub success: bool,
    /// True.
    pub ok: bool,
    /// As the request named it.
    pub channel_id: String,
    /// Its last settlement; none where nothing was settled.
    pub close_tx_signature: Option<String>,
    /// What became of the deposit.
    pub settlement: CloseSettlement,
    /// Why it ended.
    pub reason: String,
    /// What was drawn and could not be settled.
    pub shortfall: String,
}

/// What became of a deposit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseSettlement {
    /// The wallet that was paid.
    pub seller: String,
    /// How much it got.
    pub amount_settled: String,
    /// What was never drawn; it is in the buyer's account.
    pub buyer_refund: String,
    /// How many vouchers there were.
    pub voucher_count: u64,
    /// How long it gave them.
    pub session_duration_seconds: u64,
}

/// The answer of `GET /mpp/session/{public id}`: nothing that does not stand on chain, but state and reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelAnswer {
    /// The public id.
    pub channel_id: String,
    /// Where it stands.
    pub state: String,
    /// Why it ended; none while it has not.
    pub reason: Option<String>,
    /// The key that signs its vouchers.
    pub session_pubkey: String,
    /// The wallet that pays.
    pub buyer: String,
    /// The wallet that is paid.
    pub seller: String,
    /// The ceiling.
    pub deposit_atomic: String,
    /// The network, CAIP-2.
    pub chain_id: String,
    /// The program that enforces the grant.
    pub channel_program: String,
    /// The anchor; none before it was signed.
    pub open_tx_signature: Option<String>,
    /// Its last settlement; none before one has landed.
    pub close_tx_signature: Option<String>,
    /// When it was asked for, RFC 3339.
    pub opened_at: String,
    /// No voucher from then on, RFC 3339.
    pub expires_at: String,
    /// What has landed.
    pub settled: String,
    /// The key that certifies it.
    pub issuer: String,
    /// Base64 of its certificate.
    pub certificate: String,
}

/// A refused request; both spellings of the word and of the sentence, for both kinds of client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRefused {
    /// False.
    pub success: bool,
    /// False.
    pub ok: bool,
    /// A word of [`ChannelReason`].
    pub error: String,
    /// Like `error`.
    #[serde(rename = "errorCode")]
    pub error_code: String,
    /// A sentence for people.
    pub detail: String,
    /// Like `detail`.
    pub details: String,
    /// The spellings of the network that is served, where another one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supported: Option<Vec<String>>,
}

impl SessionRefused {
    /// The body of a refusal.
    pub fn new(reason: ChannelReason, detail: &str) -> Self {
        Self {
            success: false,
            ok: false,
            error: reason.word().to_owned(),
            error_code: reason.word().to_owned(),
            detail: detail.to_owned(),
            details: detail.to_owned(),
            supported: None,
        }
    }
}

/// The HTTP status of a refusal: 200, because the published client reads the body of any answer, but where the request itself is
/// at fault or is to be repeated.
pub const fn status(reason: ChannelReason) -> u16 {
    match reason {
        ChannelReason::BadRequest | ChannelReason::UnsupportedNetwork => 400,
        ChannelReason::MppDisabled => 404,
        ChannelReason::BodyTooLarge => 413,
        ChannelReason::GlobalSettleCap
        | ChannelReason::SellerSettleCap
        | ChannelReason::PayerSettleCap
        | ChannelReason::GlobalVerifyCap
        | ChannelReason::SellerVerifyCap
        | ChannelReason::PayerVerifyCap
        | ChannelReason::GlobalFeeCap
        | ChannelReason::SellerFeeCap
        | ChannelReason::PayerFeeCap
        | ChannelReason::GlobalConcurrencyCap
        | ChannelReason::SellerConcurrencyCap
        | ChannelReason::PayerConcurrencyCap => 429,
        ChannelReason::InternalError => 500,
        ChannelReason::InsufficientSponsorBalance | ChannelReason::Unavailable => 503,
        ChannelReason::InvalidRequest
        | ChannelReason::InsufficientDeposit
        | ChannelReason::SellerNotRegistered
        | ChannelReason::RoleNotFound
        | ChannelReason::OpenNotAuthorized
        | ChannelReason::SellerTokenAccountMissing
        | ChannelReason::InsufficientBalance
        | ChannelReason::SessionOpenFailed
        | ChannelReason::SessionNotFound
        | ChannelReason::SessionNotOpen
        | ChannelReason::AmountNotMonotonic
        | ChannelReason::DepositExceeded
        | ChannelReason::VoucherConflict
        | ChannelReason::ClosePending => 200,
    }
}

impl OpenBody {
    /// Reads the body.
    pub fn read(body: &[u8]) -> Result<Self, RefusedBody> {
        let json = read(body)?;
        let object = Members::of(&json)?;
        let timeout = object.0.integer("idle_timeout_seconds").map_err(|error| invalid(&error))?;
        let timeout = timeout.unwrap_or(IDLE_TIMEOUT);
        if !IDLE_TIMEOUTS.contains(&timeout) {
            return Err(invalid(&"`idle_timeout_seconds` must be 60 to 2592000"));
        }
        Ok(Self {
            buyer: object.address("buyer_wallet")?,
            account: object.text("buyer_swig_address")?.unwrap_or_default(),
            seller: object.address("seller_wallet")?,
            deposit: object.amount(&["deposit_atomic"])?,
            network: object.text("network")?,
            idle_timeout: timeout,
            proof: object.proof()?,
        })
    }
}

impl VoucherBody {
    /// Reads the body. A name that no channel can have is no fault of the body: there is no such channel.
    pub fn read(body: &[u8]) -> Result<Self, RefusedBody> {
        let json = read(body)?;
        let object = Members::of(&json)?;
        let channel = object.required(&["channel_id"])?.parse().ok();
        let meter = object.text("meter")?.unwrap_or_else(|| METER.to_owned());
        let units = object.text("units")?.unwrap_or_else(|| "1".to_owned());
        let server_nonce = object.required(&["serverNonce", "server_nonce"])?;
        if !is_meter(&meter) {
            return Err(invalid(&"`meter` must be 1 to 64 printable ASCII characters"));
        }
        if !is_server_nonce(&server_nonce) {
            return Err(invalid(&"`serverNonce` must be 1 to 128 printable ASCII characters"));
        }
        // The ledger's columns hold 63 bits.
        let units = read_units(&units).filter(|units| i64::try_from(*units).is_ok());
        let units =
            units.ok_or_else(|| invalid(&"`units` must be 1 to 19 decimal digits, the first of them not zero"))?;
        Ok(Self { channel, cumulative: object.amount(&["amount", "cumulative_amount"])?, meter, units, server_nonce })
    }
}

impl CloseBody {
    /// Reads the body. A name that no channel can have is no fault of the body: there is no such channel.
    pub fn read(body: &[u8]) -> Result<Self, RefusedBody> {
        let json = read(body)?;
        let object = Members::of(&json)?;
        let echo = object.required(&["channel_id"])?;
        let channel = match (echo.parse(), echo.parse()) {
            (Ok(secret), _) => ClosedBy::Secret(secret),
            (_, Ok(public)) => ClosedBy::Public(public),
            _ => ClosedBy::Unknown,
        };
        Ok(Self { channel, echo, proof: object.proof()? })
    }
}

fn read(body: &[u8]) -> Result<Value, RefusedBody> {
    json::read(body).map_err(|error| RefusedBody { reason: ChannelReason::BadRequest, detail: error.to_string() })
}

fn invalid(detail: &dyn std::fmt::Display) -> RefusedBody {
    RefusedBody { reason: ChannelReason::InvalidRequest, detail: detail.to_string() }
}

/// The members of a body.
struct Members<'a>(Object<'a>);

impl<'a> Members<'a> {
    fn of(json: &'a Value) -> Result<Self, RefusedBody> {
        let bad = |error: json::WrongType| RefusedBody { reason: ChannelReason::BadRequest, detail: error.to_string() };
        Object::root(json).map(Self).map_err(bad)
    }

    fn text(&self, name: &str) -> Result<Option<String>, RefusedBody> {
        self.0.text(name).map(|text| text.map(str::to_owned)).map_err(|error| invalid(&error))
    }

    /// The first of these names that the body has.
    fn required(&self, names: &[&str]) -> Result<String, RefusedBody> {
        for name in names {
            if let Some(text) = self.text(name)? {
                return Ok(text);
            }
        }
        Err(invalid(&format!("`{}` is required", names.first().copied().unwrap_or_default())))
    }

    fn address(&self, name: &str) -> Result<Pubkey, RefusedBody> {
        let text = self.required(&[name])?;
        parse_key(&text).ok_or_else(|| invalid(&format!("`{name}` must be base58 of 32 bytes")))
    }

    fn amount(&self, names: &[&str]) -> Result<Amount, RefusedBody> {
        let text = self.required(names)?;
        let name = names.first().copied().unwrap_or_default();
        Amount::parse_positive(&text)
            .map_err(|_| invalid(&format!("`{name}` must be decimal digits of base units, in a text")))
    }

    /// What `metadata.siwx` holds; the rest of `metadata` is nobody's business.
    fn proof(&self) -> Result<Option<String>, RefusedBody> {
        let Some(metadata) = self.0.get("metadata") else { return Ok(None) };
        if metadata.to_string().len() > MAX_METADATA {
            return Err(invalid(&"`metadata` must be at most 4096 bytes"));
        }
        Ok(metadata.get("siwx").and_then(Value::as_str).map(str::to_owned))
    }
}
