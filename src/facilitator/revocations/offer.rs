//! The unsigned revoke that a wallet is given to sign. Anybody could build it; we only say who pays for it.

use super::Revocations;
use crate::{
    chain::transaction::UnsignedTransaction,
    domain::{budget::BudgetSubject, clock::UnixSeconds, reason::SessionReason, signed},
    facilitator::{
        SessionError, SessionRefusal,
        sponsor::budget::{NoFeePayer, over_budget_refusal},
    },
};
use solana_pubkey::Pubkey;
use std::time::Duration;
use tokio::time::Instant;

/// What a revoke costs in fees before its wallet adds anything, in lamports: two signatures.
const USUAL_FEE: u64 = 10_000;
/// How long the answer to a close may be kept waiting for an offer, which can be asked for later as well.
const BESIDE_A_CLOSE: Duration = Duration::from_secs(2);

/// A wallet's request for an unsigned revoke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokeOfferRequest {
    /// The wallet.
    pub user: Pubkey,
    /// The mint.
    pub asset: Pubkey,
    /// When it was signed, Unix seconds; good for five minutes.
    pub at: UnixSeconds,
    /// By the wallet, over [`signed::close_all_message`].
    pub signature: [u8; 64],
}

/// A revoke that waits for its wallet's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsignedRevoke {
    /// The transaction in its wire encoding, with empty signatures.
    pub wire: Vec<u8>,
}

impl Revocations {
    /// Makes the revoke for a wallet that asks for it; see [`crate::facilitator::Facilitator::offer_revoke`].
    pub(crate) async fn offer(&self, request: &RevokeOfferRequest) -> Result<UnsignedRevoke, SessionError> {
        let RevokeOfferRequest { user, asset, at, signature } = request;
        let message = signed::close_all_message(&self.core.keys.spender.pubkey(), user, asset, *at);
        if !self.core.is_signed_lately(user, &message, *at, signature) {
            return Err(SessionRefusal::because(
                SessionReason::InvalidCloseSignature,
                "The request is not signed by the wallet in the last five minutes.",
            )
            .into());
        }
        self.offer_to(user, asset).await
    }

    /// What [`Revocations::offer`] gives, where there is something to offer to whoever has just closed a session: not signed for,
    /// because it tells nothing but what the chain shows. None so soon after another.
    pub(crate) async fn offer_beside_close(&self, user: &Pubkey, asset: &Pubkey) -> Option<UnsignedRevoke> {
        let offer = async {
            self.check_bar_of_offer(user).await.ok()?;
            if !self.looks.may_look(user, Instant::now()) {
                return None;
            }
            self.offer_to(user, asset).await.ok()
        };
        tokio::time::timeout(BESIDE_A_CLOSE, offer).await.ok()?
    }

    async fn offer_to(&self, user: &Pubkey, asset: &Pubkey) -> Result<UnsignedRevoke, SessionError> {
        if *asset != self.core.settings.served.asset {
            return Err(SessionRefusal::new(SessionReason::AssetNotAllowed).into());
        }
        self.check_bar_of_offer(user).await?;
        let fee_payer = self.fee_payer(user).await?;
        self.check_account(user).await?;
        let blockhash = self.core.chain.latest_blockhash().await?;
        let programs = &self.core.settings.served.programs;
        let revoke = programs.revoke(&programs.token_account(user, asset), user);
        let unsigned = UnsignedTransaction::new(&fee_payer, &[revoke], blockhash.hash).map_err(broken)?;
        Ok(UnsignedRevoke { wire: wincode::serialize(unsigned.transaction()).map_err(broken)? })
    }

    /// Who pays the fee.
    async fn fee_payer(&self, user: &Pubkey) -> Result<Pubkey, SessionError> {
        let subject = BudgetSubject { session: None, user: *user, recipient: *user };
        self.sponsor.name_fee_payer(&subject, USUAL_FEE).await?.map_err(|none| match none {
            NoFeePayer::OverBudget(over) => over_budget_refusal(&over).into(),
            NoFeePayer::NoFunds => SessionRefusal::new(SessionReason::InsufficientSponsorBalance).into(),
        })
    }
}

fn broken(error: impl std::error::Error + Send + Sync + 'static) -> SessionError {
    SessionError::Broken(Box::new(error))
}
