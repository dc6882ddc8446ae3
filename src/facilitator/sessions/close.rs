//! `POST /sessions/{id}/close`: accept nothing more, settle what is held, tell the final totals.

use crate::{
    domain::{
        amount::Amount,
        reason::SessionReason,
        session::{Session, SessionId, SessionState},
        signed,
    },
    facilitator::{
        SessionError, SessionRefusal,
        events::{SessionEvent, Subscription},
        sessions::Sessions,
        signed_reads::{is_signed_by, payers_keys},
    },
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// A signed request to close a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseRequest {
    /// Of the caller's choice; it is signed.
    pub nonce: String,
    /// Over [`signed::close_message`], by the session key or the user.
    pub signature: [u8; 64],
}

/// A session that accepts nothing more, as far as it is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The session.
    pub session: Session,
    /// What was promised and never captured, in base units.
    pub lost: Amount,
}

impl Sessions {
    /// Closes a session and settles what it holds: answered when everything is final, at the deadline or when this process
    /// leaves, whichever comes first, and at once when enough wait for it already; from `closing` it becomes `closed` by
    /// itself. Asked again it answers how it stands. A session that ended another way is settled and told all the same.
    ///
    /// Refuses with `session_not_found`, `invalid_close_signature`, and `session_busy` while the session opens.
    pub(crate) async fn close_session(
        self: &Arc<Self>,
        id: SessionId,
        request: &CloseRequest,
    ) -> Result<Closed, SessionError> {
        let session = self.core.existing(id).await?;
        let message = signed::close_message(&session.signed.hash(), id, &request.nonce);
        if !is_signed_by(payers_keys(&session), message.as_bytes(), &request.signature) {
            return Err(SessionRefusal::new(SessionReason::InvalidCloseSignature).into());
        }
        if session.state == SessionState::Opening {
            return Err(
                SessionRefusal::because(SessionReason::SessionBusy, "The session is still opening; repeat.").into()
            );
        }
        let permits = self.locks.waits.acquire_for_close(id, *session.user(), self.core.credit(&session)).await;
        let closing = self.begin_close(id).await?;
        self.finish_close(closing, Instant::now() + self.close_patience(permits.as_ref())).await
    }

    /// How long a close waits for what is held: without a permit to wait, its caller is told how things stand.
    pub(super) fn close_patience<P>(&self, permit: Option<&P>) -> Duration {
        permit.map_or(Duration::ZERO, |_| self.core.settings.answer_deadline)
    }

    /// A session that accepts nothing already: what it holds is settled, and followed.
    pub(super) async fn follow_close(&self, id: SessionId) -> Result<ClosingSession, SessionError> {
        let news = self.core.events.subscribe(id);
        let session = self.core.existing(id).await?;
        self.dispatch.settle_promises(id);
        Ok(ClosingSession { session, news })
    }

    /// From now on the session accepts nothing, and what it holds is settled.
    pub(super) async fn begin_close(&self, id: SessionId) -> Result<ClosingSession, SessionError> {
        let news = self.core.events.subscribe(id);
        let session = self.core.ledger.close_session(id).await?;
        self.core.events.publish(id, SessionEvent::Recorded);
        self.dispatch.settle_promises(id);
        Ok(ClosingSession { session, news })
    }

    /// Waits until everything of the session is final, or `deadline`, or this process leaves; tells how it stands then.
    pub(super) async fn finish_close(
        &self,
        ClosingSession { mut session, mut news }: ClosingSession,
        deadline: Instant,
    ) -> Result<Closed, SessionError> {
        let id = session.id;
        // The deadline is looked at here, too: a wait for news that are there already never gets as far as its time.
        while !is_final(&session) && Instant::now() < deadline {
            match tokio::time::timeout_at(deadline, news.next()).await {
                Ok(Some(_)) => session = self.core.existing(id).await?,
                // No more news, because this process leaves and waits for its last answers; or no more time.
                Ok(None) | Err(_) => break,
            }
        }
        let lost = self.core.ledger.lost(id).await?;
        Ok(Closed { session, lost })
    }
}

/// A session that accepts nothing more, and the news of what it holds.
pub(super) struct ClosingSession {
    session: Session,
    news: Subscription,
}

impl ClosingSession {
    pub(super) fn is_of(&self, id: SessionId) -> bool {
        self.session.id == id
    }
}

/// Whether the session's totals can change no more, as far as its own row tells.
fn is_final(session: &Session) -> bool {
    session.held == Amount::ZERO && session.state != SessionState::Closing
}
