//! The poller: one task asks about every transaction that is waited for, many in one request.

use crate::chain::{
    ChainError,
    pool::Pool,
    signature_statuses::{Seen, SignatureStatuses},
    statuses::{self, Statuses},
    voices::Whom,
};
use solana_rpc_client_api::request::MAX_GET_SIGNATURE_STATUSES_QUERY_ITEMS;
use solana_signature::Signature;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// The pause after a failed request that names none itself.
const PAUSE_AFTER_FAULT: Duration = Duration::from_millis(500);

/// Polls whenever something is due; never ends.
pub(super) async fn poll(pool: &Pool, statuses: &SignatureStatuses) {
    loop {
        let Some(due) = statuses.next_due() else {
            statuses.changed.notified().await;
            continue;
        };
        if due > Instant::now() {
            tokio::select! {
                () = sleep_until(due) => {}
                () = statuses.changed.notified() => continue,
            }
        }
        let signatures = statuses.take_due(MAX_GET_SIGNATURE_STATUSES_QUERY_ITEMS);
        if let Err(error) = ask(pool, statuses, &signatures).await {
            tracing::warn!(%error, cause = pool.trouble(), "the status of transactions cannot be read");
            sleep(pause_after(&error)).await;
        }
    }
}

async fn ask(pool: &Pool, statuses: &SignatureStatuses, signatures: &[Signature]) -> Result<(), ChainError> {
    if signatures.is_empty() {
        return Ok(());
    }
    let question = statuses::question(signatures);
    let (by, answer) = pool.ask_whom(&question, Whom::Anybody, |_: &Statuses| true).await?;
    let answer = statuses::checked(answer, signatures)?;
    for (signature, status) in signatures.iter().zip(&answer.value) {
        let seen = status.as_ref().map(|status| Seen::told(by, status));
        statuses.answered(signature, answer.context.slot, seen.as_ref());
    }
    Ok(())
}

fn pause_after(error: &ChainError) -> Duration {
    match error {
        ChainError::Unavailable { retry_after: Some(after), .. } => *after,
        ChainError::Unavailable { .. } | ChainError::Refused(_) | ChainError::Inconsistent(_) => PAUSE_AFTER_FAULT,
    }
}
