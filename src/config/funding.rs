//! `[funding]`: what is asked of payers' balances, and how their accounts are watched.

use super::{asset, reader::Reader, schema::Key};
use crate::domain::{amount::Amount, funding::FundingPolicy};
use std::time::Duration;

const POLICY: Key = Key::text("funding", "policy");
const MAX_AGE_SECONDS: Key = Key::integer("funding", "max_age_seconds");
const MONITOR_SECONDS: Key = Key::integer("funding", "monitor_seconds");
const MONITOR_REQUESTS: Key = Key::integer("funding", "monitor_requests");
const LOOK_EXPOSURE: Key = Key::text("funding", "look_exposure");

pub(super) const KEYS: &[Key] = &[POLICY, MAX_AGE_SECONDS, MONITOR_SECONDS, MONITOR_REQUESTS, LOOK_EXPOSURE];

/// What is asked of payers' balances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FundingConfig {
    /// Whether proofs are taken and demanded.
    pub policy: FundingPolicy,
    /// How long ago an account may have been looked at for its proof to count, in seconds.
    pub max_age_seconds: u64,
    /// How often accounts with open sessions are looked at.
    pub monitor: Duration,
    /// The most RPC requests that one round makes for histories.
    pub monitor_requests: u32,
    /// The most that is signed as proven after one look at an account, in base units.
    pub look_exposure: Amount,
}

impl FundingConfig {
    /// Reads the section.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let policy = reader.word(&POLICY, &FundingPolicy::ALL.map(|policy| (policy.word(), policy)));
        let max_age_seconds = reader.whole(&MAX_AGE_SECONDS, 1..=3_600_u64);
        let monitor = reader.whole(&MONITOR_SECONDS, 1..=600_u64).map(Duration::from_secs);
        let monitor_requests = reader.whole(&MONITOR_REQUESTS, 1..=100_000_u32);
        let decimals = asset::read_decimals(reader);
        let look_exposure = asset::read_amount(reader, &LOOK_EXPOSURE, decimals);
        if look_exposure == Some(Amount::ZERO) {
            reader.fault(&LOOK_EXPOSURE, "zero sends one proven payment a look", "write an amount above zero");
        }
        if let (Some(age), Some(monitor)) = (max_age_seconds, monitor)
            && age <= monitor.as_secs()
        {
            let problem = format!("{age} s is not above funding.monitor_seconds ({} s)", monitor.as_secs());
            reader.fault(&MAX_AGE_SECONDS, problem, "raise it, or lower funding.monitor_seconds");
            return None;
        }
        Some(Self {
            policy: policy?,
            max_age_seconds: max_age_seconds?,
            monitor: monitor?,
            monitor_requests: monitor_requests?,
            look_exposure: look_exposure?,
        })
    }
}
