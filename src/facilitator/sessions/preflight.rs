//! What an opening looks at before anything of it is written: the accounts, and what the approve would do. Asked
//! together, because none needs the answer of another.

use crate::programs::inco_token::IncoAccount;
use crate::{
    chain::{LiveBlockhash, Simulation, inspect::InspectedApprove},
    domain::{reason::SessionReason, session::Session},
    facilitator::{
        SessionError, SessionRefusal,
        sessions::{Sessions, open::ParsedOpening},
    },
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::time::Duration;

/// How often an approve that is said to be on chain is looked for, and how long after each other: a node is rarely more
/// than a few slots behind.
const LOOKS: u32 = 4;
const BETWEEN_LOOKS: Duration = Duration::from_millis(400);

/// What was seen before the opening.
pub(crate) struct Preflight {
    /// Whether the recipient has a token account.
    pub(crate) recipient_exists: bool,
    /// Until when the approve can land, or why it would not work; none when it is on chain already.
    pub(crate) approve_life: Result<Option<LiveBlockhash>, SessionError>,
}

impl Sessions {
    /// Refuses accounts that must not be touched, and tells what the approve would do; leaves no trace.
    pub(crate) async fn preflight(&self, parsed: &ParsedOpening) -> Result<Preflight, SessionError> {
        let approve = async {
            match &parsed.approve {
                Some(approve) => self.simulate_approve(&parsed.session, approve).await.map(Some),
                None => Ok(None),
            }
        };
        let (recipient_exists, approve_life) = tokio::join!(self.read_accounts(parsed), approve);
        // The accounts first: what is wrong with them, or what a budget says of them, says more than a simulation that
        // fails for it.
        Ok(Preflight { recipient_exists: recipient_exists?, approve_life })
    }

    /// Reads both token accounts and refuses what must not be touched: frozen, foreign, missing without permission.
    /// Tells whether the recipient's account exists.
    pub(crate) async fn read_accounts(&self, parsed: &ParsedOpening) -> Result<bool, SessionError> {
        let session = &parsed.session;
        let (user, recipient) = (session.user(), &session.intent.recipient);
        let fee_payer = self.core.keys.fee_payer.pubkey();
        let keys = [self.core.token_account(user), self.core.token_account(recipient), fee_payer];
        // What is proved later is read from a state that is no older.
        let (_, [source, destination, payer]) = self.core.these_now(keys, 0).await?;
        if payer.map_or(0, |account| account.lamports) < self.core.settings.low_balance {
            return Err(SessionRefusal::new(SessionReason::InsufficientSponsorBalance).into());
        }
        let source = self.core.usable(source.as_ref(), user, SessionReason::SourceNotReady)?;
        let destination = self.core.usable(destination.as_ref(), recipient, SessionReason::RecipientNotReady)?;
        let creates = parsed.approve.as_ref().is_some_and(InspectedApprove::creates_account);
        if source.is_none() && !(creates && self.core.settings.openings.sponsor_account_creation) {
            return Err(SessionRefusal::because(
                SessionReason::SourceNotReady,
                "the user has no token account for this asset; it is not created at our cost",
            )
            .into());
        }
        if destination.is_none()
            && let Some(refusal) = self.forbids_creation(session).await?
        {
            return Err(refusal.into());
        }
        if let Some(approve) = session.approve {
            let source = match source.filter(|source| self.core.is_delegate(source)) {
                Some(source) => source,
                None => self.await_approve(user, &approve).await?,
            };
            self.check_unused(session, &source).await?;
        }
        Ok(destination.is_some())
    }

    /// An approve is said to be on chain, and the account does not show it: the node that answered may be behind the one
    /// that told of the landing. Refused with `delegate_mismatch` when it does not show in a state that holds the named
    /// transaction, or when nobody knows that transaction: a name alone proves nothing, and the row of an opening that
    /// proves nothing would only use up quotas. Nothing is written, so the same request may be repeated. Gives the account
    /// that shows it.
    pub(crate) async fn await_approve(&self, user: &Pubkey, approve: &Signature) -> Result<IncoAccount, SessionError> {
        for look in 0..LOOKS {
            if look > 0 {
                tokio::time::sleep(BETWEEN_LOOKS).await;
            }
            let Some(seen) = self.core.chain.transaction(approve).await? else { continue };
            let (_, [account]) = self.core.these_now([self.core.token_account(user)], seen.slot).await?;
            let account = self.core.usable(account.as_ref(), user, SessionReason::SourceNotReady)?;
            return account.filter(|account| self.core.is_delegate(account)).ok_or_else(no_approve);
        }
        Err(no_approve())
    }

    /// Runs the approve before anything is signed: it must make us the delegate, and the allowance account it names
    /// must be ours for the handle it makes.
    async fn simulate_approve(
        &self,
        session: &Session,
        approve: &InspectedApprove,
    ) -> Result<LiveBlockhash, SessionError> {
        let source = self.core.token_account(session.user());
        let simulate = || self.core.chain.simulate(approve.transaction(), std::slice::from_ref(&source));
        let (life, simulation) = tokio::join!(self.core.chain.blockhash_life(approve.blockhash()), simulate());
        let Some(life) = life? else {
            let detail = "the transaction's blockhash has expired; build and sign it again";
            return Err(SessionRefusal::because(SessionReason::ApproveSubmitFailed, detail).into());
        };
        // Asked at the same time, the node may not have known the blockhash yet: now that it is known to be alive, a
        // node that does not know it is no answer.
        let simulation = match simulation {
            Ok(simulation) if simulation.error.is_none() => simulation,
            Ok(_) | Err(_) => simulate().await?,
        };
        self.check_effect(session, approve, simulation)?;
        Ok(life)
    }

    fn check_effect(
        &self,
        session: &Session,
        approve: &InspectedApprove,
        simulation: Simulation,
    ) -> Result<(), SessionRefusal> {
        if let Some(error) = simulation.error {
            return Err(SessionRefusal::because(SessionReason::ApproveSubmitFailed, error));
        }
        let after = simulation.accounts.into_iter().next().flatten();
        let after = self.core.delegated(after.as_ref(), session.user(), SessionReason::ApproveNotAllowed)?;
        let spender = self.core.keys.spender.pubkey();
        let allowance = self.core.settings.served.programs.decrypt_allowance(after.delegated_amount, &spender);
        if allowance != *approve.allowance() {
            let detail = "the decrypt allowance account is not the facilitator's for the approved amount";
            return Err(SessionRefusal::because(SessionReason::ApproveNotAllowed, detail));
        }
        Ok(())
    }
}

fn no_approve() -> SessionError {
    let detail =
        "the account does not name this facilitator as its delegate; repeat, if the approve has only just landed";
    SessionRefusal::because(SessionReason::DelegateMismatch, detail).into()
}
