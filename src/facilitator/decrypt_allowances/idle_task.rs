//! Making the balances of accounts at rest readable, round after round.

use crate::{
    domain::{amount::Amount, session::SessionId},
    facilitator::{decrypt_allowances::DecryptAllowances, error::SignFailure, tasks::ticks},
    ledger::LedgerError,
};
use solana_pubkey::Pubkey;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

impl DecryptAllowances {
    /// Makes balances readable once their accounts are at rest, for as long as the service runs.
    pub(crate) async fn idle_rounds(self: Arc<Self>) {
        let Some(every) = self.locks.idle.every() else { return };
        let mut ticks = ticks(every);
        loop {
            ticks.tick().await;
            for (account, session) in self.locks.idle.idle(Instant::now()) {
                match self.refresh_at_rest(account, session).await {
                    Ok(()) => {}
                    Err(SignFailure::Refused { detail, .. }) => tracing::info!(detail, "a balance stays unreadable"),
                    Err(SignFailure::Unavailable(error)) => tracing::info!(error, "a balance stays unreadable for now"),
                    Err(SignFailure::Ledger(error)) => tracing::warn!(%error, "a balance stays unreadable for now"),
                }
            }
        }
    }

    /// Makes an idle account's balance readable; with one transfer for both accounts of the session if both are idle.
    async fn refresh_at_rest(self: &Arc<Self>, account: Pubkey, session: SessionId) -> Result<(), SignFailure> {
        let Some(session) = self.core.ledger.session(session).await? else { return Ok(()) };
        let accounts = self.core.accounts_of(&session);
        let now = Instant::now();
        // While its payer opens a session it is left for the next look, so that nobody else's waits for that opening.
        if self.locks.openings.try_payment(session.user(), &session.intent.asset).is_none() {
            return Ok(());
        }
        if self.may_move_zero(&session)
            && let Some(_buying) = self.locks.idle.purchase_for_idle(&accounts, now)
        {
            if !self.refresh_both(&session, None).await?.is_readable() {
                // Somebody moved one of them first, or we are the payer's delegate no more.
                for wallet in [*session.user(), session.intent.recipient] {
                    self.refresh_one(&session, wallet).await?;
                }
            }
            return Ok(());
        }
        let Some(_buying) = self.locks.idle.purchase_for_idle(&[account], now) else { return Ok(()) };
        let wallet = if account == accounts[0] { *session.user() } else { session.intent.recipient };
        self.refresh_one(&session, wallet).await?;
        Ok(())
    }

    /// Restores from the ledger, at start, which accounts moved within `max_age` and when allowances were bought.
    pub(crate) async fn restore_idle(&self) -> Result<(), LedgerError> {
        let now = self.core.clock.now();
        let since = now.saturating_sub(self.core.settings.allowances.max_age.as_secs());
        for last in self.core.ledger.transfers_since(since).await? {
            let Some(session) = self.core.ledger.session(last.session).await? else { continue };
            let ago = |at: u64| Duration::from_secs(now.saturating_sub(at));
            let (accounts, seen) = (self.core.accounts_of(&session), Instant::now());
            // More than moved since a purchase before that day, and nothing of what moved since one within it: the ledger
            // would have to add up a day's settlements, and who misses a purchase by this may ask for it.
            let amount = if last.bought.is_some() { Amount::ZERO } else { session.captured };
            self.locks.idle.restore(session.id, accounts, amount, ago(last.moved), last.bought.map(ago), seen);
        }
        Ok(())
    }
}
