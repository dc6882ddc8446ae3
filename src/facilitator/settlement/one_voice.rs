//! Bounds what is told as landed on one provider's word: the sum that no other voice has seen yet.
//!
//! Callers are answered as soon as one voice tells of a landing, because another look would cost each of them a round trip. What
//! that voice makes up is found out by the watch over finality, and until then this is all that it can cost.

use super::{Settlements, driver::Drive};
use crate::{
    domain::{
        amount::Amount,
        settlement::{Event, Observation, Settlement, SettlementId},
    },
    ledger::LedgerError,
};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What has landed on one voice's word, in base units; zero where another has it, too.
#[derive(Default)]
pub(crate) struct OneVoice(Mutex<HashMap<SettlementId, Amount>>);

impl OneVoice {
    fn lock(&self) -> MutexGuard<'_, HashMap<SettlementId, Amount>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a landing unless the sum would pass `most`; one that is counted already stays so.
    fn count(&self, id: SettlementId, amount: Amount, most: Amount) -> bool {
        let mut told = self.lock();
        if told.contains_key(&id) {
            return true;
        }
        let sum = told.values().try_fold(amount, |sum, one| sum.checked_add(*one));
        let fits = sum.is_some_and(|sum| sum <= most);
        if fits {
            told.insert(id, amount);
        }
        fits
    }

    /// Notes that another voice has it, too: it counts no more.
    fn confirm(&self, id: SettlementId) {
        self.lock().insert(id, Amount::ZERO);
    }

    /// Forgets a landing that is final, or not there any more.
    pub(crate) fn forget(&self, id: SettlementId) {
        self.lock().remove(&id);
    }

    /// Counts what was told before this process began.
    pub(crate) fn count_again(&self, settlement: &Settlement) {
        if settlement.purpose.is_told_by_two() {
            return;
        }
        self.lock().entry(settlement.id).or_insert(settlement.amount);
    }
}

impl Settlements {
    /// Writes a landing, and so tells its callers, unless too much is told on one voice's word: then another is asked first, and
    /// again after a while where it does not have it.
    pub(crate) async fn step_land(&self, drive: &mut Drive, event: Event) -> Result<(), LedgerError> {
        let Settlement { id, amount, purpose, .. } = drive.settlement;
        let most = self.core.settings.transfers.one_voice_exposure;
        let is_counted = amount > Amount::ZERO && !purpose.is_told_by_two();
        if is_counted && self.core.chain.has_several_voices() && !self.one_voice.count(id, amount, most) {
            let Some(attempt) = &drive.attempt else { return self.step_record(drive, event).await };
            if !matches!(self.core.chain.is_seen_by_another(attempt).await, Ok(true)) {
                tracing::debug!(settlement = %id, "a landing waits until another RPC provider has it");
                drive.saw(Observation::Unknown);
                drive.back_off().await;
                return Ok(());
            }
            self.one_voice.confirm(id);
        }
        self.step_record(drive, event).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::amount;

    #[test]
    fn the_sum_on_one_voice_has_a_bound_until_another_has_it() {
        let (told, id) = (OneVoice::default(), |byte| SettlementId::from_random_bytes([byte; 16]));
        let count = |byte, units| told.count(id(byte), amount(units), amount(100));
        assert!(count(1, 60) && count(2, 40) && !count(3, 1));
        assert!(count(1, 60), "it is counted once");
        told.confirm(id(1));
        assert!(count(3, 60) && !count(4, 1));
        told.forget(id(2));
        assert!(count(4, 40));
        assert!(!OneVoice::default().count(id(1), amount(101), amount(100)), "also what is alone");
    }
}
