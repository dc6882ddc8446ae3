//! `[deferred]`: payments that are answered when they are held, and settled later.

use super::{asset, reader::Reader, schema::Key};
use crate::domain::amount::Amount;
use std::time::Duration;

const AMOUNT: Key = Key::text("deferred", "amount");
const COUNT: Key = Key::integer("deferred", "count");
const AGE_SECONDS: Key = Key::integer("deferred", "age_seconds");
const SESSION_EXPOSURE: Key = Key::text("deferred", "session_exposure");
const MERCHANT_EXPOSURE: Key = Key::text("deferred", "merchant_exposure");
const PROMISES_PER_USER_PER_HOUR: Key = Key::integer("deferred", "promises_per_user_per_hour");
const GIVE_UP_ATTEMPTS: Key = Key::integer("deferred", "give_up_attempts");
const GIVE_UP_SECONDS: Key = Key::integer("deferred", "give_up_seconds");
const LEAVE_WITHIN_SECONDS: Key = Key::integer("deferred", "leave_within_seconds");
const LOOK_AFTER_SECONDS: Key = Key::integer("deferred", "look_after_seconds");

pub(super) const KEYS: &[Key] = &[
    AMOUNT,
    COUNT,
    AGE_SECONDS,
    SESSION_EXPOSURE,
    MERCHANT_EXPOSURE,
    PROMISES_PER_USER_PER_HOUR,
    GIVE_UP_ATTEMPTS,
    GIVE_UP_SECONDS,
    LEAVE_WITHIN_SECONDS,
    LOOK_AFTER_SECONDS,
];

/// When what is promised is settled, how much may be promised, and when a promise is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeferredConfig {
    /// Settle a session when this much waits in it, in base units.
    pub amount: Amount,
    /// Settle a session when this many payments wait in it.
    pub count: u64,
    /// Settle a session when its oldest payment has waited this long, in seconds.
    pub age_seconds: u64,
    /// The most one session may hold by promise, in base units.
    pub session_exposure: Amount,
    /// The most all sessions together may hold by promise for one merchant, in base units.
    pub merchant_exposure: Amount,
    /// Promises one payer may make in an hour; 0 for no limit.
    pub promises_per_user_per_hour: u32,
    /// Give a promise up after this many settlements that came to nothing.
    pub give_up_attempts: u32,
    /// Give a promise up at this age, in seconds, once a settlement of it came to nothing.
    pub give_up_seconds: u64,
    /// How long a stopping process settles what it holds.
    pub leave_within: Duration,
    /// How long ago a payer's account may have been looked at for something to be promised on it.
    pub look_after: Duration,
}

impl DeferredConfig {
    /// Reads the section; amounts are in units of `[asset]`.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let decimals = asset::read_decimals(reader);
        let amount = asset::read_amount(reader, &AMOUNT, decimals);
        let count = reader.whole(&COUNT, 1..=1_000_000_u64);
        let age_seconds = reader.whole(&AGE_SECONDS, 1..=86_400_u64);
        let session_exposure = asset::read_amount(reader, &SESSION_EXPOSURE, decimals);
        let merchant_exposure = asset::read_amount(reader, &MERCHANT_EXPOSURE, decimals);
        let promises_per_user_per_hour = reader.whole(&PROMISES_PER_USER_PER_HOUR, 0..=1_000_000_000_u32);
        let give_up_attempts = reader.whole(&GIVE_UP_ATTEMPTS, 1..=10_000_u32);
        let give_up_seconds = reader.whole(&GIVE_UP_SECONDS, 60..=31_536_000_u64);
        let leave_within = reader.whole(&LEAVE_WITHIN_SECONDS, 0..=600_u64).map(Duration::from_secs);
        let look_after = reader.whole(&LOOK_AFTER_SECONDS, 0..=3_600_u64).map(Duration::from_secs);
        Some(Self {
            amount: amount?,
            count: count?,
            age_seconds: age_seconds?,
            session_exposure: session_exposure?,
            merchant_exposure: merchant_exposure?,
            promises_per_user_per_hour: promises_per_user_per_hour?,
            give_up_attempts: give_up_attempts?,
            give_up_seconds: give_up_seconds?,
            leave_within: leave_within?,
            look_after: look_after?,
        })
    }
}
