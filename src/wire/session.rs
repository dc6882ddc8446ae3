//! The `session` scheme's own bodies: the payload of a payment, `POST /sessions` and its answers, what `/supported`
//! tells a payer, and `extensions.session` (`spec/session.md` §1-4).

use crate::wire::{funding::FundingProofBody, signed_receipt::PublishedReceiptKey};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The scheme's part of a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionPayload {
    /// The session to draw on.
    pub session_id: String,
    /// In base units, plain decimal.
    pub amount: String,
    /// Makes the payment idempotent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// What the session key signed, beside the payment's own members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization: Option<PaymentAuthorization>,
    /// The session key's signature, base58.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// What a session key signs beside the payment's own members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentAuthorization {
    /// The payment's idempotency key.
    pub nonce: String,
    /// Unix seconds; void afterwards.
    pub expires_at: u64,
    /// Lower-case hex SHA-256 of the resource's URL, when it is bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_hash: Option<String>,
}

/// The body of `POST /sessions` as a client writes it; the facilitator reads it with
/// [`crate::wire::opening::opening`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenSessionBody {
    /// The wallet that pays, base58.
    pub user: String,
    /// The mint, base58.
    pub asset: String,
    /// The wallet that is paid, base58.
    pub recipient: String,
    /// The most that may be captured, in base units, plain decimal.
    pub cap: String,
    /// Unix seconds.
    pub expiration_unix: u64,
    /// Any spelling of the network.
    pub network: String,
    /// The approve transaction, signed by the user, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approve_tx_base64: Option<String>,
    /// The signature of an approve that is already on chain, base58; empty counts as absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approve_tx_signature: Option<String>,
    /// The intent's bytes, base64.
    pub auth_message: String,
    /// The user's signature over them, base64; left out where the short message alone is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_signature: Option<String>,
    /// `x402-session:1:` and the intent's hash, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle_message: Option<String>,
    /// The user's signature over `settle_message`, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle_signature: Option<String>,
    /// The user's attested balance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub funding_proof: Option<FundingProofBody>,
}

/// The body of `POST /sessions/{id}/allowances`; an empty one is about the payer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefreshBody {
    /// Whose balance is to be readable.
    #[serde(default, rename = "for")]
    pub reader: RefreshFor,
}

/// One of a session's two wallets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefreshFor {
    /// The one that pays.
    #[default]
    User,
    /// The one that is paid.
    Merchant,
}

/// A balance that its owner can decrypt: the answer of `POST /sessions/{id}/allowances`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshAnswer {
    /// The token account, base58.
    pub account: String,
    /// The transaction that made it readable, base58; empty when it was.
    pub transaction: String,
}

/// A session as `POST /sessions` (201) and `GET /sessions/{id}` (200) tell it: never the intent, never a signature of
/// it. Amounts are absent when the reader may not know them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    /// The session's id.
    pub session_id: String,
    /// The wallet that pays, base58.
    pub user: String,
    /// The facilitator's delegate key, base58.
    pub spender: String,
    /// The mint, base58.
    pub asset: String,
    /// The wallet that is paid, base58.
    pub recipient: String,
    /// The most that may be captured, in base units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<String>,
    /// Captured and held together, in base units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<String>,
    /// What settlements have captured, in base units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub captured: Option<String>,
    /// What accepted payments hold, in base units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// What may be paid now, in base units: what is left of the cap or, while the approved amount is not verified, of
    /// `maxUnverified`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<String>,
    /// Unix seconds.
    pub expiration_unix: u64,
    /// The network as the payer spelled it.
    pub network: String,
    /// The approve transaction, base58, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approve_tx_signature: Option<String>,
    /// `opening`, `open`, `expired`, `closing`, `closed`, `superseded`, `revoked` or `rejected`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Why it was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected_reason: Option<String>,
    /// Whether the Covalidator attested that the approved amount is the cap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap_verified: Option<bool>,
    /// What is known of the payer's balance: `proven`, `unproven` or `short`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub funding: Option<String>,
    /// Present and true while the payer's token account is frozen: payments go on when it is thawed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<bool>,
    /// The key that must sign every payment, base58.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_key: Option<String>,
    /// The session's id again, as the deployed service names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// When it was opened, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<u64>,
    /// The approve that the session takes from, told to the wallet alone: what is free of it tells of the payer's other merchants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalView>,
}

