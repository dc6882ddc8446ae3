//! `POST /sessions/{id}/allowances`: a wallet asks to be able to read its balance (`spec/settlement.md` §3).
//!
//! It costs us rent, so only the two wallets of a session may ask, each for its own account, and rent is spent at most
//! once in a while for each account. A balance that is readable already is told so from a look that waits for nobody and
//! keeps nobody waiting; it costs two reads, so an account has [`LOOKS`] of them in a minute.

use crate::{
    domain::{
        reason::{PayReason, SessionReason},
        session::{Session, SessionId},
    },
    facilitator::{
        ReadRequest, SessionError, SessionRefusal,
        decrypt_allowances::{DecryptAllowances, refresh::Refreshed},
        error::SignFailure,
        signed_reads::payers_keys,
    },
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// More entries than this and those whose time is over are forgotten.
const REMEMBERED: usize = 1_024;
/// How often an account is looked at on request within [`LOOKS_IN`].
const LOOKS: u32 = 10;
/// The span that looks are counted in.
const LOOKS_IN: Duration = Duration::from_mins(1);

/// Whose balance is to be readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The payer; asked for by them or by their session key.
    User,
    /// The recipient; asked for by their wallet.
    Merchant,
}

/// A balance that its owner can decrypt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadableBalance {
    /// The token account.
    pub account: Pubkey,
    /// The transaction that bought the decrypt allowance; none when there was one already.
    pub transaction: Option<Signature>,
}

/// What was asked for an account lately.
#[derive(Clone, Copy)]
struct Asked {
    /// When the looks began to be counted, and how many there were.
    since: Instant,
    looks: u32,
    /// When rent was last spent for it.
    bought: Option<Instant>,
}

impl Asked {
    fn over(&self, interval: Duration, now: Instant) -> bool {
        self.since + LOOKS_IN <= now && self.bought.is_none_or(|at| at + interval <= now)
    }
}

/// What was asked for which account lately.
#[derive(Default)]
pub(crate) struct Requests(Mutex<HashMap<Pubkey, Asked>>);

impl Requests {
    fn lock(&self) -> MutexGuard<'_, HashMap<Pubkey, Asked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a look at the account, or tells how long until the next. `interval` is that of the purchases.
    fn look(&self, account: Pubkey, interval: Duration, now: Instant) -> Result<(), Duration> {
        let mut known = self.lock();
        if known.len() >= REMEMBERED {
            known.retain(|_, asked| !asked.over(interval, now));
        }
        let asked = known.entry(account).or_insert(Asked { since: now, looks: 0, bought: None });
        if asked.since + LOOKS_IN <= now {
            (asked.since, asked.looks) = (now, 0);
        }
        if asked.looks >= LOOKS {
            return Err((asked.since + LOOKS_IN).duration_since(now));
        }
        asked.looks += 1;
        Ok(())
    }

    /// Reserves the account's one paid refresh per `interval`, after a look; `Err` is the time until the next.
    fn take(&self, account: &Pubkey, interval: Duration, now: Instant) -> Result<(), Duration> {
        let mut known = self.lock();
        let asked = known.entry(*account).or_insert(Asked { since: now, looks: 0, bought: None });
        let left = asked.bought.map(|at| (at + interval).saturating_duration_since(now));
        if let Some(left) = left.filter(|left| !left.is_zero()) {
            return Err(left);
        }
        asked.bought = Some(now);
        Ok(())
    }

    fn give_back(&self, account: &Pubkey) {
        if let Some(asked) = self.lock().get_mut(account) {
            asked.bought = None;
        }
    }
}

