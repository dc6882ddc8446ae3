//! Caps on what is sponsored: how often, and how many at once, for everybody, for one seller, for one payer (`spec/mpp.md`
//! §10).
//!
//! Sponsored gas makes a charge to oneself free, so of everything that strangers share half is kept for *known* wallets: those on
//! the operator's list, and those of which payments landed on [`KNOWN_DAYS`] days, the first so many days ago. Time is what
//! nobody can recycle.

use crate::domain::{
    budget::Scope,
    clock::{DAY, UnixSeconds},
    mpp::reason::ChargeReason,
};
use solana_pubkey::Pubkey;

/// On how many UTC days payments of a wallet have to land, and how many days ago the first, for it to be known.
pub const KNOWN_DAYS: u64 = 3;
/// How many transactions of a payer may fail on chain within [`FAILURES_WITHIN`] before no more are sponsored.
pub const MOST_FAILURES: u64 = 3;
/// For how long a failure counts, in seconds.
pub const FAILURES_WITHIN: u64 = 3_600;

/// One cap for everybody, for one seller and for one payer; 0 sets none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapRow {
    /// For all together. Half of it is for known wallets only.
    pub global: u64,
    /// For one seller's wallet. Half of it is for known wallets only.
    pub seller: u64,
    /// For one payer's wallet.
    pub payer: u64,
}

/// The caps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// In a UTC day: preparations (for all together only) and vouchers.
    pub verify: CapRow,
    /// In a UTC day: transactions that were signed. A seller's count what has paid them.
    pub settle: CapRow,
    /// In flight at once.
    pub concurrency: CapRow,
    /// Lamports that are spent for one wallet that is not known in a UTC day, before what it has paid to known sellers; 0 sets
    /// no limit.
    pub stranger_day_lamports: u64,
}

impl Caps {
    /// The published ones.
    pub const DEFAULT: Self = Self {
        verify: CapRow { global: 0, seller: 0, payer: 1_000_000 },
        settle: CapRow { global: 200_000, seller: 20_000, payer: 2_000 },
        concurrency: CapRow { global: 256, seller: 64, payer: 8 },
        stranger_day_lamports: 2_000_000,
    };
}

/// Whether a wallet is one that we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// On the operator's list, or payments of it landed on days enough.
    Known,
    /// Neither.
    Stranger,
}

impl Standing {
    /// Of a wallet that had landed payments on so many UTC days, the first of them day `first` since the epoch.
    pub const fn of_days(days: u64, first: u64, now: UnixSeconds) -> Self {
        let today = now / DAY;
        if days >= KNOWN_DAYS && first.saturating_add(KNOWN_DAYS) <= today { Self::Known } else { Self::Stranger }
    }
}

/// A transaction that is about to be sponsored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sponsored {
    /// Whose it is.
    pub payer: Pubkey,
    /// Whom it pays, if anybody.
    pub seller: Option<Pubkey>,
    /// Whether the payer is on the operator's list.
    pub payer_is_listed: bool,
    /// Whether the seller is.
    pub seller_is_listed: bool,
    /// What it costs us at most.
    pub lamports: u64,
    /// Within which caps.
    pub caps: Caps,
}

/// Why a transaction is not sponsored now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SponsorBar {
    /// The word.
    pub reason: ChargeReason,
    /// Seconds after which it may be worth coming back.
    pub again_in: u64,
}

/// How much of one cap is used, of all wallets and of strangers among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// By all.
    pub all: u64,
    /// By wallets that are not known.
    pub strangers: u64,
}

impl Use {
    /// Whether one more of a wallet of this standing passes a cap that is shared; 0 is no cap.
    pub const fn passes_shared(self, most: u64, standing: Standing) -> bool {
        let of_strangers = most.div_ceil(2);
        match standing {
            _ if most == 0 => false,
            Standing::Known => self.all >= most,
            Standing::Stranger => self.all >= most || self.strangers >= of_strangers,
        }
    }
}

/// How much of one row is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowUse {
    /// Of everybody's.
    pub global: Use,
    /// Of the seller's.
    pub seller: Use,
    /// Of the payer's.
    pub payer: u64,
}

/// The three words of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapWords {
    /// Everybody's.
    pub global: ChargeReason,
    /// The seller's.
    pub seller: ChargeReason,
    /// The payer's.
    pub payer: ChargeReason,
}

