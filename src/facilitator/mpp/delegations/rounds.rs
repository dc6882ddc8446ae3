//! What a wallet signs next: the seam of the two programs. Each describes its own round; what they share stands here.

use super::{Delegations, OnboardError, onboard::OnboardRequest};
use crate::{
    domain::{
        amount::Amount,
        mpp::{
            choices::Backend,
            delegation::{Delegation, GrantPlan, GrantTerms, IssuedKind, Renewal},
            money::Role,
        },
    },
    facilitator::delegated::{self, SeenDelegation},
    programs::{inco_token::AccountState, spl_token::TokenAccount},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

/// What comes next for a wallet.
pub(super) enum Next {
    /// Nothing: its delegation is active.
    Ready(ReadyNow),
    /// A transaction for it to sign.
    Round(Box<Round>),
    /// Nothing that this facilitator serves, for this cause.
    NotEligible(String),
    /// Nothing for now, for this cause.
    NotNow(String),
}

/// An active delegation, as it was read a moment ago.
pub(super) struct ReadyNow {
    /// The role's id.
    pub(super) role: u32,
    /// What may still move, in base units.
    pub(super) remaining: u64,
}

/// A transaction that a wallet is about to be given.
pub(super) struct Round {
    /// What it does.
    pub(super) kind: IssuedKind,
    /// The session account, or the config account of the Swig.
    pub(super) account: Pubkey,
    /// Whether the Swig stands at the id that nobody else can know.
    pub(super) is_salted: bool,
    /// The grant that it makes, or helps to.
    pub(super) grant: Option<GrantPlan>,
    /// Whether it is the first of an onboarding.
    pub(super) begins: bool,
    /// Who pays for it.
    pub(super) fee_payer: Pubkey,
    /// What it lends in rent at most, in lamports.
    pub(super) rent: u64,
    /// The terms of the grant that it makes, or helps to.
    pub(super) terms: Option<GrantTerms>,
    /// Its instructions.
    pub(super) instructions: Vec<Instruction>,
    /// The role that it is about, where there is one.
    pub(super) role: Option<u32>,
}

impl Round {
    /// A transaction about this account, or a Swig at its salted id, that grants nothing and lends nothing.
    pub(super) const fn bare(
        kind: IssuedKind,
        (account, is_salted): (Pubkey, bool),
        fee_payer: Pubkey,
        instructions: Vec<Instruction>,
    ) -> Self {
        Self {
            kind,
            account,
            is_salted,
            grant: None,
            begins: false,
            fee_payer,
            rent: 0,
            terms: None,
            instructions,
            role: None,
        }
    }
}

impl Delegations {
    /// What comes next for a wallet whose delegation the ledger knows as `known`.
    pub(super) async fn next_round(
        &self,
        request: &OnboardRequest,
        known: Option<&Delegation>,
    ) -> Result<Next, OnboardError> {
        match known.map_or(self.shared.settings.delegations.backend, |known| known.backend) {
            Backend::SplDelegate => self.session_account_round(request, known).await,
            Backend::Swig => self.swig_round(request, known).await,
        }
    }

    /// Whether an active delegation is of use as it is, by what was read of it just now.
    pub(super) fn is_ready(&self, request: &OnboardRequest, known: &Delegation, read: &SeenDelegation) -> bool {
        let Some(grant) = &known.grant else { return false };
        let now = self.shared.core.clock.now();
        let reading = delegated::at(known, read.reading, now);
        request.renewal == Renewal::WhenNeeded
            // Whoever asks to be bound to a seller is not ready by a grant that pays others, or another one alone.
            && request.seller.is_none_or(|seller| grant.terms.seller == Some(seller))
            && grant.has_time(now)
            // No channel opens on what a root from before has granted.
            && self.shared.core.is_of_current_root(known)
            && reading.role == Role::Live
            && reading.remaining >= self.shared.settings.delegations.min_deposit.get()
    }

    /// The terms of the next generation.
    pub(super) fn next_terms(&self, request: &OnboardRequest, known: Option<&Delegation>) -> GrantTerms {
        let generation = known.map_or(0, |known| known.next_generation);
        let key = self.shared.settings.roots.current.delegate_key(self.chain_id(), &request.wallet, generation);
        GrantTerms {
            generation,
            delegate: key.public(),
            limit: request.limit,
            ttl: request.ttl,
            seller: request.seller,
        }
    }

    /// Why a renewal has to wait, if it has to.
    pub(super) fn renewal_waits(request: &OnboardRequest, known: Option<&Delegation>) -> Option<Next> {
        let known = known.filter(|known| !known.used.allows_renewal(known.backend, request.limit))?;
        let text = if known.used.in_flight > 0 {
            "A settlement of this wallet is on its way; repeat in a moment.".to_owned()
        } else if known.used.reserved > request.limit {
            format!(
                "Channels of this wallet have {} reserved, which the new limit does not cover: ask for more, or close channels \
                 first.",
                known.used.reserved
            )
        } else {
            "A channel of this wallet is open: close it first, because the role it stands on is replaced.".to_owned()
        };
        Some(Next::NotNow(text))
    }

    /// What a wallet's ordinary token account holds; refuses one that cannot pay.
    pub(super) fn purse(&self, wallet: &Pubkey, account: Option<&TokenAccount>) -> Result<u64, Next> {
        let Some(account) = account else { return Ok(0) };
        let is_usable = account.owner == *wallet && account.mint == self.token.mint;
        match account.state {
            AccountState::Initialised if is_usable => Ok(account.amount),
            AccountState::Frozen => {
                Err(Next::NotEligible("The wallet's token account is frozen by the token's issuer.".to_owned()))
            }
            AccountState::Initialised | AccountState::Uninitialised => {
                Err(Next::NotEligible("The wallet's token account belongs to somebody else.".to_owned()))
            }
        }
    }

    /// Why a wallet that holds so much is not served, if it is not.
    pub(super) fn too_poor(&self, held: u64) -> Option<Next> {
        let least = self.shared.settings.delegations.min_balance;
        (held < least.get()).then(|| {
            Next::NotEligible(format!(
                "The wallet holds {held} base units of {}; it needs {least}: fund it, then call onboard again.",
                self.token.mint
            ))
        })
    }

    /// What moves into a new account: what was asked for, else the limit or all that the wallet has.
    pub(super) fn first_deposit(request: &OnboardRequest, purse: u64) -> Result<Option<Amount>, Next> {
        match request.deposit {
            Some(deposit) => Self::affordable(deposit, purse).map(Some),
            None => Ok(Amount::new(purse.min(request.limit.get())).filter(|deposit| *deposit > Amount::ZERO)),
        }
    }

    /// A deposit, where the wallet has it.
    pub(super) fn affordable(deposit: Amount, purse: u64) -> Result<Amount, Next> {
        if deposit.get() <= purse {
            return Ok(deposit);
        }
        Err(Next::NotEligible(format!("The wallet holds {purse} base units, less than the deposit of {deposit}.")))
    }

    /// Who pays for a round that costs about so much; not now where nobody can.
    pub(super) fn round_payer(&self, lamports: u64) -> Result<Pubkey, Next> {
        let none = || {
            Next::NotNow(
                "No fee payer of this facilitator can pay for this now; its operator has to fund one.".to_owned(),
            )
        };
        Ok(self.shared.choose_fee_payer(lamports).ok_or_else(none)?.pubkey())
    }
}
