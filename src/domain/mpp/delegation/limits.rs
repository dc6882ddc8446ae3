//! How many onboardings are paid for (`spec/mpp.md` §10).

use super::IssuedKind;
use crate::domain::mpp::{
    caps::{SponsorBar, Sponsored},
    choices::Backend,
};

/// How many onboardings there may be, and what they may cost. They count where they are recorded to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnboardLimits {
    /// Of one wallet in a UTC day; 0 for no limit, as in the next two.
    pub of_wallet_per_day: u64,
    /// From one caller address in a UTC day.
    pub of_caller_per_day: u64,
    /// Of all in an hour. Half of it is only for wallets that are known, so that strangers cannot close it for them.
    pub per_hour: u64,
    /// Lamports of rent in a UTC day for session accounts, of all; half of it as above. It is locked and not spent. 0 pays none,
    /// as below.
    pub rent_per_day: u64,
    /// Lamports of rent in a UTC day for Swigs, which their buyers may take; half of it as above.
    pub swig_rent_per_day: u64,
}

impl OnboardLimits {
    /// How many leaves of one wallet are paid for in a UTC day.
    pub const LEAVES_PER_DAY: u64 = 5;

    /// The published limits.
    pub const DEFAULT: Self = Self {
        of_wallet_per_day: 5,
        of_caller_per_day: 20,
        per_hour: 500,
        rent_per_day: 1_000_000_000,
        swig_rent_per_day: 60_000_000,
    };

    /// What wallets that are not known may take of a limit that all share.
    pub const fn of_strangers(limit: u64) -> u64 {
        limit.div_ceil(2)
    }
}

/// A step of an onboarding, of which is asked whether it is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnboardQuestion {
    /// Who is sponsored: the wallet alone, because it pays nobody.
    pub sponsored: Sponsored,
    /// What enforces its delegation.
    pub backend: Backend,
    /// What the step does.
    pub kind: IssuedKind,
    /// Whether it is the first of an onboarding.
    pub begins: bool,
    /// What it lends in rent at most, in lamports.
    pub rent: u64,
    /// Who asks, by a keyed hash.
    pub caller: [u8; 16],
    /// How many there may be.
    pub limits: OnboardLimits,
}

/// Why no more is paid for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnboardBar {
    /// The wallet has had its onboardings of the day.
    Wallet {
        /// Seconds until there may be another.
        again_in: u64,
    },
    /// The caller's address has.
    Caller {
        /// As above.
        again_in: u64,
    },
    /// All together have, as far as this wallet may take.
    Everybody {
        /// As above.
        again_in: u64,
    },
    /// A cap on what is sponsored would be passed.
    Cap(SponsorBar),
    /// The rent of the day is used up, as far as this wallet may take.
    Rent {
        /// As above.
        again_in: u64,
    },
    /// The wallet has had its leaves of the day.
    Leaves {
        /// As above.
        again_in: u64,
    },
    /// The rent of a Swig was lent to this wallet before, and is lent once for ever.
    SwigLent,
}

impl OnboardBar {
    /// Seconds until it may be worth asking again; none where it never is.
    pub const fn again_in(self) -> Option<u64> {
        match self {
            Self::Wallet { again_in }
            | Self::Caller { again_in }
            | Self::Everybody { again_in }
            | Self::Rent { again_in }
            | Self::Leaves { again_in }
            | Self::Cap(SponsorBar { again_in, .. }) => Some(again_in),
            Self::SwigLent => None,
        }
    }

    /// The cause in a sentence for whoever asks.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Wallet { .. } => "this wallet has had its onboardings of the day",
            Self::Caller { .. } => "this address has had its onboardings of the day",
            Self::Everybody { .. } => "as many wallets as may be were onboarded in this hour",
            Self::Rent { .. } => "the rent that is lent in a day is used up",
            Self::Leaves { .. } => "this wallet has had its leaves of the day",
            Self::SwigLent => "the rent of this wallet's Swig was lent once; make the next one at your own cost",
            Self::Cap(bar) => bar.reason.meaning(),
        }
    }
}
