//! What is known of an attempt, waiting for news of it.

use crate::{
    chain::{
        Commitment,
        no_effect::{Landing, Proving, Verdict},
        pool::Pool,
        refresher::Blockhashes,
        signature_statuses::{Level, Seen, SignatureStatus, SignatureStatuses},
        statuses::observation,
        tellers::Tellers,
        witness::Examiner,
    },
    domain::settlement::{Attempt, HeldBecause, Observation},
};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The pause before every endpoint is asked again about an error that not enough of them tell yet.
const ASK_ALL_AGAIN: Duration = Duration::from_millis(500);

/// The parts of the chain that observing needs.
pub(super) struct Observer<'a> {
    pub(super) pool: &'a Pool,
    pub(super) blockhashes: &'a Blockhashes,
    pub(super) statuses: &'a SignatureStatuses,
    pub(super) tellers: &'a Tellers,
    pub(super) examiner: &'a Examiner,
}

impl Observer<'_> {
    /// Waits up to `patience` for `attempt` to reach `want`; at least for one answer. Finality is waited for of what was
    /// seen before: what is on chain no more is told at once, because somebody has to send it again.
    ///
    /// The deadline of the attempt itself is a block height: past it, and only with proof, it is absent. A time-out
    /// proves nothing: what is told then is what was last seen. An error is final when as many voices tell it as it takes, and a
    /// landing, where several voices are configured, never by this look: it tells who has it first.
    pub(super) async fn observe(&self, attempt: &Attempt, want: Commitment, patience: Duration) -> Observation {
        let observation = self.watch(attempt, want, patience).await;
        if let Observation::Landed { slot, .. } | Observation::Failed { slot, .. } = &observation {
            self.pool.note_landing(*slot);
        }
        observation
    }

    async fn watch(&self, attempt: &Attempt, want: Commitment, patience: Duration) -> Observation {
        let begun = Instant::now();
        // No notice will be pushed of what can no longer land.
        let dead = self.blockhashes.known_height().is_some_and(|height| height > attempt.last_valid_block_height);
        let ask_after = if dead { Duration::ZERO } else { patience };
        let mut updates = self.statuses.watch((attempt.signature, want), ask_after);
        let mut was_seen = want == Commitment::Finalized;
        let mut ask_all_at = begun;
        let mut unproved = None;
        loop {
            let status = updates.borrow_and_update().clone();
            if let Some(seen) = status.seen.as_ref().filter(|seen| seen.level >= want.into()) {
                if want == Commitment::Confirmed || !seen.has_failed_for_good() {
                    return self.told(attempt, seen);
                }
                if ask_all_at <= Instant::now() {
                    if let Some(observation) = self.ask_all(attempt).await.filter(|seen| !waits(seen)) {
                        return observation;
                    }
                    ask_all_at = Instant::now() + ASK_ALL_AGAIN;
                }
            }
            if status.answers > 0 && status.seen.is_none() {
                match self.past_its_life(attempt).await {
                    Some(observation) if !waits(&observation) => return observation,
                    waiting => unproved = waiting,
                }
                if was_seen && self.at_the_deadline(attempt, want, &status).await == Observation::Pending {
                    return Observation::Pending;
                }
            }
            was_seen |= status.seen.is_some();
            let deadline = begun + if status.answers > 0 { patience } else { patience.max(self.pool.timeout()) };
            // Its sender lives as long as its receivers, so that it is closed cannot happen.
            if !matches!(timeout_at(deadline, updates.changed()).await, Ok(Ok(()))) {
                let told = self.at_the_deadline(attempt, want, &status).await;
                return unproved.filter(|_| told == Observation::Unknown).unwrap_or(told);
            }
        }
    }

    /// When the attempt's blockhash is dead, what every endpoint says of it.
    async fn past_its_life(&self, attempt: &Attempt) -> Option<Observation> {
        let height = self.blockhashes.height().await.ok()?;
        if height <= attempt.last_valid_block_height {
            return None;
        }
        self.ask_all(attempt).await
    }

    /// What follows from what every endpoint says; nothing where that proves nothing.
    async fn ask_all(&self, attempt: &Attempt) -> Option<Observation> {
        let Self { pool, tellers, examiner, blockhashes, .. } = *self;
        match (Proving { pool, tellers, examiner, heights: blockhashes.heights() }).ask_everybody(attempt).await {
            Ok(Verdict::Landed(landing)) => self.landed(attempt, &landing),
            Ok(verdict) => verdict.no_effect(),
            Err(error) => {
                tracing::warn!(%error, cause = self.pool.trouble(), "the history of a transaction cannot be read");
                None
            }
        }
    }

    async fn at_the_deadline(&self, attempt: &Attempt, want: Commitment, status: &SignatureStatus) -> Observation {
        if let Some(seen) = status.seen.as_ref().filter(|seen| seen.level >= Level::Confirmed) {
            // An error that does not become final may be the word of one who lies.
            let all =
                if seen.error.is_some() && want == Commitment::Finalized { self.ask_all(attempt).await } else { None };
            let all = all.filter(|seen| !waits(seen));
            return all.unwrap_or_else(|| self.told(attempt, seen));
        }
        if status.answers == 0 {
            return Observation::Unknown;
        }
        match self.blockhashes.height().await {
            Ok(height) if height <= attempt.last_valid_block_height => Observation::Pending,
            Ok(_) | Err(_) => Observation::Unknown,
        }
    }

    fn landed(&self, attempt: &Attempt, landing: &Landing) -> Option<Observation> {
        landing.contradict(self.pool, &attempt.signature);
        landing.told.iter().max_by_key(|seen| seen.level).map(|seen| self.told(attempt, seen))
    }

    /// What one endpoint's word amounts to. Of a landing it is remembered, because another has to say that it is final.
    fn told(&self, attempt: &Attempt, seen: &Seen) -> Observation {
        if seen.has_landed() {
            self.tellers.told(&attempt.signature, self.pool.voices().of(seen.by));
        }
        match observation(seen) {
            Observation::Landed { slot, finalised } => {
                Observation::Landed { slot, finalised: finalised && !self.pool.has_several_voices() }
            }
            other => other,
        }
    }
}

/// Whether there may be a proof soon, when more is said.
const fn waits(seen: &Observation) -> bool {
    matches!(seen, Observation::Unproved(HeldBecause::Silence | HeldBecause::Contradiction))
}
