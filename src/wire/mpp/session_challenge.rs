//! What a seller who sells by vouchers answers where none comes along (the published `getChallenge`).

use serde::{Deserialize, Serialize};

/// The only type.
pub const SESSION_TYPE: &str = "mpp-session";

/// How a channel with a seller is opened, and what a unit costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionChallenge {
    /// [`SESSION_TYPE`].
    #[serde(rename = "type")]
    pub kind: String,
    /// The seller's wallet.
    pub recipient: String,
    /// The network, in any spelling of the facilitator's.
    pub network: String,
    /// Base units.
    pub price_per_unit: String,
    /// What is counted.
    pub meter: String,
    /// Base units.
    pub suggested_deposit: String,
    /// The program that enforces delegations.
    pub channel_program: String,
    /// What the next voucher should name; must, where the seller says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_nonce: Option<String>,
    /// Whose vouchers are taken. Buyers compare it with their own, and never follow it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facilitator: Option<String>,
}
