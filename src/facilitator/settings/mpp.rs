//! What an operator decides about the Machine Payments Protocol.

use crate::domain::{
    amount::Amount,
    mpp::{
        caps::Caps,
        charge::ChargeOffer,
        choices::{Backend, StatsShown},
        delegation::OnboardLimits,
        root::Roots,
    },
};
use solana_pubkey::Pubkey;

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
