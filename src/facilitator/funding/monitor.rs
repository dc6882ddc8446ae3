//! The monitor: every account with an open session is looked at again and again (`spec/settlement.md` §5).
//!
//! Promises: a delegation is believed gone only when two reads, of states not older than anything this process knows of,
//! say so; a freeze stops payments until a thaw and ends nothing; whatever voids a proof takes it back for good. A
//! stranger's transfer, even of zero, stops nothing. Every account is read in every round, spread over the interval; what
//! histories cost is bounded and shared out ([`super::history_budget`]), and never delays a round.

use crate::{
    chain::{ChainAccount, ChainError},
    domain::{
        funding::{Bound, Funding, FundingPolicy, Look, Source},
        session::Session,
    },
    facilitator::{
        FundingSettings,
        events::SessionEvent,
        funding::{FundingMonitor, delegation::Delegated, history_budget::Unexamined},
        looks::{Landing, Looked, account_history::UpTo, monitor_state::Shown},
        tasks::ticks,
    },
    ledger::LedgerError,
    programs::inco_token::{AccountState, IncoAccount},
};
use solana_pubkey::Pubkey;
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Accounts of one request.
const TOGETHER: usize = 100;
/// How long a second read waits for payments and openings of that user.
pub(super) const LOCK_PATIENCE: Duration = Duration::from_secs(2);
/// The pause before an account whose history does not reach up to a landing yet is looked at again.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);
/// How long a promise waits for the look before it.
const PROMISE_PATIENCE: Duration = Duration::from_secs(1);

/// Why accounts were not looked at.
#[derive(Debug, thiserror::Error)]
enum LookError {
    /// The chain did not answer.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The ledger did not answer.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// What one read of an account tells.
enum Seen {
    /// Ours to spend from.
    Usable(IncoAccount),
    Frozen,
    /// There is no such account, or its delegate is somebody else.
    Gone,
    /// Not readable: it says nothing.
    Unreadable,
}

impl FundingMonitor {
    /// Looks at all accounts, round after round.
    pub(crate) async fn monitor_rounds(self: Arc<Self>) {
        let mut ticks = ticks(self.core.settings.funding.interval);
        loop {
            ticks.tick().await;
            if let Err(error) = self.monitor_round().await {
                tracing::warn!(%error, "accounts cannot be looked at; the next round tries again");
            }
        }
    }

    /// First every account, a hundred in one request, whatever it costs: a revoke and a freeze are seen there. Then the
    /// histories, in the background, so that they hold up no round; while they are read, the next round adds none.
    async fn monitor_round(self: &Arc<Self>) -> Result<(), LedgerError> {
        self.tell_lost().await?;
        let mut sources = self.core.ledger.watched_sources().await?;
        sources.retain(|source| source.asset == self.core.settings.served.asset);
        self.looks.state.keep(&sources.iter().map(|source| source.user).collect::<HashSet<_>>());
        let chunks: Vec<&[Source]> = sources.chunks(TOGETHER).collect();
        // Spread over half the interval, so that a round ends before the next begins.
        let pause = self.core.settings.funding.interval / u32::try_from(chunks.len() * 2).unwrap_or(u32::MAX).max(1);
        let mut unexamined = Vec::new();
        for (number, chunk) in chunks.into_iter().enumerate() {
            if number > 0 {
                tokio::time::sleep(pause).await;
            }
            match self.look_at(chunk).await {
                Ok(more) => unexamined.extend(more),
                Err(LookError::Chain(error)) => {
                    tracing::info!(error = error.with_cause(), "some accounts were not looked at");
                }
                Err(LookError::Ledger(error)) => return Err(error),
            }
        }
        if let Some(running) = self.examining.start_owned(()) {
            let this = Arc::clone(self);
            self.core.tasks.spawn(async move {
                let _running = running;
                if let Err(error) = this.examine_all(unexamined).await {
                    tracing::warn!(%error, "histories cannot be examined; the next round tries again");
                }
            });
        }
        Ok(())
    }

