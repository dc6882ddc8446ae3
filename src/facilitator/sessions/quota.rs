//! The opening quotas: how many sessions a user, a merchant and everybody together may open in an hour.

use super::Sessions;
use crate::{
    domain::{reason::SessionReason, session::Session},
    facilitator::{SessionError, SessionRefusal},
    ledger::Opened,
};

/// The time over which openings are counted, in seconds.
const QUOTA_SECONDS: u64 = 3_600;

impl Sessions {
    /// The opening quotas of the user, the merchant and everybody: `quota_exceeded`, and when to come back.
    pub(crate) async fn check_quota(&self, session: &Session) -> Result<(), SessionError> {
        let now = self.core.clock.now();
        let since = now.saturating_sub(QUOTA_SECONDS);
        let opened = self.core.ledger.opened_since(session.user(), &session.intent.recipient, since).await?;
        let settings = &self.core.settings;
        let quotas = [
            (opened.by_user, settings.openings.sessions_per_user_per_hour),
            (opened.for_recipient, settings.openings.sessions_per_merchant_per_hour),
            (opened.by_all, settings.openings.sessions_per_hour),
        ];
        match quotas.iter().find(|(opened, quota)| opened.count >= *quota) {
            Some((opened, _)) => {
                let leaves =
                    opened.first.map_or(QUOTA_SECONDS, |first| (first + QUOTA_SECONDS + 1).saturating_sub(now));
                Err(SessionRefusal::new(SessionReason::QuotaExceeded).again_in(Some(leaves.max(1))).into())
            }
            None => Ok(()),
        }
    }

    /// Writes the row, unless the quota is used up by now: openings that came together have all passed the first count,
    /// which none of them had changed yet.
    pub(crate) async fn write_within_quota(&self, session: &Session) -> Result<Opened, SessionError> {
        let _counting = self.quota.lock().await;
        if let Some(known) = self.core.ledger.find_session(session.user(), &session.intent.nonce).await? {
            return Ok(Opened::Existing(known));
        }
        self.check_quota(session).await?;
        Ok(self.core.ledger.open_session(session).await?)
    }
}
