//! Caps that nobody could verify at the opening are asked about again and again.
//!
//! Anybody opens sessions on an approve of their own whose amount nobody can read. So what was approved is asked about once for
//! all sessions on it, a few approvals at a time and the newest first, and each time that it is not known it is left alone for twice
//! as long: no number of such approves keeps the others waiting.

use crate::{
    covalidator::CovalidatorError,
    domain::{
        amount::Amount,
        approval::Approval,
        reason::SessionReason,
        session::{Delegation, Session, SessionId},
    },
    facilitator::{
        sessions::{Sessions, imported_approve::Unproved, pauses::Pauses},
        tasks::ticks,
        token_accounts::decoded,
    },
    ledger::LedgerError,
    programs::inco_token::IncoAccount,
};
use futures_util::{StreamExt as _, stream};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::time::Instant;

/// So many approvals are asked about at once.
const AT_ONCE: usize = 4;
/// The longest that an approval is left alone whose amount is not known.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// Sessions whose approve proves nothing: told once, and not asked about again by this process.
type Unprovable = HashSet<SessionId>;
/// Approvals whose amount was not known when it was asked for, by user and transaction.
type Unknown = Pauses<(Pubkey, Signature)>;

impl Sessions {
    /// Asks about unverified caps again and again. Apart from the other rounds, because a Covalidator that is away takes
    /// its time with each of them. Never ends.
    pub(crate) async fn cap_rounds(self: Arc<Self>) {
        let round = self.core.settings.background.round;
        let (mut ticks, mut unprovable) = (ticks(round), Unprovable::new());
        let mut unknown = Unknown::new(round, LONGEST_PAUSE);
        loop {
            ticks.tick().await;
            if let Err(error) = self.check_caps_again(&mut unknown, &mut unprovable).await {
                tracing::warn!(%error, "unverified caps cannot be looked at; the next round tries again");
            }
        }
    }

    async fn check_caps_again(
        self: &Arc<Self>,
        unknown: &mut Unknown,
        unprovable: &mut Unprovable,
    ) -> Result<(), LedgerError> {
        let sessions = self.core.ledger.unverified_sessions().await?;
        let ids: Vec<SessionId> = sessions.iter().map(|session| session.id).collect();
        let approvals = self.core.ledger.approvals_of(&ids).await?;
        let (of_approvals, alone): (Vec<_>, Vec<_>) = sessions
            .iter()
            .zip(approvals)
            .partition(|(_, approval)| approval.as_ref().is_some_and(|approval| approval.handle.is_some()));
        self.check_approvals_again(of_approvals.into_iter().filter_map(|(_, approval)| approval).collect(), unknown)
            .await?;
        for (session, _) in alone {
            self.check_cap_again(session, unprovable).await?;
        }
        Ok(())
    }

    /// Asks what these approvals delegated, which stand in the order of their sessions, oldest first, and ends what said otherwise.
    async fn check_approvals_again(
        self: &Arc<Self>,
        approvals: Vec<Approval>,
        unknown: &mut Unknown,
    ) -> Result<(), LedgerError> {
        let (due, patience) = (due(approvals, unknown, Instant::now()), self.core.settings.openings.cap_check_deadline);
        let mut asked = stream::iter(due)
            .map(|(approval, handle)| async move {
                let amount = match approval.amount {
                    Some(amount) => Ok(amount),
                    None => self.funding.decrypt_delegated(handle, patience).await,
                };
                (approval, amount)
            })
            .buffer_unordered(AT_ONCE);
        while let Some((approval, amount)) = asked.next().await {
            match amount {
                Ok(amount) => self.funding.learn_approved(&approval, amount).await?,
                // It says nothing of this one.
                Err(CovalidatorError::Unavailable(_)) => {}
                Err(_) => unknown.lengthen(key(&approval), Instant::now()),
            }
        }
        Ok(())
    }

    /// Asks about the cap of a session that takes from no approval whose handle is known.
    async fn check_cap_again(
        self: &Arc<Self>,
        session: &Session,
        unprovable: &mut Unprovable,
    ) -> Result<(), LedgerError> {
        let Some(account) = self.account_at_rest(session).await? else { return Ok(()) };
        let Some(covers) = self.is_covered(session, &account, unprovable).await? else { return Ok(()) };
        match session.approve {
            Some(_) if covers => self.core.ledger.verify_cap(session.id).await,
            Some(_) => self.core.ledger.reject_session(session.id, SessionReason::CapMismatch).await,
            None => Ok(()),
        }
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
        match self.funding.decrypt_delegated(account.delegated_amount, patience).await {
            // More than it needs is no lie by now: the approve may have covered sessions that have ended since.
            Ok(approved) => Ok(Some(approved >= self.still_needed(session))),
            Err(CovalidatorError::NotAllowed { .. }) => match self.core.ledger.approve_handle(session.id).await? {
                Some(handle) => {
                    let approved = self.funding.decrypt_delegated(handle, patience).await;
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
        let Ok(approved) = self.funding.decrypt_delegated(delegated.handle, patience).await else { return Ok(None) };
        let cap = session.intent.cap;
        if approved < cap {
            return Ok(Some(Ok(false)));
        }
        let beside = self.core.ledger.taken_beside(session.id, delegated.since).await?;
        if beside.and_then(|beside| beside.checked_add(cap)).is_none_or(|needed| needed > approved) {
            return Ok(Some(Err(Unproved::Shared)));
        }
        self.core.ledger.record_approve_handle(session.id, delegated.handle).await?;
        Ok(Some(Ok(true)))
    }

    /// What a session that takes from no approval still needs of what is delegated.
    fn still_needed(&self, session: &Session) -> Amount {
        match self.core.settings.transfers.delegation {
            Delegation::Documented => session.intent.cap.checked_sub(session.captured).unwrap_or_default(),
            Delegation::Public => session.intent.cap,
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

fn key(approval: &Approval) -> (Pubkey, Signature) {
    (approval.user, approval.signature)
}

/// Which of these approvals are asked about now, each once and with its handle, the newest first. What is none of them is
/// forgotten.
fn due(approvals: Vec<Approval>, unknown: &mut Unknown, now: Instant) -> Vec<(Approval, u128)> {
    let mut known = HashSet::new();
    let once: Vec<Approval> = approvals.into_iter().rev().filter(|approval| known.insert(key(approval))).collect();
    unknown.keep(|key| known.contains(key));
    let is_due = |approval: &Approval| approval.amount.is_some() || unknown.left(&key(approval), now).is_none();
    once.into_iter().filter(is_due).filter_map(|approval| approval.handle.map(|handle| (approval, handle))).collect()
}

#[cfg(test)]
mod tests;
