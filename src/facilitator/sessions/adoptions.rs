//! What openings share that name approves which are not on record: the right to have the chain read for them.
//!
//! Such an opening reads a transaction and an account's history before anything is written or counted, so it costs its caller
//! nothing: strangers have few places, wait for them, and come after everybody else where an endpoint has to be spared. Payers with
//! credit take none.

use crate::{
    domain::{reason::SessionReason, session::Session},
    facilitator::{
        SessionError, SessionRefusal,
        sessions::{Sessions, land::busy, pauses::Pauses, shared_reads::SharedReads},
    },
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::SemaphorePermit, time::Instant};

/// How long a wallet is left alone whose account's history was longer than is read at once, the first time and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(16);

/// The places, and wallets whose history was not read to its end.
pub(crate) struct Adoptions {
    shared: SharedReads,
    unfinished: Mutex<Pauses<Pubkey>>,
}

impl Adoptions {
    pub(crate) fn new(shared: SharedReads) -> Self {
        Self { shared, unfinished: Mutex::new(Pauses::new(FIRST_PAUSE, LONGEST_PAUSE)) }
    }

    fn unfinished(&self) -> MutexGuard<'_, Pauses<Pubkey>> {
        self.unfinished.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sessions {
    /// The right to have the chain read for a session that opens on the approve `named`: none where that stands on record, or the
    /// payer has credit. Refuses with `session_busy` where others have all places for too long, or this wallet's history was longer
    /// than is read at once a moment ago; with `overloaded` while an endpoint asks to be left alone.
    pub(crate) async fn share_of_adoptions(
        &self,
        session: &Session,
        named: &Signature,
    ) -> Result<Option<SemaphorePermit<'_>>, SessionError> {
        let user = session.user();
        let left = self.adoptions.unfinished().left(user, Instant::now());
        if let Some(left) = left {
            let detail = "more has happened to the account than is read at once; repeat after Retry-After";
            let again_in = left.as_secs().saturating_add(1);
            return Err(SessionRefusal::because(SessionReason::SessionBusy, detail).again_in(Some(again_in)).into());
        }
        if self.is_on_record(session, named).await? || self.core.ledger.has_credit(user, self.core.clock.now()).await? {
            return Ok(None);
        }
        self.spare_the_endpoints(Duration::ZERO)?;
        let patience = self.core.settings.openings.drain_deadline;
        let place = self.adoptions.shared.wait(patience).await.ok_or_else(busy)?;
        // Another opening on the same approve may have found it meanwhile.
        Ok(if self.is_on_record(session, named).await? { None } else { Some(place) })
    }

    /// Notes that the history of a wallet's account is longer than is read at once.
    pub(crate) fn leave_alone(&self, user: &Pubkey) {
        let (now, mut unfinished) = (Instant::now(), self.adoptions.unfinished());
        unfinished.forget_old(now);
        unfinished.lengthen(*user, now);
    }

    async fn is_on_record(&self, session: &Session, named: &Signature) -> Result<bool, SessionError> {
        let current = self.core.ledger.current_approval(session.user(), &session.intent.asset).await?;
        Ok(current.is_some_and(|current| current.signature == *named))
    }
}
