//! The sponsor: our own lamports.
//!
//! Owns the fee payers' balances, the memory of budgets that are used up, and where the comparing of booked rents stands. The
//! ledger decides what may be spent; this only spares the work of preparing what would be refused. Takes no lock of
//! [`super::locks`] but single flight, and drives nothing.

pub(crate) mod budget;
pub(crate) mod fee_payers;
pub(crate) mod rent_checks;

use crate::facilitator::core::Core;
use budget::ExhaustedBudgets;
use fee_payers::FeePayers;
use rent_checks::RentChecks;
use std::sync::Arc;

/// Spends our lamports.
pub(crate) struct Sponsor {
    core: Arc<Core>,
    pub(crate) fee_payers: FeePayers,
    exhausted: ExhaustedBudgets,
    rents: RentChecks,
}

impl Sponsor {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self {
            fee_payers: FeePayers::new(&core.keys, core.settings.low_balance),
            exhausted: ExhaustedBudgets::default(),
            rents: RentChecks::default(),
            core,
        }
    }
}
