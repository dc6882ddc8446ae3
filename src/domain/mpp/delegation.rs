//! Delegations: what a buyer grants us, in generations, by messages that we issue and they sign (`spec/mpp.md` §5, §6).
//!
//! A delegation is one wallet's for one token. Every grant of it is a generation with a key, a limit and a time of its own; at
//! most one is on chain. Where it stands follows from the messages that landed, and from what was last read of its account.

mod issued;
mod limits;
mod window;

pub use issued::{
    ConfirmPlan, GrantPlan, IssuePlan, IssuedKind, IssuedMessage, IssuedState, IssuedTransaction, UsedProof,
};
pub use limits::{OnboardBar, OnboardLimits, OnboardQuestion};
pub use window::{CallerOrigin, OnboardWindow};

use crate::domain::{
    amount::Amount,
    clock::UnixSeconds,
    mpp::{
        choices::Backend,
        money::{Reading, Role},
    },
};
use solana_pubkey::Pubkey;
use uuid::Uuid;

/// Whether a new grant is wanted where one is active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Renewal {
    /// Only where it is of no use any more.
    #[default]
    WhenNeeded,
    /// In any case.
    Asked,
}

/// How long before a grant's end nothing new stands on it, and its channels are settled: seconds.
pub const SETTLED_BEFORE_END: u64 = 120;
/// What has to be left of a grant's time for it to count as active: seconds, or a third of a shorter grant.
const ACTIVE_FOR: u64 = 600;

/// The id of a delegation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DelegationId(pub Uuid);

/// Where a delegation stands, by the messages that landed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DelegationState {
    /// Nothing can be settled by it yet.
    Pending,
    /// A generation was granted.
    Active,
    /// Its buyer took it back through us.
    Left,
}

impl DelegationState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Active, Self::Left];

    /// The word in the ledger.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Left => "left",
        }
    }

    /// The state that is written as this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// What a generation is granted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantTerms {
    /// The number of the generation; the first is 0.
    pub generation: u32,
    /// The key that is delegated to.
    pub delegate: Pubkey,
    /// The most that may ever move by it, in base units.
    pub limit: Amount,
    /// For how many seconds from its landing.
    pub ttl: u64,
    /// The only wallet that is paid, where it names one.
    pub seller: Option<Pubkey>,
}

/// A generation as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelegationGrant {
    /// What it was issued on.
    pub terms: GrantTerms,
    /// When it was granted, Unix seconds.
    pub granted_at: UnixSeconds,
    /// From when on its key signs nothing, Unix seconds; of a Swig an estimate.
    pub expires_at: UnixSeconds,
    /// Of a Swig, the last slot in which its key may act, once it was read.
    pub expiry_slot: Option<u64>,
    /// Of a Swig, the role's id, once it was read.
    pub role: Option<u32>,
    /// What our settlements have moved by it, in base units, as far as they landed.
    pub moved: Amount,
}

impl DelegationGrant {
    /// Whether its time is over, or its limit used up.
    pub fn is_over(&self, now: UnixSeconds) -> bool {
        now >= self.expires_at || self.moved >= self.terms.limit
    }

    /// What of its limit has not moved, in base units. More than that never moves by it, whatever its buyer approves by themselves.
    pub fn left(&self) -> Amount {
        self.terms.limit.checked_sub(self.moved).unwrap_or(Amount::ZERO)
    }

    /// Whether enough of its time is left for something new to stand on it.
    pub fn has_time(&self, now: UnixSeconds) -> bool {
        self.expires_at.saturating_sub(now) > ACTIVE_FOR.min(self.terms.ttl / 3)
    }
}

/// What was last read of the account behind a delegation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelegationReading {
    /// The generation that was current.
    pub generation: u32,
    /// What it said.
    pub reading: Reading,
    /// In which slot.
    pub slot: u64,
    /// When, Unix seconds.
    pub at: UnixSeconds,
}

/// What stands on a delegation, in base units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DelegationUse {
    /// Channels that live (opening to closing).
    pub live: u64,
    /// What their deposits may still move.
    pub reserved: Amount,
    /// What their vouchers say and was not settled.
    pub owed: Amount,
    /// Their settlements on their way.
    pub in_flight: u64,
}

impl DelegationUse {
    /// Whether nothing stands on it.
    pub const fn is_free(&self) -> bool {
        self.live == 0 && self.in_flight == 0
    }

    /// Whether a grant of `limit` may replace the one that stands (`spec/mpp.md` §5): it covers what is reserved, and no settlement
    /// whose outcome it would hide is on its way. A Swig's role is gone between two rounds, so nothing may stand on it.
    pub fn allows_renewal(&self, backend: Backend, limit: Amount) -> bool {
        self.in_flight == 0 && self.reserved <= limit && (backend == Backend::SplDelegate || self.live == 0)
    }
}

/// A delegation as the ledger knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// Its id.
    pub id: DelegationId,
    /// The wallet.
    pub buyer: Pubkey,
    /// The token.
    pub mint: Pubkey,
    /// What enforces it.
    pub backend: Backend,
    /// The session account, or the config account of the Swig.
    pub account: Pubkey,
    /// Whether the Swig stands at the id that nobody else can know.
    pub is_salted: bool,
    /// Where it stands.
    pub state: DelegationState,
    /// The generation that is granted, while it is active.
    pub grant: Option<DelegationGrant>,
    /// The generation that would be issued next.
    pub next_generation: u32,
    /// What was last read, of the current generation.
    pub reading: Option<DelegationReading>,
    /// What stands on it.
    pub used: DelegationUse,
}

/// What a wallet is told of its delegation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DelegationStanding {
    /// Begun and not granted yet.
    Pending,
    /// It can be settled by.
    Active,
    /// Its time is over or its limit used up.
    Expired,
    /// Taken back, by whatever way.
    Revoked,
}

impl DelegationStanding {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl Delegation {
    /// How it stands at `now`, by what the ledger knows.
    pub fn standing(&self, now: UnixSeconds) -> DelegationStanding {
        let Some(grant) = self.grant.filter(|_| self.state == DelegationState::Active) else {
            return if self.state == DelegationState::Left {
                DelegationStanding::Revoked
            } else {
                DelegationStanding::Pending
            };
        };
        if grant.is_over(now) {
            return DelegationStanding::Expired;
        }
        match self.reading.map(|seen| seen.reading.role) {
            Some(Role::Gone) => DelegationStanding::Revoked,
            Some(Role::Expired) => DelegationStanding::Expired,
            Some(Role::Live | Role::Frozen) | None => DelegationStanding::Active,
        }
    }

    /// What of the current grant may still move, as far as it is known: what was granted less what moved, or less where less was
    /// last read.
    pub fn remaining(&self) -> Option<Amount> {
        let left = self.grant?.left();
        Some(self.reading.map_or(left, |seen| amount(seen.reading.remaining).min(left)))
    }
}

/// A figure of the chain as an amount; what is above the largest counts as that.
pub fn amount(figure: u64) -> Amount {
    Amount::new(figure).unwrap_or(Amount::MAX)
}

#[cfg(test)]
mod tests;
