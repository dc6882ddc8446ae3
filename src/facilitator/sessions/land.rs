//! Opening a session: the part that touches the chain.
//!
//! The approve is the user's transaction: its bytes are recorded before our signature is sent to anybody, it is sent as
//! those bytes only, and what it did is read back from the account before the session accepts a payment. A request
//! whose time runs out leaves the opening to the background; a killed process leaves it to recovery. Both run
//! [`Sessions::finish_opening`].

use crate::{
    chain::{ChainAccount, LiveBlockhash, inspect::InspectedApprove},
    domain::{
        approval::LandedApprove,
        clock::UnixSeconds,
        reason::SessionReason,
        session::{CapCheck, Session, SessionId, SessionState},
        settlement::{Cost, Event, Purpose, State, Subject},
    },
    facilitator::{
        SessionError, SessionRefusal,
        events::SessionEvent,
        sessions::{Sessions, delegate_slot::check_approved, open::ParsedOpening, recipient_account::ToCreate},
        settlement::{driver::Until, sign::attempt},
        sponsor::budget::over_budget_refusal,
    },
    ledger::{LedgerError, Opened, Signed, is_same_opening},
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::sync::Arc;

/// Where an approve has landed, as far as the opening knows.
struct Landing {
    signature: Option<Signature>,
    /// Whether it can no longer be taken back.
    is_final: bool,
}

impl Sessions {
    /// Opens a checked session: preflight, waiting for the user's transfers, the row, the approve, the proof.
    pub(crate) async fn land_session(self: &Arc<Self>, parsed: ParsedOpening) -> Result<Session, SessionError> {
        let credit = self.core.credit(&parsed.session);
        let permit = self.locks.waits.acquire(*parsed.session.user(), credit).await;
        let Some(_permit) = permit else { return Err(busy()) };
        let seen = self.preflight(&parsed).await?;
        let creation = match seen.to_create {
            ToCreate::Nothing => Cost::default(),
            ToCreate::Recipient => self.sponsor.creation_cost().await?,
        };
        let cost = self.sponsor.opening_cost(parsed.approve.as_ref(), creation).await?;
        self.sponsor.check_opening_budget(&parsed.session, cost).await?;
        let life = seen.approve_life?;
        let deadline = tokio::time::Instant::now() + self.core.settings.answer_deadline;
        let user = *parsed.session.user();
        let at_once = self.locks.openings.try_opening(&user, &self.core.settings.served.asset);
        let calm = at_once.is_some();
        let guard = if let Some(guard) = at_once {
            guard
        } else {
            let (asset, patience) = (&self.core.settings.served.asset, self.core.settings.openings.drain_deadline);
            self.locks.openings.opening_within(&user, asset, patience).await.ok_or_else(busy)?
        };
        let calm = self.drain(&user).await? && calm;
        // What was seen before others of this user moved is looked at again.
        let life = if calm { life } else { self.preflight(&parsed).await?.approve_life? };
        let booking = self.count_unproven_grant(&parsed, seen.balance).await?;
        let session = match self.write_within_quota(&parsed).await? {
            Opened::New(session) => session,
            Opened::Existing(known) => return self.answer_repeat(&parsed.session, known).await,
            Opened::NonceReused => return Err(SessionRefusal::new(SessionReason::NonceReused).into()),
            Opened::RevokeOnItsWay => return Err(busy()),
        };
        if booking.is_some() {
            // Before it is booked, so that no booking is left out whatever ends this process.
            self.core.ledger.mark_unproven_grant(session.id).await?;
        }
        if let (Some(approve), Some(life)) = (parsed.approve, life) {
            self.record_approve(&session, approve, life).await?;
        }
        drop(booking);
        let (this, id) = (Arc::clone(self), session.id);
        let told = self.core.tasks.spawn_detached(async move {
            let _guard = guard;
            this.finish_opening(id).await
        });
        match tokio::time::timeout_at(deadline, told).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(SessionRefusal::new(SessionReason::ApprovePending).about(id).into()),
        }
    }

    /// Answers a repeated request with its session, or with where that stands.
    ///
    /// Not once a settlement has published what signs the request: of an intent without a short message everything that a
    /// repeated request consists of is on chain for everybody to read, and the id is a bearer secret where there is no
    /// session key; of the short message the signature is. Who has paid knows the id.
    pub(crate) async fn answer_repeat(
        self: &Arc<Self>,
        asked: &Session,
        known: Session,
    ) -> Result<Session, SessionError> {
        if !is_same_opening(asked, &known) {
            return Err(SessionRefusal::new(SessionReason::NonceReused).into());
        }
        let published = match (&known.signed.settle_signature, &asked.signed.signature) {
            (None, _) => Some("the intent was used and is public by now: read the session by its id"),
            (Some(_), None) => {
                Some("the short message is public by now: send `authSignature`, or read the session by its id")
            }
            (Some(_), Some(_)) => None,
        };
        if let Some(detail) = published
            && self.core.ledger.was_settled_from(known.id).await?
        {
            return Err(SessionRefusal::because(SessionReason::NonceReused, detail).into());
        }
        match known.state {
            SessionState::Rejected(reason) => Err(SessionRefusal::new(reason).about(known.id).into()),
            SessionState::Opening => {
                let landed = self
                    .core
                    .ledger
                    .approve_of(known.id)
                    .await?
                    .is_none_or(|work| matches!(work.settlement.state, State::Landed | State::Settled));
                let reason = if landed { SessionReason::CapUnverified } else { SessionReason::ApprovePending };
                Err(SessionRefusal::new(reason).about(known.id).into())
            }
            SessionState::Open
            | SessionState::Expired
            | SessionState::Closing
            | SessionState::Closed
            | SessionState::Superseded
            | SessionState::Revoked => Ok(known),
        }
    }

    /// Waits until nothing of the user's other sessions is on its way; new payments are kept out by the opening lock. Tells
    /// whether there was nothing to wait for. Where transfers lower the delegated amount, what rests after a settlement came to
    /// nothing is tried once more: it may end with the approve that is replaced.
    async fn drain(self: &Arc<Self>, user: &Pubkey) -> Result<bool, SessionError> {
        let since = self.core.clock.now();
        if self.core.settings.transfers.delegation.is_lowered() {
            self.core.ledger.wake_promises(user, &self.core.settings.served.asset, since).await?;
        }
        let drained = async {
            let mut calm = true;
            loop {
                let progress = self.settlements.progress.of_any();
                let mut open = 0;
                for session in self.core.ledger.live_sessions(user, &self.core.settings.served.asset).await? {
                    let waiting = self.core.ledger.open_holds(session.id).await?;
                    if waiting > 0 {
                        self.dispatch.notify_queue_for_promises(session.id, 1);
                    }
                    open += waiting.saturating_sub(self.resting(session.id, since).await?);
                }
                if open == 0 {
                    return Ok::<bool, SessionError>(calm);
                }
                calm = false;
                progress.await;
            }
        };
        tokio::time::timeout(self.core.settings.openings.drain_deadline, drained).await.map_err(|_| busy())?
    }

    /// How many holds of a session are not on their way for a drain that began at `since`: they rest after a settlement came to
    /// nothing, and the new approve may even help them. Where it may be the end of them, that settlement has to have ended after then.
    async fn resting(&self, session: SessionId, since: UnixSeconds) -> Result<u64, LedgerError> {
        if self.core.settings.transfers.delegation.is_lowered() {
            return self.core.ledger.tried_since(session, since).await;
        }
        let promised = self.core.ledger.promised(Some(session)).await?;
        Ok(promised.iter().map(|promised| promised.resting).sum())
    }

    /// Plans the approve and records its co-signed bytes; only then may anybody send them.
    async fn record_approve(
        &self,
        session: &Session,
        approve: InspectedApprove,
        life: LiveBlockhash,
    ) -> Result<(), SessionError> {
        let now = self.core.clock.now();
        let id = self.core.next_settlement_id();
        let settlement = self.core.ledger.plan_other(id, Purpose::Approve, Subject::Session(session.id), now).await?;
        let cost = self.sponsor.approve_cost(&approve).await?;
        let signed =
            approve.countersign(&*self.core.keys.fee_payer).map_err(|error| SessionError::Broken(Box::new(error)))?;
        match self.core.ledger.record_signed(&settlement, attempt(id, 1, signed, life, cost), now).await? {
            Signed::Recorded { .. } => {
                self.sponsor.fee_payers.charge(&self.core.keys.fee_payer.pubkey(), cost.total());
                Ok(())
            }
            // Openings that came together have all passed the first look at the budget.
            Signed::OverBudget(over) => {
                let given_up = Event::Abandoned { reason: over.scope.reason() };
                self.core.ledger.record(&settlement, given_up, &[], now).await?;
                self.core.ledger.reject_session(session.id, SessionReason::QuotaExceeded).await?;
                Err(over_budget_refusal(&over).about(session.id).into())
            }
        }
    }

    /// Takes an opening from wherever it stands to its end. The one path for requests, for recovery and for openings
    /// that an outage or a slow Covalidator left behind. One task at a time finishes an opening; a second one is told
    /// that it is pending.
    pub(crate) async fn finish_opening(self: &Arc<Self>, id: SessionId) -> Result<Session, SessionError> {
        let Some(_running) = self.finishing.start(id) else {
            return Err(SessionRefusal::new(SessionReason::ApprovePending).about(id).into());
        };
        if let Some(work) = self.core.ledger.approve_of(id).await? {
            let sent = work.attempt.clone();
            let settlement = self.dispatch.carry(work, Until::Landed, None).await;
            if let (State::Landed, Some(sent)) = (&settlement.state, &sent) {
                self.sponsor.check_rent(sent).await?;
            }
            if matches!(settlement.state, State::Reserved | State::InFlight) {
                return Err(SessionRefusal::new(SessionReason::ApprovePending).about(id).into());
            }
            if settlement.state == State::Released {
                return self.reject(id, SessionRefusal::new(SessionReason::ApproveSubmitFailed)).await;
            }
            return self
                .prove_opening(
                    id,
                    Landing { signature: settlement.signature, is_final: settlement.state == State::Settled },
                )
                .await;
        }
        if self.core.existing(id).await?.approve.is_some() {
            // Written by a version that knew no approvals, on an approve that was on chain: nothing is on its way, and its name is
            // a caller's word.
            return self.reject(id, SessionRefusal::new(SessionReason::ApproveUsed)).await;
        }
        // Killed between the row and the signature: nothing was ever sent.
        self.reject(id, SessionRefusal::new(SessionReason::ApproveSubmitFailed)).await
    }

    /// Takes one interrupted opening to its end in the background, with its user's opening lock.
    ///
    /// The lock is taken here and not in the task, so that after a start no payment is accepted before the opening is
    /// proved. A task that has it already works at this user's openings; the next round looks again.
    pub(crate) fn resume_opening(self: &Arc<Self>, session: &Session) {
        let Some(guard) = self.locks.openings.try_opening(session.user(), &session.intent.asset) else { return };
        let (this, id) = (Arc::clone(self), session.id);
        self.core.tasks.spawn(async move {
            let _guard = guard;
            // It may have ended before the lock was ours.
            let now = this.core.ledger.session(id).await.ok().flatten();
            if now.is_some_and(|now| now.state == SessionState::Opening) && this.finish_opening(id).await.is_err() {
                tracing::info!(session = id.log_hash(), "an interrupted opening has not opened");
            }
        });
    }

    /// Reads the account back, compares the approved amount with the cap, and opens.
    ///
    /// Until the approve is final an account that does not show it proves nothing: the node that answers may be behind
    /// the one that told of the landing. The next round looks again.
    async fn prove_opening(self: &Arc<Self>, id: SessionId, landing: Landing) -> Result<Session, SessionError> {
        let session = self.core.existing(id).await?;
        let Some(signature) = landing.signature else {
            return Err(SessionError::Broken("a landed approve has no signature".into()));
        };
        if session.intent.expires_at <= self.core.clock.now() {
            let refusal = SessionRefusal::new(SessionReason::ExpirationInPast);
            return self.reject_landed(&session, signature, refusal).await;
        }
        let (slot, [account, recipient]) = self.core.these_now(self.core.accounts_of(&session), 0).await?;
        let account = match self.core.delegated(account.as_ref(), session.user(), SessionReason::SourceNotReady) {
            Ok(account) => account,
            Err(refusal) if landing.is_final => return self.reject(id, refusal).await,
            Err(_) => return Err(SessionRefusal::new(SessionReason::ApprovePending).about(id).into()),
        };
        let handle = account.delegated_amount;
        // Under documented delegation the first transfer replaces this handle by one that we may not decrypt.
        self.core.ledger.record_approve_handle(id, handle).await?;
        let amount = match self.approved_amount(handle).await {
            Ok(amount) => amount,
            Err(refusal) => return Err(refusal.about(id).into()),
        };
        if self.core.ledger.approve_handle(id).await? != Some(handle) {
            if !landing.is_final {
                // It may be the account as it was before.
                return Err(SessionRefusal::new(SessionReason::ApprovePending).about(id).into());
            }
            let detail = "another approve has replaced it; open with that one";
            return self.reject(id, SessionRefusal::because(SessionReason::ApproveUsed, detail)).await;
        }
        let delegation = self.core.settings.transfers.delegation;
        let approve = LandedApprove { signature, amount, handle, seen: handle, seen_slot: slot, slot, delegation };
        self.open_proved(&session, &approve, recipient.as_ref()).await
    }

    /// Opens a session whose approve has landed, if that is what its intent says; the account's other sessions go on as far as
    /// the approve backs them, too.
    async fn open_proved(
        self: &Arc<Self>,
        session: &Session,
        approve: &LandedApprove,
        recipient: Option<&ChainAccount>,
    ) -> Result<Session, SessionError> {
        let (id, others) = (session.id, self.others(session).await?);
        if let Some(amount) = approve.amount
            && let Err(reason) = check_approved(&session.intent, amount, &others)
        {
            return self.reject_covering(session, approve, SessionRefusal::new(reason)).await;
        }
        match self.ensure_recipient(session, recipient).await {
            Ok(()) => {}
            // For now: the opening goes on when the sponsor can pay again.
            Err(SessionError::Refused(refusal)) if refusal.reason.retry() => return Err(refusal.about(id).into()),
            Err(SessionError::Refused(refusal)) => return self.reject_covering(session, approve, *refusal).await,
            Err(error) => return Err(error),
        }
        let check = if approve.amount.is_some() { CapCheck::Verified } else { CapCheck::Unverified };
        // An approve of which nobody knows the amount backs the new session only.
        let superseded =
            if approve.amount.is_none() { others.iter().map(|other| other.id).collect() } else { Vec::new() };
        let opened = self.core.ledger.mark_open(id, check, approve, &superseded).await?;
        self.core.doubted.clear(session.user());
        if self.core.settings.transfers.delegation.is_lowered() {
            // What the approve does not cover ends now, and not when it would have been tried again.
            self.funding.tell_and_settle(session.user(), SessionEvent::Recorded).await?;
        }
        match opened.state {
            SessionState::Rejected(reason) => Err(SessionRefusal::new(reason).about(id).into()),
            _ => Ok(opened),
        }
    }
}

pub(super) fn busy() -> SessionError {
    SessionRefusal::new(SessionReason::SessionBusy).into()
}
