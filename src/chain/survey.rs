//! Looks at many transactions at once.

use crate::{
    chain::{
        ChainError,
        absence::{History, search},
        counts::Reason,
        node::Question,
        pool::Pool,
        refresher::Blockhashes,
        signature_statuses::{Level, Seen},
        statuses::{Statuses, checked, history_question, landed, question},
    },
    domain::settlement::{Attempt, Observation},
};
use solana_rpc_client_api::request::MAX_GET_SIGNATURE_STATUSES_QUERY_ITEMS;
use solana_signature::Signature;
use solana_transaction_status_client_types::TransactionStatus;

/// Looks at transactions that are expected to have landed; see [`crate::chain::Chain::look_up`].
pub(super) struct Survey<'a> {
    pub(super) pool: &'a Pool,
    pub(super) blockhashes: &'a Blockhashes,
}

impl Survey<'_> {
    pub(super) async fn look_up(&self, attempts: &[&Attempt]) -> Result<Vec<Observation>, ChainError> {
        let mut seen = Vec::with_capacity(attempts.len());
        for chunk in attempts.chunks(MAX_GET_SIGNATURE_STATUSES_QUERY_ITEMS) {
            seen.extend(self.look_up_chunk(chunk).await?);
        }
        Ok(seen)
    }

    async fn look_up_chunk(&self, attempts: &[&Attempt]) -> Result<Vec<Observation>, ChainError> {
        let signatures: Vec<Signature> = attempts.iter().map(|attempt| attempt.signature).collect();
        let question = Question { reason: Reason::Finality, ..question(&signatures) };
        // A node that has not reached what was seen before knows nothing of it.
        let minimum_slot = self.pool.minimum_slot();
        let answer = self.pool.ask_for(&question, |answer: &Statuses| answer.context.slot >= minimum_slot).await?;
        let mut statuses = checked(answer, &signatures)?.value;
        self.ask_for_the_forgotten(&signatures, &mut statuses, minimum_slot).await?;
        let mut seen = Vec::with_capacity(attempts.len());
        for (attempt, status) in attempts.iter().zip(&statuses) {
            seen.push(match status.as_ref().map(Seen::from) {
                // Whatever a node executed only lately may be confirmed again soon: neither there nor gone.
                Some(seen) if seen.level == Level::Processed => Observation::Unknown,
                Some(seen) => landed(&seen),
                None => self.gone(attempt).await,
            });
        }
        Ok(seen)
    }

    /// Nodes forget statuses after some minutes, and at a restart; their history is asked once for all of those.
    async fn ask_for_the_forgotten(
        &self,
        signatures: &[Signature],
        statuses: &mut [Option<TransactionStatus>],
        minimum_slot: u64,
    ) -> Result<(), ChainError> {
        let unknown = signatures.iter().zip(statuses.iter()).filter(|(_, status)| status.is_none());
        let unknown: Vec<Signature> = unknown.map(|(signature, _)| *signature).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let question = Question { reason: Reason::Finality, ..history_question(&unknown) };
        let answer = self.pool.ask_for(&question, |answer: &Statuses| answer.context.slot >= minimum_slot).await?;
        let mut found = checked(answer, &unknown)?.value.into_iter();
        for status in statuses.iter_mut().filter(|status| status.is_none()) {
            *status = found.next().flatten();
        }
        Ok(())
    }

    /// A transaction that no node with a view as new as ours knows.
    async fn gone(&self, attempt: &Attempt) -> Observation {
        match self.blockhashes.height().await {
            Ok(height) if height <= attempt.last_valid_block_height => return Observation::Pending,
            Ok(_) => {}
            Err(_) => return Observation::Unknown,
        }
        match search(self.pool, attempt).await {
            Ok(History::Absent(proof)) => Observation::Absent(proof),
            Ok(History::Found(seen)) if seen.level >= Level::Confirmed => landed(&seen),
            Ok(History::Found(_) | History::TooEarly | History::Unprovable) => Observation::Unknown,
            Err(error) => {
                tracing::warn!(%error, "the history of a transaction cannot be read");
                Observation::Unknown
            }
        }
    }
}
