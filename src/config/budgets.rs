//! `[budgets]`: how many lamports may be spent for strangers. 0 sets no limit.

use super::{reader::Reader, schema::Key};
use crate::domain::budget::{Budgets, Part, Scope};

const SETTLEMENT: Key = Key::integer("budgets", "settlement_lamports");
const SESSION: Key = Key::integer("budgets", "session_lamports");
const UNPROVEN_USER_HOUR: Key = Key::integer("budgets", "unproven_user_hour_lamports");
const USER_HOUR: Key = Key::integer("budgets", "user_hour_lamports");
const USER_DAY_GRANT: Key = Key::integer("budgets", "user_day_grant_lamports");
const MERCHANT_HOUR: Key = Key::integer("budgets", "merchant_hour_lamports");
const NEWCOMERS_HOUR: Key = Key::integer("budgets", "newcomers_hour_lamports");
const NEWCOMERS_DAY: Key = Key::integer("budgets", "newcomers_day_lamports");
const HOUR: Key = Key::integer("budgets", "hour_lamports");
const HOUR_RENT: Key = Key::integer("budgets", "hour_rent_lamports");
const HOUR_GRANT: Key = Key::integer("budgets", "hour_grant_lamports");
const DAY: Key = Key::integer("budgets", "day_lamports");

pub(super) const KEYS: &[Key] = &[
    SETTLEMENT,
    SESSION,
    UNPROVEN_USER_HOUR,
    USER_HOUR,
    USER_DAY_GRANT,
    MERCHANT_HOUR,
    NEWCOMERS_HOUR,
    NEWCOMERS_DAY,
    HOUR,
    HOUR_RENT,
    HOUR_GRANT,
    DAY,
];

/// What each key bounds.
const BOUNDS: [(&Key, Scope, Part); 12] = [
    (&SETTLEMENT, Scope::Settlement, Part::Total),
    (&SESSION, Scope::Session, Part::Total),
    (&UNPROVEN_USER_HOUR, Scope::UnprovenUserHour, Part::Fee),
    (&USER_HOUR, Scope::UserHour, Part::Total),
    (&USER_DAY_GRANT, Scope::UserDay, Part::Grant),
    (&MERCHANT_HOUR, Scope::MerchantHour, Part::Total),
    (&NEWCOMERS_HOUR, Scope::NewcomersHour, Part::Total),
    (&NEWCOMERS_DAY, Scope::NewcomersDay, Part::Total),
    (&HOUR, Scope::Hour, Part::Total),
    (&HOUR_RENT, Scope::Hour, Part::Rent),
    (&HOUR_GRANT, Scope::Hour, Part::Grant),
    (&DAY, Scope::Day, Part::Total),
];

/// A million SOL: above it a limit is a slip of the pen.
const MOST_LAMPORTS: u64 = 1_000_000_000_000_000;

/// The budgets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetsConfig {
    /// The limits that are set.
    pub limits: Budgets,
}

impl BudgetsConfig {
    /// Reads the section.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let read = BOUNDS.map(|(key, scope, part)| (scope, part, reader.whole(key, 0..=MOST_LAMPORTS)));
        let mut limits = Budgets::default();
        for (scope, part, lamports) in read {
            match lamports? {
                0 => {}
                lamports => limits = limits.with(scope, part, lamports),
            }
        }
        Some(Self { limits })
    }
}