    /// Looks at these accounts (at most a hundred), records what is seen, and gives those whose history is to be read.
    async fn look_at(self: &Arc<Self>, sources: &[Source]) -> Result<Vec<Unexamined>, LookError> {
        let accounts: Vec<Pubkey> = sources.iter().map(|source| self.core.token_account(&source.user)).collect();
        // A look is as old as the state it saw, so it is dated before it is made.
        let (asked_at, looked_at) = (self.core.clock.now(), Instant::now());
        let (slot, told) = self.core.accounts_now(&accounts, 0).await?;
        let delegated = self.compare_delegated(sources, &told).await?;
        let lowered = self.core.settings.transfers.delegation.is_lowered();
        let (mut looks, mut unexamined) = (Vec::with_capacity(sources.len()), Vec::new());
        for ((source, account), delegated) in sources.iter().zip(told).zip(delegated) {
            let replaced = matches!(delegated, Delegated::Another { .. });
            self.doubt_unexplained(&source.user, delegated).await?;
            let look =
                |frozen, examined| Look { user: source.user, asset: source.asset, frozen: Some(frozen), examined };
            let seen = self.judge(source, account.as_ref());
            // Where our own transfers change the delegated amount, another one that they explain says nothing yet.
            let is_doubted = (replaced && !lowered) || self.core.doubted.contains(&source.user);
            let is_ours = matches!(seen, Seen::Usable(_) | Seen::Frozen) && !is_doubted;
            let shown = if is_ours { Shown::Delegated } else { Shown::Doubtful };
            self.looks.state.remember_look(&source.user, shown, looked_at);
            if delegated != Delegated::AsNoted && matches!(seen, Seen::Usable(_)) {
                self.confirm_replaced(source.user, slot);
            }
            let is_still = |handle| !replaced && self.looks.state.is_still(&source.user, handle);
            match seen {
                Seen::Usable(account) => match self.watched_bound(source) {
                    // The handle stands for one balance, and has been the same for a whole look since the account was
                    // examined: nothing can have changed.
                    Some(bound) if bound.is_final && is_still(account.amount) => {
                        looks.push(look(false, Some(UpTo::read(slot, account.amount).unchanged(&bound))));
                    }
                    bound => {
                        looks.push(look(false, None));
                        let (user, handle) = (source.user, account.amount);
                        unexamined.extend(bound.map(|bound| Unexamined { user, bound, handle, slot, asked_at }));
                    }
                },
                Seen::Frozen => looks.push(look(true, None)),
                Seen::Gone => self.confirm_gone(source.user, slot),
                Seen::Unreadable => tracing::warn!("a payer's token account cannot be read"),
            }
        }
        self.core.ledger.record_looks(&looks, asked_at).await?;
        self.publish_frozen(sources, &looks).await?;
        Ok(unexamined)
    }

    /// The proof of this account's balance, when it can still be lost.
    fn watched_bound(&self, source: &Source) -> Option<Bound> {
        let watched = self.core.settings.funding.policy != FundingPolicy::Off;
        source.bound.filter(|bound| watched && bound.lost.is_none())
    }

    fn judge(&self, source: &Source, account: Option<&ChainAccount>) -> Seen {
        let Some(account) = account.filter(|account| !account.data.is_empty()) else { return Seen::Gone };
        let decoded = IncoAccount::decode(&account.data).ok();
        match decoded
            .filter(|told| account.owner == self.core.settings.served.programs.token && told.owner == source.user)
        {
            None => Seen::Unreadable,
            Some(account) if account.state == AccountState::Frozen => Seen::Frozen,
            Some(account) if self.core.is_delegate(&account) => Seen::Usable(account),
            Some(_) => Seen::Gone,
        }
    }

    /// For each account that was frozen or thawed: tells its user's sessions and settles their promises.
    async fn publish_frozen(self: &Arc<Self>, before: &[Source], looks: &[Look]) -> Result<(), LedgerError> {
        for look in looks {
            let Some(source) = before.iter().find(|source| source.user == look.user) else { continue };
            if let Some(frozen) = look.frozen.filter(|frozen| *frozen != source.frozen) {
                tracing::info!(frozen, "a payer's token account changed its state");
                self.tell_and_settle(&source.user, SessionEvent::Funding(Funding::Unproven)).await?;
            }
        }
        Ok(())
    }

    /// Publishes `event` to the user's live sessions and settles their promises now, while funds may be left.
    pub(crate) async fn tell_and_settle(
        self: &Arc<Self>,
        user: &Pubkey,
        event: SessionEvent,
    ) -> Result<(), LedgerError> {
        self.tell_and_settle_all(&self.core.ledger.live_sessions(user, &self.core.settings.served.asset).await?, event);
        Ok(())
    }

    fn tell_and_settle_all(self: &Arc<Self>, sessions: &[Session], event: SessionEvent) {
        for session in sessions {
            self.core.events.publish(session.id, event);
            self.dispatch.settle_promises(session.id);
        }
    }

    /// Looks until the history of a user's account is seen up to a landing, and tells their sessions what that came to. False where
    /// the time is over first.
    pub(crate) async fn see_landing(
        self: &Arc<Self>,
        user: &Pubkey,
        landing: Landing,
        until: Instant,
    ) -> Result<bool, LedgerError> {
        let seen = async {
            loop {
                let looked = self.looks.after_landing(user, landing).await?;
                self.tell_lost().await?;
                match looked {
                    Looked::Stands | Looked::Lost => return Ok(()),
                    Looked::Unclear => tokio::time::sleep(BETWEEN_LOOKS).await,
                }
            }
        };
        // Boxed: it is large, and few answers need it.
        match tokio::time::timeout_at(until, Box::pin(seen)).await {
            Ok(seen) => seen.map(|()| true),
            Err(_) => Ok(false),
        }
    }

