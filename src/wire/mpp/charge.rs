//! The bodies of `/mpp/prepare` and `/mpp/settle` (`spec/mpp.md` §2).
//!
//! Requests are read from raw JSON, so that each refusal has its word. Of an answer that is no success the published client
//! keeps the word only if the status is 200.

use crate::{
    domain::{
        amount::Amount,
        mpp::{charge::ChargeRefusal, reason::ChargeReason, spellings::Spellings},
        signed::parse_key,
    },
    wire::json::{self, Object},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use solana_pubkey::Pubkey;

/// How long an idempotency key is, in characters.
const KEY_LENGTH: std::ops::RangeInclusive<usize> = 16..=64;

/// The body of `POST /mpp/prepare`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PrepareRequest {
    /// Any spelling of the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
}

/// What a seller needs for a challenge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PrepareAnswer {
    /// Who will pay the fee.
    pub fee_payer: String,
    /// What the buyer signs with.
    pub recent_blockhash: String,
    /// Like `recentBlockhash`, by the name that the vendor's pages give it.
    #[serde(default)]
    pub blockhash: String,
    /// The last height at which it can land.
    pub last_valid_block_height: u64,
    /// The network as the request spelled it.
    pub network: String,
    /// The mint.
    pub spl_token: String,
    /// Its decimals.
    pub decimals: u8,
    /// Its program.
    pub token_program: String,
}

/// The body of `POST /mpp/settle`, as a seller writes it. The facilitator reads it as a [`SettleRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SettleBody {
    /// The signed transaction, standard base64.
    pub transaction: String,
    /// The seller's wallet.
    pub recipient: String,
    /// Base units.
    pub amount: String,
    /// The mint; that of `prepare` where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// Any spelling of the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Drawn at random by the seller, so that a lost success can be told again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// The body of `POST /mpp/settle`, read: its members have their types and addresses are addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettleRequest {
    /// The signed transaction, to be base64.
    pub transaction: String,
    /// The seller's wallet.
    pub recipient: Pubkey,
    /// To be base units.
    pub amount: String,
    /// The mint.
    pub asset: Option<Pubkey>,
    /// To be a spelling of the network.
    pub network: Option<String>,
    /// 16 to 64 printable ASCII characters.
    pub idempotency_key: Option<String>,
}

/// A settled charge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettleAnswer {
    /// True.
    pub success: bool,
    /// True.
    pub ok: bool,
    /// The transaction.
    pub signature: String,
    /// The wallet that paid.
    pub payer: String,
    /// The network, CAIP-2.
    pub network: String,
    /// What was settled, which sellers compare with their challenge.
    pub settlement: SettlementProof,
    /// Like in `settlement`.
    pub recipient: String,
    /// Like in `settlement`.
    pub amount: String,
    /// Like in `settlement`.
    pub asset: String,
    /// The slot in which it was confirmed.
    pub confirmed_slot: u64,
}

/// What was settled, in the request's own texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettlementProof {
    /// The wallet that was paid.
    pub recipient: String,
    /// Base units.
    pub amount: String,
    /// The mint.
    pub asset: String,
    /// The first key of the landed message.
    pub fee_payer: String,
}

/// A charge as it landed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Landed {
    /// The transaction.
    pub signature: solana_signature::Signature,
    /// The wallet that paid.
    pub payer: Pubkey,
    /// The first key of its message.
    pub fee_payer: Pubkey,
    /// The slot in which it was confirmed.
    pub slot: u64,
}

/// A refused request; both spellings of the word and of the sentence, for both kinds of client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChargeRefused {
    /// False.
    pub success: bool,
    /// False.
    pub ok: bool,
    /// A word of [`ChargeReason`].
    pub error_code: String,
    /// Like `errorCode`.
    pub error: String,
    /// A sentence for people.
    pub detail: String,
    /// Like `detail`.
    pub details: String,
    /// The transaction, where one was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The spellings of the network that is served, where another one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supported: Option<Vec<String>>,
}

impl PrepareRequest {
    /// Reads the body.
    pub fn read(body: &[u8]) -> Result<Self, ChargeRefusal> {
        let json = read(body)?;
        let network = Object::root(&json).and_then(|object| object.text("network").map(|text| text.map(str::to_owned)));
        network.map(|network| Self { network }).map_err(|error| bad_request(&error))
    }
}

impl SettleRequest {
    /// Reads the body; whether the amount and the transaction are any is not decided here.
    pub fn read(body: &[u8]) -> Result<Self, ChargeRefusal> {
        let json = read(body)?;
        let object = Object::root(&json).map_err(|error| bad_request(&error))?;
        let optional = |name: &str| {
            let text = object.text(name).map(|text| text.map(str::to_owned));
            text.map_err(|error| bad_request(&error))
        };
        let required = |name: &str| optional(name)?.ok_or_else(|| bad_request(&format!("`{name}` is required")));
        let address = |name: &str, text: String| {
            parse_key(&text).ok_or_else(|| bad_request(&format!("`{name}` must be base58 of 32 bytes")))
        };
        let key = optional("idempotencyKey")?;
        let is_key =
            |key: &String| KEY_LENGTH.contains(&key.len()) && key.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
        if key.as_ref().is_some_and(|key| !is_key(key)) {
            return Err(bad_request(&"`idempotencyKey` must be 16 to 64 printable ASCII characters"));
        }
        Ok(Self {
            transaction: required("transaction")?,
            recipient: address("recipient", required("recipient")?)?,
            amount: required("amount")?,
            asset: optional("asset")?.map(|asset| address("asset", asset)).transpose()?,
            network: optional("network")?,
            idempotency_key: key,
        })
    }
}

