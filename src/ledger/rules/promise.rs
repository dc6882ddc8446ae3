//! What may be promised, what becomes of a promise whose settlement comes to nothing, when it is given up, and how a
//! caller's wait ends.

use crate::{
    domain::{
        amount::Amount,
        clock::UnixSeconds,
        funding::Funding,
        hold::{Exposure, GiveUp, Hold, HoldId, HoldState, rest_after},
        reason::PayReason,
        session::{Delegation, SessionState},
    },
    ledger::{LedgerError, rules::SumsChange},
};
use solana_signature::Signature;

#[cfg(test)]
mod tests;

/// What is held by promise, in base units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::ledger) struct PromisedSums {
    /// In one session.
    pub(in crate::ledger) session: Amount,
    /// In all live sessions of its payer with its merchant.
    pub(in crate::ledger) payer: Amount,
    /// For its merchant, in all sessions together.
    pub(in crate::ledger) merchant: Amount,
}

/// Whether one more promise fits the limits. Compared as what is left of them, so that no sum can overflow.
///
/// One that nothing proves fits only below its own limit for the merchant, whoever filled that: strangers without money leave the
/// rest to those who have proved theirs.
pub(in crate::ledger) fn fits(amount: Amount, funding: Funding, limits: Exposure, held: PromisedSums) -> bool {
    let fits = |limit: Amount, held: Amount| limit.checked_sub(amount).is_some_and(|left| held <= left);
    let of_merchant = match funding {
        Funding::Proven => limits.per_merchant,
        Funding::Unproven | Funding::Short => limits.per_merchant.min(limits.unproven_per_merchant),
    };
    fits(limits.per_session, held.session) && fits(limits.per_user, held.payer) && fits(of_merchant, held.merchant)
}

/// A promised hold that waits again because its settlement came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ledger) struct Returned {
    /// The hold.
    pub(in crate::ledger) id: HoldId,
    /// How many settlements came to nothing under it, this one counted.
    pub(in crate::ledger) returns: u32,
    /// The moment before which no other is planned over it.
    pub(in crate::ledger) not_before: UnixSeconds,
}

/// A settlement came to nothing: those of its holds that were told wait again, each after a rest. Tells their sum too.
pub(in crate::ledger) fn take_back(planned: &[Hold], now: UnixSeconds) -> Result<(Vec<Returned>, Amount), LedgerError> {
    let overflow = || LedgerError::Inconsistent("a settlement's holds do not fit an amount".to_owned());
    let mut returned = Vec::new();
    let mut sum = Amount::ZERO;
    for hold in planned.iter().filter(|hold| hold.told) {
        sum = sum.checked_add(hold.amount).ok_or_else(overflow)?;
        let returns = hold.returns.checked_add(1).ok_or_else(overflow)?;
        returned.push(Returned { id: hold.id, returns, not_before: now.saturating_add(rest_after(returns)) });
    }
    Ok((returned, sum))
}

/// One settlement of a promise that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ledger) struct Return {
    /// Why.
    pub(in crate::ledger) reason: PayReason,
    /// The transaction that landed with an error, if one did.
    pub(in crate::ledger) failed: Option<Signature>,
    /// When.
    pub(in crate::ledger) at: UnixSeconds,
}

impl Return {
    /// Whether this failure counts towards giving the promise up. One for lack of our own budget or SOL does not:
    /// the promise waits until there is money again.
    fn counts(&self) -> bool {
        !PayReason::OF_THE_SPONSOR.contains(&self.reason)
    }
}

/// Why a promise ends that was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ledger) struct Ending {
    /// What its merchant is told.
    pub(in crate::ledger) reason: PayReason,
    /// The transaction that landed with an error, if one did.
    pub(in crate::ledger) failed: Option<Signature>,
}

/// What may still keep the promises of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ledger) enum Backing {
    /// A delegation that is for them.
    Stands,
    /// None: the payer took it back.
    Revoked,
    /// None: a newer approve is in its place, and is for others. Only where transfers lower the delegated amount: elsewhere what
    /// moves for one takes nothing from another.
    Replaced,
}

impl Backing {
    /// Of a session in this state; `is_uncovered` where another approve stands than the one that the session takes from.
    pub(in crate::ledger) const fn of(state: SessionState, is_uncovered: bool, delegation: Delegation) -> Self {
        match state {
            SessionState::Revoked => Self::Revoked,
            SessionState::Opening | SessionState::Open => Self::Stands,
            _ if is_uncovered && delegation.is_lowered() => Self::Replaced,
            _ => Self::Stands,
        }
    }

    /// Why a promise ends that nothing can keep.
    const fn end(self) -> Option<PayReason> {
        match self {
            Self::Stands => None,
            Self::Revoked => Some(PayReason::SessionRevoked),
            Self::Replaced => Some(PayReason::DelegationReplaced),
        }
    }
}

/// How a waiting promise ends that this stands behind; none while it may still be kept. `returns` are all of the promise, in the
/// order of their settlements.
///
/// Where nothing can keep it, it ends whether a settlement was tried or not: all that trying does is to cost fees, to take up
/// what may be promised to its merchant, and under a newer approve to take what others were promised.
pub(in crate::ledger) fn ending(hold: &Hold, returns: &[Return], backing: Backing, when: GiveUp) -> Option<Ending> {
    if let Some(reason) = backing.end() {
        let failed = returns.last().and_then(|last| last.failed);
        return Some(Ending { reason, failed });
    }
    given_up(hold, returns, when).map(|last| Ending { reason: last.reason, failed: last.failed })
}

/// The return for which a waiting promise is given up; none while it may still be kept. `returns` are all of the promise,
/// in the order of their settlements.
///
/// One whose settlement found the delegation gone is given up at once. One that is old is given up only when its latest
/// settlement was tried at that age and came to nothing: until then it is tried once more.
pub(in crate::ledger) fn given_up<'a>(hold: &Hold, returns: &'a [Return], when: GiveUp) -> Option<&'a Return> {
    let last = returns.last()?;
    let counted = returns.iter().filter(|back| back.counts()).count();
    let age = last.at.checked_sub(hold.accepted_at);
    let too_often = u32::try_from(counted).map_or(true, |counted| counted >= when.returns);
    let too_old = last.counts() && age.is_some_and(|age| age >= when.age_seconds);
    let is_hopeless = last.reason == PayReason::SessionRevoked;
    (is_hopeless || too_often || too_old).then_some(last)
}

/// What giving up a promise does to its session's sums: its amount is lost.
pub(in crate::ledger) fn loss(hold: &Hold) -> SumsChange {
    let amount = i64::from(hold.amount);
    let deferred_held = if hold.deferred { -amount } else { 0 };
    SumsChange { captured: 0, held: -amount, deferred_held, lost: amount }
}

/// How a caller's wait ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ledger) enum WaitEnd {
    /// No settlement covers the payment and nobody was promised: it is given back.
    Released,
    /// Its outcome is to be asked for later; it is marked as answered `settlement_pending`.
    Pending,
    /// It was captured meanwhile and told nobody: marked too, so that whoever asks again is told.
    DecidedUntold,
    /// It was decided.
    Decided,
}

/// Ends the wait for a payment as it stands.
pub(in crate::ledger) const fn end_wait(hold: &Hold) -> WaitEnd {
    match hold.state {
        HoldState::Waiting if !hold.told => WaitEnd::Released,
        HoldState::Waiting | HoldState::Planned { .. } => WaitEnd::Pending,
        HoldState::Captured { .. } if !hold.told => WaitEnd::DecidedUntold,
        HoldState::Captured { .. } | HoldState::Released { .. } => WaitEnd::Decided,
    }
}
