//! The approved amount: the one balance-like number that the facilitator has a right to read.

use crate::{
    chain::keys::Signer,
    covalidator::{CovalidatorError, RequestSigner},
    domain::{amount::Amount, reason::SessionReason},
    facilitator::{CapCheckPolicy, SessionRefusal, sessions::Sessions},
    programs::inco_token::IncoAccount,
};
use solana_pubkey::Pubkey;
use std::{sync::Arc, time::Duration};

impl Sessions {
    /// What the Covalidator says was approved; `None` when policy lets the session open without knowing.
    pub(crate) async fn approved_amount(&self, account: &IncoAccount) -> Result<Option<Amount>, SessionRefusal> {
        let patience = match self.core.settings.openings.cap_check {
            CapCheckPolicy::Off => return Ok(None),
            CapCheckPolicy::Required | CapCheckPolicy::BestEffort => self.core.settings.openings.cap_check_deadline,
        };
        match self.decrypt_delegated(account.delegated_amount, patience).await {
            Ok(amount) => Ok(Some(amount)),
            Err(error) => {
                tracing::warn!(%error, "the approved amount is not known yet");
                match self.core.settings.openings.cap_check {
                    CapCheckPolicy::Required => Err(SessionRefusal::new(SessionReason::CapUnverified)),
                    CapCheckPolicy::BestEffort | CapCheckPolicy::Off => Ok(None),
                }
            }
        }
    }

    /// Decrypts the delegated amount: the one balance-like number the facilitator has a right to read.
    pub(crate) async fn decrypt_delegated(&self, handle: u128, patience: Duration) -> Result<Amount, CovalidatorError> {
        let signer = SpenderRequests(Arc::clone(&self.core.keys.spender));
        let value = self.core.covalidator.decrypt(handle, &signer, patience).await?;
        // More than the ledger can count is more than any cap: as good as the largest amount.
        Ok(u64::try_from(value.plaintext).ok().and_then(Amount::new).unwrap_or(Amount::MAX))
    }
}

/// The spender, asking the Covalidator for what was delegated to it.
struct SpenderRequests(Arc<dyn Signer>);

impl RequestSigner for SpenderRequests {
    fn address(&self) -> Pubkey {
        self.0.pubkey()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message)
    }
}
