//! What is known of an attempt, and the proof that one never landed.

use crate::{
    chain::{
        ChainError, Commitment,
        endpoint::chain_error,
        refresher::Blockhashes,
        sightings::{Level, Seen, Sighting, Sightings},
    },
    domain::settlement::{AbsenceProof, Attempt, Observation},
};
use solana_commitment_config::CommitmentConfig;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// What a look into the history told.
enum History {
    /// It landed after all.
    Found(Seen),
    /// It never landed and never will.
    Absent(AbsenceProof),
    /// Its last valid height is not final yet.
    TooEarly,
    /// The endpoint cannot prove anything: its history starts too late, or the node that answered is behind.
    Unprovable,
}

/// The parts of the chain that observing needs.
pub(super) struct Observer<'a> {
    pub(super) client: &'a RpcClient,
    pub(super) blockhashes: &'a Blockhashes,
    pub(super) sightings: &'a Sightings,
    /// How long the first answer may take when `patience` is shorter.
    pub(super) timeout: Duration,
}

impl Observer<'_> {
    /// Waits up to `patience` for `attempt` to reach `want`; at least for one answer.
    ///
    /// The deadline of the attempt itself is a block height: past it, and only with proof, it is absent. A time-out
    /// proves nothing: what is told then is what was last seen.
    pub(super) async fn observe(&self, attempt: &Attempt, want: Commitment, patience: Duration) -> Observation {
        let begun = Instant::now();
        // No notice will be pushed of what can no longer land.
        let dead = self.blockhashes.known_height().is_some_and(|height| height > attempt.last_valid_block_height);
        let ask_after = if dead { Duration::ZERO } else { patience };
        let mut sightings = self.sightings.watch((attempt.signature, want), ask_after);
        loop {
            let sighting = sightings.borrow_and_update().clone();
            if let Some(observation) = reached(sighting.seen.as_ref(), want.into()) {
                return observation;
            }
            if sighting.answers > 0
                && sighting.seen.is_none()
                && let Some(observation) = self.past_its_life(attempt, want).await
            {
                return observation;
            }
            let deadline = begun + if sighting.answers > 0 { patience } else { patience.max(self.timeout) };
            match timeout_at(deadline, sightings.changed()).await {
                Ok(Ok(())) => {}
                // The second cannot happen: a sender lives as long as its receivers.
                Err(_) | Ok(Err(_)) => return self.at_the_deadline(attempt, &sighting).await,
            }
        }
    }

    /// When the attempt's blockhash is dead, what the history proves.
    async fn past_its_life(&self, attempt: &Attempt, want: Commitment) -> Option<Observation> {
        let height = self.blockhashes.height().await.ok()?;
        if height <= attempt.last_valid_block_height {
            return None;
        }
        match self.history(attempt).await {
            Ok(History::Absent(proof)) => Some(Observation::Absent(proof)),
            Ok(History::Found(seen)) => reached(Some(&seen), want.into()),
            Ok(History::TooEarly | History::Unprovable) => None,
            Err(error) => {
                tracing::warn!(%error, "the history of a transaction cannot be read");
                None
            }
        }
    }

    /// The proof of absence (`spec/settlement.md` §2). The order matters: the height first, then the look-up.
    async fn history(&self, attempt: &Attempt) -> Result<History, ChainError> {
        let finalised = self.client.get_epoch_info_with_commitment(CommitmentConfig::finalized()).await;
        let finalised = finalised.map_err(|error| chain_error("asking for the finalised height", error))?;
        if finalised.block_height <= attempt.last_valid_block_height {
            return Ok(History::TooEarly);
        }
        let looked_up = self.client.get_signature_statuses_with_history(&[attempt.signature]).await;
        let looked_up = looked_up.map_err(|error| chain_error("searching the transaction history", error))?;
        let [status] = looked_up.value.as_slice() else {
            return Err(ChainError::Inconsistent("another number of signature statuses than asked for".into()));
        };
        if let Some(status) = status {
            return Ok(History::Found(status.into()));
        }
        // One address may hide several nodes: one that has not even reached the slot of the finalised height cannot
        // be the one that reported it.
        if looked_up.context.slot < finalised.absolute_slot {
            return Ok(History::Unprovable);
        }
        let first = self.client.get_first_available_block().await;
        let first = first.map_err(|error| chain_error("asking for the first available block", error))?;
        if first > attempt.signed_at_slot {
            return Ok(History::Unprovable);
        }
        let proof = AbsenceProof { finalised_height: finalised.block_height, first_available_block: first };
        Ok(History::Absent(proof))
    }

    async fn at_the_deadline(&self, attempt: &Attempt, sighting: &Sighting) -> Observation {
        if let Some(seen) = sighting.seen.as_ref().filter(|seen| seen.level >= Level::Confirmed) {
            return landed(seen);
        }
        if sighting.answers == 0 {
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

fn landed(seen: &Seen) -> Observation {
    let (slot, finalised) = (seen.slot, seen.level == Level::Finalized);
    match seen.error.clone() {
        None => Observation::Landed { slot, finalised },
        Some(error) => Observation::Failed { slot, finalised, error },
    }
}
