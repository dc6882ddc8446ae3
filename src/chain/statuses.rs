//! The question for signature statuses, its answer, and what a status means for an attempt.

use crate::{
    chain::{
        ChainError,
        counts::Reason,
        node::Question,
        signature_statuses::{Level, Seen},
    },
    domain::settlement::Observation,
};
use serde_json::json;
use solana_rpc_client_api::{request::RpcRequest, response::Response};
use solana_signature::Signature;
use solana_transaction_status_client_types::TransactionStatus;

/// The answer to [`question`].
pub(super) type Statuses = Response<Vec<Option<TransactionStatus>>>;

/// Asks about at most 256 transactions of the last minutes.
pub(super) fn question(signatures: &[Signature]) -> Question {
    let params = json!([texts(signatures)]);
    Question::new("asking for signature statuses", RpcRequest::GetSignatureStatuses, params)
}

/// Like [`question`], but of all times: slower, and answered by a node that has forgotten the status.
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

/// The observation that one endpoint's word of a transaction on chain amounts to. An error is never final by it: that is
/// for as many voices to say as absence ([`crate::chain::no_effect`]).
pub(super) fn observation(seen: &Seen) -> Observation {
    let slot = seen.slot;
    match seen.error.clone() {
        None => Observation::Landed { slot, finalised: seen.level == Level::Finalized },
        Some(error) => Observation::Failed { slot, finalised: false, error },
    }
}
