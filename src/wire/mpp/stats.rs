//! The answer of `GET /mpp/stats`.

use serde::{Deserialize, Serialize};

/// The most settlements that are listed.
pub const MAX_RECENT: usize = 20;

/// How much was prepared and settled. Days are those of UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatsAnswer {
    /// Calls of `/mpp/prepare`.
    pub prepare: Counted,
    /// Charges.
    pub settle: SettleCounted,
    /// The newest first; empty where the operator tells totals only.
    pub recent_settlements: Vec<RecentSettlement>,
    /// When the last one was settled, RFC 3339.
    pub last_settlement: Option<String>,
    /// Channels.
    pub sessions: ChannelsCounted,
}

/// A count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Ever.
    pub total: u64,
    /// Today.
    pub today: u64,
}

/// Counts of charges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettleCounted {
    /// Ever.
    pub total: u64,
    /// Today.
    pub today: u64,
    /// Of all, those that were settled.
    pub success: u64,
    /// Of all, those that were not.
    pub fail: u64,
    /// As in `98.3%`.
    pub success_rate: String,
}

impl SettleCounted {
    /// Counts; the rate is rounded down, so that one failure is never 100.0%.
    pub fn new(today: u64, success: u64, fail: u64) -> Self {
        let total = success.saturating_add(fail);
        let tenths = u128::from(success) * 1_000 / u128::from(total.max(1));
        Self { total, today, success, fail, success_rate: format!("{}.{}%", tenths / 10, tenths % 10) }
    }
}

/// A charge that was settled lately.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecentSettlement {
    /// The transaction.
    pub signature: String,
    /// The wallet that was paid.
    pub recipient: String,
    /// Base units.
    pub amount: String,
    /// The network, CAIP-2.
    pub network: String,
    /// The wallet that paid.
    pub payer: String,
    /// RFC 3339.
    pub at: String,
}

/// Counts of channels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelsCounted {
    /// Those that are open.
    pub open: u64,
    /// All vouchers ever.
    pub vouchers: u64,
    /// What was ever settled, base units.
    pub settled: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_never_says_more_than_was_settled() {
        for (success, fail, rate) in [(0, 0, "0.0%"), (983, 17, "98.3%"), (999_999, 1, "99.9%"), (5, 0, "100.0%")] {
            assert_eq!(SettleCounted::new(0, success, fail).success_rate, rate);
        }
    }
}
