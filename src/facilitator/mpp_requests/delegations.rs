//! What wallets ask of their delegations.

use crate::facilitator::{
    CallerPlace, ConfirmRequest, Confirmed, DelegationStatus, Facilitator, OnboardAnswer, OnboardError, OnboardRequest,
    OnboardWord, RefusedOnboarding, SentSignIn, ToSign, mpp::delegations::Delegations,
};
use solana_pubkey::Pubkey;
use std::sync::Arc;

impl Facilitator {
    /// Tells a wallet what it signs next until we can settle its channels, or that nothing is left to be signed. Writes what it
    /// issues, and voids what was issued before and not signed.
    ///
    /// Refuses with the words of a sign-in and `unavailable`; whom it does not serve, or not now, the answer itself says.
    pub async fn onboard(
        &self,
        sign_in: &SentSignIn,
        request: &OnboardRequest,
        from: &CallerPlace,
    ) -> Result<OnboardAnswer, OnboardError> {
        self.delegations()?.onboard(sign_in, request, from).await
    }

    /// Takes what a wallet has signed of what it was issued: answered when it has landed. A repeat is answered from what was
    /// recorded.
    ///
    /// Refuses with the words of a sign-in, `transaction_not_issued`, `tx_expired`, `invalid_signature`, `simulation_failed`,
    /// `channels_open`, `settlement_failed`, `onboard_pending` while its outcome is not known, caps, and
    /// `insufficient_sponsor_balance`.
    pub async fn confirm_onboarding(
        &self,
        sign_in: &SentSignIn,
        request: &ConfirmRequest,
        from: &CallerPlace,
    ) -> Result<Confirmed, OnboardError> {
        self.delegations()?.confirm(sign_in, request, from).await
    }

    /// Tells a wallet how its delegation stands, as far as the ledger knows; none where it has begun none. Refuses with the words of
    /// a sign-in.
    pub async fn onboard_status(
        &self,
        sign_in: &SentSignIn,
        wallet: Pubkey,
        from: &CallerPlace,
    ) -> Result<Option<DelegationStatus>, OnboardError> {
        self.delegations()?.status(sign_in, wallet, from).await
    }

    /// Tells a wallet what it signs to take everything back, by its proof. The same proof asks for the same transaction.
    ///
    /// Refuses with the words of a sign-in, `swig_role_not_found` where there is nothing to take back, `channels_open`,
    /// `onboard_pending` while something of the wallet is on its way, and `insufficient_sponsor_balance`.
    pub async fn leave_mpp(&self, proof: &SentSignIn, wallet: Pubkey) -> Result<ToSign, OnboardError> {
        self.delegations()?.leave(proof, wallet).await
    }

    fn delegations(&self) -> Result<&Arc<Delegations>, OnboardError> {
        let disabled = || OnboardError::from(RefusedOnboarding::new(OnboardWord::Disabled));
        self.mpp.as_ref().map(|mpp| &mpp.delegations).ok_or_else(disabled)
    }
}