impl DecryptAllowances {
    /// Makes sure that a wallet of this session can decrypt its balance.
    ///
    /// Refuses with `session_not_found`, `signature_required` (the request is not signed by the wallet it is for, or is
    /// too old), `refresh_too_soon` (rent was spent for it lately, or it was asked for too often), `session_busy` (another
    /// refresh with this merchant is under way, or too many wait for this payer), `quota_exceeded` (a budget is used up), and
    /// `source_not_ready` or `recipient_not_ready` (no usable account).
    pub(crate) async fn make_readable(
        self: &Arc<Self>,
        id: SessionId,
        reader: Reader,
        read: Option<ReadRequest>,
    ) -> Result<ReadableBalance, SessionError> {
        let session = self.core.existing(id).await?;
        if !read.is_some_and(|read| self.is_signed_for(&session, reader, &read)) {
            let detail = "a refresh is signed like a read, by the wallet it is for or the session key";
            return Err(SessionRefusal::because(SessionReason::SignatureRequired, detail).about(id).into());
        }
        let (wallet, not_ready) = match reader {
            Reader::User => (*session.user(), SessionReason::SourceNotReady),
            Reader::Merchant => (session.intent.recipient, SessionReason::RecipientNotReady),
        };
        let busy = || SessionRefusal::new(SessionReason::SessionBusy).about(id);
        let credit = self.core.credit(&session);
        let _permit = self.locks.waits.acquire(*session.user(), credit).await.ok_or_else(busy)?;
        let account = self.core.token_account(&wallet);
        let interval = self.core.settings.allowances.request_interval;
        let too_soon = |wait: Duration| {
            SessionRefusal::new(SessionReason::RefreshTooSoon).about(id).again_in(Some(wait.as_secs() + 1))
        };
        self.requests.look(account, interval, Instant::now()).map_err(too_soon)?;
        match self.can_read(&wallet).await.map_err(open_error)? {
            Some(true) => return Ok(ReadableBalance { account, transaction: None }),
            Some(false) => {}
            None => return Err(SessionRefusal::new(not_ready).about(id).into()),
        }
        // One at a time for a merchant's account: each takes it for itself, and payments stand in line behind it.
        let Some(turn) = self.refreshing.start_owned(self.core.token_account(&session.intent.recipient)) else {
            return Err(busy().into());
        };
        // Before it stands in any line: of many requests for one account, one does.
        self.requests.take(&account, interval, Instant::now()).map_err(too_soon)?;
        // Apart from the caller: one who hangs up does not leave half of it behind.
        let this = Arc::clone(self);
        let told = self.core.tasks.spawn_detached(async move {
            let refreshed = this.refresh_wallet(&session, wallet).await;
            if matches!(refreshed, Err(_) | Ok(Refreshed::Readable | Refreshed::NotReady | Refreshed::Busy)) {
                // Nothing was sent that is known of: asking again may help.
                this.requests.give_back(&account);
            }
            drop(turn);
            refreshed
        });
        let answer = tokio::time::timeout(self.core.settings.answer_deadline, told).await;
        let unavailable = |cause: &str| SessionError::Unavailable { retry_after: 2, source: cause.into() };
        let refreshed = answer.ok().and_then(Result::ok).ok_or_else(|| unavailable("the refresh takes its time"))?;
        match refreshed.map_err(open_error)? {
            Refreshed::Readable => Ok(ReadableBalance { account, transaction: None }),
            Refreshed::Bought(signature) => Ok(ReadableBalance { account, transaction: Some(signature) }),
            Refreshed::OverBudget => Err(SessionRefusal::new(SessionReason::QuotaExceeded).about(id).into()),
            Refreshed::NotReady => Err(SessionRefusal::new(not_ready).about(id).into()),
            Refreshed::Busy => Err(unavailable("payments of this account are on their way")),
            Refreshed::Failed => Err(unavailable("somebody moved the account first, or the chain refuses it")),
        }
    }

    fn is_signed_for(&self, session: &Session, reader: Reader, read: &ReadRequest) -> bool {
        let [session_key, user] = payers_keys(session);
        let signers = match reader {
            Reader::User => [session_key, user],
            Reader::Merchant => [None, Some(session.intent.recipient)],
        };
        self.core.is_signed_read(session, read, signers)
    }
}

fn open_error(failure: SignFailure) -> SessionError {
    match failure {
        SignFailure::Refused { reason: PayReason::InsufficientSponsorBalance, .. } => {
            SessionRefusal::new(SessionReason::InsufficientSponsorBalance).into()
        }
        SignFailure::Refused {
            reason: PayReason::SellerSettleCapExceeded | PayReason::GlobalSettleCapExceeded,
            ..
        } => SessionRefusal::new(SessionReason::QuotaExceeded).into(),
        SignFailure::Refused { detail, .. } => SessionError::Broken(detail.into()),
        SignFailure::Unavailable(cause) => SessionError::Unavailable { retry_after: 2, source: cause.into() },
        SignFailure::Ledger(error) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_one_turn_in_an_interval() {
        let (requests, now, minute) = (Requests::default(), Instant::now(), Duration::from_mins(1));
        let account = |number| Pubkey::new_from_array([number; 32]);
        assert_eq!(requests.take(&account(1), minute, now), Ok(()));
        assert_eq!(requests.take(&account(2), minute, now), Ok(()));
        let later = now + Duration::from_secs(20);
        assert_eq!(requests.take(&account(1), minute, later), Err(Duration::from_secs(40)));
        assert_eq!(requests.take(&account(1), minute, now + minute), Ok(()));
        requests.give_back(&account(2));
        assert_eq!(requests.take(&account(2), minute, later), Ok(()));
    }

    #[test]
    fn an_account_is_looked_at_so_many_times_a_minute() {
        let (requests, now, hour) = (Requests::default(), Instant::now(), Duration::from_hours(1));
        let account = Pubkey::new_from_array([1; 32]);
        for _ in 0..LOOKS {
            assert_eq!(requests.look(account, hour, now), Ok(()));
        }
        let later = now + Duration::from_secs(20);
        assert_eq!(requests.look(account, hour, later), Err(Duration::from_secs(40)));
        assert_eq!(requests.look(account, hour, now + LOOKS_IN), Ok(()));
        let own = Pubkey::new_from_array([2; 32]);
        assert_eq!(requests.look(own, hour, later), Ok(()), "each for itself");
    }

    #[test]
    fn what_is_forgotten_could_be_asked_for_anyway() {
        let (requests, now, hour) = (Requests::default(), Instant::now(), Duration::from_hours(1));
        let bought = Pubkey::new_unique();
        assert_eq!((requests.look(bought, hour, now), requests.take(&bought, hour, now)), (Ok(()), Ok(())));
        for _ in 0..REMEMBERED {
            assert_eq!(requests.look(Pubkey::new_unique(), hour, now), Ok(()));
        }
        assert_eq!(requests.look(Pubkey::new_unique(), hour, now + LOOKS_IN), Ok(()));
        assert_eq!(requests.lock().len(), 2);
        assert!(requests.take(&bought, hour, now + LOOKS_IN).is_err());
    }
}
