//! Why a channel was not onboarded for, opened, drawn from or closed. The published client's words are kept where it has one.

use crate::{
    client::{
        facilitator::FacilitatorError,
        mpp::{http::MppRefusal, offer::OfferFault, template::TemplateFault, transaction::WalletFault},
        signer::SigningError,
    },
    domain::{
        amount::Amount,
        mpp::{channel_id::PublicId, voucher::VoucherFault},
    },
};
use solana_pubkey::Pubkey;
use std::io;

/// What of `/mpp/session/*` means that there is no such channel.
const NOT_FOUND: &str = "session_not_found";

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum MppSessionError {
    /// The facilitator gave no usable answer.
    #[error(transparent)]
    Facilitator(#[from] FacilitatorError),
    /// The state is not one of this client's.
    #[error("what was kept is of another {0}")]
    OtherState(&'static str),
    /// The state could not be kept, so nothing was sent.
    #[error("nothing was sent, because it could not be kept")]
    KeepFailed(#[source] io::Error),
    /// The wallet signs no such transaction, or said no.
    #[error("onboard_no_signer: the wallet did not sign")]
    NoSigner(#[source] WalletFault),
    /// The wallet signed no sign-in.
    #[error("the wallet did not sign in")]
    SignIn(#[from] SigningError),
    /// The facilitator does not serve this wallet, or not now.
    #[error("onboard_rejected: {status}, {next_step}")]
    OnboardRejected {
        /// The facilitator's word.
        status: String,
        /// What the wallet can do about it, by the facilitator's word.
        next_step: String,
    },
    /// A status that does not exist.
    #[error("onboard_unexpected: `{0}`")]
    OnboardUnexpected(String),
    /// After as many rounds as there can be something is still to be signed.
    #[error("onboard_incomplete: the delegation is not ready after three rounds")]
    OnboardIncomplete,
    /// What the facilitator gave to be signed is not what was asked for. It was not signed.
    #[error(transparent)]
    Template(#[from] TemplateFault),
    /// No channel of this id is known here or there.
    #[error("{NOT_FOUND}: no such channel")]
    SessionNotFound,
    /// More than the deposit.
    #[error("deposit_exceeded: the channel has less left than is asked for")]
    DepositExceeded,
    /// Not more than the channel's last voucher.
    #[error("amount_not_monotonic: the channel's last voucher is of as much or more")]
    AmountNotMonotonic,
    /// The facilitator said no.
    #[error("the facilitator refused: {0}")]
    Refused(MppRefusal),
    /// The voucher that came is not the one that was asked for, or is not signed by the channel's key.
    #[error("the voucher that came is not one of this channel")]
    Voucher(#[from] VoucherFault),
    /// What came back is something else than what was asked for.
    #[error("the facilitator answered something else than was asked for: {0}")]
    Foreign(&'static str),
    /// The sums of a close contradict each other, or the vouchers that came. It is closed; the state still has it.
    #[error("channel {channel} was closed with sums that do not add up: {why}")]
    Sums {
        /// The channel.
        channel: PublicId,
        /// What is wrong.
        why: &'static str,
    },
    /// The request could not be sent to the seller a second time (its body is a stream).
    #[error("a request with a streaming body cannot be paid for, because it cannot be repeated")]
    NotRepeatable,
    /// The seller did not answer.
    #[error("the seller did not answer")]
    Seller(#[source] reqwest::Error),
    /// The seller offers nothing that this buyer takes.
    #[error(transparent)]
    Offer(#[from] OfferFault),
    /// The price.
    #[error("the price of {price} base units is over the limit of {limit}")]
    OverLimit {
        /// The seller's.
        price: Amount,
        /// The buyer's.
        limit: Amount,
    },
    /// No channel to this seller has as much left.
    #[error("no open channel to {seller} has {price} base units left; open one")]
    NoChannel {
        /// The seller's wallet.
        seller: Pubkey,
        /// What is to be paid.
        price: Amount,
    },
    /// The seller did not take the voucher. It is owed all the same.
    #[error("the seller did not take the voucher: {0}")]
    SellerRefused(String),
    /// Patience ended. The same call goes on with the same request.
    #[error("the request was sent, and its outcome is not known; the same call asks again")]
    Undecided(#[source] Box<MppSessionError>),
}

impl MppSessionError {
    /// A facilitator's no.
    pub(super) fn refused(refusal: MppRefusal) -> Self {
        if refusal.word == NOT_FOUND { Self::SessionNotFound } else { Self::Refused(refusal) }
    }

    /// Whether something was sent whose outcome is not known.
    pub const fn is_undecided(&self) -> bool {
        matches!(self, Self::Undecided(_))
    }

    /// The facilitator's word, where it said no.
    pub fn word(&self) -> Option<&str> {
        match self {
            Self::Refused(refusal) => Some(&refusal.word),
            Self::SessionNotFound => Some(NOT_FOUND),
            _ => None,
        }
    }
}
