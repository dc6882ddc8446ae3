//! Looks: whether a payer's proved balance still stands when a transfer is signed, and whether it stood when the transfer
//! landed (ADR 0035).
//!
//! A transfer from a balance that was moved away lands, is told as a success and moves nothing. So what is carried as proven
//! is signed after a look, or rides on the look of another that is in flight, and is told as proven only after the account's
//! history was seen up to its landing.
//!
//! Owns what was seen of each account, who looks at it, and how many transfers of this process ride on a look. Writes what it
//! sees into the account's row, where other processes find it. Tells nobody: whose proof is lost is left to
//! [`Looks::take_lost`] for the room above.

pub(crate) mod account_history;
pub(crate) mod monitor_state;

use crate::{
    domain::{
        clock::UnixSeconds,
        funding::{Bound, Examined, Look},
    },
    facilitator::{core::Core, locks::keyed_locks::KeyedLocks, token_accounts::decoded},
    ledger::LedgerError,
};
use account_history::{Budget, ExamineError, UpTo};
use monitor_state::MonitorState;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

/// The requests of a look that a payment asks for, beside the one for the account itself.
pub(crate) const REQUESTS_OF_A_LOOK: u32 = 16;

/// What a look came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Looked {
    /// Nothing was taken from the balance up to the slot that was asked for.
    Stands,
    /// No proof counts (any more); what relied on it is unproven by now.
    Lost,
    /// The chain did not say, or not yet.
    Unclear,
}

/// Looks at payers' accounts for payments.
pub(crate) struct Looks {
    core: Arc<Core>,
    pub(crate) state: MonitorState,
    accounts: KeyedLocks<Pubkey, Looker>,
    lost: Mutex<Vec<Pubkey>>,
}

/// What concerns one payer's account.
#[derive(Default)]
pub(crate) struct Looker {
    /// Held by whoever looks: one at a time, whom others wait for and whose look they share.
    pub(crate) turn: tokio::sync::Mutex<()>,
    /// Transfers that were signed after a look, or beside such a one, and whose outcome is open.
    riders: AtomicUsize,
    /// The newest landing that somebody wants the history to be seen for.
    wanted: Mutex<Option<Landing>>,
}

/// A transfer of ours that landed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Landing {
    pub(crate) slot: u64,
    pub(crate) signature: Signature,
}

/// A transfer that is signed as proven; while it lives, others of its payer may ride with it.
pub(crate) struct Rider(Arc<Looker>);

