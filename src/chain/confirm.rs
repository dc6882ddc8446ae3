//! What is known of an attempt, waiting for news of it.

use crate::{
    chain::{
        Commitment,
        absence::{History, search},
        pool::Pool,
        refresher::Blockhashes,
        signature_statuses::{Level, Seen, SignatureStatus, SignatureStatuses},
        statuses::landed,
    },
    domain::settlement::{Attempt, Observation},
};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The parts of the chain that observing needs.
pub(super) struct Observer<'a> {
    pub(super) pool: &'a Pool,
    pub(super) blockhashes: &'a Blockhashes,
    pub(super) statuses: &'a SignatureStatuses,
}

impl Observer<'_> {
    /// Waits up to `patience` for `attempt` to reach `want`; at least for one answer. Finality is waited for of what was
    /// seen before: what is on chain no more is told at once, because somebody has to send it again.
    ///
    /// The deadline of the attempt itself is a block height: past it, and only with proof, it is absent. A time-out
    /// proves nothing: what is told then is what was last seen.
    pub(super) async fn observe(&self, attempt: &Attempt, want: Commitment, patience: Duration) -> Observation {
        let observation = self.watch(attempt, want, patience).await;
        if let Observation::Landed { slot, .. } | Observation::Failed { slot, .. } = &observation {
            self.pool.has_landed(*slot);
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
        loop {
            let status = updates.borrow_and_update().clone();
            if let Some(observation) = reached(status.seen.as_ref(), want.into()) {
                return observation;
            }
            if status.answers > 0 && status.seen.is_none() {
                if let Some(observation) = self.past_its_life(attempt, want).await {
                    return observation;
                }
                if was_seen && self.at_the_deadline(attempt, &status).await == Observation::Pending {
                    return Observation::Pending;
                }
            }
            was_seen |= status.seen.is_some();
            let deadline = begun + if status.answers > 0 { patience } else { patience.max(self.pool.timeout()) };
            match timeout_at(deadline, updates.changed()).await {
                Ok(Ok(())) => {}
                // The second cannot happen: a sender lives as long as its receivers.
                Err(_) | Ok(Err(_)) => return self.at_the_deadline(attempt, &status).await,
            }
        }
    }

    /// When the attempt's blockhash is dead, what the history proves.
    async fn past_its_life(&self, attempt: &Attempt, want: Commitment) -> Option<Observation> {
        let height = self.blockhashes.height().await.ok()?;
        if height <= attempt.last_valid_block_height {
            return None;
        }
        match search(self.pool, attempt).await {
            Ok(History::Absent(proof)) => Some(Observation::Absent(proof)),
            Ok(History::Found(seen)) => reached(Some(&seen), want.into()),
            Ok(History::TooEarly | History::Unprovable) => None,
            Err(error) => {
                tracing::warn!(%error, "the history of a transaction cannot be read");
                None
            }
        }
    }

    async fn at_the_deadline(&self, attempt: &Attempt, status: &SignatureStatus) -> Observation {
        if let Some(seen) = status.seen.as_ref().filter(|seen| seen.level >= Level::Confirmed) {
            return landed(seen);
        }
        if status.answers == 0 {
            return Observation::Unknown;
        }
        match self.blockhashes.height().await {
            Ok(height) if height <= attempt.last_valid_block_height => Observation::Pending,
            Ok(_) | Err(_) => Observation::Unknown,
        }
    }
}

/// The observation, if it is as sure as wanted.
fn reached(seen: Option<&Seen>, want: Level) -> Option<Observation> {
    seen.filter(|seen| seen.level >= want).map(landed)
}
