//! The monitor: every account with an open session is looked at again and again (`spec/settlement.md` §5).
//!
//! Promises: a delegation is believed gone only when two reads, of states not older than anything this process knows of,
//! say so; a freeze stops payments until a thaw and ends nothing; whatever voids a proof takes it back for good. A
//! stranger's transfer, even of zero, stops nothing. Rounds are spread over the interval and make a bounded number of
//! requests; those that were looked at longest ago come first.

use crate::{
    chain::{ChainAccount, ChainError},
    domain::funding::{Examined, Funding, FundingPolicy, Look, Source},
    facilitator::{
        Facilitator,
        events::SessionEvent,
        history::ExamineError,
        watch::{Budget, Known},
    },
    ledger::LedgerError,
    programs::inco_token::{AccountState, IncoAccount},
};
use solana_pubkey::Pubkey;
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::time::MissedTickBehavior;

/// Accounts of one request.
const TOGETHER: usize = 100;
/// How often a second read is tried, and the pause between two tries: the node has to have moved on by a slot.
const SECOND_LOOKS: usize = 10;
const SECOND_LOOK_PAUSE: Duration = Duration::from_millis(400);
/// How long a second read waits for payments and openings of that user that are under way.
const GATE_PATIENCE: Duration = Duration::from_secs(2);

/// What one read of an account tells.
enum Seen {
    /// Ours to spend from.
    Fine(IncoAccount),
    Frozen,
    /// There is no such account, or its delegate is somebody else.
    Gone,
    /// Not readable: it says nothing.
    Odd,
}

impl Facilitator {
    /// Looks at all accounts, round after round.
    pub(super) async fn watch_rounds(self: &Arc<Self>) {
        let mut ticks = tokio::time::interval(self.settings.funding.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.watch_round().await {
                tracing::warn!(%error, "accounts cannot be looked at; the next round tries again");
            }
        }
    }