    /// Tells the sessions of those whose proof a look for a payment found lost.
    async fn tell_lost(self: &Arc<Self>) -> Result<(), LedgerError> {
        for user in self.looks.take_lost() {
            self.tell_and_settle(&user, SessionEvent::Funding(Funding::Unproven)).await?;
        }
        Ok(())
    }

    /// The delegation looks gone: reads again in the background, and ends the user's sessions when it still is.
    fn confirm_gone(self: &Arc<Self>, user: Pubkey, first: u64) {
        let this = Arc::clone(self);
        self.core.tasks.spawn(async move {
            let Some(_running) = this.rereading.start(user) else { return };
            // With this lock no opening of this user is under way that is about to make us their delegate again.
            let asset = &this.core.settings.served.asset;
            let opening = this.locks.openings.opening_within(&user, asset, LOCK_PATIENCE).await;
            let Some(_opening) = opening else { return };
            match this.is_gone_since(&user, first).await {
                Ok(true) => this.end_delegation(&user).await,
                Ok(false) => {}
                Err(error) => tracing::info!(%error, "whether a delegation is gone is looked at in the next round"),
            }
        });
    }

    /// Whether a state later than `first`, and not older than anything we know of, shows no delegation to us.
    async fn is_gone_since(&self, user: &Pubkey, first: u64) -> Result<bool, ChainError> {
        let source = Source::unknown(*user, self.core.settings.served.asset);
        let (_, told) = self.account_after(user, first).await?;
        Ok(matches!(self.judge(&source, told.as_ref()), Seen::Gone))
    }

    async fn end_delegation(self: &Arc<Self>, user: &Pubkey) {
        let ended = async {
            let live = self.core.ledger.live_sessions(user, &self.core.settings.served.asset).await?;
            let revoked = self.core.ledger.revoke_sessions(user, &self.core.settings.served.asset).await?;
            if revoked > 0 {
                tracing::info!(revoked, "a delegation is gone");
            }
            self.tell_and_settle_all(&live, SessionEvent::Recorded);
            Ok::<_, LedgerError>(())
        };
        if let Err(error) = ended.await {
            tracing::warn!(%error, "a delegation is gone, and the ledger could not be told");
        }
    }

    /// Looks at one user's account at once when its proof would count but for the time of the last look. True when the
    /// proof is known to count by now, or not to.
    ///
    /// Costs the chain little however often it is asked for: one look at a time for each user, which all who ask
    /// meanwhile wait for, and one in each interval.
    pub(crate) async fn look_if_old(self: &Arc<Self>, user: &Pubkey) -> Result<bool, LedgerError> {
        let looker = self.looks.looker(user);
        let _turn = looker.turn.lock().await;
        let Some(source) = self.core.ledger.source(user, &self.core.settings.served.asset).await? else {
            return Ok(false);
        };
        if self.watched_bound(&source).is_none() || source.frozen {
            return Ok(false);
        }
        let FundingSettings { max_age, interval, .. } = self.core.settings.funding;
        if source.counting(self.core.clock.now(), max_age).is_some() {
            return Ok(true);
        }
        if !self.looks.state.may_look(user, Instant::now(), interval) {
            return Ok(false);
        }
        let unexamined = match self.look_at(&[source]).await {
            Ok(unexamined) => unexamined,
            Err(LookError::Ledger(error)) => return Err(error),
            Err(LookError::Chain(_)) => return Ok(false),
        };
        match unexamined.first() {
            Some(one) => self.examine_for_payment(one).await,
            None => Ok(true),
        }
    }

    /// Whether something may be promised on this user's account: a look within `deferred.look_after_seconds` showed us as its
    /// delegate, or one that is made now does. What does not is found out about in the background, and by the payment's own
    /// transfer.
    ///
    /// Where the chain does not answer in a moment something may be promised all the same: the limits of exposure bound it,
    /// as they do between two looks.
    pub(crate) async fn look_before_promise(self: &Arc<Self>, user: &Pubkey) -> Result<bool, LedgerError> {
        let span = self.core.settings.deferred.look_after;
        if span.is_zero() {
            return Ok(true);
        }
        let known = || self.looks.state.shown_within(user, Instant::now(), span).map(|shown| shown != Shown::Doubtful);
        if let Some(known) = known() {
            return Ok(known);
        }
        let looker = self.looks.looker(user);
        let _turn = looker.turn.lock().await;
        // Whoever was first has looked for all.
        if let Some(known) = known() {
            return Ok(known);
        }
        let asset = self.core.settings.served.asset;
        let source = self.core.ledger.source(user, &asset).await?.unwrap_or_else(|| Source::unknown(*user, asset));
        match tokio::time::timeout(PROMISE_PATIENCE, self.look_at(&[source])).await {
            Ok(Ok(_)) => Ok(known().unwrap_or(true)),
            Ok(Err(LookError::Ledger(error))) => Err(error),
            Ok(Err(LookError::Chain(_))) | Err(_) => {
                self.looks.state.remember_look(user, Shown::Nothing, Instant::now());
                Ok(true)
            }
        }
    }
}
