//! The verbs of channels, at which a process dies like at all others.

use super::MortalLedger;
use async_trait::async_trait;
use solana_pubkey::Pubkey;
use sotto::{
    domain::{
        amount::Amount,
        clock::UnixSeconds,
        mpp::{
            channel::{
                Channel, EndReason,
                draw::{Draw, VoucherLimits},
                plan::ChannelPlan,
            },
            channel_id::PublicId,
            money::Reading,
        },
        settlement::{Settlement, SettlementId},
    },
    ledger::{
        AccountStanding, ChannelCounts, ChannelLedger, ChannelOpened, ChannelRecord, ChannelTimes, Drawn, LedgerError,
    },
};

#[async_trait]
impl ChannelLedger for MortalLedger {
    async fn open_channel(&self, plan: &ChannelPlan, now: UnixSeconds) -> Result<ChannelOpened, LedgerError> {
        self.fate.step("open_channel", self.inner.open_channel(plan, now)).await
    }

    async fn find_channel(&self, id: PublicId) -> Result<Option<ChannelRecord>, LedgerError> {
        self.fate.step("find_channel", self.inner.find_channel(id)).await
    }

    async fn fail_channel(&self, id: PublicId) -> Result<Option<ChannelRecord>, LedgerError> {
        self.fate.step("fail_channel", self.inner.fail_channel(id)).await
    }

    async fn fail_openings(&self) -> Result<u64, LedgerError> {
        self.fate.step("fail_openings", self.inner.fail_openings()).await
    }

    async fn draw_voucher(
        &self,
        draw: &Draw,
        reading: Option<Reading>,
        limits: VoucherLimits,
        now: UnixSeconds,
    ) -> Result<Drawn, LedgerError> {
        self.fate.step("draw_voucher", self.inner.draw_voucher(draw, reading, limits, now)).await
    }

    async fn end_channel(
        &self,
        id: PublicId,
        reason: EndReason,
        settlement: SettlementId,
        now: UnixSeconds,
    ) -> Result<Option<(ChannelRecord, Option<Settlement>)>, LedgerError> {
        self.fate.step("end_channel", self.inner.end_channel(id, reason, settlement, now)).await
    }

    async fn settle_channel(
        &self,
        id: PublicId,
        settlement: SettlementId,
        now: UnixSeconds,
    ) -> Result<Option<Settlement>, LedgerError> {
        self.fate.step("settle_channel", self.inner.settle_channel(id, settlement, now)).await
    }

    async fn end_channels_of(&self, account: &Pubkey, reason: EndReason, now: UnixSeconds) -> Result<u64, LedgerError> {
        self.fate.step("end_channels_of", self.inner.end_channels_of(account, reason, now)).await
    }

    async fn plan_shares(
        &self,
        account: &Pubkey,
        available: Amount,
        ids: Vec<SettlementId>,
        least: Amount,
        now: UnixSeconds,
    ) -> Result<Vec<Settlement>, LedgerError> {
        self.fate.step("plan_shares", self.inner.plan_shares(account, available, ids, least, now)).await
    }

    async fn write_off_account(&self, account: &Pubkey) -> Result<Vec<(PublicId, Amount)>, LedgerError> {
        self.fate.step("write_off_account", self.inner.write_off_account(account)).await
    }

    async fn write_off_channel(&self, id: PublicId, reason: EndReason) -> Result<Amount, LedgerError> {
        self.fate.step("write_off_channel", self.inner.write_off_channel(id, reason)).await
    }

    async fn due_channels(&self, times: ChannelTimes, now: UnixSeconds) -> Result<Vec<Channel>, LedgerError> {
        self.fate.step("due_channels", self.inner.due_channels(times, now)).await
    }

    async fn channels_of(&self, account: &Pubkey) -> Result<Vec<Channel>, LedgerError> {
        self.fate.step("channels_of", self.inner.channels_of(account)).await
    }

    async fn channel_counts(&self) -> Result<ChannelCounts, LedgerError> {
        self.fate.step("channel_counts", self.inner.channel_counts()).await
    }

    async fn account_standing(&self, account: &Pubkey) -> Result<AccountStanding, LedgerError> {
        self.fate.step("account_standing", self.inner.account_standing(account)).await
    }

    async fn prune_vouchers(&self, before: UnixSeconds, most: u64) -> Result<u64, LedgerError> {
        self.fate.step("prune_vouchers", self.inner.prune_vouchers(before, most)).await
    }
}
