//! Onboarding: what a wallet is told to sign next, or that nothing is left to be signed.

use super::{
    CallerPlace, Delegations, OnboardError, SentSignIn,
    issue::Issue,
    rounds::{Next, Round},
};
use crate::{
    domain::{
        amount::Amount,
        clock::UnixSeconds,
        mpp::{
            caps::Sponsored,
            delegation::{Delegation, GrantTerms, IssuedKind, OnboardQuestion, Renewal},
        },
    },
    facilitator::FacilitatorError,
    ledger::DelegationKey,
};
use solana_pubkey::Pubkey;
use std::pin::pin;
use tokio::time::{Instant, timeout_at};

/// How often another request may be faster with the next generation before this one is told to repeat.
const MOST_RACES: usize = 4;
/// What a step costs in fees, in lamports: two signatures and its compute budget.
const FEE: u64 = 10_001;

/// A wallet's wish to be onboarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnboardRequest {
    /// The wallet.
    pub wallet: Pubkey,
    /// The most that may ever move by the grant, in base units.
    pub limit: Amount,
    /// For how many seconds.
    pub ttl: u64,
    /// What moves into the account that is granted from, in base units, where the wallet says so.
    pub deposit: Option<Amount>,
    /// The only wallet that is paid, where the program can see to it.
    pub seller: Option<Pubkey>,
    /// Whether a new grant is wanted where one is active.
    pub renewal: Renewal,
}

/// What a wallet is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnboardAnswer {
    /// Nothing is to be signed: its delegation is active.
    Ready(ReadyDelegation),
    /// It signs this next.
    Sign(ToSign),
    /// It is not served, for this cause.
    NotEligible {
        /// What it can do about it.
        next_step: String,
    },
    /// Nothing for now, for this cause.
    Unavailable {
        /// What it can do about it.
        next_step: String,
    },
}

/// An active delegation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadyDelegation {
    /// The session account, or the config account of the Swig.
    pub account: Pubkey,
    /// The role's id.
    pub role: u32,
    /// What may still move, in base units.
    pub remaining: u64,
    /// What it was granted on.
    pub terms: Option<GrantOffer>,
}

/// A transaction that waits for its wallet's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToSign {
    /// The session account, or the config account of the Swig.
    pub account: Pubkey,
    /// What it does.
    pub kind: IssuedKind,
    /// Its wire encoding, with empty signatures.
    pub wire: Vec<u8>,
    /// From when on it is refused, Unix seconds.
    pub until: UnixSeconds,
    /// The role that it is about, where there is one.
    pub role: Option<u32>,
    /// What it grants, or helps to.
    pub terms: Option<GrantOffer>,
}

/// What a grant lets us do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantOffer {
    /// The most that may ever move by it, in base units.
    pub limit: Amount,
    /// For how many seconds.
    pub ttl: u64,
    /// The key that is delegated to.
    pub delegate: Pubkey,
    /// The only program whose instructions it may send.
    pub program: Pubkey,
}

impl Delegations {
    /// Tells a wallet what it signs next; see [`crate::facilitator::Facilitator::onboard`].
    pub(crate) async fn onboard(
        &self,
        sent: &SentSignIn,
        request: &OnboardRequest,
        from: &CallerPlace,
    ) -> Result<OnboardAnswer, OnboardError> {
        let grants = self.check_sign_in(sent, request.wallet, from)?;
        self.check_clock()?;
        let answer = match self.describe(request, from).await {
            Err(FacilitatorError::Unavailable { source, .. }) => {
                tracing::warn!(cause = %source, "an onboarding waits for the chain");
                not_now("The chain does not answer as it must; call onboard again in a moment.")
            }
            answer => answer?,
        };
        if matches!(answer, OnboardAnswer::Ready(_)) {
            self.open_window(request.wallet, from, grants).await?;
        }
        Ok(answer)
    }

    async fn describe(&self, request: &OnboardRequest, from: &CallerPlace) -> Result<OnboardAnswer, OnboardError> {
        if let Some(next_step) = self.not_served(&request.wallet) {
            return Ok(OnboardAnswer::NotEligible { next_step });
        }
        let deadline = self.deadline();
        for _ in 0..MOST_RACES {
            let Some(known) = self.settled(&request.wallet, deadline).await? else {
                return Ok(not_now("A transaction of this wallet is on its way; call onboard again in a moment."));
            };
            match self.next_round(request, known.as_ref()).await? {
                Next::Ready(ready) => {
                    let delegation = known.as_ref();
                    let account = delegation.map_or(request.wallet, |known| known.account);
                    let terms = delegation.and_then(|known| known.grant).map(|grant| self.offer(&grant.terms));
                    let (role, remaining) = (ready.role, ready.remaining);
                    return Ok(OnboardAnswer::Ready(ReadyDelegation { account, role, remaining, terms }));
                }
                Next::NotEligible(next_step) => return Ok(OnboardAnswer::NotEligible { next_step }),
                Next::NotNow(next_step) => return Ok(OnboardAnswer::Unavailable { next_step }),
                Next::Round(round) => {
                    if let Some(answer) = self.offer_round(request, known.as_ref(), *round, from).await? {
                        return Ok(answer);
                    }
                }
            }
        }
        Ok(not_now("Others onboard this wallet at the same time; call onboard again in a moment."))
    }

