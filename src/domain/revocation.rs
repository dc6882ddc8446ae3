//! A revoke that a wallet signs and that we pay for: the end of our delegation over its token account (`spec/session.md` §4).
//!
//! It is offered when nothing can need the delegation any more: no session of that wallet and asset is live, and nothing is
//! held. Each costs us two signatures and earns nothing, so there are few of them.

use crate::domain::{
    hold::ContentHash,
    settlement::{RevocationId, SettlementId, State},
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

/// How many revokes are paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevocationLimits {
    /// Of one wallet in a day, of all assets: who approves and revokes in turn pays the second time. What came to nothing and
    /// cost nothing does not count.
    pub of_user_per_day: u64,
    /// Recorded for one wallet in a day, whatever they came to: what never lands keeps its place for a minute.
    pub recorded_of_user_per_day: u64,
    /// On their way at once, of all wallets.
    pub in_flight: u64,
    /// On their way at once, of wallets that have earned no credit (ADR 0036): fewer, so that one with credit finds a place.
    pub of_newcomers_in_flight: u64,
    /// Of all wallets that have earned no credit, in an hour.
    pub of_newcomers_per_hour: u64,
}

impl RevocationLimits {
    /// One a wallet and day of three that are recorded, three on their way at once; of wallets without credit two, and sixty in an
    /// hour.
    pub const DEFAULT: Self = Self {
        of_user_per_day: 1,
        recorded_of_user_per_day: 3,
        in_flight: 3,
        of_newcomers_in_flight: 2,
        of_newcomers_per_hour: 60,
    };
}

impl Default for RevocationLimits {
    /// [`RevocationLimits::DEFAULT`].
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Why no revoke of a wallet and asset is paid for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationBar {
    /// This ledger knows no session of them: whoever delegated to us did it without us.
    NoSession,
    /// A session of them is opening, open or closing, or still holds something.
    InUse,
    /// Another revoke of them is on its way.
    OnItsWay,
    /// There are as many as there may be.
    TooMany {
        /// Seconds until there may be another.
        again_in: u64,
    },
    /// A transfer of a session of them has landed and is not final: a fork that took it back would leave it without its approve.
    NotFinal,
}

/// A revoke that its wallet has signed, about to be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevocationPlan {
    /// Its id.
    pub id: RevocationId,
    /// The settlement that carries it.
    pub settlement: SettlementId,
    /// The wallet.
    pub user: Pubkey,
    /// The mint.
    pub asset: Pubkey,
    /// The hash of the transaction's message as it was signed, with what the wallet added.
    pub signed: ContentHash,
    /// How many are paid for.
    pub limits: RevocationLimits,
}

/// Where a revoke stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationState {
    /// Its transaction is recorded, and may or may not have landed.
    OnItsWay,
    /// Its transaction has landed.
    Landed,
    /// It had no effect and will have none.
    Released,
}

impl RevocationState {
    /// Where a revoke stands whose settlement is in this state.
    pub const fn of(settlement: &State) -> Self {
        match settlement {
            State::Reserved | State::InFlight => Self::OnItsWay,
            State::Landed | State::Settled => Self::Landed,
            State::Released => Self::Released,
        }
    }
}

/// A revoke that was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Its id.
    pub id: RevocationId,
    /// The settlement that carries it.
    pub settlement: SettlementId,
    /// The wallet.
    pub user: Pubkey,
    /// The mint.
    pub asset: Pubkey,
    /// The hash of the transaction's message as it was signed.
    pub signed: ContentHash,
    /// Where it stands.
    pub state: RevocationState,
    /// Its transaction.
    pub transaction: Signature,
}

/// By what a revoke is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationKey {
    /// Its id.
    Id(RevocationId),
    /// The hash of the transaction's message as it was signed.
    Signed(ContentHash),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wallets_without_credit_never_take_every_place() {
        let limits = RevocationLimits::DEFAULT;
        assert!(limits.of_newcomers_in_flight < limits.in_flight);
    }
}
