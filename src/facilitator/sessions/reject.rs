//! Ending an opening in refusal.

use super::{Sessions, delegate_slot::coverage};
use crate::{
    domain::{
        amount::Amount,
        session::{Session, SessionId},
    },
    facilitator::{SessionError, SessionRefusal},
};

impl Sessions {
    /// Rejects a session that no approve of its own backs.
    pub(crate) async fn reject(&self, id: SessionId, refusal: SessionRefusal) -> Result<Session, SessionError> {
        self.core.ledger.reject_session(id, refusal.reason).await?;
        Err(refusal.about(id).into())
    }

    /// Rejects a session whose approve has landed. That approve backs the user's other sessions all the same, as far as
    /// it goes, because the token account has one delegate slot: those it does not cover end with this one. They end
    /// first, so that a crash in between leaves an opening that comes here again.
    pub(crate) async fn reject_covering(
        &self,
        session: &Session,
        approved: Option<Amount>,
        refusal: SessionRefusal,
    ) -> Result<Session, SessionError> {
        let others = self.others(session).await?;
        let ended = coverage(Amount::ZERO, approved, &others, self.core.settings.transfers.delegation).superseded;
        if !ended.is_empty() {
            tracing::info!(session = session.id.log_hash(), ended = ended.len(), "a rejected approve backs less");
            self.core.ledger.supersede_sessions(&ended).await?;
        }
        self.reject(session.id, refusal).await
    }

    /// Rejects a session whose approve has landed, like [`Sessions::reject_covering`], after reading the account.
    pub(crate) async fn reject_landed(
        &self,
        session: &Session,
        refusal: SessionRefusal,
    ) -> Result<Session, SessionError> {
        let account = self.core.account(&self.core.token_account(session.user())).await?;
        let approved = match self.core.delegated(account.as_ref(), session.user(), refusal.reason) {
            Ok(account) => self.approved_amount(&account).await.ok().flatten(),
            Err(_) => None,
        };
        self.reject_covering(session, approved, refusal).await
    }
}
