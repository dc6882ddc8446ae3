//! What nodes say of many transactions at once.

use crate::{
    chain::{
        ChainError,
        absence::{History, search},
        confirm::landed,
        counts::Reason,
        node::Question,
        pool::Pool,
        refresher::Blockhashes,
        sightings::{Level, Seen},
    },
    domain::settlement::{Attempt, Observation},
};
use serde_json::json;
use solana_rpc_client_api::{
    request::{MAX_GET_SIGNATURE_STATUSES_QUERY_ITEMS, RpcRequest},
    response::Response,
};
use solana_signature::Signature;
use solana_transaction_status_client_types::TransactionStatus;

/// The answer to [`question`].
pub(super) type Statuses = Response<Vec<Option<TransactionStatus>>>;

/// Asks about at most 256 transactions of the last minutes.
pub(super) fn question(signatures: &[Signature]) -> Question {
    let params = json!([texts(signatures)]);
    Question::new("asking for signature statuses", RpcRequest::GetSignatureStatuses, params)
}

/// The same of all times: slower, and what a node answers when it has forgotten the status.
pub(super) fn history_question(signatures: &[Signature]) -> Question {
    let params = json!([texts(signatures), { "searchTransactionHistory": true }]);
    let what = "searching the transaction history";
    Question { reason: Reason::History, ..Question::new(what, RpcRequest::GetSignatureStatuses, params) }
}

fn texts(signatures: &[Signature]) -> Vec<String> {
    signatures.iter().map(ToString::to_string).collect()
}

/// The answer, if it is one to this question.
pub(super) fn checked(answer: Statuses, signatures: &[Signature]) -> Result<Statuses, ChainError> {
    if answer.value.len() == signatures.len() {
        Ok(answer)
    } else {
        Err(ChainError::Inconsistent("another number of signature statuses than asked for".into()))
    }
}

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
        let floor = self.pool.floor();
        let answer = self.pool.ask_for(&question, |answer: &Statuses| answer.context.slot >= floor).await?;
        let mut statuses = checked(answer, &signatures)?.value;
        self.ask_for_the_forgotten(&signatures, &mut statuses, floor).await?;
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
        floor: u64,
    ) -> Result<(), ChainError> {
        let unknown = signatures.iter().zip(statuses.iter()).filter(|(_, status)| status.is_none());
        let unknown: Vec<Signature> = unknown.map(|(signature, _)| *signature).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let question = Question { reason: Reason::Finality, ..history_question(&unknown) };
        let answer = self.pool.ask_for(&question, |answer: &Statuses| answer.context.slot >= floor).await?;
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
