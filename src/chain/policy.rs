//! Decisions about fees and clusters that need no network: how much compute to ask for, what to pay for it, and
//! whether this is the right chain.

use crate::{
    chain::{
        Chain, ChainError,
        fees::{ComputeBudget, MAX_UNITS},
    },
    domain::network::Network,
};

/// How the compute-unit limit follows from a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComputePolicy {
    /// Added to what a simulation consumed, in percent: the real run may find other account states.
    pub margin_percent: u32,
    /// Never asked for less, in compute units.
    pub least: u32,
    /// Never asked for more, in compute units.
    pub most: u32,
}

impl Default for ComputePolicy {
    fn default() -> Self {
        Self { margin_percent: 20, least: 10_000, most: MAX_UNITS }
    }
}

impl ComputePolicy {
    /// The budget for a transaction that consumed `measured` units in simulation, at `price` micro-lamports a unit.
    pub fn budget(&self, measured: u64, price: u64) -> ComputeBudget {
        let wanted = measured.saturating_mul(100 + u64::from(self.margin_percent)).div_ceil(100);
        let most = self.most.min(MAX_UNITS);
        let units = u32::try_from(wanted).unwrap_or(most).max(self.least).min(most);
        ComputeBudget { units, price }
    }
}

/// What is paid for priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeePolicy {
    /// Which of the recent fees is paid, 0 the lowest and 100 the highest.
    pub percentile: u8,
    /// Never less, in micro-lamports per compute unit.
    pub least: u64,
    /// Never more, in micro-lamports per compute unit.
    pub most: u64,
}

impl Default for FeePolicy {
    fn default() -> Self {
        Self { percentile: 50, least: 0, most: 50_000 }
    }
}

impl FeePolicy {
    /// The price to pay, given the fees of recent blocks.
    pub fn price(&self, mut recent: Vec<u64>) -> u64 {
        recent.sort_unstable();
        let last = recent.len().saturating_sub(1);
        let place = last * usize::from(self.percentile.min(100)) / 100;
        recent.get(place).copied().unwrap_or(0).max(self.least).min(self.most)
    }
}

/// Refuses to work on another cluster than the configured one; tells the genesis hash.
pub async fn check_cluster(chain: &dyn Chain, network: &Network) -> Result<String, ChainError> {
    let genesis = chain.genesis_hash().await?;
    if Network::local(&genesis, &[]).canonical() == network.canonical() {
        Ok(genesis)
    } else {
        Err(ChainError::Inconsistent(format!("the genesis hash {genesis} is not that of {}", network.alias())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_what_was_measured_and_a_margin_within_bounds() {
        let policy = ComputePolicy { margin_percent: 20, least: 10_000, most: 400_000 };
        assert_eq!(policy.budget(100_000, 7), ComputeBudget { units: 120_000, price: 7 });
        assert_eq!(policy.budget(100_001, 7).units, 120_002);
        assert_eq!(policy.budget(0, 0).units, 10_000);
        assert_eq!(policy.budget(u64::MAX, 0).units, 400_000);
        assert_eq!(ComputePolicy { most: u32::MAX, ..policy }.budget(u64::MAX, 0).units, MAX_UNITS);
    }

    #[test]
    fn the_price_is_a_percentile_of_recent_fees_within_bounds() {
        let policy = FeePolicy { percentile: 50, least: 1, most: 1_000 };
        assert_eq!(policy.price(vec![]), 1);
        assert_eq!(policy.price(vec![0, 0, 0]), 1);
        assert_eq!(policy.price(vec![30, 10, 20]), 20);
        assert_eq!(policy.price(vec![30, 10, 20, 9_000]), 20);
        assert_eq!(FeePolicy { percentile: 100, ..policy }.price(vec![30, 9_000]), 1_000);
        assert_eq!(FeePolicy { percentile: 255, ..policy }.price(vec![30, 40]), 40);
    }
}
