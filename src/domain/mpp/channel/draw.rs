//! Drawing a voucher: what is asked, and whether it is given (`spec/mpp.md` §7).
//!
//! Pure, and all of it decided in the ledger's transaction, so that no two requests are judged by the same sums.

use super::{Channel, ChannelState};
use crate::domain::{
    amount::Amount,
    clock::{DAY, UnixSeconds},
    mpp::{
        caps::{CapRow, RowUse, Standing, VERIFY},
        channel_id::PublicId,
        money::{Reading, Role},
        reason::ChargeReason,
        voucher::{MAX_METER, MAX_SEQUENCE, MAX_SERVER_NONCE},
    },
};

/// What a buyer asks to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw {
    /// The channel.
    pub channel: PublicId,
    /// What is owed in all from now on, in base units.
    pub cumulative: Amount,
    /// What is counted.
    pub meter: String,
    /// How many of it.
    pub units: u64,
    /// Of the seller's or the buyer's choice.
    pub server_nonce: String,
}

/// A voucher as it is on record; its signature can be made again at any time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawnVoucher {
    /// Its number in the channel, from 1.
    pub sequence: u64,
    /// What it says is owed in all.
    pub cumulative: Amount,
    /// What is counted.
    pub meter: String,
    /// How many of it.
    pub units: u64,
    /// Of the seller's or the buyer's choice.
    pub server_nonce: String,
}

impl DrawnVoucher {
    /// Whether it is what is asked for, to the last member.
    pub fn answers(&self, draw: &Draw) -> bool {
        self.cumulative == draw.cumulative
            && self.units == draw.units
            && self.meter == draw.meter
            && self.server_nonce == draw.server_nonce
    }
}

/// Whether a text can be a voucher's meter: 1 to 64 printable ASCII characters.
pub fn is_meter(text: &str) -> bool {
    is_printable(text, MAX_METER)
}

/// Whether a text can be a voucher's nonce: 1 to 128 printable ASCII characters.
pub fn is_server_nonce(text: &str) -> bool {
    is_printable(text, MAX_SERVER_NONCE)
}

/// The header that carries a voucher is Latin-1, and what is not printable can hide in it.
fn is_printable(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
}

/// How many vouchers are given; zero is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoucherLimits {
    /// Of one channel within a second.
    pub of_channel_per_second: u64,
    /// Within a UTC day: in all, with what was prepared; to one seller; of one buyer.
    pub per_day: CapRow,
    /// What one buyer may owe one seller; none is no limit.
    pub credit_line: Option<CreditLine>,
}

/// What one buyer may owe one seller before it is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreditLine {
    /// The most, in base units.
    pub most: Amount,
    /// The least that is settled for it, at most `most`: what owes less is not worth a transaction, and counts as nothing.
    pub least: Amount,
}

impl CreditLine {
    /// The line at `most`, where nothing below `least` is settled.
    pub fn new(most: Amount, least: Amount) -> Self {
        Self { most, least: least.min(most) }
    }

    /// Whether what is owed may grow by so much, in base units.
    fn allows(self, owed: u128, further: u128) -> bool {
        let counted = if owed < u128::from(self.least.get()) { 0 } else { owed };
        counted + further <= u128::from(self.most.get())
    }
}

/// How many vouchers a channel gave in the second and on the day of its last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VoucherUse {
    /// That second.
    pub second: UnixSeconds,
    /// How many in it.
    pub in_second: u64,
    /// How many on that second's day.
    pub in_day: u64,
}

impl VoucherUse {
    /// As it stands with one more at `now`. A clock that goes back counts on in the later second.
    #[must_use]
    pub const fn and_one(self, now: UnixSeconds) -> Self {
        let second = if now > self.second { now } else { self.second };
        Self { second, in_second: self.in_second_at(now) + 1, in_day: self.in_day_at(now) + 1 }
    }

    /// How many in the second of `now`.
    pub const fn in_second_at(self, now: UnixSeconds) -> u64 {
        if now > self.second { 0 } else { self.in_second }
    }

