//! What an operator decides about the chain, and decisions that need no network: how much compute to ask for, what to pay
//! for it, and how notices are had.

use crate::chain::fees::MAX_UNITS;
use std::time::Duration;

/// The compute-unit limit of a transaction that consumed `measured` units in simulation, with `margin` percent more: the
/// real run may find other account states.
pub fn compute_limit(measured: u32, margin: u32) -> u32 {
    measured.saturating_add(measured.saturating_mul(margin) / 100).min(MAX_UNITS)
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

/// How notices are had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushPolicy {
    /// The most subscriptions that one websocket carries at a time.
    pub per_socket: usize,
    /// The most websockets. What they cannot carry is polled for.
    pub sockets: usize,
    /// A websocket that has said nothing for so long is asked whether it lives.
    pub heartbeat: Duration,
    /// How long connecting, subscribing and the answer to a heartbeat may take.
    pub patience: Duration,
}

impl Default for PushPolicy {
    fn default() -> Self {
        Self { per_socket: 1_000, sockets: 4, heartbeat: Duration::from_secs(5), patience: Duration::from_secs(5) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_what_was_measured_and_a_margin_and_what_a_transaction_may_have_at_most() {
        assert_eq!(compute_limit(100_000, 20), 120_000);
        assert_eq!(compute_limit(100_000, 0), 100_000);
        assert_eq!(compute_limit(MAX_UNITS, 20), MAX_UNITS);
        assert_eq!(compute_limit(u32::MAX, u32::MAX), MAX_UNITS);
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