    /// Issues a round; none where another request was faster.
    async fn offer_round(
        &self,
        request: &OnboardRequest,
        known: Option<&Delegation>,
        round: Round,
        from: &CallerPlace,
    ) -> Result<Option<OnboardAnswer>, OnboardError> {
        let question = OnboardQuestion {
            sponsored: self.sponsored(request.wallet, FEE),
            backend: known.map_or(self.shared.settings.delegations.backend, |known| known.backend),
            kind: round.kind,
            begins: round.begins,
            rent: round.rent,
            caller: self.caller_origin(from).caller,
            limits: self.shared.settings.delegations.limits,
        };
        if let Some(bar) = self.shared.core.ledger.onboard_bar(&question, self.shared.core.clock.now()).await? {
            let told = bar.explanation();
            return Ok(Some(match bar.again_in() {
                Some(seconds) => not_now(&format!("{told}; call onboard again in {seconds} seconds.")),
                None => OnboardAnswer::NotEligible { next_step: format!("{told}.") },
            }));
        }
        Ok(match self.issue(request.wallet, known, round, None).await? {
            Issue::Issued(to_sign) => Some(OnboardAnswer::Sign(to_sign)),
            // Nobody proves anything to onboard.
            Issue::Raced | Issue::Repeated(_) | Issue::ProofUsed => None,
            Issue::OnItsWay => {
                Some(not_now("A transaction of this wallet is on its way; call onboard again in a moment."))
            }
            Issue::ChannelsOpen => Some(not_now("Channels of this wallet count on its grant; close them first.")),
        })
    }

    /// Why a wallet is not served whatever it holds, if it is not.
    fn not_served(&self, wallet: &Pubkey) -> Option<String> {
        let buyers = &self.shared.settings.delegations.buyers;
        if !buyers.is_empty() && !buyers.contains(wallet) {
            return Some("The wallet is not on this facilitator's list; ask its operator.".to_owned());
        }
        let is_ours = self.shared.our_keys().contains(wallet);
        is_ours.then(|| "The wallet is a key of this facilitator.".to_owned())
    }

    /// Who is sponsored by a step that costs about `fee`.
    fn sponsored(&self, wallet: Pubkey, fee: u64) -> Sponsored {
        Sponsored {
            payer: wallet,
            seller: None,
            payer_is_listed: self.is_listed(&wallet),
            seller_is_listed: false,
            lamports: fee,
            caps: self.shared.settings.caps,
        }
    }

    /// Whether a wallet is known by the operator's word.
    pub(super) fn is_listed(&self, wallet: &Pubkey) -> bool {
        self.shared.settings.known_wallets.contains(wallet)
    }

    /// The delegation of a wallet once nothing of it is on its way, `Some(None)` where it has none; `None` where its time is over
    /// first.
    pub(super) async fn settled(
        &self,
        wallet: &Pubkey,
        deadline: Instant,
    ) -> Result<Option<Option<Delegation>>, OnboardError> {
        let key = DelegationKey::Buyer(*wallet, self.token.mint);
        loop {
            let mut told = pin!(self.shared.settlements.progress.notified());
            // From before the look, so that nothing is missed in between.
            told.as_mut().enable();
            let Some(known) = self.shared.core.ledger.delegation(&key).await? else { return Ok(Some(None)) };
            if self.shared.core.ledger.issued_on_its_way(known.id).await?.is_none() {
                // Read anew: what was on its way may have changed it in between.
                return Ok(Some(self.shared.core.ledger.delegation(&key).await?));
            }
            if timeout_at(deadline, told).await.is_err() {
                return Ok(None);
            }
        }
    }

    /// What a grant on these terms lets us do.
    pub(super) fn offer(&self, terms: &GrantTerms) -> GrantOffer {
        let program = self.token.program.address();
        GrantOffer { limit: terms.limit, ttl: terms.ttl, delegate: terms.delegate, program }
    }
}

fn not_now(next_step: &str) -> OnboardAnswer {
    OnboardAnswer::Unavailable { next_step: next_step.to_owned() }
}
