//! Settlements that are held: nothing is signed for them and nothing they carry is given back, because it is not proved that
//! their attempts have no effect.
//!
//! That one is held is a row in the ledger, so it outlives the process and stands in `sotto settlement list`. It ends with the
//! settlement's next event: a look at the chain that tells more, asked for again once in a while, or an operator's word.

use super::{Settlements, driver::Drive};
use crate::{
    domain::settlement::{Attempt, HeldBecause, Observation, Settlement, SettlementHeld, SettlementId, State},
    facilitator::locks::single_flight::Marks,
    ledger::{LedgerError, Recorded, SeenLanding, Work},
};
use solana_signature::Signature;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// What this process has told and noted of settlements that are held.
#[derive(Default)]
pub(crate) struct HeldNotes {
    /// The operator was told.
    told: Marks<SettlementId>,
    /// It was noted that a landing is held.
    landings: Marks<SettlementId>,
    /// It was noted by which slot finality had passed the life of its attempt.
    past: Marks<SettlementId>,
    /// The operator was told of a landing that was found after all.
    found: Marks<Signature>,
    /// How many voices were noted that told of a landing which does not become final.
    voices: Mutex<HashMap<SettlementId, usize>>,
    asked_again: AskedAgain,
}

impl HeldNotes {
    /// Something happened to it: held again, it is told again.
    pub(crate) fn forget(&self, id: SettlementId) {
        self.told.forget(id);
        self.landings.forget(id);
        self.past.forget(id);
        self.voices.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

/// When it was last asked again about each settlement that is held.
#[derive(Default)]
struct AskedAgain(Mutex<HashMap<SettlementId, Instant>>);

impl AskedAgain {
    /// Whether it is time to ask again about this one; then it is not, for so long.
    fn is_due(&self, id: SettlementId, pause: Duration, now: Instant) -> bool {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|_, at| now.duration_since(*at) < pause);
        let is_due = !asked.contains_key(&id);
        asked.entry(id).or_insert(now);
        is_due
    }
}

impl Settlements {
    /// Whether a settlement is left alone for now: it is held and was asked about a moment ago.
    pub(crate) fn is_left_alone(&self, settlement: &Settlement) -> bool {
        if settlement.held.is_none() {
            return false;
        }
        self.tell_operator(settlement);
        !self.held.asked_again.is_due(settlement.id, self.core.settings.transfers.held_again, Instant::now())
    }

    /// Notes that a settlement is held, and leaves it.
    pub(crate) async fn step_hold(&self, drive: &mut Drive, because: HeldBecause) -> Result<(), LedgerError> {
        if drive.settlement.held.is_none() {
            drive.settlement = self.note_held(&drive.settlement, because).await?;
        }
        drive.leave();
        Ok(())
    }

    /// The cause for which nothing is waited for any longer: enough voices have not said for so long that a dead transaction has
    /// no effect. Of what is held already nothing is waited for.
    pub(crate) fn patience_is_over(&self, drive: &Drive) -> Option<HeldBecause> {
        let (because, since) = drive.unproved?;
        let patience = if drive.settlement.held.is_some() {
            Duration::ZERO
        } else {
            self.core.settings.transfers.absence_patience
        };
        (since.elapsed() >= patience).then_some(because)
    }

    /// Notes of a landing that it is not there any more and that this is not proved either: it stays landed.
    pub(crate) async fn note_unproved_landing(&self, work: &Work, seen: &Observation) {
        let because = match seen {
            Observation::Disputed { .. } => HeldBecause::Contradiction,
            Observation::Unproved(because) if *because != HeldBecause::Silence => *because,
            _ => return,
        };
        // What is watched is as it was when the watch began.
        if work.settlement.held.is_some() || !self.held.landings.remember(work.settlement.id) {
            return;
        }
        if let Err(error) = self.note_held(&work.settlement, because).await {
            self.held.landings.forget(work.settlement.id);
            tracing::debug!(settlement = %work.settlement.id, %error, "that a settlement is held was not noted");
        }
    }

    /// Notes who told of a landing that should be final and is not, so that it is not forgotten with this process or with the
    /// provider.
    pub(crate) async fn note_seen(&self, work: &Work) {
        let (Some(attempt), Some(slot)) = (&work.attempt, work.settlement.landed_at) else { return };
        let (id, signature) = (work.settlement.id, attempt.get().signature);
        let voices = self.core.chain.seen_by(&signature);
        let known = self.held.voices.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied();
        self.note_past(id, attempt).await;
        if voices.is_empty() || known == Some(voices.len()) {
            return;
        }
        let count = voices.len();
        let seen: Vec<SeenLanding> = voices.into_iter().map(|voice| SeenLanding { signature, voice, slot }).collect();
        match self.core.ledger.note_seen(&seen, self.core.clock.now()).await {
            Ok(()) => drop(self.held.voices.lock().unwrap_or_else(PoisonError::into_inner).insert(id, count)),
            Err(error) => tracing::debug!(settlement = %id, %error, "who told of a landing was not noted"),
        }
    }

