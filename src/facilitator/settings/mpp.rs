//! What an operator decides about the Machine Payments Protocol.

use crate::domain::mpp::{caps::Caps, charge::ChargeOffer, choices::StatsShown, root::Roots};
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
}
