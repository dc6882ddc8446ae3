//! The watch over the accounts behind channels (`spec/mpp.md` §9): in each round it ends what has lain still or is over, settles
//! what is owed for too long, looks at every account on which channels stand, and settles at once where one has less than it must.
//!
//! Owns nothing but doubts, which are acted upon when they are seen again, and whose turn it is: each look asks another endpoint
//! first, so that no account is told of by one alone. Everything that it does is a verb of the
//! ledger or a settlement that the driver carries, so a process that dies in a round loses nothing.

mod account;
mod doubts;
mod write_off;

use crate::{
    domain::mpp::channel::{Channel, reason::ChannelReason},
    facilitator::{
        FacilitatorError,
        mpp::{
            MppShared,
            channels::{ChannelError, Channels},
        },
        tasks::ticks,
    },
    ledger::{ChannelTimes, LedgerError},
};
use doubts::Doubts;
use solana_pubkey::Pubkey;
use std::sync::{Arc, Mutex, atomic::AtomicUsize};
use tokio::time::Instant;

/// How many vouchers of ended channels one verb forgets.
const PRUNED_AT_ONCE: u64 = 500;
/// How many such verbs a round asks for: the watch over accounts waits for them.
const PRUNES_OF_ROUND: u32 = 20;

/// Watches the accounts behind channels.
pub(crate) struct ChannelMonitor {
    shared: Arc<MppShared>,
    channels: Arc<Channels>,
    doubts: Doubts,
    /// When all endpoints are asked again, once too few have answered: waiting for a silent one would hold up every round.
    asks_again: Mutex<Option<Instant>>,
    /// Whose turn it is among the endpoints.
    turn: AtomicUsize,
}

impl ChannelMonitor {
    pub(crate) fn new(shared: Arc<MppShared>, channels: Arc<Channels>) -> Self {
        let turn = AtomicUsize::new(0);
        Self { shared, channels, doubts: Doubts::default(), asks_again: Mutex::default(), turn }
    }

    /// Looks in rounds, and between them at whatever account is suspected. Never ends by itself.
    pub(crate) async fn rounds(self: Arc<Self>) {
        let mut ticks = ticks(self.shared.settings.channels.monitor);
        loop {
            let done = tokio::select! {
                _ = ticks.tick() => tokio::join!(self.compare_clocks(), self.round()).1,
                accounts = self.channels.suspects.taken() => self.look_at(&accounts).await,
            };
            if let Err(error) = done {
                tracing::warn!(
                    error = cause(&error),
                    "the watch over channels did not do all that it had to; the next round tries again"
                );
            }
        }
    }

    /// Compares our clock with the chain's, beside a round: whoever is silent there holds up nobody.
    async fn compare_clocks(&self) {
        if let Err(error) = self.shared.compare_clocks().await {
            tracing::debug!(%error, "the clocks are not compared in this round");
        }
    }

    /// One round. What fails in a part of it is kept from none of the others: the accounts come first, because a drain waits for
    /// nobody.
    async fn round(&self) -> Result<(), ChannelError> {
        let looked = self.look_at_all().await;
        let ended = self.end_what_is_due().await;
        let forgotten = self.forget_vouchers().await;
        looked.and(ended).and(forgotten.map_err(ChannelError::from))
    }

    /// Looks at every account on which something stands.
    async fn look_at_all(&self) -> Result<(), ChannelError> {
        let watched = self.shared.core.ledger.delegations_in_use().await?;
        let accounts: Vec<Pubkey> = watched.iter().map(|delegation| delegation.account).collect();
        self.channels.readings.keep_only(&accounts);
        self.doubts.keep_only(&accounts);
        self.look(&watched).await
    }

    /// Ends channels whose time is over, and settles those that have owed for too long; each by itself.
    async fn end_what_is_due(&self) -> Result<(), ChannelError> {
        let (core, settings) = (&self.shared.core, &self.shared.settings.channels);
        let times = ChannelTimes { grace: settings.grace.as_secs(), most_owed: settings.max_owed.as_secs() };
        let mut failed = None;
        for channel in core.ledger.due_channels(times, core.clock.now()).await? {
            if let Err(error) = self.end_or_settle(&channel, times).await {
                tracing::debug!(channel = %channel.terms.id, error = cause(&error), "a channel that is due is not ended now");
                failed = Some(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn end_or_settle(&self, channel: &Channel, times: ChannelTimes) -> Result<(), ChannelError> {
        let (core, id) = (&self.shared.core, channel.terms.id);
        let now = core.clock.now();
        if let Some(reason) = channel.is_over(now, times.grace) {
            tracing::info!(channel = %id, reason = reason.word(), "a channel ends");
            self.channels.end(id, reason).await?;
        } else if let Some(planned) = core.ledger.settle_channel(id, core.next_settlement_id(), now).await? {
            tracing::info!(channel = %id, "a channel has owed for long and is settled in between");
            self.channels.carry(planned);
        }
        Ok(())
    }

    /// Forgets vouchers of channels that ended long ago.
    async fn forget_vouchers(&self) -> Result<(), LedgerError> {
        let core = &self.shared.core;
        let before = core.clock.now().saturating_sub(self.shared.settings.channels.voucher_retention);
        for _ in 0..PRUNES_OF_ROUND {
            if core.ledger.prune_vouchers(before, PRUNED_AT_ONCE).await? == 0 {
                break;
            }
        }
        Ok(())
    }
}

/// The cause of a failure, for the log.
fn cause(error: &ChannelError) -> String {
    match error {
        FacilitatorError::Refused(refused) => refused.reason.word().to_owned(),
        FacilitatorError::Unavailable { source, .. } | FacilitatorError::Broken(source) => source.to_string(),
        FacilitatorError::Overloaded { .. } => ChannelReason::Unavailable.word().to_owned(),
    }
}
