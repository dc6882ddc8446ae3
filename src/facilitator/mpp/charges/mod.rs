//! Charges: transfers that their buyers sign and sellers hand on, whose fee we pay (`spec/mpp.md` §2, §3).
//!
//! Owns how often was prepared lately.

pub(crate) mod prepare;

use crate::facilitator::mpp::MppShared;
use prepare::Preparations;
use std::sync::Arc;

/// What one charge costs at most, in lamports: two signatures, and the most compute that the policy takes.
const MOST_FEE: u64 = 20_000;

/// Takes charges.
pub(crate) struct Charges {
    shared: Arc<MppShared>,
    preparations: Preparations,
}

impl Charges {
    pub(crate) fn new(shared: Arc<MppShared>) -> Self {
        Self { shared, preparations: Preparations::default() }
    }
}
