//! Caps that nobody could verify at the opening are asked about again and again.

use crate::{
    covalidator::CovalidatorError,
    domain::{
        amount::Amount,
        reason::SessionReason,
        session::{CapCheck, Session},
    },
    facilitator::{sessions::Sessions, tasks::ticks, token_accounts::decoded},
    ledger::LedgerError,
    programs::inco_token::IncoAccount,
};
use std::sync::Arc;

impl Sessions {
    /// Asks about unverified caps again and again. Apart from the other rounds, because a Covalidator that is away takes
    /// its time with each of them. Never ends.
    pub(crate) async fn cap_rounds(self: Arc<Self>) {
        let mut ticks = ticks(self.core.settings.background.round);
        loop {
            ticks.tick().await;
            if let Err(error) = self.check_caps_again().await {
                tracing::warn!(%error, "unverified caps cannot be looked at; the next round tries again");
            }
        }
    }

    async fn check_caps_again(self: &Arc<Self>) -> Result<(), LedgerError> {
        for session in self.core.ledger.unverified_sessions().await? {
            let Some(account) = self.account_at_rest(&session).await? else { continue };
            let Some(covers) = self.is_covered(&session, &account).await? else { continue };
            match session.approve {
                Some(signature) if covers => {
                    self.core.ledger.mark_open(session.id, CapCheck::Verified, signature, &[]).await?;
                }
                Some(_) => self.core.ledger.reject_session(session.id, SessionReason::CapMismatch).await?,
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
        let patience = self.core.settings.openings.cap_check_deadline;
        match self.decrypt_delegated(account.delegated_amount, patience).await {
            // More than it needs is no lie by now: the approve may have covered sessions that have ended since.
            Ok(approved) => Ok(Some(self.coverage_of_others(session, Some(approved)).await?.covers)),
            Err(CovalidatorError::NotAllowed { .. }) => {
                let Some(handle) = self.core.ledger.approval(session.id).await? else { return Ok(None) };
                let approved = self.decrypt_delegated(handle, patience).await;
                Ok(approved.ok().map(|approved| approved >= session.intent.cap))
            }
            Err(_) => Ok(None),
        }
    }

    /// The session's source account as it stands after exactly what the session has captured; `None` while a transfer
    /// is on its way (it lowers the delegated amount where the program does that), or when we are not the delegate.
    async fn account_at_rest(&self, session: &Session) -> Result<Option<IncoAccount>, LedgerError> {
        let Ok(account) = self.core.account(&self.core.token_account(session.user())).await else { return Ok(None) };
        let after = self.core.ledger.session(session.id).await?;
        let rests = after.is_some_and(|after| after.held == Amount::ZERO && after.captured == session.captured)
            && session.held == Amount::ZERO;
        Ok(decoded(account).filter(|account| rests && self.core.is_delegate(account)))
    }
}