    /// Notes by which slot finality had passed the life of an attempt whose examination has not come to an end: a process after
    /// this one need not read what the payer does meanwhile.
    pub(crate) async fn note_past(&self, id: SettlementId, attempt: &Recorded<Attempt>) {
        let attempt = attempt.get();
        let Some(slot) = self.core.chain.past_at(&attempt.signature).filter(|_| attempt.past_at.is_none()) else {
            return;
        };
        if !self.held.past.remember(id) {
            return;
        }
        if let Err(error) = self.core.ledger.note_past(&attempt.signature, slot, self.core.clock.now()).await {
            self.held.past.forget(id);
            tracing::debug!(settlement = %id, %error, "when an attempt was over was not noted");
        }
    }

    /// Looks for the attempts of a settlement that has had all of them. One that is found is told to the operator, who alone may
    /// say that what was proved absent has landed; nothing is signed, whatever is found.
    pub(crate) async fn look_for_landings(&self, id: SettlementId) {
        let Ok(Some(record)) = self.core.ledger.settlement_record(id).await else { return };
        let Ok(seen) = self.core.chain.look_up(&record.attempts).await else { return };
        for (attempt, seen) in record.attempts.iter().zip(seen) {
            let (Observation::Landed { slot, .. } | Observation::Disputed { slot, .. }) = seen else { continue };
            let signature = attempt.get().signature;
            if !self.held.found.remember(signature) {
                continue;
            }
            let voices = self.core.chain.seen_by(&signature);
            tracing::error!(
                settlement = %id,
                transaction = %signature,
                slot,
                ?voices,
                "a transaction that was proved absent is on the chain, as these RPC providers say. Look it up at an endpoint that is not \
                 configured, stop the service, and say so with `sotto settlement resolve`"
            );
            let seen: Vec<SeenLanding> =
                voices.into_iter().map(|voice| SeenLanding { signature, voice, slot }).collect();
            if let Err(error) = self.core.ledger.note_seen(&seen, self.core.clock.now()).await {
                tracing::debug!(settlement = %id, %error, "who told of a landing was not noted");
            }
        }
    }

    async fn note_held(&self, settlement: &Settlement, because: HeldBecause) -> Result<Settlement, LedgerError> {
        let held = self.core.ledger.note_held(settlement, because, self.core.clock.now()).await?;
        self.tell_operator(&held);
        // Whoever waits until nothing moves any more does not wait for this one.
        self.progress.tell(held.id);
        Ok(held)
    }

    /// Tells the operator of a settlement that is held, once in the life of a process. A landing in dispute has a line of its own
    /// ([`super::finality`]).
    fn tell_operator(&self, settlement: &Settlement) {
        let is_dispute =
            |held: &SettlementHeld| settlement.state == State::Landed && held.because == HeldBecause::Contradiction;
        let Some(held) = settlement.held.filter(|held| !is_dispute(held)) else { return };
        if !self.held.told.remember(settlement.id) {
            return;
        }
        let (id, attempts, reason) = (settlement.id, settlement.attempts, held.because.word());
        if held.because == HeldBecause::Silence {
            tracing::error!(settlement = %id, "a dead transaction is not proved absent: too few RPC providers say so");
        }
        let detail = held.because.explanation();
        tracing::error!(
            settlement = %id,
            attempts,
            reason,
            detail,
            "a settlement is held: nothing more is signed and nothing is given back. `sotto settlement show` tells its signatures: \
             look them up at an endpoint that is not configured"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_again_when_the_pause_is_over() {
        let (asked, id, now) = (AskedAgain::default(), SettlementId::from_random_bytes([1; 16]), Instant::now());
        let pause = Duration::from_mins(1);
        assert!(asked.is_due(id, pause, now), "at once after a start");
        assert!(!asked.is_due(id, pause, now + pause - Duration::from_millis(1)));
        assert!(asked.is_due(SettlementId::from_random_bytes([2; 16]), pause, now), "each by itself");
        assert!(asked.is_due(id, pause, now + pause));
    }
}
