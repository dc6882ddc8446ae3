//! A recipient without a token account, as an opening meets it.

use crate::{
    chain::ChainAccount,
    domain::{reason::SessionReason, session::Session},
    facilitator::{
        SessionError, SessionRefusal,
        recipients::RecipientAccount,
        sessions::{Sessions, open::ParsedOpening},
    },
    ledger::LedgerError,
    programs::inco_token::IncoAccount,
};
use std::sync::Arc;

/// What a payer who cannot make us create the account is told.
const UNPROVEN: &str = "the recipient has no token account for this asset; one is created with the first payment of a payer \
                        whose proved balance covers it, so send a funding proof with the opening, or have the recipient \
                        create its own or be listed by the operator";

impl Sessions {
    /// What is to be created when this session opens, from its recipient's account as it is seen now: nothing where it is
    /// there, nor where its first payment is to create it. Refuses with `recipient_not_ready` a session in which nothing
    /// could be paid.
    pub(crate) async fn examine_recipient(
        &self,
        parsed: &ParsedOpening,
        source: Option<&IncoAccount>,
        recipient: Option<&IncoAccount>,
    ) -> Result<ToCreate, SessionError> {
        let (session, settings) = (&parsed.session, &self.core.settings.recipients);
        let wallet = &session.intent.recipient;
        if recipient.is_some() {
            self.core.recipients.saw(wallet, RecipientAccount::There);
            return Ok(ToCreate::Nothing);
        }
        self.core.recipients.saw(wallet, RecipientAccount::Missing);
        if let Some(refusal) = self.dispatch.forbids_creation(session).await? {
            return Err(refusal.refuses_session().into());
        }
        if settings.is_listed(wallet) {
            return Ok(ToCreate::Recipient);
        }
        if self.shows_funds(parsed, source).await? {
            Ok(ToCreate::Nothing)
        } else {
            Err(SessionRefusal::because(SessionReason::RecipientNotReady, UNPROVEN).into())
        }
    }

    /// Whether the payer proves enough for the payment that would create an account: by the opening, or earlier.
    async fn shows_funds(&self, parsed: &ParsedOpening, source: Option<&IncoAccount>) -> Result<bool, LedgerError> {
        let least = self.core.settings.recipients.least;
        let shown = parsed.funding.zip(source).is_some_and(|(proof, account)| {
            proof.handle == account.amount && proof.plaintext >= u128::from(least.get())
        });
        if shown {
            return Ok(true);
        }
        let known = self.core.source_of(&parsed.session).await?;
        let counting = known.counting(self.core.clock.now(), self.core.settings.funding.max_age);
        Ok(counting.is_some_and(|bound| bound.covers(least)))
    }

    /// Creates the missing account of a recipient that the operator lists, once the approve was proved. `seen` is the
    /// account as it was a moment ago; refuses with `recipient_not_ready` one that cannot be paid, and for now with
    /// `quota_exceeded` while a budget is used up.
    pub(crate) async fn ensure_recipient(
        self: &Arc<Self>,
        session: &Session,
        seen: Option<&ChainAccount>,
    ) -> Result<(), SessionError> {
        let recipient = session.intent.recipient;
        if self.core.usable(seen, &recipient, SessionReason::RecipientNotReady)?.is_some() {
            self.core.recipients.saw(&recipient, RecipientAccount::There);
            return Ok(());
        }
        if self.core.settings.recipients.is_listed(&recipient) {
            return self.dispatch.create_recipient(session).await;
        }
        self.core.recipients.saw(&recipient, RecipientAccount::Missing);
        Ok(())
    }
}

/// What is created at our cost when a session opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ToCreate {
    /// Nothing.
    Nothing,
    /// The recipient's account.
    Recipient,
}
