//! Which level of its payer's balance a captured payment is told with.
//!
//! `proven` is told of a landing only when the account's history was seen up to it: a transfer from a balance that was moved
//! away a moment before lands as well (ADR 0035). One look serves all that landed by then.

use super::Payments;
use crate::{
    domain::{
        funding::Funding,
        hold::{Hold, HoldState},
    },
    facilitator::looks::Landing,
    ledger::LedgerError,
};
use solana_pubkey::Pubkey;
use tokio::time::Instant;

/// What is known of a captured payment's level.
enum Level {
    /// This is it.
    Known(Hold),
    /// The history was not seen up to this landing.
    Unseen(Landing),
    /// It is not captured any more: a fork took its landing back.
    TakenBack,
}

impl Payments {
    /// The payment with the level that may be told of it; none where that is not known by `until`.
    pub(crate) async fn with_landed_level(
        &self,
        hold: &Hold,
        user: &Pubkey,
        until: Instant,
    ) -> Result<Option<Hold>, LedgerError> {
        let landing = match self.level(hold, user).await? {
            Level::Known(hold) => return Ok(Some(hold)),
            Level::Unseen(landing) => landing,
            Level::TakenBack => return Ok(None),
        };
        if self.funding.see_landing(user, landing, until).await? {
            self.core.ledger.find_hold(hold.id).await
        } else {
            Ok(None)
        }
    }

    /// Like [`Self::with_landed_level`], without a look: none where one would have to be made.
    pub(crate) async fn with_known_level(&self, hold: &Hold, user: &Pubkey) -> Result<Option<Hold>, LedgerError> {
        Ok(match self.level(hold, user).await? {
            Level::Known(hold) => Some(hold),
            Level::Unseen(_) | Level::TakenBack => None,
        })
    }

    /// What was promised is told with the level of its promise, and what was not accepted as proven never becomes it.
    async fn level(&self, hold: &Hold, user: &Pubkey) -> Result<Level, LedgerError> {
        let HoldState::Captured { signature, .. } = hold.state else { return Ok(Level::Known(hold.clone())) };
        if hold.deferred || hold.funding != Funding::Proven {
            return Ok(Level::Known(hold.clone()));
        }
        let ledger = &self.core.ledger;
        let Some(slot) = ledger.landed_slot(hold.id).await? else { return Ok(Level::TakenBack) };
        let bound = ledger.source(user, &self.core.settings.served.asset).await?.and_then(|source| source.bound);
        if !bound.is_some_and(|bound| bound.has_judged(slot)) {
            return Ok(Level::Unseen(Landing { slot, signature }));
        }
        // What a look found is written with it.
        Ok(Level::Known(ledger.find_hold(hold.id).await?.unwrap_or_else(|| hold.clone())))
    }
}

/// The payment as it is told where nobody saw up to its landing.
pub(crate) fn unseen(hold: Hold) -> Hold {
    let funding = if hold.funding == Funding::Proven { Funding::Unproven } else { hold.funding };
    Hold { funding, ..hold }
}