    async fn watch_round(self: &Arc<Self>) -> Result<(), LedgerError> {
        let mut sources = self.ledger.watched_sources().await?;
        sources.retain(|source| source.asset == self.settings.asset);
        self.watch.keep(&sources.iter().map(|source| source.user).collect::<HashSet<_>>());
        let mut budget = Budget(self.settings.funding.requests_per_round);
        let chunks: Vec<&[Source]> = sources.chunks(TOGETHER).collect();
        // Spread over half the interval, so that a round ends before the next begins.
        let pause = self.settings.funding.interval / u32::try_from(chunks.len() * 2).unwrap_or(u32::MAX).max(1);
        for (number, chunk) in chunks.into_iter().enumerate() {
            if number > 0 {
                tokio::time::sleep(pause).await;
            }
            match self.look_at(chunk, &mut budget).await {
                Ok(()) | Err(ExamineError::Unfinished) => {}
                Err(ExamineError::Chain(error)) => tracing::info!(%error, "some accounts were not looked at"),
                Err(ExamineError::Ledger(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// Looks at these accounts (at most a hundred) and records what is seen.
    pub(super) async fn look_at(self: &Arc<Self>, sources: &[Source], budget: &mut Budget) -> Result<(), ExamineError> {
        let accounts: Vec<Pubkey> = sources.iter().map(|source| self.token_account(&source.user)).collect();
        budget.spend()?;
        let (slot, told) = self.chain.accounts_since(&accounts, self.watch.newest()).await?;
        self.watch.saw(slot);
        let mut looks = Vec::with_capacity(sources.len());
        for (source, account) in sources.iter().zip(told) {
            match self.judge(source, account.as_ref()) {
                Seen::Fine(account) => {
                    let examined = self.examine_when_needed(source, &account, slot, budget).await?;
                    looks.push(Look { user: source.user, asset: source.asset, frozen: false, examined });
                }
                Seen::Frozen => {
                    looks.push(Look { user: source.user, asset: source.asset, frozen: true, examined: None });
                }
                Seen::Gone => self.look_twice(source.user, slot),
                Seen::Odd => tracing::warn!("a payer's token account cannot be read"),
            }
        }
        self.ledger.record_looks(&looks, self.clock.now()).await?;
        self.act_on(sources, &looks).await?;
        Ok(())
    }

    fn judge(&self, source: &Source, account: Option<&ChainAccount>) -> Seen {
        let Some(account) = account.filter(|account| !account.data.is_empty()) else { return Seen::Gone };
        let decoded = IncoAccount::decode(&account.data).ok();
        match decoded.filter(|told| account.owner == self.settings.programs.token && told.owner == source.user) {
            None => Seen::Odd,
            Some(account) if account.state == AccountState::Frozen => Seen::Frozen,
            Some(account) if account.delegate == Some(self.keys.spender.pubkey()) => Seen::Fine(account),
            Some(_) => Seen::Gone,
        }
    }

    /// Examines the history of an account with a proof, unless nothing can have changed: the handle stands for one
    /// balance, and it has been the same for a whole look since it was examined.
    async fn examine_when_needed(
        &self,
        source: &Source,
        account: &IncoAccount,
        slot: u64,
        budget: &mut Budget,
    ) -> Result<Option<Examined>, ExamineError> {
        let watched = self.settings.funding.policy != FundingPolicy::Off;
        let Some(bound) = source.bound.filter(|bound| watched && bound.lost.is_none()) else { return Ok(None) };
        let mut known = self.watch.known(&source.user);
        let same = known.handle == account.amount;
        if same && known.still && bound.is_final {
            return Ok(Some(Examined { of: bound.slot, up_to: bound.examined, is_final: true, lost: None }));
        }
        match self.examine(&source.user, &bound, slot, &mut known.harmless, budget).await {
            Ok(examined) => {
                self.watch.remember(&source.user, Known { handle: account.amount, still: same, ..known });
                Ok(Some(examined))
            }
            // One account that cannot be examined is no reason to leave the others alone.
            Err(ExamineError::Chain(error)) => {
                tracing::info!(%error, "an account's history cannot be read now");
                Ok(None)
            }
            Err(ExamineError::Unfinished) => Ok(None),
            Err(error @ ExamineError::Ledger(_)) => Err(error),
        }
    }

    /// What follows from what was seen, beside the record of it.
    async fn act_on(self: &Arc<Self>, before: &[Source], looks: &[Look]) -> Result<(), LedgerError> {
        for look in looks {
            let Some(source) = before.iter().find(|source| source.user == look.user) else { continue };
            let lost = look.examined.and_then(|examined| examined.lost);
            if look.frozen != source.frozen {
                tracing::info!(frozen = look.frozen, "a payer's token account changed its state");
            }
            if lost.is_some() || look.frozen != source.frozen {
                self.tell_and_settle(&source.user, SessionEvent::Funding(Funding::Unproven)).await?;
            }
        }
        Ok(())
    }

    /// Tells the user's sessions, and carries now what they hold: what can be had may soon be gone.
    async fn tell_and_settle(self: &Arc<Self>, user: &Pubkey, event: SessionEvent) -> Result<(), LedgerError> {
        for session in self.ledger.live_sessions(user, &self.settings.asset).await? {
            self.events.publish(session.id, event);
            self.settle_promises(session.id);
        }
        Ok(())
    }

    /// The delegation looks gone: reads again in the background, and ends the user's sessions when it still is.
    fn look_twice(self: &Arc<Self>, user: Pubkey, first: u64) {
        let this = Arc::clone(self);
        self.spawn(async move {
            let Some(_claim) = this.doubting.claim(user) else { return };
            // Behind the gate no opening of this user is under way that is about to make us his delegate again.
            let gate = this.gates.opening(&user, &this.settings.asset);
            let Ok(_gate) = tokio::time::timeout(GATE_PATIENCE, gate).await else { return };
            match this.is_gone_since(&user, first).await {
                Ok(true) => this.end_delegation(&user).await,
                Ok(false) => {}
                Err(error) => tracing::info!(%error, "whether a delegation is gone is looked at in the next round"),
            }
        });
    }

    /// Whether a state later than `first`, and not older than anything we know of, shows no delegation to us.
    pub(super) async fn is_gone_since(&self, user: &Pubkey, first: u64) -> Result<bool, ChainError> {
        let source = Source::unknown(*user, self.settings.asset);
        let account = self.token_account(user);
        let mut tries = 0;
        loop {
            let at_least = first.saturating_add(1).max(self.watch.newest());
            match self.chain.accounts_since(&[account], at_least).await {
                Ok((slot, told)) => {
                    self.watch.saw(slot);
                    return Ok(matches!(self.judge(&source, told.first().and_then(Option::as_ref)), Seen::Gone));
                }
                Err(error) if tries >= SECOND_LOOKS => return Err(error),
                // The node is not there yet; a slot takes this long.
                Err(_) => tokio::time::sleep(SECOND_LOOK_PAUSE).await,
            }
            tries += 1;
        }
    }

    async fn end_delegation(self: &Arc<Self>, user: &Pubkey) {
        let ended = async {
            let live = self.ledger.live_sessions(user, &self.settings.asset).await?;
            let revoked = self.ledger.revoke_sessions(user, &self.settings.asset).await?;
            if revoked > 0 {
                tracing::info!(revoked, "a delegation is gone");
            }
            for session in live {
                self.events.publish(session.id, SessionEvent::Recorded);
                self.settle_promises(session.id);
            }
            Ok::<_, LedgerError>(())
        };
        if let Err(error) = ended.await {
            tracing::warn!(%error, "a delegation is gone, and the ledger could not be told");
        }
    }

    /// Looks at one user's account at once when its proof would count but for the time of the last look. True when it
    /// was looked at.
    pub(super) async fn look_if_old(self: &Arc<Self>, user: &Pubkey) -> Result<bool, LedgerError> {
        let Some(source) = self.ledger.source(user, &self.settings.asset).await? else { return Ok(false) };
        let old = source.bound.is_some_and(|bound| bound.lost.is_none()) && !source.frozen;
        if !old || self.settings.funding.policy == FundingPolicy::Off {
            return Ok(false);
        }
        let mut budget = Budget(self.settings.funding.requests_per_round);
        match self.look_at(&[source], &mut budget).await {
            Ok(()) => Ok(true),
            Err(ExamineError::Ledger(error)) => Err(error),
            Err(ExamineError::Chain(_) | ExamineError::Unfinished) => Ok(false),
        }
    }
}
