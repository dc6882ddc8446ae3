//! Writing a payment's hold: what a caller may still give up, and what is carried to its end whoever hangs up.
//!
//! Whoever waits for his turn has asked for nothing yet: when he hangs up, nothing is held. From the moment at which the
//! ledger is asked the hold may be durable, so it is counted and carried even if nobody waits for it any more.

use crate::{
    domain::{
        hold::{Hold, HoldId, NewHold},
        reason::PayReason,
        session::Session,
    },
    facilitator::{Facilitator, PayError, events::SessionEvent},
    ledger::{Held, LedgerError},
};
use solana_pubkey::Pubkey;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::{runtime::Handle, sync::OwnedRwLockReadGuard, time::Instant};

/// Keeps openings of one user out while a payment of his is written.
type Turn = OwnedRwLockReadGuard<()>;

impl Facilitator {
    /// Writes the hold once no opening of the same user is under way, and has it carried.
    pub(crate) async fn accept(
        self: &Arc<Self>,
        new: NewHold,
        session: &Session,
        deadline: Instant,
    ) -> Result<Held, PayError> {
        let (user, asset) = (*session.user(), session.intent.asset);
        let Some(turn) = self.turn(&new, &user, &asset, deadline).await else {
            return Ok(Held::Refused(PayReason::SessionBusy));
        };
        // The wait may have been long: the session is judged as of now.
        let new = NewHold { now: self.clock.now(), ..new };
        let again = new.funding.required.then(|| new.clone());
        let (held, turn) = self.write(new, turn).await?;
        // A proof that nobody has looked after for a while may still stand.
        if let Some(new) = again
            && held == Held::Refused(PayReason::FundingUnproven)
            && tokio::time::timeout_at(deadline, self.look_if_old(&user)).await.unwrap_or(Ok(false))?
        {
            let (held, _) = self.write(NewHold { now: self.clock.now(), ..new }, turn).await?;
            return Ok(held);
        }
        Ok(held)
    }

    /// Waits until no opening of this user is under way, for as long as this payment may wait.
    async fn turn(&self, new: &NewHold, user: &Pubkey, asset: &Pubkey, deadline: Instant) -> Option<Turn> {
        if let Some(turn) = self.gates.try_paying(user, asset) {
            return Some(turn);
        }
        // Who is content with a hold has no seat so far.
        let seat = new.deferred.and_then(|_| self.rooms.users.enter(*user));
        let may_wait = new.deferred.is_none() || seat.is_some();
        let until = if may_wait { deadline } else { Instant::now() };
        tokio::time::timeout_at(until, self.gates.paying(user, asset)).await.ok()
    }

    /// Writes the hold and counts it.
    fn write(self: &Arc<Self>, new: NewHold, turn: Turn) -> Writing {
        let this = Arc::clone(self);
        let work = async move {
            let held = this.ledger.hold(&new).await?;
            if let Held::New(hold) = &held {
                if hold.deferred {
                    this.promise(hold);
                } else {
                    this.wake_lane(hold.session);
                }
                this.events.publish(hold.session, SessionEvent::Recorded);
            }
            Ok((held, turn))
        };
        Writing { facilitator: Arc::clone(self), work: Some(Box::pin(work)) }
    }

    /// Watches over what a repeat took over until its caller is told.
    pub(crate) fn taken_over(self: &Arc<Self>, hold: &Hold) -> TakenOver {
        // Who names his payment is recognised whenever he asks again.
        TakenOver { facilitator: Arc::clone(self), untold: hold.nonce.is_none().then_some(hold.id) }
    }

    /// Carries on with what its caller, who is gone, has begun. Without a runtime the process is ending, and the next one
    /// finds what was written.
    fn outlive(&self, work: impl Future<Output = ()> + Send + 'static) {
        if Handle::try_current().is_ok() {
            self.spawn(work);
        }
    }
}

/// A payment without a nonce that a repeat took over. Nothing but the mark of a wait that ended recognises it when it comes
/// once more, so it gets that mark back when its caller hangs up.
pub(crate) struct TakenOver {
    facilitator: Arc<Facilitator>,
    untold: Option<HoldId>,
}

impl TakenOver {
    /// Its caller is told.
    pub(crate) fn told(mut self) {
        self.untold = None;
    }
}

impl Drop for TakenOver {
    fn drop(&mut self) {
        let Some(hold) = self.untold else { return };
        let facilitator = Arc::clone(&self.facilitator);
        self.facilitator.outlive(async move {
            if let Err(error) = facilitator.ledger.end_wait(hold, PayReason::SettlementExpired).await {
                tracing::warn!(%error, "a payment without a nonce may be paid again if its caller repeats it");
            }
        });
    }
}

type Written = Result<(Held, Turn), LedgerError>;

/// A hold that is being written. Polled by its caller, and by a task of its own once he is gone: a task for each would
/// cost every payment another hop between threads.
struct Writing {
    facilitator: Arc<Facilitator>,
    work: Option<Pin<Box<dyn Future<Output = Written> + Send>>>,
}

impl Future for Writing {
    type Output = Written;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Written> {
        let Some(work) = &mut self.work else { return Poll::Pending };
        let written = work.as_mut().poll(context);
        if written.is_ready() {
            self.work = None;
        }
        written
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let Some(work) = self.work.take() else { return };
        let facilitator = Arc::clone(&self.facilitator);
        self.facilitator.outlive(async move {
            if let Ok((Held::Repeat(hold), _)) = work.await {
                drop(facilitator.taken_over(&hold));
            }
        });
    }
}
