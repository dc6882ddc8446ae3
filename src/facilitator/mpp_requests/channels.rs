//! What callers ask of channels.

use crate::{
    domain::mpp::{channel::reason::ChannelReason, channel_id::PublicId},
    facilitator::{
        ChannelError, CloseChannelRequest, ClosedChannel, Facilitator, OpenChannelRequest, OpenedChannel, ShownChannel,
        SignedVoucher, VoucherRequest, mpp::channels::Channels,
    },
};
use std::sync::Arc;

impl Facilitator {
    /// Opens a channel from a buyer to a seller: where the wallet wants it, the delegation is live and lasts, the seller can be
    /// paid, and the deposit fits beside what is reserved. Answers when its anchor has landed.
    ///
    /// A proof that comes again with equal terms finds the channel that it opened. Refuses with the words of `spec/mpp.md` §7; not in
    /// time with `session_open_failed`, and then nothing is reserved.
    pub async fn open_channel(&self, request: OpenChannelRequest) -> Result<OpenedChannel, ChannelError> {
        self.channels()?.open(request).await
    }

    /// Gives a voucher for what is owed in all. It is durable before it is signed, and what is asked for again is answered with
    /// the same bytes.
    pub async fn draw_voucher(&self, request: VoucherRequest) -> Result<SignedVoucher, ChannelError> {
        self.channels()?.draw(request).await
    }

    /// Closes a channel: it gives no more vouchers, and what they say is settled once. Idempotent for ever: a closed channel
    /// answers its numbers, whoever closed it. Not in time: `close_pending`.
    pub async fn close_channel(&self, request: CloseChannelRequest) -> Result<ClosedChannel, ChannelError> {
        self.channels()?.close(request).await
    }

    /// The channel with this public id, as everybody may see it.
    pub async fn channel(&self, id: PublicId) -> Result<Option<ShownChannel>, ChannelError> {
        self.channels()?.show(id).await
    }

    fn channels(&self) -> Result<&Arc<Channels>, ChannelError> {
        self.mpp.as_ref().map(|mpp| &mpp.channels).ok_or_else(|| ChannelReason::MppDisabled.into())
    }
}
