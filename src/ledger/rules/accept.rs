//! Whether a payment is accepted, at which level of its payer's balance, and whether it is a promise.

use crate::{
    domain::{
        amount::Amount,
        funding::{Funding, Source},
        hold::{Hold, NewHold},
        reason::PayReason,
        session::Session,
    },
    ledger::{
        Held,
        rules::{SumsChange, promise},
    },
};

#[cfg(test)]
mod tests;

/// What an engine has read for a payment that was not accepted before.
#[derive(Clone, Debug)]
pub(in crate::ledger) struct Rows<'a> {
    /// The session it draws on.
    pub(in crate::ledger) session: &'a Session,
    /// What is known of the payer's account.
    pub(in crate::ledger) source: Source,
    /// Whether a payment of that account that was accepted as proven has not been captured yet; it has to be read only
    /// where [`asks_for_reliance`] says so.
    pub(in crate::ledger) is_relied_upon: bool,
    /// What is held by promise; it has to be read only for a payment that is content with one.
    pub(in crate::ledger) promised: promise::PromisedSums,
}

/// A payment as it is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ledger) struct Accepted {
    /// Captured and held together, right after it.
    pub(in crate::ledger) spent_after: Amount,
    /// What is left of the cap then.
    pub(in crate::ledger) remaining_after: Amount,
    /// Whether it is a promise: told with its row.
    pub(in crate::ledger) promised: bool,
    /// What is known of its payer's balance.
    pub(in crate::ledger) funding: Funding,
    /// What it does to its session's sums.
    pub(in crate::ledger) sums: SumsChange,
}

/// What a request is told whose nonce was used before: the earlier payment, if it has the same content.
pub(in crate::ledger) fn repeat(new: &NewHold, earlier: Hold) -> Held {
    if earlier.content == new.content { Held::Repeat(earlier) } else { Held::NonceConflict }
}

/// Whether the decision depends on what is relied upon of the payer's balance.
pub(in crate::ledger) fn asks_for_reliance(new: &NewHold, source: &Source) -> bool {
    source.is_passed_by(new.amount)
}

/// Accepts a payment, or says why not.
///
/// While something that was accepted as proven has not been captured, nothing else may pass the proved balance, whoever
/// asks for less: it could land first, and what was promised would move zero.
pub(in crate::ledger) fn accept(new: &NewHold, rows: &Rows<'_>) -> Result<Accepted, PayReason> {
    let Rows { session, source, .. } = rows;
    if new.amount == Amount::ZERO {
        return Err(PayReason::InvalidAmount);
    }
    session.may_hold(new.amount, new.now, new.unverified_exposure)?;
    if source.frozen {
        return Err(PayReason::SourceFrozen);
    }
    if asks_for_reliance(new, source) && rows.is_relied_upon {
        return Err(PayReason::InsufficientFunds);
    }
    let funding = new.funding.admit(source.level(session.cap_check, new.amount, new.now, &new.funding))?;
    let spent_after = session.spent().checked_add(new.amount).ok_or(PayReason::CapExceeded)?;
    let bound = session.bound(new.unverified_exposure);
    let remaining_after = bound.checked_sub(spent_after).ok_or(PayReason::CapExceeded)?;
    let promised = new.deferred.is_some_and(|limits| promise::fits(new.amount, funding, limits, rows.promised));
    let sums = if promised { SumsChange::promise(new.amount) } else { SumsChange::hold(new.amount) };
    Ok(Accepted { spent_after, remaining_after, promised, funding, sums })
}
