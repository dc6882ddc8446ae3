//! When the chain refuses a transfer: is the delegation gone?
//!
//! A payer can revoke, freeze and close between any two of our looks. What fails in a simulation costs nothing; what
//! fails on chain costs a fee, so a session is believed only once.

use crate::{
    domain::{
        reason::PayReason,
        session::{Session, SessionId},
    },
    facilitator::{error::SignFailure, settlement::Settlements, token_accounts::decoded},
};

impl Settlements {
    /// A transfer that cannot work: when it is because the delegation is gone, the sessions that lived on it are
    /// marked, so that the next payer learns it before asking.
    pub(crate) async fn explain_failure(&self, session: &Session, error: String) -> SignFailure {
        self.core.recipients.forget(&session.intent.recipient);
        match self.revoke_if_delegation_is_gone(session).await {
            Ok(true) => SignFailure::refused(PayReason::SessionRevoked, error),
            Ok(false) => SignFailure::refused(PayReason::SimulationFailed, error),
            Err(failure) => failure,
        }
    }

    /// A transfer landed with an error and cost a fee. The next one of this session is simulated first, whatever the
    /// settings say, and sessions whose delegation is gone are marked, so that nobody burns our fees one by one.
    pub(crate) async fn look_into_refusal(&self, session: SessionId) {
        self.distrust(session);
        let Ok(Some(session)) = self.core.ledger.session(session).await else { return };
        self.core.recipients.forget(&session.intent.recipient);
        if self.revoke_if_delegation_is_gone(&session).await.is_err() {
            tracing::info!(
                session = session.id.log_hash(),
                "whether the delegation is gone is seen at the next payment"
            );
        }
    }

    /// Has the next transfer of this session simulated before it is sent, whatever the settings say.
    pub(crate) fn distrust(&self, session: SessionId) {
        self.distrusted.remember(session);
    }

    /// Asks with the user's opening lock, like the monitor (ADR 0021): while an approve of this user is landing, an account
    /// that does not name us yet says nothing, and the session that is opening must not end by it. An opening is not waited
    /// for: it waits for what is on its way, so nothing is known this time.
    async fn revoke_if_delegation_is_gone(&self, session: &Session) -> Result<bool, SignFailure> {
        let Some(_opening) = self.locks.openings.try_opening(session.user(), &session.intent.asset) else {
            return Ok(false);
        };
        // Promises are given up by what this tells, so no state is believed that is older than one that was seen.
        let (_, [account]) = self.core.these_now([self.core.token_account(session.user())], 0).await?;
        let account = decoded(account);
        // An account that is missing or unreadable says nothing about who its delegate is.
        if account.is_none_or(|account| self.core.is_delegate(&account)) {
            return Ok(false);
        }
        let revoked = self.core.ledger.revoke_sessions(session.user(), &session.intent.asset).await?;
        tracing::info!(session = session.id.log_hash(), revoked, "the delegation is gone");
        Ok(true)
    }
}