    /// How many on the day of `now`.
    pub const fn in_day_at(self, now: UnixSeconds) -> u64 {
        if now / DAY > self.second / DAY { 0 } else { self.in_day }
    }
}

/// What of a buyer's other business a voucher is judged by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BuyerSums {
    /// What all channels of the account owe, in base units.
    pub owed: u128,
    /// What of that is owed to this channel's seller.
    pub owed_to_seller: u128,
    /// How many vouchers were given on the day of `now`; of what all share also preparations. Zero where no limit asks for it.
    pub drawn_today: RowUse,
}

/// By what a voucher is judged, besides the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrawContext {
    /// The last reading of the account that pays.
    pub reading: Reading,
    /// The buyer's sums.
    pub sums: BuyerSums,
    /// Whether the buyer is a wallet that we know.
    pub standing: Standing,
    /// What the channel gave lately.
    pub used: VoucherUse,
    /// How many may be given.
    pub limits: VoucherLimits,
    /// When.
    pub now: UnixSeconds,
}

/// Why a voucher is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotDrawn {
    /// There is no such channel.
    NotFound,
    /// A voucher of this sum says something else.
    Conflict,
    /// The channel gives none.
    NotOpen,
    /// The grant is gone or has ended.
    RoleGone,
    /// The sum is not above the last one.
    NotMonotonic,
    /// The sum is above the deposit.
    DepositExceeded,
    /// More would be owed than the account has.
    InsufficientBalance,
    /// The buyer would owe this seller more than may be owed: what is owed has to be settled first.
    CreditLine,
    /// Too many within this second.
    ChannelRate,
    /// Too many on this day, by the word of the cap that is passed.
    Capped(ChargeReason),
    /// The channel has given as many as there are numbers.
    Exhausted,
}

/// Whether the voucher of this sum that is on record is given again; `None` where there is none on record.
pub fn judge_known(channel: &Channel, known: Option<&DrawnVoucher>, draw: &Draw) -> Option<Result<(), NotDrawn>> {
    let known = known?;
    // What of a channel's vouchers was never paid is not shown to a seller as if it were.
    let is_told = channel.state != ChannelState::Closed || channel.shortfall == Amount::ZERO;
    if !is_told {
        return Some(Err(NotDrawn::NotOpen));
    }
    Some(if known.answers(draw) { Ok(()) } else { Err(NotDrawn::Conflict) })
}

/// Whether a new voucher is given, and its number. In the order in which callers are told.
pub fn judge(channel: &Channel, draw: &Draw, context: &DrawContext) -> Result<u64, NotDrawn> {
    let DrawContext { reading, sums, standing, used, limits, now } = context;
    if !channel.gives_vouchers(*now) {
        return Err(NotDrawn::NotOpen);
    }
    if reading.role != Role::Live {
        return Err(NotDrawn::RoleGone);
    }
    let last = channel.money.cumulative;
    let Some(delta) = draw.cumulative.checked_sub(last).filter(|delta| *delta > Amount::ZERO) else {
        return Err(NotDrawn::NotMonotonic);
    };
    if draw.cumulative > channel.money.deposit {
        return Err(NotDrawn::DepositExceeded);
    }
    let delta = u128::from(delta.get());
    if sums.owed + delta > u128::from(reading.available().get()) {
        return Err(NotDrawn::InsufficientBalance);
    }
    if limits.credit_line.is_some_and(|line| !line.allows(sums.owed_to_seller, delta)) {
        return Err(NotDrawn::CreditLine);
    }
    if limits.of_channel_per_second > 0 && used.in_second_at(*now) >= limits.of_channel_per_second {
        return Err(NotDrawn::ChannelRate);
    }
    if let Some(cap) = limits.per_day.judge(sums.drawn_today, *standing, VERIFY) {
        return Err(NotDrawn::Capped(cap));
    }
    if channel.sequence < MAX_SEQUENCE { Ok(channel.sequence + 1) } else { Err(NotDrawn::Exhausted) }
}
