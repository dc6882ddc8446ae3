//! Closing a channel: no more vouchers, and one settlement of what is owed.

use super::{ChannelError, Channels, RefusedChannel};
use crate::{
    domain::{
        mpp::{
            channel::{Channel, ChannelState, EndReason, reason::ChannelReason},
            channel_id::PublicId,
            money::Closing,
            siwx::Proof,
        },
        settlement::Settlement,
    },
    facilitator::{mpp::SentSignIn, settlement::driver::Until},
    ledger::{ChannelRecord, Work},
};
use solana_signature::Signature;
use std::sync::Arc;
use tokio::time::Instant;

/// Who closes which channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseChannelRequest {
    /// Whoever knows its secret.
    BySecret(PublicId),
    /// Its buyer, by what they have signed; nothing is verified.
    ByProof(PublicId, Vec<SentSignIn>),
    /// What is named can be no channel's.
    Unknown,
}

/// A channel that is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedChannel {
    /// As it ended.
    pub channel: Channel,
    /// The three parts of its deposit.
    pub parts: Closing,
    /// Its last settlement.
    pub transaction: Option<Signature>,
    /// How long it gave vouchers, in seconds.
    pub duration: u64,
}

impl Channels {
    /// Closes a channel, or tells how it was closed; see [`crate::facilitator::Facilitator::close_channel`].
    pub(crate) async fn close(self: &Arc<Self>, request: CloseChannelRequest) -> Result<ClosedChannel, ChannelError> {
        let deadline = Instant::now() + self.shared.core.settings.answer_deadline;
        let id = self.authorised(&request).await?;
        let record = self.end(id, EndReason::Buyer).await?.ok_or(ChannelReason::SessionNotFound)?;
        match record.channel.state {
            ChannelState::Closed => return Ok(self.closed(record)),
            ChannelState::Opening | ChannelState::Failed => return Err(ChannelReason::SessionNotFound.into()),
            ChannelState::Open | ChannelState::Closing => {}
        }
        self.until(id, deadline, |record| record.channel.state == ChannelState::Closed).await?;
        let record = self.shared.core.ledger.find_channel(id).await?.ok_or(ChannelReason::SessionNotFound)?;
        if record.channel.state == ChannelState::Closed {
            return Ok(self.closed(record));
        }
        Err(RefusedChannel::new(ChannelReason::ClosePending).again_in(2).into())
    }

    /// The channel, where the caller may close it; nobody is told of one that they may not.
    async fn authorised(&self, request: &CloseChannelRequest) -> Result<PublicId, ChannelError> {
        match request {
            CloseChannelRequest::BySecret(id) => Ok(*id),
            CloseChannelRequest::ByProof(id, proofs) => {
                let record = self.shared.core.ledger.find_channel(*id).await?.ok_or(ChannelReason::SessionNotFound)?;
                let buyer = record.channel.terms.buyer;
                let proof = self.verified(proofs, &buyer, &Proof::Close(*id));
                proof.map(|_| *id).ok_or_else(|| ChannelReason::SessionNotFound.into())
            }
            CloseChannelRequest::Unknown => Err(ChannelReason::SessionNotFound.into()),
        }
    }

    fn closed(&self, record: ChannelRecord) -> ClosedChannel {
        let channel = record.channel;
        ClosedChannel {
            parts: channel.money.closing(),
            transaction: record.last_settled,
            duration: channel.duration(self.now()),
            channel,
        }
    }

    /// Ends a channel for this reason, and has the settlement of what it owes carried.
    pub(crate) async fn end(
        self: &Arc<Self>,
        id: PublicId,
        reason: EndReason,
    ) -> Result<Option<ChannelRecord>, ChannelError> {
        let core = &self.shared.core;
        let ended = core.ledger.end_channel(id, reason, core.next_settlement_id(), self.now()).await?;
        let Some((record, planned)) = ended else { return Ok(None) };
        if let Some(planned) = planned {
            self.carry(planned);
        }
        Ok(Some(record))
    }

    /// Has a planned settlement driven until it has landed or come to nothing, whoever waits for it.
    pub(crate) fn carry(self: &Arc<Self>, planned: Settlement) {
        let this = Arc::clone(self);
        self.shared.core.tasks.spawn(async move {
            // A background round that finds it unfinished leaves it to us.
            let Some(_queued) = this.shared.settlements.queued.start(planned.id) else { return };
            let work = Work { settlement: planned, attempt: None };
            this.shared.dispatch.carry(work, Until::Landed, None).await;
        });
    }

    /// Waits until a channel is as it is wanted; false where the time is over first.
    pub(super) async fn until(
        &self,
        id: PublicId,
        deadline: Instant,
        is_wanted: impl Fn(&ChannelRecord) -> bool,
    ) -> Result<bool, ChannelError> {
        loop {
            let told = self.shared.settlements.progress.of_any();
            let record = self.shared.core.ledger.find_channel(id).await?;
            if record.is_some_and(|record| is_wanted(&record)) {
                return Ok(true);
            }
            if tokio::time::timeout_at(deadline, told).await.is_err() {
                return Ok(false);
            }
        }
    }
}
