//! Drawing a voucher: judged and written in one verb of the ledger, then signed.

use super::{ChannelError, Channels, RefusedChannel, error::not_drawn, known::KnownChannel};
use crate::{
    chain::keys::Signer as _,
    domain::{
        clock::DAY,
        mpp::{
            channel::{
                Channel, EndReason,
                draw::{CreditLine, Draw, DrawnVoucher, NotDrawn, VoucherLimits},
                reason::ChannelReason,
            },
            channel_id::ChannelSecret,
            voucher::{Certificate, Voucher},
        },
    },
    ledger::Drawn,
};
use solana_pubkey::Pubkey;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// How long a voucher waits for the settlement that its buyer's credit line asks for.
const CREDIT_PATIENCE: Duration = Duration::from_secs(8);

/// What a buyer asks to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoucherRequest {
    /// The channel, by its secret; none where the text is no such name.
    pub channel: Option<ChannelSecret>,
    /// What it is to say; the channel's public id is set here.
    pub draw: Draw,
}

/// A voucher with everything that proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedVoucher {
    /// Its ten members.
    pub voucher: Voucher,
    /// The channel's signature.
    pub signature: [u8; 64],
    /// The channel's key.
    pub signer: Pubkey,
    /// The key that certifies that.
    pub issuer: Pubkey,
    /// Its word.
    pub certificate: Certificate,
}

impl Channels {
    /// Gives a voucher that is durable, the same for the same request; see [`crate::facilitator::Facilitator::draw_voucher`].
    pub(crate) async fn draw(self: &Arc<Self>, request: VoucherRequest) -> Result<SignedVoucher, ChannelError> {
        let id = request.channel.ok_or(ChannelReason::SessionNotFound)?.public_id();
        let known = self.known(id).await?.ok_or(ChannelReason::SessionNotFound)?;
        let draw = Draw { channel: id, ..request.draw };
        let deadline = Instant::now() + CREDIT_PATIENCE;
        let (terms, is_older) = (&known.terms, known.issuer != self.shared.issuer);
        let mut reading = None;
        loop {
            // What is on record is given whatever the chain says, and costs no request.
            let last = || self.readings.young(&terms.account, self.shared.settings.channels.monitor);
            let believed = if is_older { None } else { reading.take().or_else(last) };
            let drawn = self.shared.core.ledger.draw_voucher(&draw, believed, self.limits(), self.now()).await?;
            match drawn {
                Drawn::Given(_, voucher) => return Ok(self.sign(&known, voucher)),
                Drawn::ReadingWanted if is_older => return Err(older_root().into()),
                Drawn::ReadingWanted => {
                    reading = Some(self.read_now(&terms.account, &terms.buyer, &terms.mint).await?);
                }
                Drawn::Refused(NotDrawn::CreditLine, Some(channel))
                    if self.is_worth_settling(&channel) && Instant::now() < deadline =>
                {
                    self.settle_between(&channel, deadline).await?;
                }
                Drawn::Refused(why, channel) => return Err(self.refuse(why, channel.as_deref()).into()),
            }
        }
    }

    fn limits(&self) -> VoucherLimits {
        let settings = &self.shared.settings;
        VoucherLimits {
            of_channel_per_second: settings.channels.vouchers_per_second,
            per_day: settings.caps.verify,
            credit_line: settings.channels.credit_line.map(|most| CreditLine::new(most, settings.offer.min_amount)),
        }
    }

    /// Signs what is durable.
    fn sign(&self, known: &KnownChannel, drawn: DrawnVoucher) -> SignedVoucher {
        let KnownChannel { terms, key, issuer } = known;
        let voucher = Voucher {
            channel_id: terms.id.to_string(),
            payer: terms.buyer.to_string(),
            recipient: terms.seller.to_string(),
            cumulative_amount: drawn.cumulative,
            sequence: drawn.sequence,
            meter: drawn.meter,
            units: drawn.units,
            server_nonce: drawn.server_nonce,
            chain_id: self.shared.network.chain_id().to_owned(),
            channel_program: terms.program.to_string(),
        };
        let certificate =
            Certificate { signature: terms.certificate, deposit: terms.deposit, expires: terms.expires_at };
        SignedVoucher {
            signature: key.sign(&voucher.signed_bytes()),
            voucher,
            signer: terms.signer,
            issuer: *issuer,
            certificate,
        }
    }

    /// Whether what a channel owes is worth a transaction before its end.
    fn is_worth_settling(&self, channel: &Channel) -> bool {
        self.limits().credit_line.is_some_and(|line| channel.money.owed() >= line.least)
    }

    /// Settles what a buyer owes before more may be owed, and waits for it.
    async fn settle_between(self: &Arc<Self>, channel: &Channel, deadline: Instant) -> Result<(), ChannelError> {
        let id = channel.terms.id;
        let core = &self.shared.core;
        if let Some(planned) = core.ledger.settle_channel(id, core.next_settlement_id(), self.now()).await? {
            self.carry(planned);
        }
        let settled = channel.money.settled;
        let landed = self.until(id, deadline, |record| record.channel.money.settled > settled).await?;
        if landed {
            return Ok(());
        }
        Err(RefusedChannel::because(
            ChannelReason::Unavailable,
            "What is owed to the seller has to be settled first; repeat.",
        )
        .again_in(2)
        .into())
    }

    /// The refusal, with where the channel stands; whatever looks like a drain is looked at.
    fn refuse(&self, why: NotDrawn, channel: Option<&Channel>) -> RefusedChannel {
        let now = self.now();
        let refused = not_drawn(why, DAY - now % DAY);
        let Some(channel) = channel else { return refused };
        match why {
            NotDrawn::NotOpen => {
                let state = channel.standing(now).word();
                let reason = channel.reason.or_else(|| channel.is_over(now, 0)).map(EndReason::word);
                let detail = reason.map_or_else(
                    || format!("The channel is {state}."),
                    |reason| format!("The channel is {state}, because of {reason}."),
                );
                RefusedChannel::because(ChannelReason::SessionNotOpen, detail)
            }
            NotDrawn::InsufficientBalance | NotDrawn::RoleGone => {
                self.suspects.add(&channel.terms.account);
                refused
            }
            _ => refused,
        }
    }
}

/// The refusal of a new voucher by a channel whose root was replaced.
fn older_root() -> RefusedChannel {
    let detail = "The channel is of a root that the operator has replaced, and ends; open a new one.";
    RefusedChannel::because(ChannelReason::SessionNotOpen, detail)
}
