//! The opening quotas: how many sessions a user, a merchant and everybody together may open in an hour, and how many grants
//! a user gets in a day and in a month, and wallets without a proof in an hour.

use super::{Sessions, open::ParsedOpening, preflight::Balance};
use crate::{
    chain::inspect::InspectedApprove,
    domain::{
        budget::Window,
        clock::{DAY, HOUR},
        reason::SessionReason,
        session::Session,
    },
    facilitator::{SessionError, SessionRefusal},
    ledger::{Opened, OpeningCount},
};
use solana_pubkey::Pubkey;
use tokio::sync::MutexGuard;

/// The time over which openings are counted.
const COUNTED: Window = Window::of_events(HOUR);
/// The seconds of a month of grants.
const MONTH: u64 = 30 * DAY;

/// The first of these quotas that is used up.
fn is_used_up(quotas: &[(OpeningCount, u64)]) -> Option<&(OpeningCount, u64)> {
    quotas.iter().find(|(opened, quota)| opened.count >= *quota)
}

impl Sessions {
    /// The opening quotas of the user, the merchant and everybody: `quota_exceeded`, and when to come back. Users without credit
    /// have half of what is shared (ADR 0036), so that as many strangers as there are keep nobody out who has paid before. An
    /// opening that names an approve on chain costs us nothing: it counts against its user alone, and what others share keeps it out
    /// of nothing (`spec/session.md` §7).
    pub(crate) async fn check_quota(&self, session: &Session) -> Result<(), SessionError> {
        let now = self.core.clock.now();
        let (ledger, user) = (&self.core.ledger, session.user());
        let opened = ledger.opened_since(user, &session.intent.recipient, COUNTED.oldest(now), now).await?;
        let settings = &self.core.settings.openings;
        let (of_merchant, of_all) = (settings.sessions_per_merchant_per_hour, settings.sessions_per_hour);
        let mut quotas = vec![(opened.by_user, settings.sessions_per_user_per_hour)];
        if session.approve.is_none() {
            quotas.extend([(opened.for_recipient, of_merchant), (opened.by_all, of_all)]);
            let of_newcomers = [
                (opened.for_recipient_by_newcomers, of_merchant.div_ceil(2)),
                (opened.by_newcomers, of_all.div_ceil(2)),
            ];
            if is_used_up(&of_newcomers).is_some() && !ledger.has_credit(user, now).await? {
                quotas.extend(of_newcomers);
            }
        }
        match is_used_up(&quotas) {
            Some((opened, _)) => {
                let again_in = opened.first.map_or(HOUR, |first| COUNTED.leaves_in(first, now));
                Err(SessionRefusal::new(SessionReason::QuotaExceeded).again_in(Some(again_in)).into())
            }
            None => Ok(()),
        }
    }

    /// How many grants the user got, where the approve holds another: `quota_exceeded`, and when to come back.
    pub(crate) async fn check_grants(&self, parsed: &ParsedOpening) -> Result<(), SessionError> {
        if parsed.approve.as_ref().map_or(0, InspectedApprove::grant) == 0 {
            return Ok(());
        }
        match self.next_grant_in(parsed.session.user()).await? {
            Some(again_in) => {
                let detail = "this wallet was given SOL lately: open again with SOL of its own, or later";
                Err(SessionRefusal::because(SessionReason::QuotaExceeded, detail).again_in(Some(again_in)).into())
            }
            None => Ok(()),
        }
    }

    /// In how many seconds this wallet may be given SOL again; none where it may now.
    pub(crate) async fn next_grant_in(&self, user: &Pubkey) -> Result<Option<u64>, SessionError> {
        let (now, openings) = (self.core.clock.now(), &self.core.settings.openings);
        for (span, most) in [(DAY, openings.grants_per_user_per_day), (MONTH, openings.grants_per_user_per_month)] {
            let counted = Window::of_events(span);
            let granted = self.core.ledger.granted_since(user, counted.oldest(now)).await?;
            if granted.count >= most {
                return Ok(Some(granted.first.map_or(span, |first| counted.leaves_in(first, now))));
            }
        }
        Ok(None)
    }

    /// Where the approve grants SOL to a wallet of which no balance is proved: how many such grants everybody got in an hour,
    /// which nothing changes while the guard lives, until this one is booked. `quota_exceeded`, and when to come back.
    pub(crate) async fn count_unproven_grant(
        &self,
        parsed: &ParsedOpening,
        balance: Balance,
    ) -> Result<Option<MutexGuard<'_, ()>>, SessionError> {
        let grant = parsed.approve.as_ref().map_or(0, InspectedApprove::grant);
        if grant == 0 || balance == Balance::Proved || self.core.is_proven(&parsed.session).await {
            return Ok(None);
        }
        let booking = self.unproven_grants.lock().await;
        let now = self.core.clock.now();
        let granted = self.core.ledger.unproven_grants_since(COUNTED.oldest(now)).await?;
        if granted.count < self.core.settings.openings.unproven_grants_per_hour {
            return Ok(Some(booking));
        }
        let again_in = granted.first.map_or(HOUR, |first| COUNTED.leaves_in(first, now));
        let detail = "wallets that prove no balance were given SOL often in this hour: open with a funding proof, with SOL of \
                      your own and an approve that grants none, or later";
        Err(SessionRefusal::because(SessionReason::QuotaExceeded, detail).again_in(Some(again_in)).into())
    }

    /// Writes the row, unless a quota is used up by now: openings that came together have all passed the first count,
    /// which none of them had changed yet.
    pub(crate) async fn write_within_quota(&self, parsed: &ParsedOpening) -> Result<Opened, SessionError> {
        let session = &parsed.session;
        let _counting = self.quota.lock().await;
        if let Some(known) = self.core.ledger.find_session(session.user(), &session.intent.nonce).await? {
            return Ok(Opened::Existing(known));
        }
        self.check_quota(session).await?;
        // The user's opening lock is held until their grant is booked, so nobody else's opening changes this count.
        self.check_grants(parsed).await?;
        Ok(self.core.ledger.open_session(session).await?)
    }
}
