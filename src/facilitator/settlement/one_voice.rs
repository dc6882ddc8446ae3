//! Bounds what is told as landed on one provider's word: the sum that no other voice has seen yet.
//!
//! Callers are answered as soon as one voice tells of a landing, because another look would cost each of them a round trip. What
//! that voice makes up is found out by the watch over finality, and until then this is all that it can cost.

use super::{Settlements, driver::Drive};
use crate::{
    domain::{
        amount::Amount,
        settlement::{Event, Observation, Purpose, Settlement, SettlementId},
    },
    ledger::LedgerError,
};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Of which tokens a sum is: base units of two assets make no sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tokens {
    /// Those that sessions pay with.
    Confidential,
    /// Those of the Machine Payments Protocol.
    Public,
}

impl Tokens {
    const fn of(purpose: Purpose) -> Self {
        if purpose.moves_public_tokens() { Self::Public } else { Self::Confidential }
    }
}

/// What has landed on one voice's word, in base units; zero where another has it, too. Each kind of tokens has a sum of its own.
#[derive(Default)]
pub(crate) struct OneVoice(Mutex<HashMap<SettlementId, (Tokens, Amount)>>);

impl OneVoice {
    fn lock(&self) -> MutexGuard<'_, HashMap<SettlementId, (Tokens, Amount)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a landing unless the sum of its tokens would pass `most`; one that is counted already stays so.
    fn count(&self, id: SettlementId, (tokens, amount): (Tokens, Amount), most: Amount) -> bool {
        let mut told = self.lock();
        if told.contains_key(&id) {
            return true;
        }
        let mut same = told.values().filter(|(of, _)| *of == tokens);
        let sum = same.try_fold(amount, |sum, (_, one)| sum.checked_add(*one));
        let fits = sum.is_some_and(|sum| sum <= most);
        if fits {
            told.insert(id, (tokens, amount));
        }
        fits
    }

    /// Notes that another voice has it, too: it counts no more.
    fn confirm(&self, id: SettlementId, tokens: Tokens) {
        self.lock().insert(id, (tokens, Amount::ZERO));
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
        let told = (Tokens::of(settlement.purpose), settlement.amount);
        self.lock().entry(settlement.id).or_insert(told);
    }
}

impl Settlements {
    /// Writes a landing, and so tells its callers, unless too much is told on one voice's word: then another is asked first, and
    /// again after a while where it does not have it.
    pub(crate) async fn step_land(&self, drive: &mut Drive, event: Event) -> Result<(), LedgerError> {
        let Settlement { id, amount, purpose, .. } = drive.settlement;
        let most = self.core.settings.transfers.one_voice_exposure;
        let is_counted = amount > Amount::ZERO && !purpose.is_told_by_two();
        let tokens = Tokens::of(purpose);
        if is_counted && self.core.chain.has_several_voices() && !self.one_voice.count(id, (tokens, amount), most) {
            let Some(attempt) = &drive.attempt else { return self.step_record(drive, event).await };
            if !matches!(self.core.chain.is_seen_by_another(attempt).await, Ok(true)) {
                tracing::debug!(settlement = %id, "a landing waits until another RPC provider has it");
                drive.saw(Observation::Unknown);
                drive.back_off().await;
                return Ok(());
            }
            self.one_voice.confirm(id, tokens);
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
        let count = |byte, units| told.count(id(byte), (Tokens::Confidential, amount(units)), amount(100));
        assert!(count(1, 60) && count(2, 40) && !count(3, 1));
        assert!(count(1, 60), "it is counted once");
        told.confirm(id(1), Tokens::Confidential);
        assert!(count(3, 60) && !count(4, 1));
        told.forget(id(2));
        assert!(count(4, 40));
        let alone = (Tokens::Confidential, amount(101));
        assert!(!OneVoice::default().count(id(1), alone, amount(100)), "also what is alone");
    }

    /// A buyer who pays themselves by a channel fills no sum that sessions are answered by.
    #[test]
    fn each_kind_of_tokens_has_a_sum_of_its_own() {
        let (told, id) = (OneVoice::default(), |byte| SettlementId::from_random_bytes([byte; 16]));
        let (close, capture) = (Tokens::of(Purpose::MppClose), Tokens::of(Purpose::Capture));
        assert!(told.count(id(1), (close, amount(100)), amount(100)));
        assert!(!told.count(id(2), (close, amount(1)), amount(100)));
        assert!(told.count(id(3), (capture, amount(100)), amount(100)));
    }
}
