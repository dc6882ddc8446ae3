//! `POST /sessions/close`: a wallet ends all its sessions of an asset, without their keys and without knowing their ids.

use super::close::{Closed, ClosingSession};
use crate::{
    domain::{
        clock::UnixSeconds,
        reason::SessionReason,
        session::{Session, SessionState},
        signed,
    },
    facilitator::{SessionError, SessionRefusal, sessions::Sessions},
};
use futures_util::future::try_join_all;
use solana_pubkey::Pubkey;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// How long payments that are being written are waited for, also where nobody may wait for the chain: whoever can pay from one of
/// the sessions takes all places at which to wait, and keeps the lock shared.
const LOCKED_WITHIN: Duration = Duration::from_secs(2);

/// A wallet's request to close all its sessions of an asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseAllRequest {
    /// The wallet.
    pub user: Pubkey,
    /// The mint.
    pub asset: Pubkey,
    /// When it was signed, Unix seconds; good for five minutes.
    pub at: UnixSeconds,
    /// By the wallet, over [`signed::close_all_message`].
    pub signature: [u8; 64],
}

impl Sessions {
    /// Closes all sessions of a wallet and asset that are live or hold something, and settles what they hold; answered like
    /// a close, with each of them, oldest first. What is open accepts nothing more from the first moment, whatever else happens:
    /// this is what a wallet asks for that was robbed. Nothing opens until the others accept nothing more either. A session whose
    /// approve is under way stays `opening`: it can still open, so the wallet asks again.
    ///
    /// Refuses with `invalid_close_signature`, and `session_busy` while an opening of this wallet is under way.
    pub(crate) async fn close_all(self: &Arc<Self>, request: &CloseAllRequest) -> Result<Vec<Closed>, SessionError> {
        let CloseAllRequest { user, asset, at, signature } = request;
        let message = signed::close_all_message(&self.core.keys.spender.pubkey(), user, asset, *at);
        if !self.core.is_signed_lately(user, &message, *at, signature) {
            return Err(SessionRefusal::because(
                SessionReason::InvalidCloseSignature,
                "The close is not signed by the wallet in the last five minutes.",
            )
            .into());
        }
        let known = self.core.ledger.live_sessions(user, asset).await?;
        let mut closing = Vec::new();
        for session in &known {
            closing.push(self.stop(session).await?);
        }
        // Counted as waits for the close of one of them: whoever has seen the signed request may send it again and again.
        let permits = match known.first() {
            Some(first) => self.locks.waits.acquire_for_close(first.id, *user, self.core.credit(first)).await,
            None => None,
        };
        let (now, patience) = (Instant::now(), self.close_patience(permits.as_ref()));
        let (deadline, locked_by) = (now + patience, now + patience.max(LOCKED_WITHIN));
        {
            let within = locked_by.saturating_duration_since(Instant::now());
            let opening = self.locks.openings.opening_within(user, asset, within).await;
            let _nothing_opens = opening.ok_or_else(SessionRefusal::wallet_busy)?;
            let live = self.core.ledger.live_sessions(user, asset).await?;
            let is_known = |session: &&Session| known.iter().any(|known| known.id == session.id);
            // One that was opening before may be open now.
            for session in live.iter().filter(|session| session.state == SessionState::Open || !is_known(session)) {
                let stopped = self.stop(session).await?;
                match closing.iter_mut().find(|closing| closing.is_of(session.id)) {
                    Some(place) => *place = stopped,
                    None => closing.push(stopped),
                }
            }
        }
        try_join_all(closing.into_iter().map(|closing| self.finish_close(closing, deadline))).await
    }

    async fn stop(&self, session: &Session) -> Result<ClosingSession, SessionError> {
        match session.state {
            SessionState::Open => self.begin_close(session.id).await,
            _ => self.follow_close(session.id).await,
        }
    }
}
