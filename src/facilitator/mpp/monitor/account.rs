//! One account on which channels stand: what its reading means for them.

use super::{ChannelMonitor, doubts::Doubt};
use crate::{
    domain::{
        amount::Amount,
        mpp::{
            channel::{Channel, ChannelState, EndReason, MOST_REFUSALS},
            delegation::Delegation,
            money::{ChannelMoney, Claimant, Reading, Role, worthwhile_shares},
        },
    },
    facilitator::{
        delegated::{self, SeenDelegation},
        mpp::channels::ChannelError,
    },
    ledger::DelegationKey,
};
use solana_pubkey::Pubkey;
use tokio::time::Instant;

impl ChannelMonitor {
    /// Looks at accounts that are suspected.
    pub(super) async fn look_at(&self, accounts: &[Pubkey]) -> Result<(), ChannelError> {
        let mut watched = Vec::with_capacity(accounts.len());
        for account in accounts {
            watched.extend(self.shared.core.ledger.delegation(&DelegationKey::Account(*account)).await?);
        }
        self.look(&watched).await
    }

    /// Looks at these accounts, and does what follows for the channels on each. What one account asks for is not kept from the
    /// others by a failure of its own.
    pub(super) async fn look(&self, watched: &[Delegation]) -> Result<(), ChannelError> {
        let seen = self.shared.core.read_delegations(watched, 0).await?;
        let mut failed = None;
        for (delegation, seen) in watched.iter().zip(seen) {
            let Some(seen) = seen else { continue };
            if let Err(error) = self.judge(delegation, seen).await {
                failed = Some(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn judge(&self, delegation: &Delegation, seen: SeenDelegation) -> Result<(), ChannelError> {
        let (account, ledger, now) = (&delegation.account, &self.shared.core.ledger, self.shared.core.clock.now());
        let reading = delegated::at(delegation, seen.reading, now);
        self.channels.readings.saw(account, reading, seen.slot);
        if let Some(grant) = &delegation.grant {
            ledger.note_reading(delegation.id, &seen.to_note(grant.terms.generation, now), seen.role).await?;
        }
        let channels = ledger.channels_of(account).await?;
        let in_flight = ledger.in_flight_of(account).await?;
        if let Some(reason) = self.breach(account, &reading, in_flight, &channels) {
            let ended = ledger.end_channels_of(account, reason, now).await?;
            if ended > 0 {
                tracing::error!(
                    buyer = %delegation.buyer, channels = ended, reason = reason.word(),
                    available = reading.available().get(),
                    "the account behind channels has less than it must: they are settled at once"
                );
            }
        }
        let channels = ledger.channels_of(account).await?;
        self.end_unpayable(&channels).await?;
        self.settle_ended(delegation, &reading).await
    }

    /// Why the channels of an account are to end at once; none while they go on. That a grant is gone has to be seen twice.
    fn breach(&self, account: &Pubkey, reading: &Reading, in_flight: u128, channels: &[Channel]) -> Option<EndReason> {
        let money: Vec<ChannelMoney> = channels.iter().map(|channel| channel.money).collect();
        if reading.role != Role::Gone {
            self.doubts.dispel(account, Doubt::Gone);
        }
        let rule = self.shared.settings.channels.emergency_rule();
        if channels.is_empty() || !rule.is_broken(reading, in_flight, &money) {
            return None;
        }
        match reading.role {
            Role::Live | Role::Frozen => Some(EndReason::Balance),
            Role::Expired => Some(EndReason::RoleExpired),
            Role::Gone => {
                let apart = self.shared.settings.channels.monitor;
                self.doubts.is_seen_again(account, Doubt::Gone, apart, Instant::now()).then_some(EndReason::RoleRemoved)
            }
        }
    }

    /// Ends open channels whose settlements fail: their seller's account takes nothing, or nobody knows why.
    async fn end_unpayable(&self, channels: &[Channel]) -> Result<(), ChannelError> {
        for channel in channels.iter().filter(|channel| channel.state == ChannelState::Open && channel.refusals > 0) {
            if !self.channels.can_be_paid(&channel.terms.seller).await? {
                self.channels.end(channel.terms.id, EndReason::SellerAccount).await?;
            } else if channel.refusals >= MOST_REFUSALS {
                self.channels.end(channel.terms.id, EndReason::Balance).await?;
            }
        }
        Ok(())
    }

    /// Settles what the ended channels of an account owe and nothing carries: in full where it fits, else in proportion. What
    /// cannot be paid is written off when it is seen twice that nothing is there that is worth a transaction, and every endpoint
    /// says so.
    async fn settle_ended(&self, delegation: &Delegation, reading: &Reading) -> Result<(), ChannelError> {
        let (account, core) = (&delegation.account, &self.shared.core);
        let channels = core.ledger.channels_of(account).await?;
        let owing = |channel: &&Channel| channel.state == ChannelState::Closing && channel.money.owed() > Amount::ZERO;
        let ended: Vec<&Channel> = channels.iter().filter(owing).collect();
        if ended.is_empty() {
            self.doubts.dispel(account, Doubt::Empty);
            return Ok(());
        }
        for channel in ended.iter().filter(|channel| channel.refusals > 0) {
            self.write_off_unpayable(channel).await?;
        }
        let claimants: Vec<Claimant> = ended.iter().map(|channel| Claimant::from(*channel)).collect();
        if self.plan_shares(account, reading.available(), &claimants).await? {
            self.doubts.dispel(account, Doubt::Empty);
            return Ok(());
        }
        if self.doubts.is_seen_again(account, Doubt::Empty, self.shared.settings.channels.monitor, Instant::now()) {
            self.write_off_account(delegation, &claimants).await?;
        }
        Ok(())
    }

    /// Has what is available of an account settled among its ended channels that owe; false where it is worth no transaction.
    pub(super) async fn plan_shares(
        &self,
        account: &Pubkey,
        available: Amount,
        claimants: &[Claimant],
    ) -> Result<bool, ChannelError> {
        if !self.is_worth_something(available, claimants) {
            return Ok(false);
        }
        let core = &self.shared.core;
        let ids = claimants.iter().map(|_| core.next_settlement_id()).collect();
        let least = self.shared.settings.offer.min_amount;
        for settlement in core.ledger.plan_shares(account, available, ids, least, core.clock.now()).await? {
            self.channels.carry(settlement);
        }
        Ok(true)
    }

    /// Whether so much pays a share that is worth a transaction.
    pub(super) fn is_worth_something(&self, available: Amount, claimants: &[Claimant]) -> bool {
        let shares = worthwhile_shares(available, self.shared.settings.offer.min_amount, claimants);
        shares.into_iter().any(|share| share > Amount::ZERO)
    }
}
