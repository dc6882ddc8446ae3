//! What a fork took back, handed to the same driver that carried it.

use crate::facilitator::{dispatch::Dispatch, revocations::Revocations, settlement::Settlements};
use std::sync::Arc;

/// Has driven again what the watch over finality finds gone. Never ends.
pub(in crate::facilitator) async fn finality_rounds(
    settlements: Arc<Settlements>,
    dispatch: Arc<Dispatch>,
    revocations: Arc<Revocations>,
) {
    loop {
        for not_final in settlements.next_not_final().await {
            if !not_final.purpose().keeps_openings_out() {
                dispatch.drive_again(not_final);
            } else if let Err(error) = revocations.drive_again(not_final).await {
                tracing::warn!(%error, "a revoke is not driven again yet; the next round tries");
            }
        }
    }
}
