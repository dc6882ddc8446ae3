//! The probe of the deployed token program, for a service that starts: asked until it has answered, and heeded whenever
//! that is.
//!
//! Promises: a service does not begin with a program that is known to be unsafe, and one that turns out to be unsafe later
//! ends it. An outage does not keep it from the sessions it already serves: they do not depend on the answer.

use super::wiring::WiringError;
use crate::{
    config::{Config, DecryptAllowance, SettleInstruction, SettlementConfig},
    facilitator::{Facilitator, ProbeReport, ProbeVerdict},
};
use std::{future::pending, sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

/// How long a start waits for an answer. A probe that has to make its accounts first takes a few slots.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pause after a probe without an answer; doubled up to the longest, because a probe may cost fees.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// What is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Heard {
    Nothing,
    /// It could not be asked, and is asked again.
    Trouble,
    Usable,
    Unusable(&'static str),
    /// And the configuration never buys them.
    NeedsAllowances,
}

/// A probe under way, or its answer. Nobody is asked any more once this is dropped.
pub(super) struct Probing {
    heard: watch::Receiver<Heard>,
    _task: Option<AbortOnDropHandle<()>>,
}

impl Probing {
    /// Begins to ask, if the configuration relies on the answer. Returns with the answer, or without when it takes long.
    pub(super) async fn begin(facilitator: &Arc<Facilitator>, config: &Config) -> Result<Self, WiringError> {
        let settlement = &config.settlement;
        if !settlement.probe || settlement.settle_instruction == SettleInstruction::Transfer {
            return Ok(Self { heard: watch::channel(Heard::Usable).1, _task: None });
        }
        let (tell, mut heard) = watch::channel(Heard::Nothing);
        let task = tokio::spawn(ask(Arc::clone(facilitator), settlement.clone(), tell));
        let first =
            timeout(PATIENCE, heard.wait_for(|heard| *heard != Heard::Nothing)).await.map(|it| it.map(|it| *it));
        if let Ok(Ok(heard)) = first {
            judge(heard)?;
        } else {
            tracing::warn!("serving before the token program has answered its probe");
        }
        Ok(Self { heard, _task: Some(AbortOnDropHandle::new(task)) })
    }

    /// Waits until the program turns out not to be usable; for ever when it is.
    pub(super) async fn refusal(mut self) -> WiringError {
        let refused = |heard: &Heard| judge(*heard).is_err();
        match self.heard.wait_for(refused).await.map(|heard| judge(*heard)) {
            Ok(Err(refusal)) => refusal,
            Ok(Ok(())) | Err(_) => pending().await,
        }
    }
}

const fn judge(heard: Heard) -> Result<(), WiringError> {
    match heard {
        Heard::Nothing | Heard::Trouble | Heard::Usable => Ok(()),
        Heard::Unusable(why) => Err(WiringError::Unusable(why)),
        Heard::NeedsAllowances => Err(WiringError::NeedsAllowances),
    }
}

/// Asks until there is an answer.
async fn ask(facilitator: Arc<Facilitator>, settlement: SettlementConfig, tell: watch::Sender<Heard>) {
    let mut pause = FIRST_PAUSE;
    loop {
        match facilitator.probe().await.map(ProbeReport::verdict) {
            Ok(ProbeVerdict::Unusable(why)) if settlement.settle_instruction == SettleInstruction::Auto => {
                facilitator.apply_probe(ProbeVerdict::Unusable(why));
                tracing::warn!(
                    reason = why,
                    "settling with plain transfers: the signed ones do not do what is relied on"
                );
                tell.send_replace(Heard::Usable);
                return ask_of_handles(&facilitator).await;
            }
            Ok(ProbeVerdict::Unusable(why)) => {
                tell.send_replace(Heard::Unusable(why));
                return;
            }
            Ok(ProbeVerdict::NeedsAllowances) if settlement.decrypt_allowance == DecryptAllowance::Never => {
                tell.send_replace(Heard::NeedsAllowances);
                return;
            }
            Ok(verdict @ (ProbeVerdict::Usable | ProbeVerdict::NeedsAllowances)) => {
                facilitator.apply_probe(verdict);
                tracing::info!(?verdict, "the token program has been probed");
                tell.send_replace(Heard::Usable);
                return ask_of_handles(&facilitator).await;
            }
            Err(error) => {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(%error, source, "the token program could not be probed; it is asked again");
            }
        }
        tell.send_replace(Heard::Trouble);
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Asks what handles are made from until there is an answer. Nothing waits for it: before, and where it is no, witnesses are
/// read in final states.
async fn ask_of_handles(facilitator: &Arc<Facilitator>) {
    let mut pause = FIRST_PAUSE;
    loop {
        match facilitator.probe_handles().await {
            Ok(report) => {
                facilitator.apply_handles(report);
                tracing::info!(verdict = ?report, "the handles of the token program have been probed");
                return;
            }
            Err(error) => {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(%error, source, "handles could not be probed; it is asked again");
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