/// An approve on chain, and what of it sessions do not take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalView {
    /// The signature of its transaction, base58.
    pub signature: String,
    /// What was approved, in base units; absent while the Covalidator has not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<String>,
    /// What further sessions may take, in base units.
    pub free: String,
}

/// An approval in its wallet's own list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedApproval {
    /// The approval.
    #[serde(flatten)]
    pub approval: ApprovalView,
    /// The mint, base58.
    pub asset: String,
    /// How many live sessions take from it; of one without any the wallet may want to revoke the approve.
    pub sessions: u64,
}

/// A session in its wallet's own list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedSession {
    /// The session, with its amounts.
    #[serde(flatten)]
    pub session: SessionView,
    /// Hex SHA-256 of the intent's bytes; a close of this one session is signed over it.
    pub intent_hash: String,
}

/// The answer of `GET /sessions`: a wallet's sessions, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionList {
    /// At most 50.
    pub sessions: Vec<ListedSession>,
    /// The approves that stand for the wallet's accounts, whether sessions take from them or not; on the first page. None that a
    /// revoke at the facilitator's cost has taken back, from its landing on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<ListedApproval>,
    /// `after` of the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Why `POST /sessions` or `GET /sessions/{id}` refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionRefusalBody {
    /// A word of [`crate::domain::reason::SessionReason`], completed with a member's name where it asks for one.
    pub error: String,
    /// The reason in a sentence for people.
    pub message: String,
    /// The session the answer is about, when its row exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
}

/// A session right after one payment (`extensions.session`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionAfterPayment {
    /// The session's id.
    pub id: String,
    /// Captured and held together right after this payment, in base units.
    pub spent: String,
    /// What may be paid now, in base units: what is left of the cap or, while the approved amount is not verified, of
    /// `maxUnverified`.
    pub remaining: String,
    /// The payment's id: `GET /sessions/{id}/payments/{payment}` tells what has become of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<String>,
    /// Where the payment stood when this was answered: `captured` (a transfer carried it), `held` (a transfer will) or
    /// `pending` (one may); to a repeat also `released` or `lost`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settlement: Option<String>,
    /// What was known of the payer's balance when this payment was held: `proven`, `unproven` or `short`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub funding: Option<String>,
}

/// `extra` of a `session` kind: what a payer must know to open a session, and the published policy.
///
/// Only `facilitatorAddress` is required: the deployed service tells little more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionTerms {
    /// The delegate of every session, base58; the published client names it as fee payer of the approve too.
    pub facilitator_address: String,
    /// The facilitator's key again, under its own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spender: Option<String>,
    /// The key that may pay an approve's fees, base58.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_payer: Option<String>,
    /// Where sessions are opened, relative to the facilitator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions_endpoint: Option<String>,
    /// The mint, base58.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// The mint's decimals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimals: Option<u8>,
    /// The on-chain programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub programs: Option<ProgramAddresses>,
    /// The key that amounts are encrypted to, uncompressed hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_key: Option<String>,
    /// The published limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<PublishedLimits>,
    /// The keys of signed receipts, the one in use first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receipt_keys: Vec<PublishedReceiptKey>,
    /// Members we do not know.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// Where the programs are, base58.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProgramAddresses {
    /// The confidential token program.
    pub token: String,
    /// The Lightning program.
    pub lightning: String,
}

/// What this facilitator allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishedLimits {
    /// The largest single payment, in base units.
    pub max_per_call: String,
    /// The smallest single payment, in base units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_per_call: Option<String>,
    /// The most that a session spends in all while its approved amount is not verified, in base units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unverified: Option<String>,
    /// The furthest expiration, in seconds from now.
    pub max_session_seconds: u64,
    /// The largest grant inside an approve, in lamports.
    pub max_grant_lamports: u64,
}
