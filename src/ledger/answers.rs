//! What verbs answer, where that is more than a domain value.

use crate::{
    domain::{
        budget::OverBudget,
        clock::UnixSeconds,
        settlement::{Attempt, Settlement},
    },
    ledger::Recorded,
};

/// What became of a signed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "the large one is what nearly every answer is")]
pub enum Signed {
    /// It is durable and its full cost is booked; only now may it be sent.
    Recorded {
        /// The settlement, in flight.
        settlement: Settlement,
        /// The attempt.
        attempt: Recorded<Attempt>,
    },
    /// It would pass a budget: nothing was written, and it must never be sent.
    OverBudget(OverBudget),
}

impl Signed {
    /// What was recorded; none over budget.
    pub fn recorded(self) -> Option<(Settlement, Recorded<Attempt>)> {
        match self {
            Self::Recorded { settlement, attempt } => Some((settlement, attempt)),
            Self::OverBudget(_) => None,
        }
    }
}

/// How many sessions were opened within a time, and when the first of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpeningCount {
    /// How many.
    pub count: u64,
    /// When the oldest of them was opened.
    pub first: Option<UnixSeconds>,
}

/// The sessions opened within a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Openings {
    /// By one user.
    pub by_user: OpeningCount,
    /// To pay one merchant.
    pub for_recipient: OpeningCount,
    /// By everybody.
    pub by_all: OpeningCount,
}
