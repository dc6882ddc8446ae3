//! Opening a session: the part that touches the chain.
//!
//! The approve is the user's transaction: its bytes are recorded before our signature leaves the house, it is sent as
//! those bytes only, and what it did is read back from the account before the session accepts a payment. A request
//! whose time runs out leaves the opening to the background; a killed process leaves it to recovery. Both run
//! [`Facilitator::finish_opening`].

use crate::{
    chain::{LiveBlockhash, inspect::InspectedApprove},
    domain::{
        reason::SessionReason,
        session::{CapCheck, Session, SessionId, SessionState},
        settlement::{Event, Purpose, State},
    },
    facilitator::{
        Facilitator, SessionError, SessionRefusal, sessions::open::Judged, settlement::sign::attempt,
        sponsor::budget::too_costly,
    },
    ledger::{Opened, Signed, opening_content},
};
use solana_pubkey::Pubkey;
use std::sync::Arc;

impl Facilitator {
    /// Reads, drains, records, signs, sends, proves. See the module.
    pub(crate) async fn land_session(self: &Arc<Self>, judged: Judged) -> Result<Session, SessionError> {
        let Some(_seat) = self.rooms.users.enter(*judged.session.user()) else { return Err(busy()) };
        let seen = self.vet(&judged).await?;
        let cost = self.opening_cost(&judged, !seen.recipient_exists).await?;
        self.check_opening_budget(&judged.session, cost).await?;
        let life = seen.approve_life?;
        let deadline = tokio::time::Instant::now() + self.settings.answer_deadline;
        let user = *judged.session.user();
        let at_once = self.gates.try_opening(&user, &self.settings.asset);
        let calm = at_once.is_some();
        let gate = if let Some(gate) = at_once {
            gate
        } else {
            let gate = self.gates.opening(&user, &self.settings.asset);
            tokio::time::timeout(self.settings.drain_deadline, gate).await.map_err(|_| busy())?
        };
        let calm = self.drain(&user).await? && calm;
        // What was seen before others of this user moved is looked at again.
        let life = if calm { life } else { self.vet(&judged).await?.approve_life? };
        let session = match self.write_within_quota(&judged.session).await? {
            Opened::New(session) => session,
            Opened::Existing(known) => return self.answer_repeat(&judged.session, known).await,
            Opened::NonceReused => return Err(SessionRefusal::new(SessionReason::NonceReused).into()),
        };
        if let (Some(approve), Some(life)) = (judged.approve, life) {
            self.record_approve(&session, approve, life).await?;
        }
        let (this, id) = (Arc::clone(self), session.id);
        let told = self.spawn_apart(async move {
            let _gate = gate;
            this.finish_opening(id).await
        });
        match tokio::time::timeout_at(deadline, told).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(SessionRefusal::new(SessionReason::ApprovePending).about(id).into()),
        }
    }

    /// Writes the row, unless the quota is used up by now: openings that came together have all passed the first count,
    /// which none of them had changed yet.
    async fn write_within_quota(&self, session: &Session) -> Result<Opened, SessionError> {
        let _turn = self.gates.quota.lock().await;
        if let Some(known) = self.ledger.find_session(session.user(), &session.intent.nonce).await? {
            return Ok(Opened::Existing(known));
        }
        self.check_quota(session).await?;
        Ok(self.ledger.open_session(session).await?)
    }

    /// The same request again: the same session, or where it stands.
    ///
    /// Not once a settlement has published the intent and its signature: the id is a bearer secret where there is no
    /// session key, and then everything that a repeated request consists of is on chain for everybody to read. Who has
    /// paid knows the id.
    pub(crate) async fn answer_repeat(
        self: &Arc<Self>,
        asked: &Session,
        known: Session,
    ) -> Result<Session, SessionError> {
        if opening_content(asked) != opening_content(&known) {
            return Err(SessionRefusal::new(SessionReason::NonceReused).into());
        }
        if known.signed.settle_signature.is_none() && self.ledger.was_settled_from(known.id).await? {
            let detail = "the intent was used and is public by now: read the session by its id";
            return Err(SessionRefusal::because(SessionReason::NonceReused, detail).into());
        }
        match known.state {
            SessionState::Rejected(reason) => Err(SessionRefusal::new(reason).about(known.id).into()),
            SessionState::Opening => {
                let landed = self
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

    /// Reads both token accounts and refuses what must not be touched: frozen, foreign, missing without permission.
    /// Tells whether the recipient's account exists.
    pub(crate) async fn read_accounts(&self, judged: &Judged) -> Result<bool, SessionError> {
        let session = &judged.session;
        let (user, recipient) = (session.user(), &session.intent.recipient);
        let fee_payer = self.keys.fee_payer.pubkey();
        let keys = [self.token_account(user), self.token_account(recipient), fee_payer];
        // What is proved later is read from a state that is no older.
        let (_, [source, destination, payer]) = self.these_now(keys, 0).await?;
        if payer.map_or(0, |account| account.lamports) < self.settings.low_balance {
            return Err(SessionRefusal::new(SessionReason::InsufficientSponsorBalance).into());
        }
        let source = self.usable(source.as_ref(), user, SessionReason::SourceNotReady)?;
        let destination = self.usable(destination.as_ref(), recipient, SessionReason::RecipientNotReady)?;
        let creates = judged.approve.as_ref().is_some_and(InspectedApprove::creates_account);
        if source.is_none() && !(creates && self.settings.sponsor_account_creation) {
            return Err(SessionRefusal::because(
                SessionReason::SourceNotReady,
                "the user has no token account for this asset; it is not created at our cost",
            )
            .into());
        }
        if destination.is_none() && !self.settings.create_recipient {
            return Err(SessionRefusal::new(SessionReason::RecipientNotReady).into());
        }
        match session.approve {
            Some(approve) if !source.is_some_and(|source| self.is_delegate(&source)) => {
                self.await_approve(user, &approve).await?;
            }
            Some(_) | None => {}
        }
        Ok(destination.is_some())
    }

    /// Waits until nothing of the user's other sessions is on its way; new payments are kept out by the gate. Tells
    /// whether there was nothing to wait for.
    async fn drain(self: &Arc<Self>, user: &Pubkey) -> Result<bool, SessionError> {
        let drained = async {
            let mut calm = true;
            loop {
                let progress = self.lanes.progress.notified();
                tokio::pin!(progress);
                // Registered before looking, so that an end between the look and the wait is not missed.
                progress.as_mut().enable();
                let mut open = 0;
                for session in self.ledger.live_sessions(user, &self.settings.asset).await? {
                    let waiting = self.ledger.open_holds(session.id).await?;
                    if waiting > 0 {
                        self.wake_lane_for_promises(session.id, 1);
                    }
                    // What rests after a settlement came to nothing is not on its way: the new approve may even help it.
                    let promised = self.ledger.promised(Some(session.id)).await?;
                    open += waiting.saturating_sub(promised.iter().map(|promised| promised.resting).sum());
                }
                if open == 0 {
                    return Ok::<bool, SessionError>(calm);
                }
                calm = false;
                progress.await;
            }
        };
        tokio::time::timeout(self.settings.drain_deadline, drained).await.map_err(|_| busy())?
    }

    /// Plans the approve and records its co-signed bytes; only then may anybody send them.
    async fn record_approve(
        &self,
        session: &Session,
        approve: InspectedApprove,
        life: LiveBlockhash,
    ) -> Result<(), SessionError> {
        let now = self.clock.now();
        let id = self.next_settlement_id();
        let settlement = self.ledger.plan_other(id, Purpose::Approve, Some(session.id), now).await?;
        let cost = self.approve_cost(&approve).await?;
        let signed =
            approve.countersign(&*self.keys.fee_payer).map_err(|error| SessionError::Broken(Box::new(error)))?;
        match self.ledger.record_signed(&settlement, attempt(id, 1, signed, life, cost), now).await? {
            Signed::Recorded { .. } => {
                self.fee_payers.charge(&self.keys.fee_payer.pubkey(), cost.total());
                Ok(())
            }
            // Openings that came together have all passed the first look at the budget.
            Signed::OverBudget(over) => {
                let given_up = Event::Abandoned { reason: over.scope.reason() };
                self.ledger.record(&settlement, given_up, &[], now).await?;
                self.ledger.reject_session(session.id, SessionReason::QuotaExceeded).await?;
                Err(too_costly(&over).about(session.id).into())
            }
        }
    }

    /// Takes an opening from wherever it stands to its end. The one path for requests, for recovery and for openings
    /// that an outage or a slow Covalidator left behind. One task at a time finishes an opening; a second one is told
    /// that it is pending.
    pub(crate) async fn finish_opening(self: &Arc<Self>, id: SessionId) -> Result<Session, SessionError> {
        let Some(_claim) = self.finishing.claim(id) else {
            return Err(SessionRefusal::new(SessionReason::ApprovePending).about(id).into());
        };
        if let Some(work) = self.ledger.approve_of(id).await? {
            let sent = work.attempt.clone();
            let settlement = self.drive(work).await;
            if let (State::Landed, Some(sent)) = (&settlement.state, &sent) {
                self.check_rent(sent).await?;
            }
            if matches!(settlement.state, State::Reserved | State::InFlight) {
                return Err(SessionRefusal::new(SessionReason::ApprovePending).about(id).into());
            }
            if settlement.state == State::Released {
                return self.reject(id, SessionRefusal::new(SessionReason::ApproveSubmitFailed)).await;
            }
            return self.prove_opening(id, settlement.signature, settlement.state == State::Settled).await;
        }
        let session = self.existing(id).await?;
        if let Some(signature) = session.approve {
            // The approve was on chain before the request.
            return self.prove_opening(id, Some(signature), true).await;
        }
        // Killed between the row and the signature: nothing was ever sent.
        self.reject(id, SessionRefusal::new(SessionReason::ApproveSubmitFailed)).await
    }

    /// Reads the account back, compares the approved amount with the cap, and opens.
    ///
    /// Until the approve is final an account that does not show it proves nothing: the node that answers may be behind
    /// the one that told of the landing. The next round looks again.
    async fn prove_opening(
        self: &Arc<Self>,
        id: SessionId,
        signature: Option<solana_signature::Signature>,
        is_final: bool,
    ) -> Result<Session, SessionError> {
        let session = self.existing(id).await?;
        let Some(signature) = signature else {
            return Err(SessionError::Broken("a landed approve has no signature".into()));
        };
        if session.intent.expires_at <= self.clock.now() {
            return self.reject_landed(&session, SessionRefusal::new(SessionReason::ExpirationInPast)).await;
        }
        let (_, [account, recipient]) = self.these_now(self.accounts_of(&session), 0).await?;
        let account = match self.delegated(account.as_ref(), session.user(), SessionReason::SourceNotReady) {
            Ok(account) => account,
            Err(refusal) if is_final => return self.reject(id, refusal).await,
            Err(_) => return Err(SessionRefusal::new(SessionReason::ApprovePending).about(id).into()),
        };
        // Under documented delegation the first transfer replaces this handle by one that we may not decrypt.
        self.ledger.record_approval(id, account.delegated_amount).await?;
        let approved = match self.approved_amount(&account).await {
            Ok(approved) => approved,
            Err(refusal) => return Err(refusal.about(id).into()),
        };
        let fit = self.fit_others(&session, approved).await?;
        if !fit.matches {
            return self.reject_covering(&session, approved, SessionRefusal::new(SessionReason::CapMismatch)).await;
        }
        match self.ensure_recipient(&session, recipient.as_ref()).await {
            Ok(()) => {}
            // For now: the opening goes on when the sponsor can pay again.
            Err(SessionError::Refused(refusal)) if refusal.reason.retry() => return Err(refusal.about(id).into()),
            Err(SessionError::Refused(refusal)) => return self.reject_covering(&session, approved, *refusal).await,
            Err(error) => return Err(error),
        }
        let check = if approved.is_some() { CapCheck::Verified } else { CapCheck::Unverified };
        Ok(self.ledger.mark_open(id, check, signature, &fit.superseded).await?)
    }

    pub(crate) async fn reject(&self, id: SessionId, refusal: SessionRefusal) -> Result<Session, SessionError> {
        self.ledger.reject_session(id, refusal.reason).await?;
        Err(refusal.about(id).into())
    }
}

fn busy() -> SessionError {
    SessionRefusal::new(SessionReason::SessionBusy).into()
}
