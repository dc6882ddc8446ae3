//! What a killed process left behind is handed to the same driver that serves live requests.

use crate::{
    domain::{
        reason::PayReason,
        session::{CapCheck, Session},
        settlement::{Purpose, State},
    },
    facilitator::{CapCheckPolicy, Facilitator, driver::Until},
    ledger::{LedgerError, Work},
    programs::inco_token::IncoAccount,
};
use std::{sync::Arc, time::Duration};

impl Facilitator {
    /// Picks up what was unfinished, once, before requests are served; what takes time goes on in the background.
    ///
    /// Holds that no settlement covers were accepted from callers who are gone, so they are released; everything that
    /// was planned is driven to its end.
    pub async fn recover(self: &Arc<Self>) -> Result<(), LedgerError> {
        let now = self.clock.now();
        let released = self.ledger.release_abandoned(now.saturating_add(1), PayReason::SettlementExpired).await?;
        let unfinished = self.ledger.unfinished().await?;
        let openings = self.ledger.opening_sessions().await?;
        tracing::info!(
            released,
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
        for session in openings {
            self.resume_opening(session);
        }
        let this = Arc::clone(self);
        self.spawn(async move { this.rounds().await });
        Ok(())
    }

    /// Drives one settlement to its end in the background, behind the gates of its accounts.
    fn resume(self: &Arc<Self>, work: Work) {
        let this = Arc::clone(self);
        self.spawn(async move {
            let landed = work.settlement.state == State::Landed;
            let session = match work.settlement.session {
                Some(id) if !landed => this.ledger.session(id).await.ok().flatten(),
                _ => None,
            };
            let _held = match &session {
                Some(session) if work.settlement.purpose == Purpose::Capture => this.hold_accounts(session).await,
                _ => None,
            };
            this.drive(work, Until::Landed).await;
        });
    }

    /// Takes one interrupted opening to its end in the background, behind its user's gate.
    fn resume_opening(self: &Arc<Self>, session: Session) {
        let this = Arc::clone(self);
        self.spawn(async move {
            let _gate = this.gates.opening(session.user(), &session.intent.asset).await;
            if this.finish_opening(session.id).await.is_err() {
                tracing::info!(session = session.id.log_hash(), "an interrupted opening has not opened");
            }
        });
    }

    async fn rounds(self: &Arc<Self>) {
        let mut ticks = tokio::time::interval(self.settings.round);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.round().await {
                tracing::warn!(%error, "a background round failed; the next one tries again");
            }
        }
    }

    async fn round(self: &Arc<Self>) -> Result<(), LedgerError> {
        self.ledger.expire_sessions(self.clock.now()).await?;
        // A wake-up that was lost costs nothing but this look.
        for session in self.ledger.waiting_sessions().await? {
            self.wake_lane(session);
        }
        for work in self.ledger.unfinished().await? {
            let opening = work.settlement.purpose == Purpose::Approve && work.settlement.state != State::Landed;
            if !opening && !self.driving.is_claimed(work.settlement.id) {
                self.resume(work);
            }
        }
        // An outage while an opening was proved, or a Covalidator that lagged, leaves it for the next round.
        for session in self.ledger.opening_sessions().await? {
            if !self.finishing.is_claimed(session.id) {
                self.resume_opening(session);
            }
        }
        if self.settings.cap_check == CapCheckPolicy::BestEffort {
            self.check_caps_again().await?;
        }
        Ok(())
    }

    /// Sessions that opened without a verified cap are asked about until it is known.
    async fn check_caps_again(self: &Arc<Self>) -> Result<(), LedgerError> {
        for session in self.ledger.unverified_sessions().await? {
            let source = self.token_account(session.user());
            let Ok(accounts) = self.chain.accounts(&[source]).await else { continue };
            let account = accounts.into_iter().next().flatten().and_then(|a| IncoAccount::decode(&a.data).ok());
            let Some(account) = account.filter(|account| account.delegate == Some(self.keys.spender.pubkey())) else {
                continue;
            };
            let Ok(approved) = self.decrypt_delegated(&account, Duration::ZERO).await else { continue };
            let fit = self.fit_others(&session, Some(approved)).await?;
            match session.approve {
                Some(signature) if fit.matches => {
                    self.ledger.mark_open(session.id, CapCheck::Verified, signature, &fit.superseded).await?;
                }
                Some(_) => {
                    let reason = crate::domain::reason::OpenReason::CapMismatch;
                    self.ledger.reject_session(session.id, reason).await?;
                }
                None => {}
            }
        }
        Ok(())
    }
}
