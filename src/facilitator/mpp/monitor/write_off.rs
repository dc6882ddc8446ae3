//! What channels owe and nobody can pay any more is written off, once every endpoint was asked (`spec/mpp.md` §9, ADR 0066).

use super::ChannelMonitor;
use crate::{
    domain::{
        amount::Amount,
        mpp::{
            channel::{Channel, EndReason, MOST_REFUSALS},
            delegation::Delegation,
            money::Claimant,
        },
    },
    facilitator::{
        delegated,
        mpp::{
            channels::ChannelError,
            consensus::{Consensus, Word},
        },
    },
};

impl ChannelMonitor {
    /// Writes off what the ended channels of an account owe, where nobody says that anything is there. Where one endpoint says so
    /// nothing is, and what it says is there is settled: that it lands with an error is proof.
    pub(super) async fn write_off_account(
        &self,
        delegation: &Delegation,
        claimants: &[Claimant],
    ) -> Result<(), ChannelError> {
        let (account, core) = (&delegation.account, &self.shared.core);
        match self.what_is_left(delegation, claimants).await? {
            Consensus::Nothing => {
                for (channel, lost) in core.ledger.write_off_account(account).await? {
                    tracing::error!(%channel, lost = lost.get(), "what a channel owes cannot be paid any more: its seller has lost it");
                }
                self.shared.settlements.progress.notify_waiters();
            }
            Consensus::Contradicted { endpoint, by } => {
                tracing::error!(
                    buyer = %delegation.buyer, endpoint, available = by.get(),
                    "an RPC endpoint says that an account can pay which another calls empty: nothing is written off, and it is settled"
                );
                self.plan_shares(account, by, claimants).await?;
            }
            Consensus::Undecided => tracing::warn!(
                buyer = %delegation.buyer,
                "too few RPC providers say that an account can pay nothing any more: what its channels owe is not written off yet"
            ),
        }
        Ok(())
    }

    /// What every endpoint says that the account behind channels can still pay; what is worth no transaction is nothing.
    async fn what_is_left(
        &self,
        delegation: &Delegation,
        claimants: &[Claimant],
    ) -> Result<Consensus<Amount>, ChannelError> {
        let core = &self.shared.core;
        let Some(granted) = core.granted(delegation) else { return Ok(Consensus::Undecided) };
        let told = core.chain.accounts_everywhere(&granted.accounts()).await?;
        let now = core.clock.now();
        Ok(core.consensus(&told, |endpoint| {
            let Some((slot, accounts)) = &endpoint.told else { return Word::Silent };
            let seen = core.seen(&granted, *slot, accounts);
            let available = delegated::at(delegation, seen.reading, now).available();
            if self.is_worth_something(available, claimants) { Word::Something(available) } else { Word::Nothing }
        }))
    }

    /// Writes off what a channel owes whose settlements failed: at once where its seller's account takes nothing, else after some.
    pub(super) async fn write_off_unpayable(&self, channel: &Channel) -> Result<(), ChannelError> {
        let reason = if self.takes_nothing(channel).await? {
            EndReason::SellerAccount
        } else if channel.refusals >= MOST_REFUSALS {
            channel.reason.unwrap_or(EndReason::Balance)
        } else {
            return Ok(());
        };
        let id = channel.terms.id;
        let lost = self.shared.core.ledger.write_off_channel(id, reason).await?;
        if lost > Amount::ZERO {
            tracing::error!(channel = %id, lost = lost.get(), reason = reason.word(), "a channel's settlements fail: its seller has lost what it owes");
            self.shared.settlements.progress.notify_waiters();
        }
        Ok(())
    }

    /// Whether the account of a channel's seller takes nothing, as every endpoint says.
    async fn takes_nothing(&self, channel: &Channel) -> Result<bool, ChannelError> {
        let seller = &channel.terms.seller;
        if self.channels.can_be_paid(seller).await? {
            return Ok(false);
        }
        match self.channels.can_be_paid_anywhere(seller).await? {
            Consensus::Nothing => Ok(true),
            Consensus::Contradicted { endpoint, .. } => {
                tracing::error!(
                    channel = %channel.terms.id, endpoint,
                    "an RPC endpoint has a seller's token account which another does not: nothing is written off"
                );
                Ok(false)
            }
            Consensus::Undecided => Ok(false),
        }
    }
}
