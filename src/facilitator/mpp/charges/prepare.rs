//! What a seller needs for a challenge: told from memory, and counted there until the next flush to the ledger.

use super::{Charges, MOST_FEE};
use crate::{
    domain::{
        clock::{DAY, UnixSeconds},
        mpp::{
            caps::{Standing, Use, until_tomorrow},
            charge::ChargeAsset,
            reason::ChargeReason,
        },
    },
    facilitator::{
        mpp::{ChargeError, RefusedCharge},
        tasks::ticks,
    },
    ledger::LedgerError,
};
use solana_hash::Hash;
use solana_pubkey::Pubkey;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How often what was prepared is written down.
const FLUSH: Duration = Duration::from_secs(5);

/// What a buyer's transaction has to be built with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedCharge {
    /// Who pays the fee.
    pub fee_payer: Pubkey,
    /// A blockhash of a moment ago.
    pub blockhash: Hash,
    /// The last height at which it can land.
    pub last_valid_block_height: u64,
    /// The network as the caller spells it.
    pub network: String,
    /// The token.
    pub asset: ChargeAsset,
}

/// How often was prepared, as far as it is not in the ledger yet, and how often the ledger knew on which day.
#[derive(Default)]
pub(crate) struct Preparations(Mutex<Counts>);

#[derive(Clone, Copy, Default)]
struct Counts {
    unwritten: u64,
    /// What the ledger knew of on this day: preparations, and vouchers where they are counted.
    written: Use,
    day: u64,
}

impl Preparations {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one more on this day, unless that passes `most` or a stranger's half of it, because nobody says who they are; 0 is no
    /// limit.
    fn take(&self, most: u64, now: UnixSeconds) -> bool {
        let mut counts = self.lock();
        let written = if counts.day == now / DAY { counts.written } else { Use::default() };
        let used = Use {
            all: written.all.saturating_add(counts.unwritten),
            strangers: written.strangers.saturating_add(counts.unwritten),
        };
        let fits = !used.passes_shared(most, Standing::Stranger);
        counts.unwritten += u64::from(fits);
        fits
    }

    /// How many are not written yet.
    pub(super) fn count(&self) -> u64 {
        self.lock().unwritten
    }

    /// What is to be written, which is not counted as unwritten any more.
    fn unwritten(&self) -> u64 {
        std::mem::take(&mut self.lock().unwritten)
    }

    /// The ledger knows of so much on this day.
    fn is_written(&self, today: Use, now: UnixSeconds) {
        let mut counts = self.lock();
        (counts.written, counts.day) = (today, now / DAY);
    }

    /// They were not written after all.
    fn put_back(&self, count: u64) {
        self.lock().unwritten += count;
    }
}

impl Charges {
    /// Tells what a buyer signs with; see [`crate::facilitator::Facilitator::prepare_charge`].
    pub(crate) async fn prepare(&self, network: Option<&str>) -> Result<PreparedCharge, ChargeError> {
        let shared = &self.shared;
        let echo = shared.echo(network).map_err(|_| RefusedCharge::unsupported_network(&shared.network))?;
        let now = shared.core.clock.now();
        if !self.preparations.take(shared.settings.caps.verify.global, now) {
            return Err(RefusedCharge::new(ChargeReason::GlobalVerifyCap).again_in(until_tomorrow(now)).into());
        }
        let fee_payer = shared.choose_fee_payer(MOST_FEE);
        let fee_payer = fee_payer.ok_or_else(|| RefusedCharge::new(ChargeReason::InsufficientSponsorBalance))?;
        let blockhash = shared.core.chain.latest_blockhash().await?;
        Ok(PreparedCharge {
            fee_payer: fee_payer.pubkey(),
            blockhash: blockhash.hash,
            last_valid_block_height: blockhash.last_valid_block_height,
            network: echo,
            asset: shared.settings.offer.asset,
        })
    }

    /// Writes down what was prepared, again and again. What a crash loses is a count and nothing else.
    pub(crate) async fn preparation_rounds(self: Arc<Self>) {
        let mut ticks = ticks(FLUSH);
        loop {
            ticks.tick().await;
            if let Err(error) = self.write_preparations().await {
                tracing::debug!(%error, "preparations are counted in memory until the ledger can be written");
            }
        }
    }

    async fn write_preparations(&self) -> Result<(), LedgerError> {
        let (core, unwritten) = (&self.shared.core, self.preparations.unwritten());
        let now = core.clock.now();
        let written = core.ledger.count_prepared(unwritten, now).await;
        match written {
            Ok(today) => self.preparations.is_written(today, now),
            Err(error) => {
                self.preparations.put_back(unwritten);
                return Err(error);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_so_many_preparations_and_the_next_has_as_many() {
        let (counts, now) = (Preparations::default(), 5 * DAY);
        assert!(counts.take(4, now) && counts.take(4, now) && !counts.take(4, now), "half is for known wallets");
        assert_eq!(counts.unwritten(), 2);
        counts.is_written(Use { all: 2, strangers: 2 }, now);
        assert!(!counts.take(4, now), "what is written counts");
        assert!(counts.take(4, now + DAY), "and not on the next day");
        counts.is_written(Use { all: 4, strangers: 0 }, now);
        assert!(!counts.take(4, now), "vouchers of known wallets use up the whole");
        assert!(counts.take(0, now), "0 is no limit");
        counts.put_back(3);
        assert_eq!(counts.unwritten(), 5);
    }
}
