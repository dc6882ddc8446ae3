//! `[revokes]`: how many revokes of the facilitator's delegation are paid for.

use super::{reader::Reader, schema::Key};
use crate::domain::revocation::RevocationLimits;

const PER_USER_PER_DAY: Key = Key::integer("revokes", "per_user_per_day");
const RECORDED_PER_USER_PER_DAY: Key = Key::integer("revokes", "recorded_per_user_per_day");
const CONCURRENT: Key = Key::integer("revokes", "concurrent");
const CONCURRENT_OF_NEWCOMERS: Key = Key::integer("revokes", "concurrent_of_newcomers");
const NEWCOMERS_PER_HOUR: Key = Key::integer("revokes", "newcomers_per_hour");

pub(super) const KEYS: &[Key] =
    &[PER_USER_PER_DAY, RECORDED_PER_USER_PER_DAY, CONCURRENT, CONCURRENT_OF_NEWCOMERS, NEWCOMERS_PER_HOUR];

/// More than this is a slip of the pen: each costs two signatures.
const MOST: u64 = 1_000_000;

/// How many revokes are paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokesConfig {
    /// The limits.
    pub limits: RevocationLimits,
}

impl RevokesConfig {
    /// Reads the section.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let [of_user_per_day, recorded_of_user_per_day, in_flight, of_newcomers_in_flight, of_newcomers_per_hour] =
            [&PER_USER_PER_DAY, &RECORDED_PER_USER_PER_DAY, &CONCURRENT, &CONCURRENT_OF_NEWCOMERS, &NEWCOMERS_PER_HOUR]
                .map(|key| reader.whole(key, 0..=MOST));
        if recorded_of_user_per_day.zip(of_user_per_day).is_some_and(|(recorded, paid)| recorded < paid) {
            let problem = "below revokes.per_user_per_day it is the only limit of the two";
            reader.fault(&RECORDED_PER_USER_PER_DAY, problem, "write as many or more");
        }
        if of_newcomers_in_flight.zip(in_flight).is_some_and(|(some, all)| some > 0 && some >= all) {
            let problem = "as many as revokes.concurrent leave no place to wallets with credit";
            reader.fault(&CONCURRENT_OF_NEWCOMERS, problem, "write a smaller number");
        }
        Some(Self {
            limits: RevocationLimits {
                of_user_per_day: of_user_per_day?,
                recorded_of_user_per_day: recorded_of_user_per_day?,
                in_flight: in_flight?,
                of_newcomers_in_flight: of_newcomers_in_flight?,
                of_newcomers_per_hour: of_newcomers_per_hour?,
            },
        })
    }
}
