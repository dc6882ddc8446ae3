//! What an opening looks at before anything of it is written: the accounts, and what the approve would do. Asked
//! together, because none needs the answer of another.

use crate::programs::inco_token::IncoAccount;
use crate::{
    chain::{ChainAccount, LiveBlockhash, Simulation, inspect::InspectedApprove},
    domain::{funding::FundingProof, grant::Need, reason::SessionReason, session::Session},
    facilitator::{
        SessionError, SessionRefusal,
        sessions::{Sessions, open::ParsedOpening, recipient_account::ToCreate},
    },
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::time::Duration;

/// How often what is said to be on chain is looked for, and how long after each other: a node is rarely more than a few slots
/// behind, and writes an account's list later than the account.
pub(super) const LOOKS: u32 = 4;
pub(super) const BETWEEN_LOOKS: Duration = Duration::from_millis(400);

/// What was seen before the opening.
pub(crate) struct Preflight {
    /// What is created at our cost when the session opens.
    pub(crate) to_create: ToCreate,
    /// Until when the approve can land, or why it would not work; none when it is on chain already.
    pub(crate) approve_life: Result<Option<LiveBlockhash>, SessionError>,
    /// What is known of what the user has.
    pub(crate) balance: Balance,
}

/// What is known of a balance before an opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Balance {
    /// The proof that came with the opening is of what the account holds, and that is something.
    Proved,
    /// Nothing.
    Unknown,
}

impl Balance {
    fn seen(proof: Option<&FundingProof>, source: Option<&IncoAccount>) -> Self {
        match (proof, source) {
            (Some(proof), Some(source)) if proof.handle == source.amount && proof.plaintext > 0 => Self::Proved,
            _ => Self::Unknown,
        }
    }
}

/// What the accounts of an opening show.
pub(crate) struct SeenAccounts {
    /// The user's token account.
    pub(crate) source: Option<IncoAccount>,
    /// The slot of its state.
    pub(crate) slot: u64,
    /// What is created when the session opens.
    pub(crate) to_create: ToCreate,
    /// What the user's wallet has, in lamports.
    wallet: u64,
    balance: Balance,
}

/// What an approve would do, by its simulation.
struct SimulatedApprove {
    life: LiveBlockhash,
    /// What the user's wallet would have afterwards, in lamports.
    wallet: u64,
}

impl Sessions {
    /// Refuses accounts that must not be touched, and tells what the approve would do; leaves no trace.
    pub(crate) async fn preflight(&self, parsed: &ParsedOpening) -> Result<Preflight, SessionError> {
        let approve = async {
            match &parsed.approve {
                Some(approve) => Some((approve, self.simulate_approve(&parsed.session, approve).await)),
                None => None,
            }
        };
        let (accounts, approve) = tokio::join!(self.read_accounts(parsed), approve);
        // The accounts first: what is wrong with them, or what a budget says of them, says more than a simulation that
        // fails for it.
        let SeenAccounts { to_create, wallet, balance, .. } = accounts?;
        let approve_life = match approve {
            None => Ok(None),
            Some((_, Err(error))) => Err(error),
            Some((approve, Ok(simulated))) => {
                self.check_grant(approve, wallet, simulated.wallet).await.map(|()| Some(simulated.life))
            }
        };
        Ok(Preflight { to_create, approve_life, balance })
    }

    /// Refuses an approve that grants more than the user's wallet lacks. `held` are its lamports now, `left` those that the
    /// approve would leave. Two moments of one wallet: who moves SOL between them has really moved it.
    async fn check_grant(&self, approve: &InspectedApprove, held: u64, left: u64) -> Result<(), SessionError> {
        let grant = approve.grant();
        if grant == 0 {
            return Ok(());
        }
        let need = Need::simulated(held, grant, left, self.core.chain.rent(0).await?);
        if need.allows(grant) {
            return Ok(());
        }
        let lacking = need.lacking();
        let detail = format!("it grants {grant} lamports, and the wallet lacks {lacking}; build it with no more");
        Err(SessionRefusal::because(SessionReason::ApproveNotAllowed, detail).into())
    }

