//! The verbs of channels, which stand apart from those of sessions.

use crate::{
    domain::{
        amount::Amount,
        clock::UnixSeconds,
        mpp::{
            channel::{
                Channel, EndReason,
                draw::{Draw, DrawnVoucher, NotDrawn, VoucherLimits},
                plan::{ChannelPlan, NotOpened},
            },
            channel_id::PublicId,
            money::Reading,
        },
        settlement::{Settlement, SettlementId},
    },
    ledger::LedgerError,
};
use async_trait::async_trait;
use solana_pubkey::Pubkey;
use solana_signature::Signature;

/// A channel with the transactions that anybody can audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelRecord {
    /// As it stands.
    pub channel: Channel,
    /// Its anchor, and the transaction of it, once it is signed.
    pub anchor: (SettlementId, Option<Signature>),
    /// Its newest settlement that has landed.
    pub last_settled: Option<Signature>,
    /// Its settlement that is not at its end.
    pub settling: Option<ChannelSettling>,
}

/// A settlement that pays a channel's seller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelSettling {
    /// Its id.
    pub settlement: SettlementId,
    /// The last voucher that it covers.
    pub sequence: u64,
    /// The grant that it is signed under.
    pub generation: u32,
}

/// What became of a request to open a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelOpened {
    /// It is written, in state `opening`, with the plan of its anchor.
    New(Box<Channel>, Box<Settlement>),
    /// This proof has opened it before; as it stands.
    Known(Box<ChannelRecord>),
    /// Nothing was written.
    Refused(NotOpened),
}

/// What became of a request for a voucher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drawn {
    /// It is durable, now or since earlier, and may be signed.
    Given(Box<Channel>, DrawnVoucher),
    /// Nothing was written. The channel, where there is one.
    Refused(NotDrawn, Option<Box<Channel>>),
    /// Nothing was written: no voucher of this sum is on record, and a new one asks for a reading of the account.
    ReadingWanted,
}

/// What stands on an account, all of it as of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountStanding {
    /// Its live channels, oldest first.
    pub channels: Vec<Channel>,
    /// What its settlements have in flight, in base units: what was signed and is not known to have landed.
    pub in_flight: u128,
    /// The slot of the newest landing of a settlement of it, or of a message of its wallet; zero before the first.
    pub landed_slot: u64,
}

/// When channels end by themselves, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelTimes {
    /// How long a voucher revives one after its idle timeout.
    pub grace: u64,
    /// How long one may owe before it is settled.
    pub most_owed: u64,
}

/// How many channels there are, and what they came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelCounts {
    /// Those that are open.
    pub open: u64,
    /// The vouchers that were ever given.
    pub vouchers: u64,
    /// What has ever landed, in base units.
    pub settled: Amount,
}

/// What stands on channels and what was lost, for an operator who asks; sums in base units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelRisks {
    /// The key that certifies channels here; none where nothing was ever served.
    pub issuer: Option<Pubkey>,
    /// Channels that live.
    pub live: u64,
    /// Buyers whose channels are settled soon because their grant ends.
    pub ending: u64,
    /// What vouchers say and was not settled.
    pub owed: u128,
    /// The most of that which one buyer owes one seller.
    pub most_owed: u128,
    /// Channels of which something was written off.
    pub short: u64,
    /// What of them was.
    pub shortfall: u128,
}

/// The verbs of channels; [`super::Ledger`] has all others, and what they all promise.
#[async_trait]
pub trait ChannelLedger: Send + Sync + 'static {
    /// Writes a channel in state `opening` with the plan of its anchor, where its permission is good, no limit is passed and its
    /// deposit fits beside what is reserved. The permission is used up in the same transaction; the same proof again finds the
    /// channel that it opened.
    async fn open_channel(&self, plan: &ChannelPlan, now: UnixSeconds) -> Result<ChannelOpened, LedgerError>;

    /// The channel with this public id.
    async fn find_channel(&self, id: PublicId) -> Result<Option<ChannelRecord>, LedgerError>;

    /// `opening` becomes `failed`: its anchor has not landed in time, and its deposit is free. Other states are left alone. Gives
    /// it as it then stands.
    async fn fail_channel(&self, id: PublicId) -> Result<Option<ChannelRecord>, LedgerError>;

    /// Writes a voucher, or finds the one of this sum that is on record. Everything is judged by what is written: the state, the
    /// ceilings, what the buyer owes, the rates. Without a reading of the account nothing new is written.
    async fn draw_voucher(
        &self,
        draw: &Draw,
        reading: Option<Reading>,
        limits: VoucherLimits,
        now: UnixSeconds,
    ) -> Result<Drawn, LedgerError>;

    /// Ends an open channel and plans the settlement of what it owes; closed at once where it owes nothing. Of one that has ended
    /// before, what is still owed and carried by no settlement is planned. Gives it as it then stands, with what was planned.
    async fn end_channel(
        &self,
        id: PublicId,
        reason: EndReason,
        settlement: SettlementId,
        now: UnixSeconds,
    ) -> Result<Option<(ChannelRecord, Option<Settlement>)>, LedgerError>;

    /// Plans the settlement of what a channel owes; `None` where it owes nothing or another settlement of it is not at its end.
    async fn settle_channel(
        &self,
        id: PublicId,
        settlement: SettlementId,
        now: UnixSeconds,
    ) -> Result<Option<Settlement>, LedgerError>;

    /// Ends every open channel of an account, and plans nothing. Gives how many ended.
    async fn end_channels_of(&self, account: &Pubkey, reason: EndReason, now: UnixSeconds) -> Result<u64, LedgerError>;

    /// Divides what is available among the channels of an account that have ended and owe, as
    /// [`crate::domain::mpp::money::worthwhile_shares`] does by the least of a part, and plans a settlement for each share above
    /// zero. Nothing is planned while any settlement of the account is not at its end: a landing would count twice. One random id
    /// for each live channel is taken from `ids`.
    async fn plan_shares(
        &self,
        account: &Pubkey,
        available: Amount,
        ids: Vec<SettlementId>,
        least: Amount,
        now: UnixSeconds,
    ) -> Result<Vec<Settlement>, LedgerError>;

    /// Writes off what the ended channels of an account owe and no settlement carries. Gives how much, in base units, that is for
    /// each.
    async fn write_off_account(&self, account: &Pubkey) -> Result<Vec<(PublicId, Amount)>, LedgerError>;

    /// Writes off what one ended channel owes and no settlement carries, for this reason. Gives how much.
    async fn write_off_channel(&self, id: PublicId, reason: EndReason) -> Result<Amount, LedgerError>;

    /// Every channel in state `opening` becomes `failed`: after a start nobody waits for them any more. Gives how many.
    async fn fail_openings(&self) -> Result<u64, LedgerError>;

    /// Open channels whose time is over, or that have owed for too long.
    async fn due_channels(&self, times: ChannelTimes, now: UnixSeconds) -> Result<Vec<Channel>, LedgerError>;

    /// The live channels of an account, oldest first.
    async fn channels_of(&self, account: &Pubkey) -> Result<Vec<Channel>, LedgerError>;

    /// How many channels there are, and what they came to.
    async fn channel_counts(&self) -> Result<ChannelCounts, LedgerError>;

    /// What stands on an account. One snapshot, because a landing that is booked between two reads would be in neither.
    async fn account_standing(&self, account: &Pubkey) -> Result<AccountStanding, LedgerError>;

    /// Forgets at most `most` vouchers of channels that were closed before `before`, but the last of each. Gives how many.
    async fn prune_vouchers(&self, before: UnixSeconds, most: u64) -> Result<u64, LedgerError>;
}
