//! Which token accounts are busy, and which are idle with a balance that their owner cannot read.
//!
//! A hint. A plain transfer gives both accounts new handles that nobody may decrypt. That is fine while money moves: the next
//! transfer makes the handles obsolete anyway. It is not fine for long, so this remembers, per account: how much work of
//! ours waits for it or is in flight (*busy*), since when its balance is unreadable, how much has moved since then, and when
//! we last paid for a decrypt allowance. Kept in memory, and made anew from the ledger at start; it only says when to look:
//! whether an allowance is really missing is read from the chain before one is bought.
//!
//! Rent never comes back, and a payment of one base unit leaves a balance as unreadable as any other: what has moved little
//! is left to its owner, who may ask.

#[cfg(test)]
mod tests;

use crate::{
    domain::{amount::Amount, session::SessionId, settlement::Allowances},
    facilitator::settings::AllowanceSettings,
};
use solana_pubkey::Pubkey;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// What is known of one account.
#[derive(Default)]
struct IdleAccount {
    /// Queues and resumed settlements that will move it.
    busy: usize,
    /// The session whose transfer moved it last.
    session: Option<SessionId>,
    moved: Option<Instant>,
    /// Its first move since an allowance was bought.
    unreadable: Option<Instant>,
    /// What has moved since then, in base units.
    amount: Amount,
    /// When an allowance was last bought, or tried for.
    bought: Option<Instant>,
    /// A task buys one right now.
    buying: bool,
}

impl IdleAccount {
    /// Whether it may cost rent again.
    fn may_buy(&self, now: Instant, terms: &AllowanceSettings) -> bool {
        !self.buying && self.bought.is_none_or(|at| now.duration_since(at) >= terms.min_interval)
    }

    /// Whether so much has moved unreadably that its owner is worth the rent.
    fn is_worth_it(&self, terms: &AllowanceSettings) -> bool {
        self.unreadable.is_some() && self.amount >= terms.min_moved
    }

    fn is_idle(&self, now: Instant, terms: &AllowanceSettings) -> bool {
        self.busy == 0
            && self.is_worth_it(terms)
            && self.moved.is_none_or(|at| now.duration_since(at) >= terms.idle_after)
            && self.may_buy(now, terms)
    }

    fn is_overdue(&self, now: Instant, terms: &AllowanceSettings) -> bool {
        self.is_worth_it(terms)
            && self.unreadable.is_some_and(|at| now.duration_since(at) >= terms.max_age)
            && self.may_buy(now, terms)
    }

    /// Whether there is nothing to remember, or so little that it has not been worth anything for long.
    fn is_forgettable(&self, now: Instant, terms: &AllowanceSettings) -> bool {
        let is_old = self.moved.is_none_or(|at| now.duration_since(at) >= terms.max_age);
        let has_nothing = self.unreadable.is_none() || (is_old && !self.is_worth_it(terms));
        self.busy == 0 && has_nothing && self.may_buy(now, terms)
    }

    /// Adds what a transfer has moved that bought no allowances.
    fn add(&mut self, amount: Amount, unreadable_since: Instant) {
        self.unreadable.get_or_insert(unreadable_since);
        self.amount = self.amount.checked_add(amount).unwrap_or(Amount::MAX);
    }

    fn set_readable(&mut self) {
        (self.unreadable, self.amount) = (None, Amount::ZERO);
    }
}

/// All accounts of one facilitator; remembers nothing unless allowances are bought on idle.
pub(crate) struct IdleAccounts {
    accounts: Mutex<HashMap<Pubkey, IdleAccount>>,
    /// None where allowances are not bought on idle.
    terms: Option<AllowanceSettings>,
}

/// Two accounts that are busy, from the moment something waits for them until it has landed.
pub(crate) struct BusyAccounts {
    idle: Arc<IdleAccounts>,
    accounts: [Pubkey; 2],
}

impl Drop for BusyAccounts {
    fn drop(&mut self) {
        let mut known = self.idle.lock();
        for account in self.accounts {
            if let Some(account) = known.get_mut(&account) {
                account.busy = account.busy.saturating_sub(1);
            }
        }
    }
}

/// The right to buy for some accounts; one buyer at a time for each.
pub(crate) struct AllowancePurchase {
    idle: Arc<IdleAccounts>,
    accounts: Vec<Pubkey>,
    since: Instant,
}

impl AllowancePurchase {
    /// Gives the right back unused: nothing was to be sent after all.
    pub(crate) fn cancel(mut self) {
        let accounts = std::mem::take(&mut self.accounts);
        let mut known = self.idle.lock();
        for account in accounts {
            if let Some(account) = known.get_mut(&account) {
                account.buying = false;
            }
        }
        // Let go of before the rest of it is dropped, which takes the lock again.
        drop(known);
    }
}

impl Drop for AllowancePurchase {
    fn drop(&mut self) {
        let mut known = self.idle.lock();
        for account in &self.accounts {
            if let Some(account) = known.get_mut(account) {
                account.buying = false;
                // Whatever came of it: the next try waits its time, so that a failure cannot repeat without end.
                account.bought = Some(self.since);
            }
        }
    }
}

