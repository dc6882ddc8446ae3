//! `POST /sessions/{id}/allowances`: a wallet asks to be able to read its balance (`spec/settlement.md` §3).
//!
//! It costs us rent, so only the two wallets of a session may ask, each for its own account, and rent is spent at most
//! once in a while for each account; a balance that is readable already costs nothing and is always told so.

use crate::{
    domain::{
        reason::{OpenReason, PayReason},
        session::{Session, SessionId},
        signed,
    },
    facilitator::{Facilitator, OpenError, OpenRefusal, ReadRequest, refresh::Refreshed, signing::SignFailure},
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// More entries than this and those whose time is over are forgotten.
const REMEMBERED: usize = 1_024;

/// Whose balance is to be readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The payer; asked for by him or his session key.
    User,
    /// The recipient; asked for by his wallet.
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

/// When rent was last spent for an account on request.
#[derive(Default)]
pub(super) struct Requests(Mutex<HashMap<Pubkey, Instant>>);

impl Requests {
    /// Takes the account's turn, or tells how long until the next.
    fn take(&self, account: Pubkey, interval: Duration, now: Instant) -> Result<(), Duration> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = |at: &Instant| now.duration_since(*at) >= interval;
        if let Some(at) = taken.get(&account).filter(|at| !over(at)) {
            return Err(interval.saturating_sub(now.duration_since(*at)));
        }
        if taken.len() >= REMEMBERED {
            taken.retain(|_, at| !over(at));
        }
        taken.insert(account, now);
        Ok(())
    }

    fn give_back(&self, account: &Pubkey) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(account);
    }
}

impl Facilitator {
    /// Makes sure that a wallet of this session can decrypt its balance.
    ///
    /// Refuses with `session_not_found`, `signature_required` (the request is not signed by the wallet it is for, or is
    /// too old), `refresh_too_soon`, `session_busy` (another refresh with this merchant is under way, or too many wait for
    /// this payer), `quota_exceeded` (a budget is used up), and `source_not_ready` or `recipient_not_ready` (no usable account).
    pub async fn make_readable(
        self: &Arc<Self>,
        id: SessionId,
        reader: Reader,
        read: Option<ReadRequest>,
    ) -> Result<ReadableBalance, OpenError> {
        let session = self.ledger.session(id).await?;
        let session = session.ok_or_else(|| OpenRefusal::new(OpenReason::SessionNotFound))?;
        if !read.is_some_and(|read| self.is_signed_for(&session, reader, &read)) {
            let detail = "a refresh is signed like a read, by the wallet it is for or the session key";
            return Err(OpenRefusal::because(OpenReason::SignatureRequired, detail).about(id).into());
        }
        let (wallet, not_ready) = match reader {
            Reader::User => (*session.user(), OpenReason::SourceNotReady),
            Reader::Merchant => (session.intent.recipient, OpenReason::RecipientNotReady),
        };
        let busy = || OpenRefusal::new(OpenReason::SessionBusy).about(id);
        let _seat = self.rooms.users.enter(*session.user()).ok_or_else(busy)?;
        // One at a time for a merchant's account: each takes it for itself, and payments stand in line behind it.
        let Some(turn) = self.refreshing.claim_owned(self.token_account(&session.intent.recipient)) else {
            return Err(busy().into());
        };
        // Apart from the caller: one who hangs up does not leave half of it behind.
        let this = Arc::clone(self);
        let (tell, told) = tokio::sync::oneshot::channel();
        self.spawn(async move {
            let refreshed = this.refresh_on_request(&session, wallet).await;
            drop(turn);
            let _ = tell.send(refreshed);
        });
        let answer = tokio::time::timeout(self.settings.answer_deadline, told).await;
        let unavailable = |cause: &str| OpenError::Unavailable { retry_after: 2, source: cause.into() };
        let account = self.token_account(&wallet);
        match answer.ok().and_then(Result::ok).ok_or_else(|| unavailable("the refresh takes its time"))?? {
            Refreshed::Readable => Ok(ReadableBalance { account, transaction: None }),
            Refreshed::Bought(signature) => Ok(ReadableBalance { account, transaction: Some(signature) }),
            Refreshed::OverBudget => Err(OpenRefusal::new(OpenReason::QuotaExceeded).about(id).into()),
            Refreshed::NotReady => Err(OpenRefusal::new(not_ready).about(id).into()),
            Refreshed::Failed => Err(unavailable("somebody moved the account first, or the chain refuses it")),
        }
    }

    async fn refresh_on_request(self: &Arc<Self>, session: &Session, wallet: Pubkey) -> Result<Refreshed, OpenError> {
        let account = self.token_account(&wallet);
        let (mut wait, mut taken) = (Duration::ZERO, false);
        let may = || match self.requests.take(account, self.settings.allowances.request_interval, Instant::now()) {
            Ok(()) => {
                taken = true;
                true
            }
            Err(left) => {
                wait = left;
                false
            }
        };
        let refreshed = self.refresh_wallet(session, wallet, may).await;
        if taken && refreshed.is_err() {
            // Nothing was sent that is known of: asking again may help.
            self.requests.give_back(&account);
        }
        let refreshed = refreshed.map_err(open_error)?;
        refreshed.ok_or_else(|| {
            OpenRefusal::new(OpenReason::RefreshTooSoon).about(session.id).again_in(Some(wait.as_secs() + 1)).into()
        })
    }

    fn is_signed_for(&self, session: &Session, reader: Reader, read: &ReadRequest) -> bool {
        let signers = match reader {
            Reader::User => [session.intent.session_key, Some(*session.user())],
            Reader::Merchant => [None, Some(session.intent.recipient)],
        };
        let message = signed::read_message(&session.id.to_string(), read.at);
        let fresh = self.clock.now().abs_diff(read.at) <= signed::READ_VALID_SECONDS;
        fresh && signers.iter().flatten().any(|key| signed::verify(key, message.as_bytes(), &read.signature))
    }
}

fn open_error(failure: SignFailure) -> OpenError {
    match failure {
        SignFailure::Refused { reason: PayReason::InsufficientSponsorBalance, .. } => {
            OpenRefusal::new(OpenReason::InsufficientSponsorBalance).into()
        }
        SignFailure::Refused {
            reason: PayReason::SellerSettleCapExceeded | PayReason::GlobalSettleCapExceeded,
            ..
        } => OpenRefusal::new(OpenReason::QuotaExceeded).into(),
        SignFailure::Refused { detail, .. } => OpenError::Broken(detail.into()),
        SignFailure::Unavailable(cause) => OpenError::Unavailable { retry_after: 2, source: cause.into() },
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
        assert_eq!(requests.take(account(1), minute, now), Ok(()));
        assert_eq!(requests.take(account(2), minute, now), Ok(()));
        let later = now + Duration::from_secs(20);
        assert_eq!(requests.take(account(1), minute, later), Err(Duration::from_secs(40)));
        assert_eq!(requests.take(account(1), minute, now + minute), Ok(()));
    }
}
