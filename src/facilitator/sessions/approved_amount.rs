//! What was approved, as far as policy lets an opening go on without knowing.

use crate::{
    domain::{amount::Amount, reason::SessionReason},
    facilitator::{CapCheckPolicy, SessionRefusal, sessions::Sessions},
};

impl Sessions {
    /// What the Covalidator says was approved; `None` when policy lets the session open without knowing. `handle` is that of
    /// what the approve delegated.
    pub(crate) async fn approved_amount(&self, handle: u128) -> Result<Option<Amount>, SessionRefusal> {
        let patience = match self.core.settings.openings.cap_check {
            CapCheckPolicy::Off => return Ok(None),
            CapCheckPolicy::Required | CapCheckPolicy::BestEffort => self.core.settings.openings.cap_check_deadline,
        };
        match self.funding.decrypt_delegated(handle, patience).await {
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
}
