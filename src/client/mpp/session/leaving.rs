//! Leaving: the wallet takes everything back, and the facilitator pays the fee.

use super::{MppSessionClient, MppSessionError};
use crate::{
    client::mpp::{
        http::{Tells, foreign},
        template::TemplateFault,
        transaction::Unsigned,
    },
    domain::{
        mpp::siwx::Proof,
        printable::{brief, printable},
    },
    wire::mpp::onboard::{OnboardAnswer, STATUS_LEFT, STATUS_SIGN},
};
use serde_json::json;

impl MppSessionClient {
    /// Revokes the grant and moves everything to the wallet's ordinary account; gives the transactions that landed.
    ///
    /// Refused with `channels_open` while channels hold something: close them, and call again. A wallet with SOL can revoke at any
    /// time without the facilitator.
    pub async fn leave(&self) -> Result<Vec<String>, MppSessionError> {
        let mut state = self.state.lock().await;
        let proof = self.sign_in(Some(&Proof::Leave)).await?;
        let body = json!({ "buyer_wallet": self.wallet.pubkey().to_string() });
        let told = self.ask(|| self.http.post("/api/sessions/leave", &body, Some(&proof)), Tells::ByStatus).await?;
        let answer: OnboardAnswer = serde_json::from_value(told).map_err(foreign)?;
        let Some([transaction]) = answer.transactions.as_deref().filter(|_| answer.status == STATUS_SIGN) else {
            return Err(MppSessionError::OnboardUnexpected(brief(&answer.status)));
        };
        let unsigned = Unsigned::read(&transaction.tx).map_err(TemplateFault)?;
        self.wanted(state.swig.as_ref()).leaves(&unsigned)?;
        let signed = unsigned.signed_by(self.wallet.as_ref()).await.map_err(MppSessionError::NoSigner)?;
        // A proof is good for its one act, so what confirms it is signed in for anew.
        let sign_in = self.sign_in(None).await?;
        let confirmed = self.confirm(&sign_in, &signed).await?;
        if confirmed.status != STATUS_LEFT {
            return Err(MppSessionError::OnboardUnexpected(brief(&confirmed.status)));
        }
        if let Some(swig) = &mut state.swig {
            swig.granted = None;
            self.keep(&state)?;
        }
        Ok(confirmed.onboard_tx_signatures.iter().map(|signature| printable(signature).to_string()).collect())
    }
}
