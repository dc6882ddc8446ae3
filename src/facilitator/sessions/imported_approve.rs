//! What the approve of an imported session delegated, where transfers have replaced its handle since.
//!
//! Under documented delegation each transfer makes a new handle of the delegated amount, which nobody lets us decrypt. The one
//! that the approve made stays readable, and the approve's transaction names it. But that transaction is its payer's, who may
//! have given us the right to decrypt any other handle beside it, and it is a name that the deployed service took from a caller.
//!
//! Promises: a handle is given only where the token program itself gave us the right to it, inside of the only approve of this
//! account in that transaction, and where nothing has replaced that approve since, by the account's history read to its end.
//! Whatever of it cannot be proved leaves the session with the bound of sessions that nobody verified.

use crate::{
    chain::{
        ChainError,
        history::{MAX_PAGE, Page},
    },
    domain::{clock::UnixSeconds, session::Session},
    facilitator::{
        funding::approves::{is_harmless, single_approve},
        sessions::Sessions,
    },
};

/// The most transactions since the approve that are read, each by a request of its own, once for each session.
const MOST_LATER: usize = 500;

/// The amount that an approve delegated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delegated {
    /// Its handle.
    pub(crate) handle: u128,
    /// When the approve landed.
    pub(crate) since: UnixSeconds,
}

/// Why a session's approve proves nothing. Nothing that is asked again changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unproved {
    /// The deployed service kept no signature.
    #[error("it names no approve")]
    Unnamed,
    /// The node has forgotten it, or it never was.
    #[error("its approve is not in the account's history, or too much has happened since")]
    NotInHistory,
    /// Its transaction holds another number of approves, or gives us other rights.
    #[error("its approve's transaction is not one approve of this account to us")]
    NotOneApprove,
    /// The account has been approved, revoked or closed since.
    #[error("its approve has been replaced, or may have been")]
    Replaced,
    /// Its amount is less than what all sessions that could use it may have taken.
    #[error("other sessions may have used its approve")]
    Shared,
}

impl Sessions {
    /// What the approve that `session` names has delegated, if it still stands; `None` where that cannot be told now.
    pub(super) async fn delegated_by_name(
        &self,
        session: &Session,
    ) -> Result<Option<Result<Delegated, Unproved>>, ChainError> {
        let Some(approve) = session.approve else { return Ok(Some(Err(Unproved::Unnamed))) };
        let source = self.core.token_account(session.user());
        let (slot, _) = self.core.these_now([source], 0).await?;
        let page = Page { before: None, limit: MAX_PAGE, at_least: slot };
        let listed = self.core.chain.history(&source, page).await?;
        let Some(at) = listed.iter().position(|entry| entry.signature == approve && !entry.failed) else {
            return Ok(Some(Err(Unproved::NotInHistory)));
        };
        let (later, named) = listed.split_at(at);
        if !named.iter().take(1).all(|entry| entry.finalised) {
            return Ok(None);
        }
        if later.len() > MOST_LATER {
            return Ok(Some(Err(Unproved::NotInHistory)));
        }
        let Some(seen) = self.core.chain.transaction(&approve).await? else { return Ok(None) };
        let programs = &self.core.settings.served.programs;
        let found = single_approve(&seen, programs, &source, &self.core.keys.spender.pubkey());
        let Some((handle, since)) = found.and_then(|approve| approve.handle).zip(seen.block_time) else {
            return Ok(Some(Err(Unproved::NotOneApprove)));
        };
        for entry in later.iter().filter(|entry| !entry.failed) {
            let Some(seen) = self.core.chain.transaction(&entry.signature).await? else { return Ok(None) };
            if !is_harmless(&seen, programs, &source) {
                return Ok(Some(Err(Unproved::Replaced)));
            }
        }
        Ok(Some(Ok(Delegated { handle, since })))
    }
}