    /// Reads the accounts and refuses what must not be touched: frozen, foreign, missing without permission. Tells what is
    /// created when the session opens.
    pub(crate) async fn read_accounts(&self, parsed: &ParsedOpening) -> Result<SeenAccounts, SessionError> {
        let session = &parsed.session;
        let (user, recipient) = (session.user(), &session.intent.recipient);
        let fee_payer = self.core.keys.fee_payer.pubkey();
        let accounts = self.core.accounts_of(session);
        let keys = [accounts[0], accounts[1], fee_payer, *user, *recipient];
        // What is proved later is read from a state that is no older.
        let (slot, [source, destination, payer, wallet, merchant]) = self.core.these_now(keys, 0).await?;
        if lamports(payer.as_ref()) < self.core.settings.low_balance {
            return Err(SessionRefusal::new(SessionReason::InsufficientSponsorBalance).into());
        }
        self.core
            .check_wallet(recipient, merchant.as_ref())
            .map_err(|why| SessionRefusal::because(SessionReason::InvalidRecipient, format!("the recipient {why}")))?;
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
        let balance = Balance::seen(parsed.funding.as_ref(), source.as_ref());
        let to_create = self.examine_recipient(parsed, source.as_ref(), destination.as_ref()).await?;
        Ok(SeenAccounts { source, slot, to_create, wallet: lamports(wallet.as_ref()), balance })
    }

    /// An approve is said to be on chain, and the account does not show it: the node that answered may be behind the one
    /// that told of the landing. Refused with `delegate_mismatch` when it does not show in a state that holds the named
    /// transaction, or when nobody knows that transaction: a name alone proves nothing, and the row of an opening that
    /// proves nothing would only use up quotas. Nothing is written, so the same request may be repeated. Gives the account
    /// that shows it.
    pub(crate) async fn await_approve(
        &self,
        user: &Pubkey,
        approve: &Signature,
    ) -> Result<(IncoAccount, u64), SessionError> {
        for look in 0..LOOKS {
            if look > 0 {
                tokio::time::sleep(BETWEEN_LOOKS).await;
            }
            let Some(seen) = self.core.chain.transaction(approve).await? else { continue };
            let (slot, [account]) = self.core.these_now([self.core.token_account(user)], seen.slot).await?;
            let account = self.core.usable(account.as_ref(), user, SessionReason::SourceNotReady)?;
            let account = account.filter(|account| self.core.is_delegate(account)).ok_or_else(no_approve)?;
            return Ok((account, slot));
        }
        Err(no_approve())
    }

    /// Runs the approve before anything is signed: it must make us the delegate, and the allowance account it names
    /// must be ours for the handle it makes.
    async fn simulate_approve(
        &self,
        session: &Session,
        approve: &InspectedApprove,
    ) -> Result<SimulatedApprove, SessionError> {
        let watched = [self.core.token_account(session.user()), *session.user()];
        let simulate = || self.core.chain.simulate(approve.transaction(), &watched);
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
        let wallet = self.check_effect(session, approve, simulation)?;
        Ok(SimulatedApprove { life, wallet })
    }

    /// Checks what the simulated approve left; gives what the user's wallet would have, in lamports.
    fn check_effect(
        &self,
        session: &Session,
        approve: &InspectedApprove,
        simulation: Simulation,
    ) -> Result<u64, SessionRefusal> {
        if let Some(error) = simulation.error {
            return Err(SessionRefusal::because(SessionReason::ApproveSubmitFailed, error));
        }
        let mut accounts = simulation.accounts.into_iter();
        let (after, wallet) = (accounts.next().flatten(), accounts.next().flatten());
        let after = self.core.delegated(after.as_ref(), session.user(), SessionReason::ApproveNotAllowed)?;
        let spender = self.core.keys.spender.pubkey();
        let allowance = self.core.settings.served.programs.decrypt_allowance(after.delegated_amount, &spender);
        if allowance != *approve.allowance() {
            let detail = "the decrypt allowance account is not the facilitator's for the approved amount";
            return Err(SessionRefusal::because(SessionReason::ApproveNotAllowed, detail));
        }
        Ok(lamports(wallet.as_ref()))
    }
}

/// What an account holds, in lamports; nothing where there is none.
pub(super) fn lamports(account: Option<&ChainAccount>) -> u64 {
    account.map_or(0, |account| account.lamports)
}

fn no_approve() -> SessionError {
    let detail =
        "the account does not name this facilitator as its delegate; repeat, if the approve has only just landed";
    SessionRefusal::because(SessionReason::DelegateMismatch, detail).into()
}
