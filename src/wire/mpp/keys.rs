//! The answer of `GET /mpp/keys`, which sellers pin.

use serde::{Deserialize, Serialize};

/// Whose signatures count, and what is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysAnswer {
    /// The key that certifies channels.
    pub issuer: String,
    /// The network, as callers who name none hear it.
    pub network: String,
    /// The network, CAIP-2.
    pub chain_id: String,
    /// The mint.
    pub mint: String,
    /// Its decimals.
    pub decimals: u8,
    /// Its program.
    pub token_program: String,
    /// The keys that pay fees.
    pub fee_payers: Vec<String>,
    /// The programs that may enforce what a buyer grants.
    pub channel_programs: Vec<String>,
    /// The least deposit of a channel, base units.
    pub min_deposit_atomic: String,
    /// The least amount of a charge, base units.
    pub min_amount: String,
}
