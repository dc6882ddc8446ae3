//! How far our clock is from the chain's (`spec/mpp.md` §4): when a grant ends, what a certificate says and whether a proof is fresh
//! hang on it.

use crate::domain::clock::UnixSeconds;
use std::fmt;

/// The most seconds that may lie between our clock and the block time.
const MOST: u64 = 30;

/// Our clock beside the chain's block time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockDifference {
    /// By how many seconds ours is ahead; below zero where it is behind.
    ahead: i64,
}

impl ClockDifference {
    /// The smallest difference to what endpoints tell, because a block time that lags, or that one of them makes up, says nothing of
    /// our clock; none where nobody tells one.
    pub fn of(now: UnixSeconds, block_times: &[UnixSeconds]) -> Option<Self> {
        let ahead = |time: &UnixSeconds| now.cast_signed().saturating_sub(time.cast_signed());
        block_times.iter().map(ahead).min_by_key(|ahead| ahead.unsigned_abs()).map(|ahead| Self { ahead })
    }

    /// Whether nothing that hangs on the time can be relied on.
    pub const fn is_too_much(self) -> bool {
        self.ahead.unsigned_abs() > MOST
    }
}

impl fmt::Display for ClockDifference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, side) = (self.ahead.unsigned_abs(), if self.ahead < 0 { "behind" } else { "ahead of" });
        write!(formatter, "this machine's clock is {seconds} s {side} the chain's block time")?;
        if self.is_too_much() {
            write!(formatter, ", and may be {MOST}: set it (NTP), or name RPC endpoints that keep up")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ahead(now: u64, times: &[u64]) -> Option<i64> {
        ClockDifference::of(now, times).map(|difference| difference.ahead)
    }

    #[test]
    fn the_endpoint_that_is_nearest_to_our_clock_counts() {
        assert_eq!(ahead(1_000, &[]), None);
        assert_eq!(ahead(1_000, &[970]), Some(30));
        assert_eq!(ahead(1_000, &[100, 1_010, 5_000]), Some(-10));
    }

    #[test]
    fn thirty_seconds_are_the_most_to_either_side() {
        let is_too_much = |time| ClockDifference::of(1_000, &[time]).expect("one time").is_too_much();
        assert!(!is_too_much(970) && !is_too_much(1_030));
        assert!(is_too_much(969) && is_too_much(1_031));
        let told = ClockDifference::of(1_000, &[959]).expect("one time").to_string();
        assert!(told.contains("41 s ahead of") && told.contains("NTP"), "{told}");
        assert!(ClockDifference::of(1_000, &[1_001]).expect("one time").to_string().contains("1 s behind"));
    }
}
