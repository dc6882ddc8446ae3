//! What a session is opened for, and what must hold before and after the wallet is asked.

use crate::{
    client::{
        approve::Grant,
        error::SessionClientError,
        signer::LocalKey,
        terms::{FacilitatorPin, Terms},
    },
    domain::{amount::Amount, intent::INTENT_NONCE_LENGTH, signed},
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use std::time::Duration;

/// The most bytes a transaction may have on the wire.
const MAX_TRANSACTION_BYTES: usize = 1_232;

/// What a session is opened for.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// The wallet to be paid.
    pub recipient: Pubkey,
    /// The most that may be captured, in base units; positive.
    pub cap: Amount,
    /// How long payments are accepted.
    pub lifetime: Duration,
    /// Whether bare possession of the session id pays.
    pub session_key: SessionKeyChoice,
    /// What the wallet signs beside the approve.
    pub authorization: Authorization,
    /// The intent's nonce; a random one unless given.
    pub nonce: Option<String>,
    /// Whether the facilitator is asked for SOL.
    pub grant: Grant,
    /// What to approve on chain, in base units, when other sessions of the same asset are to stay open: the token
    /// account has one delegate slot, and this approve replaces the last. At least the cap, which it is unless given.
    pub approve_total: Option<Amount>,
    /// Which approve the session takes from.
    pub approval: ApprovalChoice,
    /// The origins that may be paid from the session, as in `https://api.example.com`.
    pub origins: Vec<String>,
    /// How long to wait for the session to open.
    pub patience: Duration,
}

impl OpenOptions {
    /// A session with a generated session key, for one recipient; no origin may be paid yet.
    pub fn new(recipient: Pubkey, cap: Amount, lifetime: Duration) -> Self {
        Self {
            recipient,
            cap,
            lifetime,
            session_key: SessionKeyChoice::Generate,
            authorization: Authorization::default(),
            nonce: None,
            grant: Grant::default(),
            approve_total: None,
            approval: ApprovalChoice::default(),
            origins: Vec::new(),
            patience: Duration::from_mins(1),
        }
    }
}

/// What the wallet signs beside the approve transaction: each is a prompt of its own where a person is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authorization {
    /// The intent, which people can read, and the short message that stands for it on chain: neither intent nor cap appear there.
    #[default]
    Both,
    /// The intent alone, which then stands on chain, the cap included.
    Readable,
    /// The short message alone: one prompt less, and the wallet shows one opaque line in place of the recipient. Needs a session key,
    /// and a facilitator that takes it (ADR 0055).
    Short,
}

/// Which approve a session takes from (`spec/session.md` §7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ApprovalChoice {
    /// One that the wallet signs now, for this session.
    #[default]
    Own,
    /// One that the wallet signs now, of so many base units in all: further sessions open on it with a message alone, until it is
    /// revoked.
    Total(Amount),
    /// One that is on chain already: the wallet signs a message, and no transaction.
    Standing {
        /// The signature of its transaction.
        signature: Signature,
        /// What it approved in all, in base units, exactly.
        total: Amount,
    },
}

impl ApprovalChoice {
    /// What the intent says was approved in all.
    pub const fn total(self) -> Option<Amount> {
        match self {
            Self::Own => None,
            Self::Total(total) | Self::Standing { total, .. } => Some(total),
        }
    }
}

/// What must sign the session's payments.
#[derive(Clone, Debug, Default)]
pub enum SessionKeyChoice {
    /// A new key.
    #[default]
    Generate,
    /// This key.
    Given(LocalKey),
    /// Nothing: whoever sees the session id can pay with it. For facilitators that know no session keys.
    None,
}

pub(super) fn check_options(user: &Pubkey, options: &OpenOptions) -> Result<(), SessionClientError> {
    let unless = |fine: bool, why| if fine { Ok(()) } else { Err(SessionClientError::Options(why)) };
    unless(options.recipient != *user, "the recipient is the payer")?;
    unless(options.cap > Amount::ZERO, "the cap is zero")?;
    unless(options.lifetime.as_secs() > 0, "the lifetime is less than a second")?;
    unless(
        options.authorization != Authorization::Short || !matches!(options.session_key, SessionKeyChoice::None),
        "the short message alone opens only a session with a session key",
    )?;
    unless(
        options.authorization != Authorization::Short || !matches!(options.approval, ApprovalChoice::Standing { .. }),
        "the short message alone opens no session on an approve that stands",
    )?;
    let total = options.approval.total();
    unless(options.approve_total.or(total).is_none_or(|total| total >= options.cap), "less is approved than the cap")?;
    unless(options.approve_total.is_none() || total.is_none(), "two totals are to be approved")?;
    unless(
        options.nonce.as_ref().is_none_or(|nonce| {
            INTENT_NONCE_LENGTH.contains(&nonce.len()) && nonce.bytes().all(|byte| byte.is_ascii_graphic())
        }),
        "the nonce is not 16 to 64 printable ASCII characters",
    )
}

pub(super) fn check_terms(user: &Pubkey, options: &OpenOptions, terms: &Terms) -> Result<(), SessionClientError> {
    let FacilitatorPin { spender, fee_payer } = terms.facilitator;
    // With the user as fee payer the approve would be complete without the facilitator, at the user's expense.
    if [spender, fee_payer].contains(user) {
        return Err(SessionClientError::Options("the facilitator's address is the payer's"));
    }
    if terms.max_session_seconds.is_some_and(|most| options.lifetime.as_secs() > most) {
        return Err(SessionClientError::Options("the lifetime is longer than the facilitator allows"));
    }
    Ok(())
}

/// The wire bytes of the transaction that came back from the wallet: signed by the user, and by nobody else.
pub(super) fn wallet_signed(
    transaction: &VersionedTransaction,
    user: &Pubkey,
    facilitator: &FacilitatorPin,
) -> Result<Vec<u8>, SessionClientError> {
    let keys = transaction.message.static_account_keys();
    let [theirs, ours] = transaction.signatures.as_slice() else {
        return Err(SessionClientError::Wallet("it has other signers"));
    };
    if keys.first() != Some(&facilitator.fee_payer) || keys.get(1) != Some(user) {
        return Err(SessionClientError::Wallet("it has other signers"));
    }
    if *theirs != Signature::default() {
        return Err(SessionClientError::Wallet("the facilitator's place is filled"));
    }
    if !signed::verify(user, &transaction.message.serialize(), &(*ours).into()) {
        return Err(SessionClientError::Wallet("the signature is not the wallet's"));
    }
    let bytes = wincode::serialize(transaction).map_err(|_| SessionClientError::Wallet("it cannot be written"))?;
    if bytes.len() > MAX_TRANSACTION_BYTES { Err(SessionClientError::Wallet("it is too large")) } else { Ok(bytes) }
}
