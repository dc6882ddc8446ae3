//! Reading what is not for everybody: a session's amounts, its payments, what happens to it (`spec/session.md` §4).
//!
//! The id of a session without a session key is what pays from it, so whoever has it may read it too. With a session key,
//! or when the operator says so, a read is signed by that key or by the user. A payment's own id is told only to who paid
//! and who was paid, so it opens what became of that payment, but no amount.

use crate::{
    domain::{
        approval::Approval,
        clock::UnixSeconds,
        history::{Cursor, History, PaymentTimes, Position},
        hold::{Hold, HoldId},
        reason::SessionReason,
        session::{Session, SessionId, SessionState},
        signed,
    },
    facilitator::{
        Facilitator, SessionError, SessionRefusal,
        events::{Listener, Rank, Subscription},
        signed_reads::payers_keys,
    },
    ledger::LedgerError,
};
use solana_pubkey::Pubkey;

/// A signed request to read what is not public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    /// When it was signed, Unix seconds.
    pub at: UnixSeconds,
    /// Over [`signed::read_message`] (or another text, where a request says so), by the session key or the user.
    pub signature: [u8; 64],
}

/// A session as one reader may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisibleSession {
    /// The session.
    pub session: Session,
    /// Whether this reader may know its amounts.
    pub amounts_visible: bool,
    /// The approval that it takes from, where the wallet itself reads: what is free of it is nobody else's to know.
    pub approval: Option<Approval>,
}

/// What became of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRecord {
    /// The payment.
    pub hold: Hold,
    /// Its times.
    pub times: PaymentTimes,
    /// Whether this reader may know its amount and nonce.
    pub readable: bool,
}

/// A request to list a wallet's sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRequest {
    /// The wallet.
    pub user: Pubkey,
    /// Only those of this asset.
    pub asset: Option<Pubkey>,
    /// [`SessionPage::next`] of the page before.
    pub after: Option<String>,
    /// Signed by the wallet over [`signed::list_message`].
    pub read: Option<ReadRequest>,
}

/// A wallet's sessions, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPage {
    /// The sessions.
    pub sessions: Vec<Session>,
    /// The approval that each of them takes from.
    pub approvals: Vec<Option<Approval>>,
    /// On the first page, the approvals that stand for the wallet's accounts.
    pub standing: Vec<Approval>,
    /// What to go on with where there are more.
    pub next: Option<String>,
}

/// Sessions on one page.
const PAGE: usize = 50;

/// A listener of a session, and where it begins.
pub struct Listening {
    /// News from now on.
    pub news: Subscription,
    /// What was told before.
    pub after: Cursor,
    /// Whether the session had ended for good, so that nothing follows what is in the log.
    pub ended: bool,
}

impl Facilitator {
    /// The session with this id as this reader may see it: with a session key its amounts are visible only to a request
    /// signed by that key or by the user. Refuses with `session_not_found` and `signature_required`.
    pub async fn session(&self, id: SessionId, read: Option<ReadRequest>) -> Result<VisibleSession, SessionError> {
        let session = self.core.existing(id).await?;
        let amounts_visible = self.may_read(&session, read)?;
        let wallet = [Some(*session.user()), None];
        let is_wallet = read.is_some_and(|read| self.core.is_signed_read(&session, &read, wallet));
        let approval = if is_wallet { self.approval_of(&session).await? } else { None };
        Ok(VisibleSession { session, amounts_visible, approval })
    }

    /// A wallet's sessions, newest first, 50 a page: told to that wallet alone.
    ///
    /// Refuses with `signature_required`, and `bad_request` for a cursor that is none of this wallet's.
    pub async fn list_sessions(&self, request: &ListRequest) -> Result<SessionPage, SessionError> {
        let ListRequest { user, asset, after, read } = request;
        let is_theirs = |read: &ReadRequest| {
            let message = signed::list_message(&self.core.keys.spender.pubkey(), user, read.at);
            self.core.is_signed_lately(user, &message, read.at, &read.signature)
        };
        if !read.as_ref().is_some_and(is_theirs) {
            return Err(SessionRefusal::because(
                SessionReason::SignatureRequired,
                "The list is told to a request that the wallet signed in the last five minutes over \
                 `x402-session-list:1:<spender>:<user>:<at>`.",
            )
            .into());
        }
        let not_a_cursor = |_| {
            SessionRefusal::because(SessionReason::BadRequest, "`after` is not the `next` of a list of this wallet.")
        };
        let before = after.as_ref().map(|text| self.event_ids.read_place(user, text));
        let before = before.transpose().map_err(not_a_cursor)?;
        let mut found = self.core.ledger.sessions_of(user, asset.as_ref(), before, PAGE + 1).await?;
        let more = found.len() > PAGE;
        found.truncate(PAGE);
        let next = found.last().filter(|_| more).map(|(number, _)| self.event_ids.tell_place(user, *number));
        let sessions: Vec<Session> = found.into_iter().map(|(_, session)| session).collect();
        let ids: Vec<SessionId> = sessions.iter().map(|session| session.id).collect();
        let approvals = self.core.ledger.approvals_of(&ids).await?;
        let mut standing = if before.is_none() { self.core.ledger.standing_approvals(user).await? } else { Vec::new() };
        standing.retain(|approval| asset.is_none_or(|asset| approval.asset == asset));
        Ok(SessionPage { sessions, approvals, standing, next })
    }

