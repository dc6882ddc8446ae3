//! Caps that nobody could verify at the opening are asked about again and again.

use crate::{
    covalidator::CovalidatorError,
    domain::{
        amount::Amount,
        reason::SessionReason,
        session::{CapCheck, Session, SessionId},
    },
    facilitator::{
        sessions::{Sessions, imported_approve::Unproved},
        tasks::ticks,
        token_accounts::decoded,
    },
    ledger::LedgerError,
    programs::inco_token::IncoAccount,
};
use std::{collections::HashSet, sync::Arc};

/// Sessions whose approve proves nothing: told once, and not asked about again by this process.
type Unprovable = HashSet<SessionId>;

impl Sessions {
    /// Asks about unverified caps again and again. Apart from the other rounds, because a Covalidator that is away takes
    /// its time with each of them. Never ends.
    pub(crate) async fn cap_rounds(self: Arc<Self>) {
        let (mut ticks, mut unprovable) = (ticks(self.core.settings.background.round), Unprovable::new());
        loop {
            ticks.tick().await;
            if let Err(error) = self.check_caps_again(&mut unprovable).await {
                tracing::warn!(%error, "unverified caps cannot be looked at; the next round tries again");
            }
        }
    }

    async fn check_caps_again(self: &Arc<Self>, unprovable: &mut Unprovable) -> Result<(), LedgerError> {
        for session in self.core.ledger.unverified_sessions().await? {
            let Some(account) = self.account_at_rest(&session).await? else { continue };
            let Some(covers) = self.is_covered(&session, &account, unprovable).await? else { continue };
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
    async fn is_covered(
        &self,
        session: &Session,
        account: &IncoAccount,
        unprovable: &mut Unprovable,
    ) -> Result<Option<bool>, LedgerError> {
        let patience = self.core.settings.openings.cap_check_deadline;
        match self.decrypt_delegated(account.delegated_amount, patience).await {
            // More than it needs is no lie by now: the approve may have covered sessions that have ended since.
            Ok(approved) => Ok(Some(self.coverage_of_others(session, Some(approved)).await?.covers)),
            Err(CovalidatorError::NotAllowed { .. }) => match self.core.ledger.approval(session.id).await? {
                Some(handle) => {
                    let approved = self.decrypt_delegated(handle, patience).await;
                    Ok(approved.ok().map(|approved| approved >= session.intent.cap))
                }
                None if unprovable.contains(&session.id) => Ok(None),
                None => match self.is_covered_by_name(session).await? {
                    Some(Ok(covers)) => Ok(Some(covers)),
                    Some(Err(unproved)) => {
                        unprovable.insert(session.id);
                        tracing::warn!(
                            session = session.id.log_hash(),
                            reason = %unproved,
                            "the approved amount of a session cannot be proved; it pays up to limits.unverified_exposure"
                        );
                        Ok(None)
                    }
                    None => Ok(None),
                },
            },
            Err(_) => Ok(None),
        }
    }

    /// Whether the approve that an imported session names covers it, whatever the other sessions of its account may have taken
    /// from it; `None` when nobody can tell now.
    async fn is_covered_by_name(&self, session: &Session) -> Result<Option<Result<bool, Unproved>>, LedgerError> {
        let delegated = match self.delegated_by_name(session).await {
            Ok(Some(Ok(delegated))) => delegated,
            Ok(Some(Err(unproved))) => return Ok(Some(Err(unproved))),
            Ok(None) => return Ok(None),
            Err(error) => {
                tracing::debug!(%error, "an imported session's approve cannot be looked at; the next round tries again");
                return Ok(None);
            }
        };
        let patience = self.core.settings.openings.cap_check_deadline;
        let Ok(approved) = self.decrypt_delegated(delegated.handle, patience).await else { return Ok(None) };
        let cap = session.intent.cap;
        if approved < cap {
            return Ok(Some(Ok(false)));
        }
        let beside = self.core.ledger.taken_beside(session.id, delegated.since).await?;
        if beside.and_then(|beside| beside.checked_add(cap)).is_none_or(|needed| needed > approved) {
            return Ok(Some(Err(Unproved::Shared)));
        }
        self.core.ledger.record_approval(session.id, delegated.handle).await?;
        Ok(Some(Ok(true)))
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
