//! What an operator decides about the Machine Payments Protocol.

use crate::domain::{
    amount::Amount,
    mpp::{
        caps::Caps,
        charge::ChargeOffer,
        choices::{Backend, Emergency, OpenAuth, StatsShown},
        delegation::OnboardLimits,
        money::EmergencyRule,
        root::Roots,
    },
};
use solana_pubkey::Pubkey;
use std::time::Duration;

/// What a facilitator needs to serve the Machine Payments Protocol.
#[derive(Clone, Debug)]
pub struct MppSettings {
    /// The tokens that are taken and the least amount of a charge.
    pub offer: ChargeOffer,
    /// The secrets that keys of delegations and channels are derived from.
    pub roots: Roots,
    /// How much of what was settled everybody is told.
    pub stats: StatsShown,
    /// How much is sponsored.
    pub caps: Caps,
    /// Wallets that are known without having paid.
    pub known_wallets: Vec<Pubkey>,
    /// How buyers delegate.
    pub delegations: DelegationSettings,
    /// What channels may hold, and for how long.
    pub channels: ChannelSettings,
    /// Whether our clock is compared with the chain's.
    pub clock: ClockCheck,
}

/// Whether our clock is compared with the chain's block time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClockCheck {
    /// It is, and nothing is granted or opened while they are apart.
    #[default]
    AgainstBlockTime,
    /// It is not, as on local networks, whose time is what whoever runs them makes it.
    Skipped,
}

/// How buyers delegate.
#[derive(Clone, Debug)]
pub struct DelegationSettings {
    /// By what new delegations are made.
    pub backend: Backend,
    /// The hosts that sign-ins may be for, in lower case and without ports.
    pub hosts: Vec<String>,
    /// The only wallets that may onboard; empty for all.
    pub buyers: Vec<Pubkey>,
    /// What a wallet has to hold, in base units.
    pub min_balance: Amount,
    /// What has to be left of a grant for it to be of use, in base units: the smallest deposit of a channel.
    pub min_deposit: Amount,
    /// How many onboardings are paid for.
    pub limits: OnboardLimits,
    /// Which callers' addresses tell one caller from another.
    pub windows: WindowTrust,
}

/// Which callers' addresses tell one caller from another, so that a window may be opened to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WindowTrust {
    /// Those of the public internet: behind a proxy that is not named as trusted all others look alike.
    #[default]
    Public,
    /// Every one, as where the server is bound to loopback, or on closed networks.
    Every,
}

/// What channels may hold, and for how long.
#[derive(Clone, Debug)]
pub struct ChannelSettings {
    /// Who may open one.
    pub open_auth: OpenAuth,
    /// What the live channels of one wallet hold at most that were opened without a proof, in base units.
    pub window_deposit_max: Amount,
    /// The only sellers that channels may pay; empty for all.
    pub sellers: Vec<Pubkey>,
    /// The smallest deposit, in base units.
    pub min_deposit: Amount,
    /// The largest, in base units.
    pub max_deposit: Amount,
    /// When a buyer's channels are settled at once.
    pub emergency: Emergency,
    /// How often the accounts behind channels are looked at.
    pub monitor: Duration,
    /// How long a voucher may still come after the idle time.
    pub grace: Duration,
    /// How long a channel may owe before it is settled in between.
    pub max_owed: Duration,
    /// What one buyer may owe one seller, in base units; none for no limit.
    pub credit_line: Option<Amount>,
    /// Live channels of one buyer; 0 for no limit, as in the next three.
    pub of_buyer: u64,
    /// Live channels to one seller.
    pub of_seller: u64,
    /// Live channels in all.
    pub in_all: u64,
    /// Vouchers of one channel in a second.
    pub vouchers_per_second: u64,
    /// For how long the vouchers of a channel are kept that has ended, in seconds.
    pub voucher_retention: u64,
}

impl ChannelSettings {
    /// When less is available than must be.
    pub const fn emergency_rule(&self) -> EmergencyRule {
        match self.emergency {
            Emergency::Reserve => EmergencyRule::Reserve,
            Emergency::Owed => EmergencyRule::Owed,
        }
    }
}
