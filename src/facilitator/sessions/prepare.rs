//! `POST /sessions/prepare`: what an approve needs of the chain, told to whoever asks (ADR 0055).
//!
//! Promises: nothing is told but what the chain shows everybody, so no amount, and nothing of a payer's sessions; nothing is
//! written or reserved; what is simulated is a template of ours, which never creates an account. It is the first to be refused
//! where the endpoints of the chain have to be spared: payments and openings come before what strangers ask for nothing.

use crate::{
    chain::{ChainAccount, ChainError, EndpointHealth, LiveBlockhash, transaction::UnsignedTransaction},
    domain::{
        grant::{Need, PUBLISHED_GRANT},
        reason::SessionReason,
    },
    facilitator::{SessionError, SessionRefusal, sessions::Sessions},
    programs::inco_token::Allowance,
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_system_interface::instruction as system;
use std::time::Duration;
use tokio::sync::SemaphorePermit;

/// What an approve is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrepareRequest {
    /// The wallet that approves.
    pub user: Pubkey,
    /// The mint.
    pub asset: Pubkey,
    /// The encrypted amount, 114 to 152 bytes.
    pub ciphertext: Vec<u8>,
}

/// What the chain tells for an approve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreparedApprove {
    /// A blockhash to build it on.
    pub blockhash: LiveBlockhash,
    /// The handle that the approved amount will have.
    pub handle: u128,
    /// What the wallet lacks for the rent of the decrypt allowance, in lamports, where it may be given; else 0.
    pub grant: u64,
    /// The transaction of the approve that stands on the account, on which a message opens a session.
    pub standing: Option<Signature>,
}

/// What the accounts of a wallet show before it approves anything.
struct Shown {
    /// What the wallet has, in lamports.
    lamports: u64,
    /// Whether its token account has us as its delegate.
    is_delegated: bool,
}

/// What the template would leave.
struct Left {
    /// The handle of the delegated amount.
    handle: u128,
    /// What the wallet has, in lamports.
    wallet: u64,
}

impl Sessions {
    /// Tells what an approve of this encrypted amount needs of the chain.
    pub(crate) async fn prepare_approve(&self, request: &PrepareRequest) -> Result<PreparedApprove, SessionError> {
        if request.asset != self.core.settings.served.asset {
            return Err(SessionRefusal::new(SessionReason::AssetNotAllowed).into());
        }
        if self.sponsor.fee_payers.all().contains(&request.user) {
            let detail = "the user is a key of this facilitator";
            return Err(SessionRefusal::because(SessionReason::InvalidUser, detail).into());
        }
        let _share = self.share_of_prepares()?;
        let shown = self.read_wallet(&request.user).await?;
        let blockhash = self.core.chain.latest_blockhash().await?;
        let Left { handle, .. } = self.left_by_template(request, 0, None, blockhash).await?;
        let grant = self.grant_for(request, shown.lamports, handle, blockhash).await?;
        let standing =
            if shown.is_delegated { self.standing_approve(&request.user, &request.asset).await? } else { None };
        Ok(PreparedApprove { blockhash, handle, grant, standing })
    }

    /// The transaction of the approve that stands for a wallet's account, as far as is known: what the chain shows to everybody, and
    /// no amount.
    async fn standing_approve(&self, user: &Pubkey, asset: &Pubkey) -> Result<Option<Signature>, SessionError> {
        let current = self.core.ledger.current_approval(user, asset).await?;
        Ok(current.filter(|current| current.is_complete).map(|current| current.signature))
    }

