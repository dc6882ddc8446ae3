//! How much was prepared and settled, as far as the operator lets everybody know.

use super::Charges;
use crate::{
    domain::mpp::{choices::StatsShown, reason::ChargeReason, recorded_charge::ChargeStats},
    facilitator::mpp::{ChargeError, RefusedCharge},
};

/// How many of the newest charges are listed.
const NEWEST: u64 = 20;

impl Charges {
    /// The counts, and the newest charges where everybody may know them; the first of these also where they may not, for its time
    /// alone.
    pub(crate) async fn stats(&self) -> Result<ChargeStats, ChargeError> {
        let newest = match self.shared.settings.stats {
            StatsShown::Off => {
                let detail = "The operator does not tell statistics.";
                return Err(RefusedCharge::because(ChargeReason::MppDisabled, detail).into());
            }
            StatsShown::Totals => 1,
            StatsShown::Public => NEWEST,
        };
        let core = &self.shared.core;
        let mut stats = core.ledger.charge_stats(newest, core.clock.now()).await?;
        let unwritten = self.preparations.count();
        stats.prepared.total += unwritten;
        stats.prepared.today += unwritten;
        Ok(stats)
    }
}