impl IdleAccounts {
    pub(crate) fn new(terms: Option<AllowanceSettings>) -> Self {
        Self { accounts: Mutex::default(), terms }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Pubkey, IdleAccount>> {
        // Nothing panics while holding it; a poisoned map is still a map.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks both accounts as busy for as long as the answer lives.
    pub(crate) fn mark_busy(self: &Arc<Self>, accounts: [Pubkey; 2]) -> BusyAccounts {
        if self.terms.is_some() {
            let mut known = self.lock();
            for account in accounts {
                known.entry(account).or_default().busy += 1;
            }
        }
        BusyAccounts { idle: Arc::clone(self), accounts }
    }

    /// A transfer of this session has landed, of `amount` in base units; both accounts are readable if it bought the
    /// allowances.
    pub(crate) fn moved(
        &self,
        session: SessionId,
        accounts: [Pubkey; 2],
        amount: Amount,
        allowances: Allowances,
        now: Instant,
    ) {
        if self.terms.is_none() {
            return;
        }
        let mut known = self.lock();
        for account in accounts {
            let account = known.entry(account).or_default();
            account.session = Some(session);
            account.moved = Some(now);
            if allowances.are_bought() {
                account.set_readable();
                account.bought = Some(now);
            } else {
                account.add(amount, now);
            }
        }
    }

    /// What the ledger knows from before the start: about so much moved, in base units, and an allowance was bought, so long
    /// ago.
    pub(crate) fn restore(
        &self,
        session: SessionId,
        accounts: [Pubkey; 2],
        amount: Amount,
        moved: Duration,
        bought: Option<Duration>,
        now: Instant,
    ) {
        let mut known = self.lock();
        for account in accounts {
            let account = known.entry(account).or_default();
            let then = now.checked_sub(moved);
            account.session = account.session.or(Some(session));
            account.moved = account.moved.max(then);
            account.add(amount, then.unwrap_or(now));
            account.bought = account.bought.max(bought.and_then(|ago| now.checked_sub(ago)));
        }
    }

    /// Marks an account as readable: nothing has to be bought for it until it moves again.
    pub(crate) fn mark_readable(&self, account: &Pubkey) {
        if let Some(account) = self.lock().get_mut(account) {
            account.set_readable();
        }
    }

    /// Whether nothing of ours waits for these accounts or moves them; false unless allowances are bought on idle.
    pub(crate) fn are_quiet(&self, accounts: &[Pubkey]) -> bool {
        let known = self.lock();
        self.terms.is_some() && accounts.iter().all(|key| known.get(key).is_none_or(|account| account.busy == 0))
    }

    /// The right to buy with the next transfer between two busy accounts: one has been unreadable for `max_age`,
    /// and nothing was bought for either within `min_interval`.
    pub(crate) fn overdue(self: &Arc<Self>, accounts: [Pubkey; 2], now: Instant) -> Option<AllowancePurchase> {
        let terms = self.terms.as_ref()?;
        let mut known = self.lock();
        let is = |known: &HashMap<Pubkey, IdleAccount>,
                  account,
                  what: fn(&IdleAccount, Instant, &AllowanceSettings) -> bool| {
            known.get(account).is_some_and(|account| what(account, now, terms))
        };
        let due = accounts.iter().any(|account| is(&known, account, IdleAccount::is_overdue));
        let free = accounts.iter().all(|account| is(&known, account, IdleAccount::may_buy));
        (due && free).then(|| self.purchase(&mut known, &accounts, now))
    }

    /// Idle accounts whose balance is unreadable, with the session that moved them last.
    pub(crate) fn idle(&self, now: Instant) -> Vec<(Pubkey, SessionId)> {
        let Some(terms) = &self.terms else { return Vec::new() };
        let mut known = self.lock();
        known.retain(|_, account| !account.is_forgettable(now, terms));
        let idle = known.iter().filter(|(_, account)| account.is_idle(now, terms));
        idle.filter_map(|(key, account)| account.session.map(|session| (*key, session))).collect()
    }

    /// The right to buy for these accounts; `None` unless every one of them is idle.
    pub(crate) fn purchase_for_idle(self: &Arc<Self>, accounts: &[Pubkey], now: Instant) -> Option<AllowancePurchase> {
        let terms = self.terms.as_ref()?;
        let mut known = self.lock();
        let all = accounts.iter().all(|key| known.get(key).is_some_and(|account| account.is_idle(now, terms)));
        all.then(|| self.purchase(&mut known, accounts, now))
    }

    fn purchase(
        self: &Arc<Self>,
        known: &mut HashMap<Pubkey, IdleAccount>,
        accounts: &[Pubkey],
        since: Instant,
    ) -> AllowancePurchase {
        for account in accounts {
            known.entry(*account).or_default().buying = true;
        }
        AllowancePurchase { idle: Arc::clone(self), accounts: accounts.to_vec(), since }
    }

    /// How often to look for idle accounts; `None` where that is not needed.
    pub(crate) fn every(&self) -> Option<Duration> {
        let idle_after = self.terms.as_ref()?.idle_after;
        Some((idle_after / 4).clamp(Duration::from_millis(20), Duration::from_secs(5)))
    }
}
