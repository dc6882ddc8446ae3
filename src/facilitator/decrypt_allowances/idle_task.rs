//! Making the balances of accounts at rest readable, round after round.

use crate::{
    domain::session::SessionId,
    facilitator::{Facilitator, settlement::sign::SignFailure, ticks},
    ledger::LedgerError,
};
use solana_pubkey::Pubkey;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

impl Facilitator {
    /// Makes balances readable once their accounts are at rest, for as long as the service runs.
    pub(crate) async fn watch_rest(self: Arc<Self>) {
        let Some(every) = self.unread.every() else { return };
        let mut ticks = ticks(every);
        loop {
            ticks.tick().await;
            for (account, session) in self.unread.at_rest(Instant::now()) {
                match self.refresh_at_rest(account, session).await {
                    Ok(()) => {}
                    Err(SignFailure::Refused { detail, .. }) => tracing::info!(detail, "a balance stays unreadable"),
                    Err(SignFailure::Unavailable(error)) => tracing::info!(error, "a balance stays unreadable for now"),
                    Err(SignFailure::Ledger(error)) => tracing::warn!(%error, "a balance stays unreadable for now"),
                }
            }
        }
    }

    /// The payer's and the merchant's balance together if both rest, else the one that does.
    async fn refresh_at_rest(self: &Arc<Self>, account: Pubkey, session: SessionId) -> Result<(), SignFailure> {
        let Some(session) = self.ledger.session(session).await? else { return Ok(()) };
        let accounts = self.accounts_of(&session);
        let now = Instant::now();
        // While its payer opens a session it is left for the next look, so that nobody else's waits for that opening.
        if self.gates.try_paying(session.user(), &session.intent.asset).is_none() {
            return Ok(());
        }
        if self.may_move_zero(&session)
            && let Some(_buying) = self.unread.claim_at_rest(&accounts, now)
        {
            if !self.refresh_both(&session, None).await?.is_readable() {
                // Somebody moved one of them first, or we are the payer's delegate no more.
                for wallet in [*session.user(), session.intent.recipient] {
                    self.refresh_one(&session, wallet).await?;
                }
            }
            return Ok(());
        }
        let Some(_buying) = self.unread.claim_at_rest(&[account], now) else { return Ok(()) };
        let wallet = if account == accounts[0] { *session.user() } else { session.intent.recipient };
        self.refresh_one(&session, wallet).await?;
        Ok(())
    }

    /// What moved before the start, so that it is made readable as if it had been seen.
    pub(crate) async fn remember_rest(&self) -> Result<(), LedgerError> {
        let now = self.clock.now();
        let since = now.saturating_sub(self.settings.allowances.max_age.as_secs());
        for last in self.ledger.transfers_since(since).await? {
            let Some(session) = self.ledger.session(last.session).await? else { continue };
            let ago = |at: u64| Duration::from_secs(now.saturating_sub(at));
            let (accounts, seen) = (self.accounts_of(&session), Instant::now());
            self.unread.remember(session.id, accounts, ago(last.moved), last.bought.map(ago), seen);
        }
        Ok(())
    }
}
