//! `[dispatch]`: how transfers share the way to the chain; `[allowances]`: when balances are made readable.

use super::{asset, reader::Reader, schema::Key};
use crate::domain::amount::Amount;
use std::time::Duration;

const IN_FLIGHT: Key = Key::integer("dispatch", "in_flight");
const PER_PAYER: Key = Key::integer("dispatch", "in_flight_per_payer");
const PER_MERCHANT: Key = Key::integer("dispatch", "in_flight_per_merchant");
const GATHER_MS: Key = Key::integer("dispatch", "gather_ms");
const OVERTAKE_AFTER_MS: Key = Key::integer("dispatch", "overtake_after_ms");
const MIN_MOVED: Key = Key::text("allowances", "min_moved");
const IDLE_AFTER_SECONDS: Key = Key::integer("allowances", "idle_after_seconds");
const MIN_INTERVAL_SECONDS: Key = Key::integer("allowances", "min_interval_seconds");
const MAX_AGE_SECONDS: Key = Key::integer("allowances", "max_age_seconds");
const REQUEST_INTERVAL_SECONDS: Key = Key::integer("allowances", "request_interval_seconds");

pub(super) const KEYS: &[Key] = &[
    IN_FLIGHT,
    PER_PAYER,
    PER_MERCHANT,
    GATHER_MS,
    OVERTAKE_AFTER_MS,
    MIN_MOVED,
    IDLE_AFTER_SECONDS,
    MIN_INTERVAL_SECONDS,
    MAX_AGE_SECONDS,
    REQUEST_INTERVAL_SECONDS,
];

/// How many transfers fly together, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DispatchConfig {
    /// Transfers in flight together, at most.
    pub in_flight: usize,
    /// Transfers in flight from one payer's account, at most.
    pub in_flight_per_payer: usize,
    /// Transfers in flight to one merchant's account, at most.
    pub in_flight_per_merchant: usize,
    /// How long a session whose callers come together waits after a landing for them to come back.
    pub gather: Duration,
    /// When a transfer is so late that another of the same session may overtake it.
    pub overtake_after: Duration,
}

impl DispatchConfig {
    /// Reads the section.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let in_flight = reader.whole(&IN_FLIGHT, 1..=100_000_usize);
        let in_flight_per_payer = reader.whole(&PER_PAYER, 1..=100_000_usize);
        let in_flight_per_merchant = reader.whole(&PER_MERCHANT, 1..=100_000_usize);
        let gather = reader.whole(&GATHER_MS, 0..=1_000_u64).map(Duration::from_millis);
        let overtake_after = reader.whole(&OVERTAKE_AFTER_MS, 100..=60_000_u64).map(Duration::from_millis);
        Some(Self {
            in_flight: in_flight?,
            in_flight_per_payer: in_flight_per_payer?,
            in_flight_per_merchant: in_flight_per_merchant?,
            gather: gather?,
            overtake_after: overtake_after?,
        })
    }
}

/// When decrypt allowances are bought apart from payments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllowancesConfig {
    /// How much has to have moved since the last purchase for one that nobody asked for, in base units.
    pub min_moved: Amount,
    /// How long nothing may have waited for an account before it counts as being at rest.
    pub idle_after: Duration,
    /// The shortest time between two purchases for one account that nobody asked for.
    pub min_interval: Duration,
    /// How long a balance that never rests may stay unreadable.
    pub max_age: Duration,
    /// The shortest time between two purchases for one account on request.
    pub request_interval: Duration,
}

impl AllowancesConfig {
    /// Reads the section; amounts are in units of `[asset]`.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let decimals = asset::read_decimals(reader);
        let min_moved = asset::read_least(reader, &MIN_MOVED, decimals);
        let mut seconds = |key, range| reader.whole(key, range).map(Duration::from_secs);
        let idle_after = seconds(&IDLE_AFTER_SECONDS, 1..=86_400_u64);
        let min_interval = seconds(&MIN_INTERVAL_SECONDS, 0..=31_536_000_u64);
        let max_age = seconds(&MAX_AGE_SECONDS, 1..=31_536_000_u64);
        let request_interval = seconds(&REQUEST_INTERVAL_SECONDS, 0..=31_536_000_u64);
        Some(Self {
            min_moved: min_moved?,
            idle_after: idle_after?,
            min_interval: min_interval?,
            max_age: max_age?,
            request_interval: request_interval?,
        })
    }
}
