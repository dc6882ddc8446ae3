//! The arithmetic of channels: what is reserved, owed, settled, refunded and short (`spec/mpp.md` §7, §9, §11).
//!
//! Promises that nothing is ever settled beyond what vouchers say, and that what was settled, what is refunded and what is
//! short are together the deposit. Sums are taken in 128 bits, because a buyer may have many channels.

use crate::domain::{amount::Amount, clock::UnixSeconds, mpp::channel_id::PublicId};

/// What is known of the money of one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelMoney {
    /// The most that is ever paid.
    pub deposit: Amount,
    /// What its vouchers say, at most the deposit.
    pub cumulative: Amount,
    /// What has landed of that, at most the cumulative.
    pub settled: Amount,
}

/// Why three amounts are no channel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("settled is more than cumulative, or cumulative is more than the deposit")]
pub struct Overdrawn;

/// How a channel ends: the three parts of its deposit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    /// What the seller got.
    pub amount_settled: Amount,
    /// What was never drawn; it is in the buyer's account already.
    pub buyer_refund: Amount,
    /// What was drawn and could not be settled: the seller's loss.
    pub shortfall: Amount,
}

impl ChannelMoney {
    /// The money of a channel; refuses what breaks settled <= cumulative <= deposit.
    pub fn new(deposit: Amount, cumulative: Amount, settled: Amount) -> Result<Self, Overdrawn> {
        let holds = settled <= cumulative && cumulative <= deposit;
        holds.then_some(Self { deposit, cumulative, settled }).ok_or(Overdrawn)
    }

    /// What has been drawn and not settled.
    pub fn owed(&self) -> Amount {
        minus(self.cumulative, self.settled)
    }

    /// What of the deposit may still move.
    pub fn reserved(&self) -> Amount {
        minus(self.deposit, self.settled)
    }

    /// The channel's end as things stand.
    pub fn closing(&self) -> Closing {
        Closing {
            amount_settled: self.settled,
            buyer_refund: minus(self.deposit, self.cumulative),
            shortfall: self.owed(),
        }
    }

    /// The channel after a settlement of `moved` has landed.
    pub fn settle(&self, moved: Amount) -> Result<Self, Overdrawn> {
        Self::new(self.deposit, self.cumulative, self.settled.checked_add(moved).ok_or(Overdrawn)?)
    }
}

/// A difference that is never negative by [`ChannelMoney`]'s construction.
fn minus(more: Amount, less: Amount) -> Amount {
    more.checked_sub(less).unwrap_or(Amount::ZERO)
}

/// What a delegation is, as read from the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It can be settled by.
    Live,
    /// Revoked, removed, or another's.
    Gone,
    /// Its account is frozen.
    Frozen,
    /// Its time is over.
    Expired,
}

/// A reading of the account that a buyer's channels are paid from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Whether anything can be settled at all.
    pub role: Role,
    /// The tokens, as the chain counts them.
    pub balance: u64,
    /// What is left of the granted limit.
    pub remaining: u64,
}

impl Reading {
    /// What can be settled; figures above the largest amount count as that.
    pub fn available(&self) -> Amount {
        let least = self.balance.min(self.remaining);
        match self.role {
            Role::Live => Amount::new(least).unwrap_or(Amount::MAX),
            Role::Gone | Role::Frozen | Role::Expired => Amount::ZERO,
        }
    }
}

/// What a buyer's channels may still take.
pub fn reserved<'a>(channels: impl IntoIterator<Item = &'a ChannelMoney>) -> u128 {
    channels.into_iter().map(|channel| u128::from(channel.reserved().get())).sum()
}

/// What a buyer's channels have drawn and not settled.
pub fn owed<'a>(channels: impl IntoIterator<Item = &'a ChannelMoney>) -> u128 {
    channels.into_iter().map(|channel| u128::from(channel.owed().get())).sum()
}

/// Whether a further channel of `deposit` fits beside what is reserved for the live ones.
pub fn may_open(reading: &Reading, reserved: u128, deposit: Amount) -> bool {
    reserved + u128::from(deposit.get()) <= u128::from(reading.available().get())
}

/// When a buyer's channels are settled at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmergencyRule {
    /// As soon as less is available than is reserved.
    Reserve,
    /// Only when less is available than is owed.
    Owed,
}

impl EmergencyRule {
    /// Whether a reading is an emergency. `in_flight` is what settlements may have moved that the ledger does not know yet:
    /// such a landing is no drain.
    pub fn is_broken(self, reading: &Reading, in_flight: u128, channels: &[ChannelMoney]) -> bool {
        let needed = match self {
            Self::Reserve => reserved(channels),
            Self::Owed => owed(channels),
        };
        reading.role != Role::Live || u128::from(reading.available().get()) + in_flight < needed
    }
}

