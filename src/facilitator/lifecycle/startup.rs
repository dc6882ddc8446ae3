//! What a killed process left behind is handed to the same driver that serves live requests.

use crate::{
    covalidator::CovalidatorError,
    domain::{
        amount::Amount,
        reason::{PayReason, SessionReason},
        session::{CapCheck, Session, SessionState},
        settlement::{Purpose, State},
    },
    facilitator::{
        AllowancePolicy, CapCheckPolicy, Facilitator, events::SessionEvent, locks::account_locks::AccountsHeld,
        settlement::driver::Until, ticks, token_accounts::decoded,
    },
    ledger::{LedgerError, Work},
    programs::inco_token::IncoAccount,
};
use std::{sync::Arc, time::Duration};

/// How long a start waits for the fee payers' balances; until they are read, every key counts as funded.
const BALANCE_PATIENCE: Duration = Duration::from_secs(2);

impl Facilitator {
    /// Starts the work of this process, once, before requests are served: what comes before the first signature, then
    /// [`Facilitator::take_over`].
    pub async fn recover(self: &Arc<Self>) -> Result<(), LedgerError> {
        self.set_limits().await?;
        self.learn_balances().await;
        self.take_over().await
    }

    /// Puts the configured budgets in force. Comes before anything is signed.
    pub async fn set_limits(&self) -> Result<(), LedgerError> {
        self.ledger.set_budgets(&self.settings.budgets).await
    }

    /// Reads what the fee payers have, so that one without SOL gets no work; waits for it for a moment only.
    pub async fn learn_balances(&self) {
        if !matches!(tokio::time::timeout(BALANCE_PATIENCE, self.read_balances()).await, Ok(Ok(()))) {
            tracing::warn!("the fee payers' balances are not known yet");
        }
    }

    /// Picks up what was unfinished; what takes time goes on in the background.
    ///
    /// Holds that no settlement covers were accepted from callers who are gone, so they are released, unless they were
    /// promised; everything that was planned is driven to its end.
    pub async fn take_over(self: &Arc<Self>) -> Result<(), LedgerError> {
        let now = self.clock.now();
        let released = self.ledger.release_abandoned(now.saturating_add(1), PayReason::SettlementExpired).await?;
        let promised = self.restore_promises().await?;
        let unfinished = self.ledger.unfinished().await?;
        let openings = self.ledger.opening_sessions().await?;
        tracing::info!(
            released,
            promised,
            settlements = unfinished.len(),
            openings = openings.len(),
            "picking up where it ended"
        );
        for work in unfinished {
            // An approve is driven by its opening, which knows what comes after.
            if work.settlement.purpose != Purpose::Approve {
                self.resume(work);
            }
        }
        for session in &openings {
            self.resume_opening(session);
        }
        self.spawn(Arc::clone(self).rounds());
        self.spawn(Arc::clone(self).promise_rounds());
        self.spawn(Arc::clone(self).balance_rounds());
        if self.settings.decrypt_allowance == AllowancePolicy::Idle {
            self.remember_rest().await?;
            self.spawn(Arc::clone(self).watch_rest());
        }
        self.spawn(Arc::clone(self).watch_rounds());
        if self.settings.cap_check == CapCheckPolicy::BestEffort {
            self.spawn(Arc::clone(self).cap_rounds());
        }
        Ok(())
    }

    /// Drives one settlement to its end in the background, behind the gates of its accounts; what has landed is watched.
    pub(crate) fn resume(self: &Arc<Self>, work: Work) {
        if work.settlement.state == State::Landed {
            return self.watch_finality(work);
        }
        let this = Arc::clone(self);
        self.spawn(async move {
            // One task at a time stands in line for a settlement, however many rounds see it unfinished.
            let Some(_queued) = this.resuming.claim(work.settlement.id) else { return };
            let held = this.hold_again(&work).await;
            let _busy = held.as_ref().map(|held| this.unread.at_work(held.accounts()));
            this.drive_holding(work, Until::Landed, held).await;
        });
    }

    /// The accounts and the place of a transfer that was planned before.
    pub(crate) async fn hold_again(&self, work: &Work) -> Option<AccountsHeld> {
        let settlement = &work.settlement;
        if settlement.purpose != Purpose::Capture {
            return None;
        }
        let session = self.ledger.session(settlement.session?).await.ok().flatten()?;
        let [source, destination] = self.accounts_of(&session);
        let line = self.windows.line_up(&source, &destination).await;
        let named = work.attempt.as_ref().is_some_and(|attempt| attempt.get().bears_allowances);
        let alone = if named { self.gates.alone_in_time(source, destination).await } else { None };
        let held = match alone {
            Some(held) => held,
            // Where others move its accounts first it lands with an error, and is made anew without naming handles.
            None => self.hold_accounts(&session, false).await.0,
        };
        Some(held.with_place(self.windows.enter(line).await))
    }

