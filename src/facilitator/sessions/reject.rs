//! Ending an opening in refusal.

use super::Sessions;
use crate::{
    domain::{
        approval::LandedApprove,
        session::{Session, SessionId},
    },
    facilitator::{SessionError, SessionRefusal},
};
use solana_signature::Signature;
use std::sync::Arc;

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
        self: &Arc<Self>,
        session: &Session,
        approve: &LandedApprove,
        refusal: SessionRefusal,
    ) -> Result<Session, SessionError> {
        self.funding.land_approval(session.user(), approve).await?;
        self.reject(session.id, refusal).await
    }

    /// Rejects a session whose approve has landed, like [`Sessions::reject_covering`], after reading the account.
    pub(crate) async fn reject_landed(
        self: &Arc<Self>,
        session: &Session,
        signature: Signature,
        refusal: SessionRefusal,
    ) -> Result<Session, SessionError> {
        let account = self.core.token_account(session.user());
        let (slot, [account]) = self.core.these_now([account], 0).await?;
        match self.core.delegated(account.as_ref(), session.user(), refusal.reason) {
            Ok(account) => {
                let handle = account.delegated_amount;
                let amount = self.approved_amount(handle).await.ok().flatten();
                let delegation = self.core.settings.transfers.delegation;
                let approve =
                    LandedApprove { signature, amount, handle, seen: handle, seen_slot: slot, slot, delegation };
                self.reject_covering(session, &approve, refusal).await
            }
            Err(_) => self.reject(session.id, refusal).await,
        }
    }
}
