//! Why nothing becomes of a request for a channel, and what its caller may know.

use crate::{
    domain::mpp::{
        caps::fee_cap,
        channel::{draw::NotDrawn, plan::NotOpened, reason::ChannelReason},
        reason::ChargeReason,
        spellings::Spellings,
    },
    facilitator::{FacilitatorError, sponsor::budget::again_in},
};

/// A request for a channel that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedChannel {
    /// The stable word.
    pub reason: ChannelReason,
    /// A sentence that is safe to show: no secret is in it.
    pub detail: String,
    /// Seconds after which it may be worth coming back, where that is known.
    pub retry_after: Option<u64>,
    /// The spellings of the network that is served, where another one was named.
    pub supported: Option<Vec<String>>,
}

/// Why opening, drawing from, closing or showing a channel failed.
pub type ChannelError = FacilitatorError<RefusedChannel>;

impl RefusedChannel {
    /// A refusal whose sentence is the word's own meaning.
    pub fn new(reason: ChannelReason) -> Self {
        Self::because(reason, reason.meaning())
    }

    /// A refusal with a more precise sentence.
    pub fn because(reason: ChannelReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into(), retry_after: None, supported: None }
    }

    /// Another network than the one that is served was named.
    pub fn unsupported_network(served: &Spellings) -> Self {
        let accepted = served.accepted().to_vec();
        let detail = format!("The network served here is spelled {}.", accepted.join(" or "));
        Self { supported: Some(accepted), ..Self::because(ChannelReason::UnsupportedNetwork, detail) }
    }

    /// Says after how many seconds it may be worth coming back.
    #[must_use]
    pub fn again_in(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }
}

impl From<RefusedChannel> for ChannelError {
    fn from(refused: RefusedChannel) -> Self {
        Self::Refused(Box::new(refused))
    }
}

impl From<ChannelReason> for ChannelError {
    fn from(reason: ChannelReason) -> Self {
        RefusedChannel::new(reason).into()
    }
}

/// The refusal of an opening; `until_tomorrow` is in how many seconds the UTC day is over.
pub(super) fn not_opened(why: NotOpened, until_tomorrow: u64) -> RefusedChannel {
    let because = RefusedChannel::because;
    match why {
        NotOpened::NoDelegation => RefusedChannel::new(ChannelReason::RoleNotFound),
        NotOpened::OtherSeller => because(
            ChannelReason::RoleNotFound,
            "The delegation names another seller and can pay nobody else: onboard again with `renew` and without that seller.",
        ),
        NotOpened::NotAuthorised => RefusedChannel::new(ChannelReason::OpenNotAuthorized),
        NotOpened::WindowSum => because(
            ChannelReason::OpenNotAuthorized,
            "The wallet's channels that were opened without a proof hold as much as they may: bring a proof, close one, or have \
             the operator raise mpp.window_deposit_max.",
        ),
        NotOpened::ProofUsed => {
            because(ChannelReason::OpenNotAuthorized, "The proof was used for something else; sign another.")
        }
        NotOpened::Leaving => {
            because(ChannelReason::OpenNotAuthorized, "The wallet is taking its delegation back; call onboard() again.")
        }
        NotOpened::Renewing => {
            because(ChannelReason::Unavailable, "A renewal of the wallet is on its way; repeat in a moment.")
                .again_in(2)
        }
        NotOpened::Barred(bar) => RefusedChannel::new(word_of(bar.reason)).again_in(bar.again_in),
        NotOpened::InAll => RefusedChannel::new(ChannelReason::GlobalSettleCap).again_in(60),
        NotOpened::OfSeller => RefusedChannel::new(ChannelReason::SellerSettleCap).again_in(60),
        NotOpened::OfBuyer => RefusedChannel::new(ChannelReason::PayerSettleCap).again_in(60),
        NotOpened::Unsettled => because(
            ChannelReason::PayerSettleCap,
            "Too many channels of this buyer ended today without having paid anything.",
        )
        .again_in(until_tomorrow),
        NotOpened::OverBudget(over) => RefusedChannel::new(word_of(fee_cap(over.scope))).again_in(again_in(&over)),
        NotOpened::InsufficientBalance => RefusedChannel::new(ChannelReason::InsufficientBalance),
    }
}

/// The word of a cap, which channels and charges spell alike.
fn word_of(cap: ChargeReason) -> ChannelReason {
    ChannelReason::from_word(cap.word()).unwrap_or(ChannelReason::PayerSettleCap)
}

/// The refusal of a voucher that asks for nothing more than its word; the channel's state is told where it counts.
pub(super) fn not_drawn(why: NotDrawn, until_tomorrow: u64) -> RefusedChannel {
    match why {
        NotDrawn::NotFound => RefusedChannel::new(ChannelReason::SessionNotFound),
        NotDrawn::Conflict => RefusedChannel::new(ChannelReason::VoucherConflict),
        NotDrawn::NotOpen => RefusedChannel::new(ChannelReason::SessionNotOpen),
        NotDrawn::RoleGone => RefusedChannel::new(ChannelReason::RoleNotFound),
        NotDrawn::NotMonotonic => RefusedChannel::new(ChannelReason::AmountNotMonotonic),
        NotDrawn::DepositExceeded => RefusedChannel::new(ChannelReason::DepositExceeded),
        NotDrawn::InsufficientBalance => RefusedChannel::new(ChannelReason::InsufficientBalance),
        NotDrawn::CreditLine => RefusedChannel::new(ChannelReason::Unavailable).again_in(2),
        NotDrawn::ChannelRate => RefusedChannel::new(ChannelReason::PayerVerifyCap).again_in(1),
        NotDrawn::Capped(reason) => RefusedChannel::new(word_of(reason)).again_in(until_tomorrow),
        NotDrawn::Exhausted => RefusedChannel::because(
            ChannelReason::SessionNotOpen,
            "The channel has given as many vouchers as there are numbers; close it.",
        ),
    }
}
