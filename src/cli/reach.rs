//! The first words with the chain: whether it is the configured one, and what a start cannot go on without.
//!
//! Promises: a service is started for the configured network or not at all, and trouble with the RPC is not an answer:
//! a service that starts in the middle of it waits until it is over, and says so, as it would have lived through it.

use super::wiring::WiringError;
use crate::{
    chain::{Chain, ChainError},
    config::NetworkName,
    domain::network::Network,
};
use std::time::Duration;
use tokio::{sync::watch, time::sleep};

/// The pause after the first question without an answer; doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// What an RPC without an answer means to a command.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trouble<'a> {
    /// It is what the command is there to tell.
    IsTold,
    /// It passes, and meanwhile this is told what was answered last.
    IsWaitedOut(&'a watch::Sender<Option<String>>),
}

/// The network that the chain's endpoints serve, which is the configured one.
pub(super) async fn reach(chain: &dyn Chain, name: &NetworkName, trouble: Trouble<'_>) -> Result<Network, WiringError> {
    let genesis = answered(trouble, || chain.genesis_hash()).await?;
    Ok(name.resolve(&genesis)?)
}

/// What the chain answers to a question of the start: asked again until it does, where trouble is waited out.
pub(super) async fn answered<T, F>(trouble: Trouble<'_>, ask: impl Fn() -> F) -> Result<T, ChainError>
where
    F: Future<Output = Result<T, ChainError>>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        let why = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(why) => why,
        };
        let ChainError::Unavailable { retry_after, source, .. } = &why else { return Err(why) };
        let Trouble::IsWaitedOut(told) = trouble else { return Err(why) };
        told.send_replace(Some(format!("it waits for the Solana RPC: {}", why.with_cause())));
        let wait = retry_after.unwrap_or(pause).max(pause);
        let cause = source.as_deref().map(tracing::field::display);
        let wait_ms = wait.as_millis();
        tracing::warn!(error = %why, cause, wait_ms, "the start waits for the Solana RPC");
        sleep(wait).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
