//! Writing a payment's hold: what a caller may still give up, and what is carried to its end whoever hangs up.
//!
//! A caller who waits for their turn has asked for nothing yet: when they hang up, nothing is held. From the moment at which
//! the ledger is asked the hold may be durable, so it is counted and carried even if nobody waits for it any more.

use super::Payments;
use crate::{
    domain::{
        hold::{Hold, HoldId, NewHold},
        reason::PayReason,
        session::Session,
    },
    facilitator::{PayError, events::SessionEvent, locks::opening_lock::PaymentGuard},
    ledger::{Held, LedgerError},
};
use solana_pubkey::Pubkey;
use std::sync::Arc;
use tokio::time::Instant;

type Written = Result<(Held, PaymentGuard), LedgerError>;

impl Payments {
    /// Writes the hold once no opening of its payer is under way, and has it carried.
    pub(crate) async fn place_hold(
        self: &Arc<Self>,
        new: NewHold,
        session: &Session,
        deadline: Instant,
    ) -> Result<Held, PayError> {
        let user = *session.user();
        let at_once = self.locks.openings.try_payment(&user, &session.intent.asset);
        let guard = if let Some(guard) = at_once {
            guard
        } else {
            // What was accepted before has its own outcome, whatever opens or is taken back now.
            if let Some(known) = self.known(&new).await? {
                return Ok(known);
            }
            let waited = self.wait_for_opening(&new, session, deadline).await;
            let Some(guard) = waited else { return Ok(Held::Refused(PayReason::SessionBusy)) };
            guard
        };
        // The wait may have been long: the session is judged as of now.
        let new = NewHold { now: self.core.clock.now(), ..new };
        let again = new.funding.required.then(|| new.clone());
        let (held, guard) = self.write(new, user, guard).await?;
        // A proof that was not looked after for a while may still stand.
        if let Some(new) = again
            && held == Held::Refused(PayReason::FundingUnproven)
            && tokio::time::timeout_at(deadline, self.funding.look_if_old(&user)).await.unwrap_or(Ok(false))?
        {
            let (held, _) = self.write(NewHold { now: self.core.clock.now(), ..new }, user, guard).await?;
            return Ok(held);
        }
        Ok(held)
    }

    /// Waits until no opening or revoke of this user is under way, for as long as this payment may wait.
    async fn wait_for_opening(&self, new: &NewHold, session: &Session, deadline: Instant) -> Option<PaymentGuard> {
        let (user, asset) = (session.user(), &session.intent.asset);
        // A payment that only wants a hold has no permit so far.
        let permit = match new.deferred {
            Some(_) => self.locks.waits.acquire(*user, self.core.credit(session)).await,
            None => None,
        };
        let may_wait = new.deferred.is_none() || permit.is_some();
        let until = if may_wait { deadline } else { Instant::now() };
        tokio::time::timeout_at(until, self.locks.openings.payment(user, asset)).await.ok()
    }

    /// What was accepted under this payment's nonce; none for a payment without one.
    async fn known(&self, new: &NewHold) -> Result<Option<Held>, LedgerError> {
        let Some(nonce) = &new.nonce else { return Ok(None) };
        let earlier = self.core.ledger.find_payment(new.session, nonce).await?;
        Ok(earlier.map(|hold| if hold.content == new.content { Held::Repeat(hold) } else { Held::NonceConflict }))
    }

    /// Writes the hold and counts it, also when its caller hangs up meanwhile.
    fn write(
        self: &Arc<Self>,
        new: NewHold,
        user: Pubkey,
        guard: PaymentGuard,
    ) -> impl Future<Output = Written> + use<> {
        let (this, after) = (Arc::clone(self), Arc::clone(self));
        let work = async move {
            let held = this.core.ledger.hold(&new).await?;
            if let Held::New(hold) = &held {
                if hold.deferred {
                    this.deferred.count_promise(&user, hold);
                } else {
                    this.dispatch.notify_queue(hold.session);
                }
                this.core.events.publish(hold.session, SessionEvent::Recorded);
            }
            Ok((held, guard))
        };
        self.core.tasks.finish_if_dropped(work, move |written: Written| {
            if let Ok((Held::Repeat(hold), _)) = written {
                drop(after.taken_over(&hold));
            }
        })
    }

    /// Guards a payment without a nonce that a repeat took over, until its caller is answered.
    pub(crate) fn taken_over(self: &Arc<Self>, hold: &Hold) -> TakeoverGuard {
        // A payment with a nonce is recognised whenever it is asked for again.
        TakeoverGuard { payments: Arc::clone(self), unanswered: hold.nonce.is_none().then_some(hold.id) }
    }
}

/// A payment without a nonce that a repeat took over. Nothing but the mark of a wait that ended recognises it when it comes
/// once more, so it gets that mark back when its caller hangs up.
pub(crate) struct TakeoverGuard {
    payments: Arc<Payments>,
    unanswered: Option<HoldId>,
}

impl TakeoverGuard {
    /// Ends the guard: the caller was answered, so dropping it marks nothing.
    pub(crate) fn answered(mut self) {
        self.unanswered = None;
    }
}

impl Drop for TakeoverGuard {
    fn drop(&mut self) {
        let Some(hold) = self.unanswered else { return };
        let core = Arc::clone(&self.payments.core);
        self.payments.core.tasks.spawn_if_possible(async move {
            if let Err(error) = core.ledger.end_wait(hold, PayReason::SettlementExpired).await {
                tracing::warn!(%error, "a payment without a nonce may be paid again if its caller repeats it");
            }
        });
    }
}
