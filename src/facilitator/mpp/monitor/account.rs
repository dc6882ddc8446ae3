//! One account on which channels stand: what its reading means for them.

use super::{ChannelMonitor, doubts::Doubt};
use crate::{
    domain::{
        amount::Amount,
        clock::UnixSeconds,
        mpp::{
            channel::{Channel, ChannelState, EndReason, MOST_REFUSALS},
            delegation::{Delegation, SETTLED_BEFORE_END},
            money::{ChannelMoney, Claimant, Reading, Role, worthwhile_shares},
        },
    },
    facilitator::{
        delegated::{self, SeenDelegation},
        mpp::channels::ChannelError,
    },
    ledger::{AccountStanding, DelegationKey, SeenRole},
};
use solana_pubkey::Pubkey;
use std::sync::atomic::Ordering;
use tokio::time::Instant;

/// What can be settled by no grant.
const UNGRANTED: Reading = Reading { role: Role::Gone, balance: 0, remaining: 0 };
/// How often a newer reading that came in between is taken instead, before the next round is waited for.
const MOST_READINGS: usize = 3;
/// A landing that is told to be so many slots later than what is read is a made-up one: an hour.
const MOST_SLOTS_AHEAD: u64 = 9_000;

/// Whether a reading as of `slot` is of a time before a landing.
const fn is_before(slot: u64, landed: u64) -> bool {
    landed > slot && landed - slot <= MOST_SLOTS_AHEAD
}

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
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let seen = self.shared.core.read_delegations_in_turn(watched, 0, turn).await?;
        let mut failed = None;
        for (delegation, seen) in watched.iter().zip(seen) {
            let judged = match seen {
                Some(seen) => self.judge(delegation, seen).await,
                None if delegation.grant.is_none() => self.judge_ungranted(delegation).await,
                None => Ok(()),
            };
            if let Err(error) = judged {
                failed = Some(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Ends the channels of a delegation that no landed message grants any more (a fork took it back, or its renewal is not
    /// complete), once that was seen twice. What is on its way may grant it again.
    async fn judge_ungranted(&self, delegation: &Delegation) -> Result<(), ChannelError> {
        let (account, core) = (&delegation.account, &self.shared.core);
        if core.ledger.issued_on_its_way(delegation.id).await?.is_some() {
            self.doubts.dispel(account, Doubt::Gone);
            return Ok(());
        }
        let standing = AccountStanding { in_flight: 0, ..core.ledger.account_standing(account).await? };
        if let Some(reason) = self.breach(account, &UNGRANTED, &standing) {
            core.ledger.end_channels_of(account, reason, core.clock.now()).await?;
        }
        self.settle_ended(delegation, &UNGRANTED).await
    }

    async fn judge(&self, delegation: &Delegation, seen: SeenDelegation) -> Result<(), ChannelError> {
        let (account, ledger, now) = (&delegation.account, &self.shared.core.ledger, self.shared.core.clock.now());
        let reading = delegated::at(delegation, seen.reading, now);
        if let Some(grant) = &delegation.grant {
            ledger.note_reading(delegation.id, &seen.to_note(grant.terms.generation, now), seen.role).await?;
        }
        self.end_before_role(account, &seen, now).await?;
        let Some((reading, standing)) = self.judged_by(account, (reading, seen.slot)).await? else { return Ok(()) };
        if let Some(reason) = self.breach(account, &reading, &standing) {
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
        self.end_of_older_roots(&channels).await?;
        self.settle_ended(delegation, &reading).await
    }

    /// Ends the channels on a Swig's role that ends before they do: a role ends in a slot, and slots were shorter than was estimated
    /// when they were opened. Once it has ended nothing is settled by it any more.
    async fn end_before_role(
        &self,
        account: &Pubkey,
        seen: &SeenDelegation,
        now: UnixSeconds,
    ) -> Result<(), ChannelError> {
        let ends = |role: SeenRole| role.expires_at.saturating_sub(SETTLED_BEFORE_END);
        if seen.reading.role == Role::Live && seen.role.is_some_and(|role| now >= ends(role)) {
            let ended = self.shared.core.ledger.end_channels_of(account, EndReason::RoleExpired, now).await?;
            if ended > 0 {
                tracing::info!(%account, channels = ended, "a role is about to end: the channels on it are settled");
            }
        }
        Ok(())
    }

    /// The newest reading of an account with what stands on it; none where the reading is of a time before the last landing, or
    /// others keep coming. What stands there was read after it, so that every landing that it shows is booked or counts as in
    /// flight; and it is not older than the reading that any of the channels was opened by.
    async fn judged_by(
        &self,
        account: &Pubkey,
        (reading, slot): (Reading, u64),
    ) -> Result<Option<(Reading, AccountStanding)>, ChannelError> {
        let readings = &self.channels.readings;
        let mut read = readings.saw(account, reading, slot);
        for _ in 0..MOST_READINGS {
            let standing = self.shared.core.ledger.account_standing(account).await?;
            let newest = readings.newest(account).unwrap_or(read);
            if newest != read {
                read = newest;
                continue;
            }
            if is_before(read.1, standing.landed_slot) {
                tracing::warn!(
                    %account, slot = read.1, landed = standing.landed_slot,
                    "an account was read as of a time before its last landing: nothing is judged by that"
                );
                readings.forget(account);
                return Ok(None);
            }
            return Ok(Some((read.0, standing)));
        }
        Ok(None)
    }

    /// Why the channels of an account are to end at once; none while they go on. That a grant is gone or an account frozen has to
    /// be seen twice.
    fn breach(&self, account: &Pubkey, reading: &Reading, standing: &AccountStanding) -> Option<EndReason> {
        let money: Vec<ChannelMoney> = standing.channels.iter().map(|channel| channel.money).collect();
        for (role, doubt) in [(Role::Gone, Doubt::Gone), (Role::Frozen, Doubt::Frozen)] {
            if reading.role != role {
                self.doubts.dispel(account, doubt);
            }
        }
        let rule = self.shared.settings.channels.emergency_rule();
        if money.is_empty() || !rule.is_broken(reading, standing.in_flight, &money) {
            return None;
        }
        let apart = self.shared.settings.channels.monitor;
        let again = |doubt| self.doubts.is_seen_again(account, doubt, apart, Instant::now());
        match reading.role {
            Role::Live => Some(EndReason::Balance),
            Role::Frozen => again(Doubt::Frozen).then_some(EndReason::Balance),
            Role::Expired => Some(EndReason::RoleExpired),
            Role::Gone => again(Doubt::Gone).then_some(EndReason::RoleRemoved),
        }
    }

    /// Ends open channels whose key is of a root from before: they give no vouchers any more.
    async fn end_of_older_roots(&self, channels: &[Channel]) -> Result<(), ChannelError> {
        for channel in channels.iter().filter(|channel| channel.state == ChannelState::Open) {
            if self.channels.is_of_older_root(&channel.terms) {
                self.channels.end(channel.terms.id, EndReason::Operator).await?;
            }
        }
        Ok(())
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
