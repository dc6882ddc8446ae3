//! An opening that is about to be written, and what keeps it from being.

use super::{Authorisation, ChannelTerms};
use crate::domain::{
    amount::Amount,
    budget::OverBudget,
    mpp::{
        caps::{SponsorBar, Sponsored},
        delegation::{CallerOrigin, UsedProof},
        money::Reading,
    },
    settlement::SettlementId,
};

/// By what an opening is allowed; the ledger decides whether it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permission {
    /// A window of the wallet's, from this place.
    Window(CallerOrigin),
    /// The wallet's signature for this very channel, good once.
    Proof(UsedProof),
    /// Nothing is asked for.
    Off,
}

impl Permission {
    /// The way that it is.
    pub const fn way(&self) -> Authorisation {
        match self {
            Self::Window(_) => Authorisation::Window,
            Self::Proof(_) => Authorisation::Proof,
            Self::Off => Authorisation::Off,
        }
    }
}

/// How many channels there may be at once; zero is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelLimits {
    /// Of one buyer.
    pub of_buyer: u64,
    /// To one seller.
    pub of_seller: u64,
    /// In all.
    pub in_all: u64,
    /// The most that one wallet's live channels may add up to that were opened by windows, in base units.
    pub window_deposits: Amount,
    /// How many of one buyer may end on a UTC day without having moved anything.
    pub unsettled_per_day: u64,
}

impl ChannelLimits {
    /// The published limits.
    pub const DEFAULT: Self = Self {
        of_buyer: 16,
        of_seller: 10_000,
        in_all: 100_000,
        window_deposits: match Amount::new(10_000_000) {
            Some(amount) => amount,
            None => Amount::MAX,
        },
        unsettled_per_day: 20,
    };
}

/// A channel that is about to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelPlan {
    /// What it is.
    pub terms: ChannelTerms,
    /// The settlement that anchors it.
    pub anchor: SettlementId,
    /// By what it is allowed.
    pub permission: Permission,
    /// What was just read of the account that it is to be settled from.
    pub reading: Reading,
    /// In which slot.
    pub read_at: u64,
    /// How many there may be.
    pub limits: ChannelLimits,
    /// Who is sponsored, and within which caps.
    pub sponsored: Sponsored,
}

/// Why a channel is not opened. In the order in which callers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotOpened {
    /// There is no delegation under which it could be.
    NoDelegation,
    /// The grant that stands names another seller.
    OtherSeller,
    /// Nothing allows it.
    NotAuthorised,
    /// The wallet's live channels that were opened by windows add up to as much as they may.
    WindowSum,
    /// The proof was used for something else.
    ProofUsed,
    /// A leave of the wallet is on its way, or may still be signed.
    Leaving,
    /// A message that replaces the wallet's grant is on its way: what its grant will be is not known.
    Renewing,
    /// No more is sponsored for now.
    Barred(SponsorBar),
    /// There are as many as there may be in all.
    InAll,
    /// To this seller.
    OfSeller,
    /// Of this buyer.
    OfBuyer,
    /// Too many of this buyer's channels ended today without having moved anything.
    Unsettled,
    /// Together with what is reserved, and what charges take, it is more than the account has.
    InsufficientBalance,
    /// Its anchor would pass a budget.
    OverBudget(OverBudget),
}