/// The words of caps on what is verified.
pub const VERIFY: CapWords = CapWords {
    global: ChargeReason::GlobalVerifyCap,
    seller: ChargeReason::SellerVerifyCap,
    payer: ChargeReason::PayerVerifyCap,
};
/// The words of caps on what is settled.
pub const SETTLE: CapWords = CapWords {
    global: ChargeReason::GlobalSettleCap,
    seller: ChargeReason::SellerSettleCap,
    payer: ChargeReason::PayerSettleCap,
};
/// The words of caps on what is in flight.
pub const CONCURRENCY: CapWords = CapWords {
    global: ChargeReason::GlobalConcurrencyCap,
    seller: ChargeReason::SellerConcurrencyCap,
    payer: ChargeReason::PayerConcurrencyCap,
};

impl CapRow {
    /// The first cap of this row that one more would pass, everybody's first.
    pub const fn judge(self, used: RowUse, standing: Standing, words: CapWords) -> Option<ChargeReason> {
        if used.global.passes_shared(self.global, standing) {
            Some(words.global)
        } else if used.seller.passes_shared(self.seller, standing) {
            Some(words.seller)
        } else if self.payer > 0 && used.payer >= self.payer {
            Some(words.payer)
        } else {
            None
        }
    }
}

/// The word of a budget for fees that is used up.
pub const fn fee_cap(scope: Scope) -> ChargeReason {
    match scope {
        Scope::Settlement | Scope::Session | Scope::UnprovenUserHour | Scope::UserHour | Scope::UserDay => {
            ChargeReason::PayerFeeCap
        }
        Scope::MerchantHour => ChargeReason::SellerFeeCap,
        Scope::NewcomersHour | Scope::NewcomersDay | Scope::Hour | Scope::Day => ChargeReason::GlobalFeeCap,
    }
}

/// Seconds until the UTC day is over.
pub const fn until_tomorrow(now: UnixSeconds) -> u64 {
    DAY - now % DAY
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: CapRow = CapRow { global: 5, seller: 4, payer: 2 };

    fn judge(global: (u64, u64), seller: (u64, u64), payer: u64, standing: Standing) -> Option<ChargeReason> {
        let used = |(all, strangers)| Use { all, strangers };
        ROW.judge(RowUse { global: used(global), seller: used(seller), payer }, standing, SETTLE)
    }

    #[test]
    fn the_first_cap_that_is_passed_is_named() {
        let known = Standing::Known;
        assert_eq!(judge((4, 4), (3, 3), 1, known), None);
        assert_eq!(judge((5, 0), (4, 0), 2, known), Some(ChargeReason::GlobalSettleCap));
        assert_eq!(judge((4, 0), (4, 0), 2, known), Some(ChargeReason::SellerSettleCap));
        assert_eq!(judge((4, 0), (3, 0), 2, known), Some(ChargeReason::PayerSettleCap));
    }

    #[test]
    fn strangers_share_half_of_what_is_shared_and_their_own_is_their_own() {
        let stranger = Standing::Stranger;
        assert_eq!(judge((4, 2), (3, 1), 1, stranger), None);
        assert_eq!(judge((3, 3), (0, 0), 0, stranger), Some(ChargeReason::GlobalSettleCap), "half, rounded up");
        assert_eq!(judge((2, 2), (2, 2), 0, stranger), Some(ChargeReason::SellerSettleCap));
        assert_eq!(judge((3, 3), (3, 3), 1, Standing::Known), None, "the other half is left");
        assert_eq!(
            judge((5, 0), (0, 0), 0, stranger),
            Some(ChargeReason::GlobalSettleCap),
            "known ones may have it all"
        );
    }

    #[test]
    fn zero_is_no_cap() {
        let row = CapRow::default();
        let full = Use { all: u64::MAX, strangers: u64::MAX };
        let used = RowUse { global: full, seller: full, payer: u64::MAX };
        assert_eq!(row.judge(used, Standing::Stranger, VERIFY), None);
    }

    #[test]
    fn a_wallet_is_known_by_days_and_by_the_time_since_the_first() {
        let now = 100 * DAY + 5;
        for (days, first, standing) in [
            (3, 97, Standing::Known),
            (9, 1, Standing::Known),
            (3, 98, Standing::Stranger),
            (2, 1, Standing::Stranger),
            (0, 0, Standing::Stranger),
        ] {
            assert_eq!(Standing::of_days(days, first, now), standing, "{days} since {first}");
        }
        assert_eq!((until_tomorrow(100 * DAY), until_tomorrow(101 * DAY - 1)), (DAY, 1));
    }
}
