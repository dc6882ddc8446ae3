//! One approve opens one session. Openings on an approve that is on chain already cost their caller nothing, and one that
//! waits for its amount to be told must not share its approve with another.
//!
//! What an approve is, is told by what it did and not by the name that a caller gives it: the handle of the amount that it
//! delegated, as the account shows it. The ledger keeps which handles have opened a session ([`crate::ledger`]).

use crate::{
    domain::{amount::Amount, reason::SessionReason, session::Session},
    facilitator::{SessionError, SessionRefusal, sessions::Sessions},
    ledger::LedgerError,
    programs::inco_token::IncoAccount,
};

impl Sessions {
    /// Refuses with `approve_used`, before anything is written, an opening on an approve that has opened a session or is
    /// opening one. A repeat of that very opening passes: it is answered with its session.
    pub(crate) async fn check_unused(&self, session: &Session, account: &IncoAccount) -> Result<(), SessionError> {
        let (user, asset) = (session.user(), &session.intent.asset);
        let Some(opened) = self.core.ledger.opened_by_approve(user, asset, account.delegated_amount).await? else {
            return Ok(());
        };
        let repeats =
            self.core.ledger.session(opened).await?.is_some_and(|known| known.intent.nonce == session.intent.nonce);
        if repeats { Ok(()) } else { Err(SessionRefusal::new(SessionReason::ApproveUsed).into()) }
    }

    /// A refusal when the account no longer shows the approve of this opening; `None` when it does.
    pub(crate) async fn doubt_approve(
        &self,
        session: &Session,
        account: &IncoAccount,
        approved: Option<Amount>,
    ) -> Result<Option<SessionRefusal>, LedgerError> {
        if self.core.ledger.approval(session.id).await? != Some(account.delegated_amount) {
            let detail = "another approve has replaced it; open with that one";
            return Ok(Some(SessionRefusal::because(SessionReason::ApproveUsed, detail)));
        }
        if !session.opens_on_landed_approve() {
            return Ok(None);
        }
        // There each transfer of ours leaves another handle, which nobody gives us the right to decrypt; an approve does.
        let unknown = self.core.settings.transfers.delegation.is_lowered() && approved.is_none();
        let detail = "its amount cannot be read, so it may be what our transfers have left of an approve that was used";
        Ok(unknown.then(|| SessionRefusal::because(SessionReason::ApproveUsed, detail)))
    }
}
