//! What an operator decides about openings, and about what comes before and after them.

use crate::{domain::revocation::RevocationLimits, facilitator::CapCheckPolicy};
use std::{num::NonZeroU32, time::Duration};

/// What a session may be opened with, and how an opening is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpeningSettings {
    /// The furthest expiration of a session, in seconds from now.
    pub max_session_seconds: u64,
    /// The largest grant to a user inside an approve, in lamports.
    pub max_grant: u64,
    /// Grants one user may get in a day.
    pub grants_per_user_per_day: u64,
    /// Grants one user may get in 30 days.
    pub grants_per_user_per_month: u64,
    /// Grants that all wallets together of which no balance is proved may get in an hour.
    pub unproven_grants_per_hour: u64,
    /// Sessions one user may open in an hour.
    pub sessions_per_user_per_hour: u64,
    /// Sessions that may be opened with one merchant in an hour.
    pub sessions_per_merchant_per_hour: u64,
    /// Sessions all users together may open in an hour.
    pub sessions_per_hour: u64,
    /// Let an approve create the user's own missing account at our cost; they can close it and keep the rent.
    pub sponsor_account_creation: bool,
    /// What to do with the approved amount.
    pub cap_check: CapCheckPolicy,
    /// How long an opening waits for the Covalidator.
    pub cap_check_deadline: Duration,
    /// How long an opening waits for payments of the user's other sessions.
    pub drain_deadline: Duration,
    /// The largest compute-unit limit an approve may set.
    pub max_approve_units: u32,
    /// How often approves are prepared for strangers.
    pub prepares: PrepareSettings,
    /// How many revokes of what was approved are paid for.
    pub revocations: RevocationLimits,
}

/// How often approves are prepared for strangers, for all of them together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrepareSettings {
    /// At the same time, at most; so many may also come at once.
    pub at_once: usize,
    /// In a second, over time; `None` for no limit.
    pub per_second: Option<NonZeroU32>,
    /// How long none is prepared after an endpoint of the chain said that it is asked too much.
    pub rest: Duration,
}

impl Default for PrepareSettings {
    /// Four in a second, two at the same time, none for a minute after an endpoint was asked too much.
    fn default() -> Self {
        Self { at_once: 2, per_second: NonZeroU32::new(4), rest: Duration::from_mins(1) }
    }
}