/// A channel that shares what is left with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// Its name; of two that were opened in one second the lesser counts as older.
    pub channel: PublicId,
    /// When it was opened.
    pub opened_at: UnixSeconds,
    /// Its money.
    pub money: ChannelMoney,
    /// How many settlements have paid it in part since it ended.
    pub parts: u32,
}

/// How many settlements may pay a channel in part that has ended. From then on one pays everything that it owes, or none does.
pub const MOST_PARTS: u32 = 3;

impl Claimant {
    /// The least that a settlement of it is worth its fee for, where `least` is the least of all.
    fn least(&self, least: Amount) -> Amount {
        let owed = self.money.owed();
        if self.parts < MOST_PARTS { least.min(owed) } else { owed }
    }
}

/// What each channel gets of what is available where every settlement costs us a fee, in the order given: its part of
/// [`shares`], but nothing where that is below `least`, or after [`MOST_PARTS`] parts, and not all that it owes. One after the other
/// that lacks the most is left out (of two the younger), and what was its part is the others'. So dust buys no transactions, and
/// whom a share is kept from loses less than `least` by that.
pub fn worthwhile_shares(available: Amount, least: Amount, claimants: &[Claimant]) -> Vec<Amount> {
    let mut paid: Vec<(usize, Claimant)> = claimants.iter().copied().enumerate().collect();
    loop {
        let chosen: Vec<Claimant> = paid.iter().map(|(_, claimant)| *claimant).collect();
        let parts = shares(available, &chosen);
        let lacking = chosen.iter().zip(&parts).enumerate().filter_map(|(at, (claimant, part))| {
            let lacks = minus(claimant.least(least), *part);
            (lacks > Amount::ZERO).then_some((lacks, claimant.opened_at, claimant.channel, at))
        });
        let Some((.., most)) = lacking.max() else {
            let mut all = vec![Amount::ZERO; claimants.len()];
            for ((at, _), part) in paid.iter().zip(parts) {
                if let Some(share) = all.get_mut(*at) {
                    *share = part;
                }
            }
            return all;
        };
        paid.remove(most);
    }
}

/// What each channel gets of what is available, in the order given: all that is owed where it suffices, else in proportion,
/// rounded down, and of the units that are left one each to the oldest that are still owed something.
pub fn shares(available: Amount, claimants: &[Claimant]) -> Vec<Amount> {
    let owed = owed(claimants.iter().map(|claimant| &claimant.money));
    let available = u128::from(available.get());
    if owed <= available {
        return claimants.iter().map(|claimant| claimant.money.owed()).collect();
    }
    let of = |claimant: &Claimant| available * u128::from(claimant.money.owed().get()) / owed;
    let mut shares: Vec<u128> = claimants.iter().map(of).collect();
    let mut left = available - shares.iter().sum::<u128>();
    let mut oldest: Vec<usize> = (0..claimants.len()).collect();
    oldest.sort_by_key(|at| claimants.get(*at).map(|claimant| (claimant.opened_at, claimant.channel)));
    for at in oldest {
        let (Some(share), Some(claimant)) = (shares.get_mut(at), claimants.get(at)) else { continue };
        if left > 0 && *share < u128::from(claimant.money.owed().get()) {
            *share += 1;
            left -= 1;
        }
    }
    shares.into_iter().map(|share| u64::try_from(share).ok().and_then(Amount::new).unwrap_or(Amount::MAX)).collect()
}

/// What the rest of a grant says of a settlement whose outcome nobody has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It never landed, and may be signed again.
    Absent,
    /// It landed.
    Landed,
    /// Somebody else has changed the grant: an operator has to look.
    Hold,
}

/// Judges a settlement by what is left on chain of the grant that it was made from, read past its last height: every
/// settlement of ours lowers the rest, so that a hidden landing shows.
pub fn witness(granted: Amount, landed: &[Amount], attempt: Amount, left: u64) -> Verdict {
    let landed: u128 = landed.iter().map(|amount| u128::from(amount.get())).sum();
    let left = u128::from(left);
    match u128::from(granted.get()).checked_sub(landed) {
        Some(expected) if left == expected => Verdict::Absent,
        Some(expected) if expected.checked_sub(u128::from(attempt.get())) == Some(left) => Verdict::Landed,
        _ => Verdict::Hold,
    }
}

/// The slots of a time to live, at 400 milliseconds each.
pub const fn slots(ttl_seconds: u64) -> u64 {
    ttl_seconds.saturating_mul(1_000) / 400
}
