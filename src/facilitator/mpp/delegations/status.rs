//! How a wallet's delegation stands, from the ledger and from what was last read: the chain is not asked.

use super::{CallerPlace, Delegations, OnboardError, SentSignIn, session_account_round};
use crate::{
    domain::{
        amount::Amount,
        clock::UnixSeconds,
        mpp::{
            choices::Backend,
            delegation::{Delegation, DelegationStanding},
        },
    },
    ledger::DelegationKey,
};
use solana_pubkey::Pubkey;

/// How a wallet's delegation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelegationStatus {
    /// The session account, or the config account of the Swig.
    pub account: Pubkey,
    /// What enforces it.
    pub backend: Backend,
    /// Where it stands.
    pub standing: DelegationStanding,
    /// The role's id, where there is one and it is known.
    pub role: Option<u32>,
    /// What was granted, in base units, while something is.
    pub limit: Option<Amount>,
    /// When the grant ends, Unix seconds.
    pub expires_at: Option<UnixSeconds>,
    /// What may still move, in base units.
    pub remaining: Option<Amount>,
}

impl Delegations {
    /// Tells a wallet how its delegation stands; none where it has begun none. See
    /// [`crate::facilitator::Facilitator::onboard_status`].
    pub(crate) async fn status(
        &self,
        sent: &SentSignIn,
        wallet: Pubkey,
        from: &CallerPlace,
    ) -> Result<Option<DelegationStatus>, OnboardError> {
        self.check_sign_in(sent, wallet, from)?;
        let known = self.shared.core.ledger.delegation(&DelegationKey::Buyer(wallet, self.token.mint)).await?;
        let now = self.shared.core.clock.now();
        Ok(known.map(|known| status(&known, now)))
    }
}

fn status(known: &Delegation, now: UnixSeconds) -> DelegationStatus {
    let grant = known.grant;
    let role = match known.backend {
        Backend::SplDelegate => grant.map(|_| session_account_round::ROLE),
        Backend::Swig => grant.and_then(|grant| grant.role),
    };
    DelegationStatus {
        account: known.account,
        backend: known.backend,
        standing: known.standing(now),
        role,
        limit: grant.map(|grant| grant.terms.limit),
        expires_at: grant.map(|grant| grant.expires_at),
        remaining: known.remaining(),
    }
}