impl Drop for Rider {
    fn drop(&mut self) {
        self.0.riders.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Looker {
    fn board(self: &Arc<Self>) -> Rider {
        self.riders.fetch_add(1, Ordering::SeqCst);
        Rider(Arc::clone(self))
    }

    /// Wants this landing to be seen.
    fn want(&self, landing: Landing) {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = wanted.filter(|newest| newest.slot >= landing.slot).unwrap_or(landing);
        *wanted = Some(newest);
    }

    fn newest(&self) -> Option<Landing> {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Looks {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core, state: MonitorState::default(), accounts: KeyedLocks::default(), lost: Mutex::default() }
    }

    /// What concerns the account of this user.
    pub(crate) fn looker(&self, user: &Pubkey) -> Arc<Looker> {
        self.accounts.lock_of(user, Looker::default)
    }

    /// The users whose proof was found lost since this was last asked.
    pub(crate) fn take_lost(&self) -> Vec<Pubkey> {
        std::mem::take(&mut *self.lost.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks before a transfer is signed as proven, unless another of this user that was is in flight: then it rides with that
    /// one, as far as the ledger lets it. While the rider lives others ride with it.
    pub(crate) async fn before_signing(&self, user: &Pubkey) -> Result<(Looked, Option<Rider>), LedgerError> {
        let looker = self.looker(user);
        let _turn = looker.turn.lock().await;
        let alone = looker.riders.load(Ordering::SeqCst) == 0;
        let looked = if alone { self.look(user).await? } else { Looked::Stands };
        let rider = (looked == Looked::Stands).then(|| looker.board());
        Ok((looked, rider))
    }

    /// Looks once more: too much rides on the last look.
    pub(crate) async fn again(&self, user: &Pubkey) -> Result<Looked, LedgerError> {
        let looker = self.looker(user);
        let _turn = looker.turn.lock().await;
        self.look(user).await
    }

    /// Sees the history up to a landing, for all who want one of this user seen up to then.
    pub(crate) async fn after_landing(&self, user: &Pubkey, landing: Landing) -> Result<Looked, LedgerError> {
        let looker = self.looker(user);
        looker.want(landing);
        let _turn = looker.turn.lock().await;
        let Some(bound) = self.bound(user).await? else { return Ok(Looked::Lost) };
        if bound.has_judged(landing.slot) {
            return Ok(if bound.lost.is_some() { Looked::Lost } else { Looked::Stands });
        }
        let newest = looker.newest().unwrap_or(landing);
        let looked = self.see(user, &bound, newest).await?;
        if looked == Looked::Unclear && newest.signature != landing.signature {
            // A fork may have taken the newest one back.
            return self.see(user, &bound, landing).await;
        }
        Ok(looked)
    }

    /// Sees what somebody waits to have seen, before a newer proof takes the place of the one that it was taken by.
    pub(crate) async fn before_proof(&self, user: &Pubkey) -> Result<(), LedgerError> {
        let looker = self.looker(user);
        let Some(newest) = looker.newest() else { return Ok(()) };
        let _turn = looker.turn.lock().await;
        if let Some(bound) = self.bound(user).await?.filter(|bound| !bound.has_judged(newest.slot)) {
            self.see(user, &bound, newest).await?;
        }
        Ok(())
    }

    async fn bound(&self, user: &Pubkey) -> Result<Option<Bound>, LedgerError> {
        let source = self.core.ledger.source(user, &self.core.settings.served.asset).await?;
        Ok(source.and_then(|source| source.bound))
    }

    /// Reads the account, and its history where the balance has changed since the last look.
    async fn look(&self, user: &Pubkey) -> Result<Looked, LedgerError> {
        let Some(bound) = self.bound(user).await?.filter(|bound| bound.lost.is_none()) else { return Ok(Looked::Lost) };
        // A look is as old as the state it saw, so it is dated before it is made.
        let asked_at = self.core.clock.now();
        let read = self.core.these_now([self.core.token_account(user)], 0).await;
        let (slot, [told]) = match read {
            Ok(read) => read,
            Err(error) => {
                tracing::info!(error = error.with_cause(), "a payer's account cannot be looked at now");
                return Ok(Looked::Unclear);
            }
        };
        let Some(account) = decoded(told) else { return Ok(Looked::Unclear) };
        let state = UpTo::read(slot, account.amount);
        // A handle names everything that made the balance, so the same one survives forks, too.
        if bound.seen.handle == Some(account.amount) {
            return self.record(user, state.unchanged(&bound), asked_at).await;
        }
        self.examine_up_to(user, &bound, &state).await
    }

    /// Reads the history up to a landing.
    async fn see(&self, user: &Pubkey, bound: &Bound, landing: Landing) -> Result<Looked, LedgerError> {
        let Landing { slot, signature } = landing;
        self.examine_up_to(user, bound, &UpTo { slot, handle: None, landed: Some(signature) }).await
    }

    async fn examine_up_to(&self, user: &Pubkey, bound: &Bound, state: &UpTo) -> Result<Looked, LedgerError> {
        let asked_at = self.core.clock.now();
        let mut known = self.state.known(user);
        let mut budget = Budget(REQUESTS_OF_A_LOOK);
        let examined = self.examine(user, bound, state, &mut known.harmless, &mut budget).await;
        self.state.remember(user, known);
        match examined {
            Ok(examined) => self.record(user, examined, asked_at).await,
            Err(ExamineError::Ledger(error)) => Err(error),
            Err(ExamineError::Unfinished) => Ok(Looked::Unclear),
            Err(ExamineError::Chain(error)) => {
                tracing::info!(error = error.with_cause(), "an account's history cannot be read now");
                Ok(Looked::Unclear)
            }
        }
    }

    async fn record(&self, user: &Pubkey, examined: Examined, asked_at: UnixSeconds) -> Result<Looked, LedgerError> {
        let asset = self.core.settings.served.asset;
        let look = Look { user: *user, asset, frozen: None, examined: Some(examined) };
        self.core.ledger.record_looks(&[look], asked_at).await?;
        if examined.lost.is_none() {
            return Ok(Looked::Stands);
        }
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).push(*user);
        Ok(Looked::Lost)
    }
}
