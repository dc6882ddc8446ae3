//! The verbs of channels on SQLite.

use crate::{
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
        sqlite::{
            handle::SqliteLedger,
            statements::{mpp::channels, queries::snapshot},
        },
    },
};
use async_trait::async_trait;
use solana_pubkey::Pubkey;

#[async_trait]
impl ChannelLedger for SqliteLedger {
    async fn open_channel(&self, plan: &ChannelPlan, now: UnixSeconds) -> Result<ChannelOpened, LedgerError> {
        if self.0.log.is_full() {
            return Err(LedgerError::Busy);
        }
        let plan = plan.clone();
        self.0.writer.run(move |conn| channels::open(conn, &plan, now)).await
    }

    async fn find_channel(&self, id: PublicId) -> Result<Option<ChannelRecord>, LedgerError> {
        self.0.readers.run(move |conn| snapshot(conn, |conn| channels::find(conn, id))).await
    }

    async fn fail_channel(&self, id: PublicId) -> Result<Option<ChannelRecord>, LedgerError> {
        self.0.writer.run(move |conn| channels::fail(conn, id)).await
    }

    async fn fail_openings(&self) -> Result<u64, LedgerError> {
        self.0.writer.run(channels::fail_openings).await
    }

    async fn draw_voucher(
        &self,
        draw: &Draw,
        reading: Option<Reading>,
        limits: VoucherLimits,
        now: UnixSeconds,
    ) -> Result<Drawn, LedgerError> {
        if self.0.log.is_full() {
            return Err(LedgerError::Busy);
        }
        let draw = draw.clone();
        // It touches no session.
        self.0.writer.run_hold(move |conn| channels::draw(conn, &draw, reading, limits, now), |_| None).await
    }

    async fn end_channel(
        &self,
        id: PublicId,
        reason: EndReason,
        settlement: SettlementId,
        now: UnixSeconds,
    ) -> Result<Option<(ChannelRecord, Option<Settlement>)>, LedgerError> {
        self.0.writer.run(move |conn| channels::end(conn, id, reason, settlement, now)).await
    }

    async fn settle_channel(
        &self,
        id: PublicId,
        settlement: SettlementId,
        now: UnixSeconds,
    ) -> Result<Option<Settlement>, LedgerError> {
        self.0.writer.run(move |conn| channels::settle(conn, id, settlement, now)).await
    }

    async fn end_channels_of(&self, account: &Pubkey, reason: EndReason, now: UnixSeconds) -> Result<u64, LedgerError> {
        let account = *account;
        self.0.writer.run(move |conn| channels::end_all_of(conn, &account, reason, now)).await
    }

    async fn plan_shares(
        &self,
        account: &Pubkey,
        available: Amount,
        ids: Vec<SettlementId>,
        least: Amount,
        now: UnixSeconds,
    ) -> Result<Vec<Settlement>, LedgerError> {
        let account = *account;
        self.0.writer.run(move |conn| channels::plan_shares(conn, &account, (available, least), &ids, now)).await
    }

    async fn write_off_account(&self, account: &Pubkey) -> Result<Vec<(PublicId, Amount)>, LedgerError> {
        let account = *account;
        self.0.writer.run(move |conn| channels::write_off_account(conn, &account)).await
    }

    async fn write_off_channel(&self, id: PublicId, reason: EndReason) -> Result<Amount, LedgerError> {
        self.0.writer.run(move |conn| channels::write_off_channel(conn, id, reason)).await
    }

    async fn due_channels(&self, times: ChannelTimes, now: UnixSeconds) -> Result<Vec<Channel>, LedgerError> {
        self.0.readers.run(move |conn| channels::due(conn, times, now)).await
    }

    async fn channels_of(&self, account: &Pubkey) -> Result<Vec<Channel>, LedgerError> {
        let account = *account;
        self.0.readers.run(move |conn| channels::of_account(conn, &account)).await
    }

    async fn channel_counts(&self) -> Result<ChannelCounts, LedgerError> {
        self.0.readers.run(channels::counts).await
    }

    async fn account_standing(&self, account: &Pubkey) -> Result<AccountStanding, LedgerError> {
        let account = *account;
        self.0.readers.run(move |conn| snapshot(conn, |conn| channels::account_standing(conn, &account))).await
    }

    async fn prune_vouchers(&self, before: UnixSeconds, most: u64) -> Result<u64, LedgerError> {
        self.0.writer.run(move |conn| channels::prune(conn, before, most)).await
    }
}