    /// Takes one interrupted opening to its end in the background, behind its user's gate.
    ///
    /// The gate is taken here and not in the task, so that after a start no payment is accepted before the opening is
    /// proved. Whoever holds it already works at this user's openings; the next round looks again.
    fn resume_opening(self: &Arc<Self>, session: &Session) {
        let Some(gate) = self.gates.try_opening(session.user(), &session.intent.asset) else { return };
        let (this, id) = (Arc::clone(self), session.id);
        self.spawn(async move {
            let _gate = gate;
            // It may have ended before the gate was ours.
            let now = this.ledger.session(id).await.ok().flatten();
            if now.is_some_and(|now| now.state == SessionState::Opening) && this.finish_opening(id).await.is_err() {
                tracing::info!(session = id.log_hash(), "an interrupted opening has not opened");
            }
        });
    }

    async fn rounds(self: Arc<Self>) {
        let mut ticks = ticks(self.settings.round);
        loop {
            ticks.tick().await;
            if let Err(error) = self.round().await {
                tracing::warn!(%error, "a background round failed; the next one tries again");
            }
        }
    }

    async fn round(self: &Arc<Self>) -> Result<(), LedgerError> {
        for expired in self.ledger.expire_sessions(self.clock.now()).await? {
            self.settle_promises(expired);
            self.events.publish(expired, SessionEvent::Recorded);
        }
        self.keep_promises().await?;
        // A wake-up that was lost costs nothing but this look.
        for session in self.ledger.waiting_sessions().await? {
            self.wake_lane(session);
        }
        for work in self.ledger.unfinished().await? {
            let opening = work.settlement.purpose == Purpose::Approve && work.settlement.state != State::Landed;
            if !opening && !self.driving.is_claimed(work.settlement.id) && !self.resuming.is_claimed(work.settlement.id)
            {
                self.resume(work);
            }
        }
        self.check_rents();
        // An outage while an opening was proved, or a Covalidator that lagged, leaves it for the next round.
        for session in self.ledger.opening_sessions().await? {
            self.resume_opening(&session);
        }
        Ok(())
    }

    /// Asks about unverified caps again and again. Apart from the other rounds, because a Covalidator that is away takes
    /// its time with each of them.
    async fn cap_rounds(self: Arc<Self>) {
        let mut ticks = ticks(self.settings.round);
        loop {
            ticks.tick().await;
            if let Err(error) = self.check_caps_again().await {
                tracing::warn!(%error, "unverified caps cannot be looked at; the next round tries again");
            }
        }
    }

    async fn check_caps_again(self: &Arc<Self>) -> Result<(), LedgerError> {
        for session in self.ledger.unverified_sessions().await? {
            let Some(account) = self.account_at_rest(&session).await? else { continue };
            let Some(covers) = self.is_covered(&session, &account).await? else { continue };
            match session.approve {
                Some(signature) if covers => {
                    self.ledger.mark_open(session.id, CapCheck::Verified, signature, &[]).await?;
                }
                Some(_) => self.ledger.reject_session(session.id, SessionReason::CapMismatch).await?,
                None => {}
            }
        }
        Ok(())
    }

    /// Whether what was approved covers the session; `None` when nobody can tell now.
    ///
    /// Under documented delegation each transfer makes a new handle of the delegated amount, and nobody grants us the right
    /// to decrypt that one. The handle that the approve itself made stays readable: its amount is what all of the
    /// session needs, captured or not.
    async fn is_covered(&self, session: &Session, account: &IncoAccount) -> Result<Option<bool>, LedgerError> {
        let patience = self.settings.cap_check_deadline;
        match self.decrypt_delegated(account.delegated_amount, patience).await {
            // More than it needs is no lie by now: the approve may have covered sessions that have ended since.
            Ok(approved) => Ok(Some(self.fit_others(session, Some(approved)).await?.covers)),
            Err(CovalidatorError::NotAllowed { .. }) => {
                let Some(handle) = self.ledger.approval(session.id).await? else { return Ok(None) };
                let approved = self.decrypt_delegated(handle, patience).await;
                Ok(approved.ok().map(|approved| approved >= session.intent.cap))
            }
            Err(_) => Ok(None),
        }
    }

    /// The session's source account as it stands after exactly what the session has captured; `None` while a transfer
    /// is on its way (it lowers the delegated amount where the program does that), or when we are not the delegate.
    async fn account_at_rest(&self, session: &Session) -> Result<Option<IncoAccount>, LedgerError> {
        let Ok(account) = self.account(&self.token_account(session.user())).await else { return Ok(None) };
        let after = self.ledger.session(session.id).await?;
        let rests = after.is_some_and(|after| after.held == Amount::ZERO && after.captured == session.captured)
            && session.held == Amount::ZERO;
        Ok(decoded(account).filter(|account| rests && self.is_delegate(account)))
    }
}