impl SettleAnswer {
    /// The answer for a charge that paid `recipient` this amount of this mint; of each there is one spelling.
    pub fn new((recipient, amount, mint): (&Pubkey, Amount, &Pubkey), landed: &Landed, network: &Spellings) -> Self {
        let (recipient, amount, asset) = (recipient.to_string(), amount.to_string(), mint.to_string());
        Self {
            success: true,
            ok: true,
            signature: landed.signature.to_string(),
            payer: landed.payer.to_string(),
            network: network.chain_id().to_owned(),
            settlement: SettlementProof {
                recipient: recipient.clone(),
                amount: amount.clone(),
                asset: asset.clone(),
                fee_payer: landed.fee_payer.to_string(),
            },
            recipient,
            amount,
            asset,
            confirmed_slot: landed.slot,
        }
    }
}

impl ChargeRefused {
    /// The body of a refusal.
    pub fn new(refusal: &ChargeRefusal) -> Self {
        let (word, detail) = (refusal.reason.word().to_owned(), refusal.detail.clone());
        Self {
            success: false,
            ok: false,
            error_code: word.clone(),
            error: word,
            detail: detail.clone(),
            details: detail,
            signature: None,
            supported: None,
        }
    }

    /// The body of [`ChargeReason::UnsupportedNetwork`], which lists what is supported.
    pub fn unsupported(network: &Spellings) -> Self {
        let accepted = network.accepted().to_vec();
        let detail = format!("The network served here is spelled {}.", accepted.join(" or "));
        let refusal = ChargeRefusal::because(ChargeReason::UnsupportedNetwork, detail);
        Self { supported: Some(accepted), ..Self::new(&refusal) }
    }
}

fn read(body: &[u8]) -> Result<Value, ChargeRefusal> {
    json::read(body).map_err(|error| bad_request(&error))
}

fn bad_request(why: &dyn std::fmt::Display) -> ChargeRefusal {
    ChargeRefusal::because(ChargeReason::BadRequest, format!("{why}."))
}

/// What a reason says about HTTP.
enum Class {
    /// The request is none of this route.
    Request,
    /// The protocol is not served.
    Disabled,
    /// The body is too large.
    TooLarge,
    /// A refusal that the seller has to be told.
    Refusal,
    /// A cap is passed.
    Cap,
    /// Nothing can be done now.
    Outage,
    /// Our fault.
    Fault,
}

const fn class(reason: ChargeReason) -> Class {
    use ChargeReason as Reason;
    match reason {
        Reason::BadRequest | Reason::UnsupportedNetwork => Class::Request,
        Reason::MppDisabled => Class::Disabled,
        Reason::BodyTooLarge => Class::TooLarge,
        Reason::Unavailable | Reason::InsufficientSponsorBalance => Class::Outage,
        Reason::InternalError => Class::Fault,
        Reason::GlobalVerifyCap
        | Reason::SellerVerifyCap
        | Reason::PayerVerifyCap
        | Reason::GlobalSettleCap
        | Reason::SellerSettleCap
        | Reason::PayerSettleCap
        | Reason::GlobalFeeCap
        | Reason::SellerFeeCap
        | Reason::PayerFeeCap
        | Reason::GlobalConcurrencyCap
        | Reason::SellerConcurrencyCap
        | Reason::PayerConcurrencyCap => Class::Cap,
        Reason::AssetNotAllowed
        | Reason::InvalidAmount
        | Reason::AmountBelowMin
        | Reason::InvalidTransactionEncoding
        | Reason::LookupTable
        | Reason::FeePayerMismatch
        | Reason::InvalidTransaction
        | Reason::ProgramNotAllowed
        | Reason::ComputeUnitsTooHigh
        | Reason::PriorityFeeTooHigh
        | Reason::ComputeBudgetNotAllowed
        | Reason::MalformedTransfer
        | Reason::UnsupportedTokenInstruction
        | Reason::MalformedInstruction
        | Reason::FeePayerNotIsolated
        | Reason::NoTransferInstruction
        | Reason::MultipleTransfers
        | Reason::RecipientMismatch
        | Reason::AmountMismatch
        | Reason::SimulationFailed
        | Reason::BlockhashExpired
        | Reason::DuplicateSettlement
        | Reason::SettlementPending
        | Reason::SettlementFailed => Class::Refusal,
    }
}

/// The HTTP status of a refused `/mpp/settle`: 200 but for what is no charge at all, because the published client loses the
/// word of any other answer.
pub const fn settle_status(reason: ChargeReason) -> u16 {
    match class(reason) {
        Class::Request => 400,
        Class::Disabled => 404,
        Class::TooLarge => 413,
        Class::Refusal | Class::Cap | Class::Outage | Class::Fault => 200,
    }
}

/// The HTTP status of a refused `/mpp/prepare`.
pub const fn prepare_status(reason: ChargeReason) -> u16 {
    match class(reason) {
        Class::Request | Class::Refusal => 400,
        Class::Disabled => 404,
        Class::TooLarge => 413,
        Class::Cap => 429,
        Class::Fault => 500,
        Class::Outage => 503,
    }
}
