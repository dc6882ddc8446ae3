//! Opening on an approve that is on chain: a message alone, which never ends or enlarges anything (`spec/session.md` §7,
//! ADR 0048).
//!
//! Promises: what the named approve is, is told by its landed transaction and by what has happened to the account since, never
//! by its name; whether the session fits is decided by the ledger with the row that opens it; a refusal leaves no session
//! behind and uses up no nonce. Payments of the user's other sessions go on meanwhile, but no approve, revoke or close-all
//! of theirs is under way.

use crate::{
    domain::{
        approval::{Approval, LandedApprove},
        clock::UnixSeconds,
        reason::SessionReason,
        session::Session,
    },
    facilitator::{
        SessionError, SessionRefusal,
        funding::approves::single_approve,
        looks::account_history::ExamineError,
        sessions::{
            Sessions,
            land::busy,
            open::ParsedOpening,
            preflight::{BETWEEN_LOOKS, LOOKS},
            recipient_account::ToCreate,
        },
    },
    ledger::OpenedOnApproval,
    programs::inco_token::IncoAccount,
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::sync::Arc;

/// The most live sessions on one approval.
const MOST_SESSIONS: u64 = 16;
/// The handle of an approve whose transaction does not tell it: no amount has this one.
const UNTOLD: u128 = 0;

/// An approve as its transaction shows it.
struct NamedApprove {
    landed: LandedApprove,
    /// When its block was made, where the node remembers.
    at: Option<UnixSeconds>,
}

/// What the account shows as delegated.
#[derive(Clone, Copy)]
struct Shown {
    /// The handle.
    handle: u128,
    /// The slot of that state.
    slot: u64,
}

impl Sessions {
    /// Opens a checked session on the approve that it names, which is on chain already.
    pub(crate) async fn open_standing(
        self: &Arc<Self>,
        parsed: ParsedOpening,
        named: Signature,
    ) -> Result<Session, SessionError> {
        let session = &parsed.session;
        let (user, asset) = (*session.user(), session.intent.asset);
        let credit = self.core.credit(session);
        let Some(_permit) = self.locks.waits.acquire(user, credit).await else { return Err(busy()) };
        // Before the lock: who waits for others here must not keep the monitor from a second look.
        let share = self.share_of_adoptions(session, &named).await?;
        // Shared, as payments have it: only what changes the delegation or closes everything is kept out.
        let lease = self.locks.openings.payment(&user, &asset);
        let patience = self.core.settings.openings.drain_deadline;
        let _lease = tokio::time::timeout(patience, lease).await.map_err(|_| busy())?;
        let seen = self.read_accounts(&parsed).await?;
        let (account, slot) = match seen.source.filter(|source| self.core.is_delegate(source)) {
            Some(account) => (account, seen.slot),
            None => self.await_approve(&user, &named).await?,
        };
        self.check_not_opening(session, &account).await?;
        let shown = Shown { handle: account.delegated_amount, slot };
        self.find_standing(session, &named, shown).await?;
        drop(share);
        let opened = self.open_within_quota(session).await?;
        if seen.to_create == ToCreate::Recipient
            && let Err(error) = self.dispatch.create_recipient(&opened).await
        {
            // The session is open all the same: its first payment finds the account missing and says so.
            tracing::info!(session = opened.id.log_hash(), ?error, "a listed recipient's account was not created");
        }
        Ok(opened)
    }

    /// Writes the row, unless a quota is used up by now, or the approval does not admit it.
    async fn open_within_quota(self: &Arc<Self>, session: &Session) -> Result<Session, SessionError> {
        let opened = {
            let _counting = self.quota.lock().await;
            if let Some(known) = self.core.ledger.find_session(session.user(), &session.intent.nonce).await? {
                OpenedOnApproval::Existing(known)
            } else {
                self.check_quota(session).await?;
                self.core.ledger.open_on_approval(session, MOST_SESSIONS).await?
            }
        };
        match opened {
            OpenedOnApproval::New(session) => Ok(session),
            OpenedOnApproval::Existing(known) => self.answer_repeat(session, known).await,
            OpenedOnApproval::NonceReused => Err(SessionRefusal::new(SessionReason::NonceReused).into()),
            OpenedOnApproval::Refused(SessionReason::QuotaExceeded) => {
                let detail =
                    format!("{MOST_SESSIONS} sessions are live on this approval: close some that are not needed");
                Err(SessionRefusal::because(SessionReason::QuotaExceeded, detail).into())
            }
            OpenedOnApproval::Refused(reason) => Err(SessionRefusal::new(reason).into()),
        }
    }

    /// Refuses with `approve_used` an approve by which another session is being opened: one that waits for its amount has its
    /// approve all the while. A repeat of that very opening passes: it is answered with its session.
    async fn check_not_opening(&self, session: &Session, account: &IncoAccount) -> Result<(), SessionError> {
        let (user, asset) = (session.user(), &session.intent.asset);
        let Some(opening) = self.core.ledger.opening_by_approve(user, asset, account.delegated_amount).await? else {
            return Ok(());
        };
        let repeats =
            self.core.ledger.session(opening).await?.is_some_and(|known| known.intent.nonce == session.intent.nonce);
        if repeats { Ok(()) } else { Err(SessionRefusal::new(SessionReason::ApproveUsed).into()) }
    }

    /// Sees to it that the named approve is on record as what stands for the account, with its amount where that can be known;
    /// refuses what it is not.
    async fn find_standing(
        self: &Arc<Self>,
        session: &Session,
        named: &Signature,
        shown: Shown,
    ) -> Result<(), SessionError> {
        let (user, asset) = (session.user(), &session.intent.asset);
        let current = self.core.ledger.current_approval(user, asset).await?;
        let Some(known) = current.filter(|current| current.signature == *named) else {
            return self.adopt(session, named, shown).await;
        };
        if !known.is_complete {
            return Err(SessionRefusal::new(SessionReason::ApproveUsed).into());
        }
        if known.seen != Some(shown.handle) {
            self.check_unchanged(user, named, shown, (known.handle, known.seen_slot)).await?;
            self.core.ledger.note_delegation(user, asset, named, (shown.handle, shown.slot)).await?;
        }
        self.learn_amount(&known).await
    }

    /// Asks for the amount of an approval whose amount nobody knew.
    async fn learn_amount(self: &Arc<Self>, known: &Approval) -> Result<(), SessionError> {
        if let (None, Some(handle)) = (known.amount, known.handle)
            && let Some(amount) = self.approved_amount(handle).await?
        {
            self.funding.learn_approved(known, amount).await?;
        }
        Ok(())
    }

    /// Takes up an approve that is not on record, or not as what stands.
    async fn adopt(self: &Arc<Self>, session: &Session, named: &Signature, shown: Shown) -> Result<(), SessionError> {
        let (user, asset) = (session.user(), &session.intent.asset);
        let NamedApprove { landed, at } = self.read_approve(user, named, shown).await?;
        let expected = if landed.handle == UNTOLD { shown.handle } else { landed.handle };
        self.check_unchanged(user, named, shown, (Some(expected), Some(landed.slot))).await?;
        if self.core.ledger.may_have_been_used(user, asset, &landed, at).await? {
            return Err(SessionRefusal::new(SessionReason::ApproveUsed).into());
        }
        let amount = self.approved_amount(landed.handle).await?;
        if amount.is_none() && !self.others(session).await?.is_empty() {
            // What nobody knows backs none of them: all would end by a message. The monitor asks for the amount as well.
            return Err(SessionRefusal::new(SessionReason::CapUnverified).into());
        }
        Ok(self.funding.land_approval(user, &LandedApprove { amount, ..landed }).await?)
    }

    /// What the named transaction approved, if it is one approve of this account to us and nothing else of that kind.
    async fn read_approve(&self, user: &Pubkey, named: &Signature, shown: Shown) -> Result<NamedApprove, SessionError> {
        let not_an_approve = || {
            let detail = "the named transaction is not one approve of the user's account to this facilitator";
            SessionRefusal::because(SessionReason::ApproveNotAllowed, detail)
        };
        let (programs, source) = (&self.core.settings.served.programs, self.core.token_account(user));
        let seen = self.core.chain.transaction(named).await?.ok_or_else(not_an_approve)?;
        let approve = single_approve(&seen, programs, &source, &self.core.keys.spender.pubkey());
        let approve = approve.ok_or_else(not_an_approve)?;
        let delegation = self.core.settings.transfers.delegation;
        let handle = match approve.handle {
            Some(handle) => handle,
            // Nobody let us decrypt it, so it opens unverified sessions. What the account shows may be another approve's already.
            None if !delegation.is_lowered() => UNTOLD,
            None => {
                let detail = "its amount cannot be read, so it may be what our transfers have left of it; approve anew";
                return Err(SessionRefusal::because(SessionReason::ApproveStale, detail).into());
            }
        };
        let Shown { handle: seen_handle, slot: seen_slot } = shown;
        let landed = LandedApprove {
            signature: *named,
            amount: None,
            handle,
            seen: seen_handle,
            seen_slot,
            slot: seen.slot,
            delegation,
        };
        Ok(NamedApprove { landed, at: seen.block_time })
    }

    /// Refuses with `approve_stale` where anything since the named transaction may have touched the account's delegation, and with
    /// `session_busy` where nothing explains what the account shows: a node may list what has changed it a moment later. `known`
    /// are the handle that the approve made, and the slot in which the account showed what was noted last.
    async fn check_unchanged(
        &self,
        user: &Pubkey,
        named: &Signature,
        shown: Shown,
        known: (Option<u128>, Option<u64>),
    ) -> Result<(), SessionError> {
        let (handle, since) = known;
        let delegation = self.core.settings.transfers.delegation;
        let mut is_listed = false;
        for look in 0..LOOKS {
            if look > 0 {
                tokio::time::sleep(BETWEEN_LOOKS).await;
            }
            let changes = match self.funding.changes_since(user, named, shown.slot).await {
                Ok(changes) => changes,
                Err(ExamineError::Unfinished) => {
                    self.leave_alone(user);
                    return Err(busy());
                }
                Err(ExamineError::Chain(error)) => return Err(error.into()),
                Err(ExamineError::Ledger(error)) => return Err(error.into()),
            };
            is_listed = changes.is_listed && changes.newest.is_none();
            if changes.newest.is_some() {
                break;
            }
            if is_listed && (handle == Some(shown.handle) || changes.explain(delegation, since)) {
                return Ok(());
            }
        }
        if is_listed { Err(busy()) } else { Err(SessionRefusal::new(SessionReason::ApproveStale).into()) }
    }
}
