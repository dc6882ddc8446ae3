//! Sends the recorded bytes, and looks at what became of them.
//!
//! Whatever an endpoint says of a send, only looking tells whether the bytes will land.

use super::{Settlements, driver::Drive};
use crate::{chain::Commitment, domain::settlement::Observation};
use std::time::Duration;

/// How long one look at the chain waits for news before the same bytes are sent again.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long one look waits for finality.
const FINAL_PATIENCE: Duration = Duration::from_secs(20);

impl Settlements {
    /// Sends the recorded bytes, and looks at the same time: notices are pushed only to those who subscribed before.
    pub(crate) async fn send_and_look(&self, drive: &mut Drive) {
        let Some(attempt) = drive.attempt.clone() else { return self.look(drive).await };
        let (sent, ()) = tokio::join!(self.core.chain.send(&attempt), self.look(drive));
        if let Err(error) = sent {
            tracing::debug!(settlement = %drive.settlement.id, %error, "send was not acknowledged");
        }
    }

    /// Waits a while for news of the live attempt.
    pub(crate) async fn look(&self, drive: &mut Drive) {
        let Some(attempt) = drive.attempt.clone() else {
            drive.seen = Observation::Unknown;
            return drive.back_off().await;
        };
        let (want, patience) = match &drive.seen {
            // A failure counts once it is final.
            Observation::Failed { .. } => (Commitment::Finalized, FINAL_PATIENCE),
            // The first look asks where it stands and waits for nothing: the bytes may never have been sent.
            Observation::NotAsked => (Commitment::Confirmed, Duration::ZERO),
            _ => (Commitment::Confirmed, PATIENCE),
        };
        match self.core.chain.observe(&attempt, want, patience).await {
            Ok(seen) => {
                if matches!(seen, Observation::Failed { .. })
                    && let Some(locked) = &mut drive.locked
                {
                    // Its handles are wrong for good; until it is final others need not wait for it.
                    locked.downgrade();
                }
                let idle = matches!(seen, Observation::Unknown | Observation::Unproved(_));
                drive.saw(seen);
                if idle {
                    self.note_past(drive.settlement.id, &attempt).await;
                    drive.back_off().await;
                } else {
                    drive.reset_backoff();
                }
            }
            Err(error) => {
                tracing::debug!(settlement = %drive.settlement.id, %error, "the chain does not answer");
                drive.seen = Observation::Unknown;
                drive.back_off().await;
            }
        }
    }
}