    /// The right to ask the chain for a stranger; refused with `overloaded` or `too_many_requests` while others have it. What is
    /// refused without asking the chain has to be refused before: it must not take others' turns.
    fn share_of_prepares(&self) -> Result<SemaphorePermit<'_>, SessionRefusal> {
        self.spare_the_endpoints(self.core.settings.openings.prepares.rest)?;
        self.prepares.take()
    }

    /// Refuses with `overloaded` while an endpoint of the chain asks to be left alone, and for `rest` after: what the others can
    /// answer, and what it answers again, is for those who pay and open.
    pub(crate) fn spare_the_endpoints(&self, rest: Duration) -> Result<(), SessionRefusal> {
        let left = |endpoint: EndpointHealth| {
            let rests = endpoint.limited.map(|ago| rest.saturating_sub(ago));
            endpoint.backoff.max(rests).filter(|left| !left.is_zero())
        };
        let Some(left) = self.core.chain.endpoints().into_iter().filter_map(left).max() else { return Ok(()) };
        let detail = "the endpoints of the chain have to be spared: repeat later, or ask one of your own";
        let again_in = left.as_secs().saturating_add(1);
        Err(SessionRefusal::because(SessionReason::Overloaded, detail).again_in(Some(again_in)))
    }

    /// What the user's wallet and token account show; refuses a token account that is missing, frozen or foreign, and a fee payer that
    /// could not pay for the opening.
    async fn read_wallet(&self, user: &Pubkey) -> Result<Shown, SessionError> {
        let keys = [self.core.token_account(user), *user, self.core.keys.fee_payer.pubkey()];
        let (_, [source, wallet, payer]) = self.core.these_now(keys, 0).await?;
        if lamports(payer.as_ref()) < self.core.settings.low_balance {
            return Err(SessionRefusal::new(SessionReason::InsufficientSponsorBalance).into());
        }
        let source = self.core.usable(source.as_ref(), user, SessionReason::SourceNotReady)?;
        let source = source.ok_or(SessionRefusal::new(SessionReason::SourceNotReady))?;
        Ok(Shown { lamports: lamports(wallet.as_ref()), is_delegated: self.core.is_delegate(&source) })
    }

    /// The grant to ask for, in lamports: what the wallet, which has `held`, lacks for the rent of the allowance of `handle`. None
    /// where it lacks nothing, where none is given, and where this wallet was given SOL lately. That wallets which prove nothing
    /// share a number of grants is not counted here: the opening may bring a proof.
    async fn grant_for(
        &self,
        request: &PrepareRequest,
        held: u64,
        handle: u128,
        blockhash: LiveBlockhash,
    ) -> Result<u64, SessionError> {
        let most = self.core.settings.openings.max_grant.min(PUBLISHED_GRANT);
        if most == 0 || self.next_grant_in(&request.user).await?.is_some() {
            return Ok(0);
        }
        let spender = self.core.keys.spender.pubkey();
        let allowance = Allowance::of(&self.core.settings.served.programs, handle, spender);
        let left = self.left_by_template(request, most, Some(allowance), blockhash).await?;
        let need = Need::simulated(held, most, left.wallet, self.core.chain.rent(0).await?);
        Ok(need.lacking().min(most))
    }

    /// What the template leaves, as a simulation tells. Refuses with `approve_submit_failed` and the chain's words what fails.
    async fn left_by_template(
        &self,
        request: &PrepareRequest,
        grant: u64,
        allowance: Option<Allowance>,
        blockhash: LiveBlockhash,
    ) -> Result<Left, SessionError> {
        self.spare_the_endpoints(self.core.settings.openings.prepares.rest)?;
        let (fee_payer, instructions) =
            (self.core.keys.fee_payer.pubkey(), self.template_of(request, grant, allowance));
        let template = UnsignedTransaction::new(&fee_payer, &instructions, blockhash.hash)
            .map_err(|error| SessionError::Broken(Box::new(error)))?;
        let watched = [self.core.token_account(&request.user), request.user];
        let simulation = match self.core.chain.simulate(template.transaction(), &watched).await {
            // Of a user whose address is somebody else's, such as a program's: nobody's fault but the caller's.
            Err(ChainError::Refused(_)) => return Err(SessionRefusal::new(SessionReason::ApproveSubmitFailed).into()),
            simulated => simulated?,
        };
        if let Some(error) = simulation.error {
            return Err(SessionRefusal::because(SessionReason::ApproveSubmitFailed, error).into());
        }
        let mut accounts = simulation.accounts.into_iter();
        let (source, wallet) = (accounts.next().flatten(), accounts.next().flatten());
        let source = self.core.delegated(source.as_ref(), &request.user, SessionReason::SourceNotReady)?;
        Ok(Left { handle: source.delegated_amount, wallet: lamports(wallet.as_ref()) })
    }

    /// A grant, where there is one, and an approve of the spender; nothing else, whatever was asked for.
    fn template_of(&self, request: &PrepareRequest, grant: u64, allowance: Option<Allowance>) -> Vec<Instruction> {
        let (served, user) = (&self.core.settings.served, &request.user);
        let granted = (grant > 0).then(|| system::transfer(&self.core.keys.fee_payer.pubkey(), user, grant));
        let approve = served.programs.approve_checked(
            &self.core.token_account(user),
            &served.asset,
            &self.core.keys.spender.pubkey(),
            user,
            &request.ciphertext,
            served.decimals,
            allowance,
        );
        granted.into_iter().chain([approve]).collect()
    }
}

/// What an account holds, in lamports; nothing where there is none.
fn lamports(account: Option<&ChainAccount>) -> u64 {
    account.map_or(0, |account| account.lamports)
}