    /// The approval that a session takes from; for its wallet's eyes.
    async fn approval_of(&self, session: &Session) -> Result<Option<Approval>, SessionError> {
        Ok(self.core.ledger.approvals_of(&[session.id]).await?.pop().flatten())
    }

    /// What became of a payment, by its id or its nonce; by its nonce only to who may read the session.
    ///
    /// Refuses with `session_not_found`, `signature_required` and `payment_not_found`.
    pub async fn payment(
        &self,
        session: SessionId,
        name: &str,
        read: Option<ReadRequest>,
    ) -> Result<PaymentRecord, SessionError> {
        let VisibleSession { session, amounts_visible: readable, .. } = self.session(session, read).await?;
        let by_id = match name.parse::<HoldId>() {
            Ok(id) => self.core.ledger.find_hold(id).await?.filter(|hold| hold.session == session.id),
            Err(_) => None,
        };
        let hold = match by_id {
            Some(hold) => Some(hold),
            // An id that is nobody's may be a nonce that looks like one.
            None if readable => self.core.ledger.find_payment(session.id, name).await?,
            None if name.parse::<HoldId>().is_ok() => None,
            None => return Err(SessionRefusal::new(SessionReason::SignatureRequired).into()),
        };
        let hold = hold.ok_or_else(|| SessionRefusal::new(SessionReason::PaymentNotFound))?;
        let times = self.core.ledger.payment_times(hold.id).await?;
        Ok(PaymentRecord { hold, times, readable })
    }

    /// Begins to listen to a session, after the event of the id `after` or from now on; `address` is where from, an IPv4
    /// address or an IPv6 /64.
    ///
    /// Refuses with `session_not_found`, `signature_required`, `bad_request` for an id that is none of this session, and
    /// `quota_exceeded` when too many listen.
    pub async fn listen(
        &self,
        id: SessionId,
        read: Option<ReadRequest>,
        after: Option<&str>,
        address: Option<u128>,
    ) -> Result<Listening, SessionError> {
        let VisibleSession { session, amounts_visible, .. } = self.session(id, read).await?;
        if !amounts_visible {
            return Err(SessionRefusal::new(SessionReason::SignatureRequired).into());
        }
        let not_an_id = |_| {
            SessionRefusal::because(
                SessionReason::BadRequest,
                "`Last-Event-ID` is not the id of an event of this session.",
            )
        };
        let after = after.map(|text| self.event_ids.read(session.id, text)).transpose().map_err(not_an_id)?;
        let has_credit = self.core.ledger.has_credit(session.user(), self.core.clock.now()).await?;
        let rank = if has_credit { Rank::Payer } else { Rank::Stranger };
        let outsider = Listener { user: *session.user(), address, rank };
        let news = self.core.events.listen(session.id, outsider, &self.core.settings.reads).ok_or_else(|| {
            SessionRefusal::because(
                SessionReason::QuotaExceeded,
                "Too many listen; poll the session, or come back later.",
            )
        })?;
        let after = match after {
            Some(after) => after,
            None => self.core.ledger.newest_position(session.id).await?,
        }
        .into();
        let ended = matches!(session.state, SessionState::Closed | SessionState::Rejected(_));
        Ok(Listening { news, after, ended })
    }

    /// What a client is told of a position, to come back with it.
    pub fn event_id(&self, session: SessionId, position: Position) -> String {
        self.event_ids.tell(session, position)
    }

    /// What happened to a session after a cursor, at most `most` things. Whoever asks may read the session.
    pub async fn history(&self, session: SessionId, after: Cursor, most: usize) -> Result<History, LedgerError> {
        self.core.ledger.history(session, after, most).await
    }

    /// Whether this reader may know everything; a signature that is not good is refused even where none is needed.
    fn may_read(&self, session: &Session, read: Option<ReadRequest>) -> Result<bool, SessionRefusal> {
        let Some(read) = read else {
            return Ok(session.intent.session_key.is_none() && !self.core.settings.reads.signed);
        };
        if self.core.is_signed_read(session, &read, payers_keys(session)) {
            Ok(true)
        } else {
            Err(SessionRefusal::new(SessionReason::SignatureRequired))
        }
    }
}
