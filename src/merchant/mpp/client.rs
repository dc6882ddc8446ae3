//! The facilitator's routes of the Machine Payments Protocol, as a seller asks them.
//!
//! Promises what [`FacilitatorClient`] promises elsewhere: deadlines, bounded answers, no redirects, and that a success is
//! believed only where its proof is what was asked for.

use crate::{
    domain::{mpp::channel_id::PublicId, signed::parse_signature},
    merchant::{
        facilitator::{Answer, FacilitatorClient, FacilitatorFault},
        mpp::reason::SellerReason,
    },
    wire::mpp::{
        charge::{PrepareAnswer, PrepareRequest, SettleAnswer, SettleBody},
        keys::KeysAnswer,
        session::ChannelAnswer,
    },
};
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// How long the published seller waits for what a challenge is made of.
const PREPARE_PATIENCE: Duration = Duration::from_secs(10);
/// How long it waits for a settlement.
const SETTLE_PATIENCE: Duration = Duration::from_secs(30);
/// The facilitator's word where the outcome is not known yet.
const PENDING: &str = "settlement_pending";
/// Its word for a channel that it does not know.
const SESSION_NOT_FOUND: &str = "session_not_found";

/// A charge that is not served for: the facilitator's word, or one of [`SellerReason`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}")]
pub struct SettlementError {
    /// The word.
    pub code: String,
    /// A sentence for people; may be empty.
    pub message: String,
}

/// Why a charge brought no money that is known of.
#[derive(Debug, thiserror::Error)]
pub enum ChargeFault {
    /// It was refused.
    #[error(transparent)]
    Refused(#[from] SettlementError),
    /// There is no answer that can be used, so the outcome is not known.
    #[error(transparent)]
    Facilitator(#[from] FacilitatorFault),
}

/// A refusal, of which one spelling or the other is there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RefusedJson {
    error_code: Option<String>,
    error: Option<String>,
    detail: Option<String>,
}

impl SettlementError {
    /// One of the seller's own words.
    pub fn because(reason: SellerReason) -> Self {
        Self { code: reason.word().to_owned(), message: reason.meaning().to_owned() }
    }

    /// Whether the transaction may still land: the credential is to be sent again, and nothing else to be paid.
    pub fn is_pending(&self) -> bool {
        self.code == PENDING
    }
}

impl FacilitatorClient {
    /// What a challenge on this network is made of (`POST /mpp/prepare`); `network` is any spelling that the facilitator takes.
    pub async fn prepare_charge(&self, network: &str) -> Result<PrepareAnswer, ChargeFault> {
        let asked = PrepareRequest { network: Some(network.to_owned()) };
        let answer = self.post("mpp/prepare", &asked, PREPARE_PATIENCE).await?;
        if answer.status != StatusCode::OK {
            return Err(refusal(&answer)?.into());
        }
        let prepared: PrepareAnswer = answer.read()?;
        if prepared.network != network {
            return Err(FacilitatorFault::Contradiction("it names another network").into());
        }
        Ok(prepared)
    }

    /// Settles a charge (`POST /mpp/settle`), which is known to have landed as it was asked for when this returns.
    ///
    /// A lost answer and `settlement_pending` are followed by the same request once more; with an idempotency key the
    /// facilitator tells a success that was lost again.
    pub async fn settle_charge(&self, body: &SettleBody) -> Result<SettleAnswer, ChargeFault> {
        let first = self.settle_charge_once(body).await;
        let again = match &first {
            Err(ChargeFault::Refused(refused)) => refused.is_pending(),
            Err(ChargeFault::Facilitator(fault)) => matches!(fault, FacilitatorFault::Unreachable(_)),
            Ok(_) => false,
        };
        if !again {
            return first;
        }
        match (self.settle_charge_once(body).await, first) {
            // What the first answer said is what is known.
            (Err(ChargeFault::Facilitator(FacilitatorFault::Unreachable(_))), Err(ChargeFault::Refused(pending))) => {
                Err(pending.into())
            }
            (second, _) => second,
        }
    }

    async fn settle_charge_once(&self, body: &SettleBody) -> Result<SettleAnswer, ChargeFault> {
        let answer = self.post("mpp/settle", body, SETTLE_PATIENCE).await?;
        let told: Value = answer.read()?;
        if told.get("success") != Some(&Value::Bool(true)) {
            return Err(refusal(&answer)?.into());
        }
        let settled: SettleAnswer = answer.read()?;
        if parse_signature(&settled.signature).is_none() {
            return Err(FacilitatorFault::Contradiction("its signature is none").into());
        }
        check_proof(&settled, body).inspect_err(|error| {
            let transaction = &settled.signature;
            tracing::error!(
                reason = error.code,
                transaction,
                "a charge was settled as something else than was asked for"
            );
        })?;
        Ok(settled)
    }

    /// The keys that sellers pin (`GET /mpp/keys`).
    pub async fn mpp_keys(&self) -> Result<KeysAnswer, ChargeFault> {
        let answer = self.get(self.route("mpp/keys")).await?;
        if answer.status != StatusCode::OK {
            return Err(refusal(&answer)?.into());
        }
        Ok(answer.read()?)
    }

    /// Where a channel stands; `None` where the facilitator knows no such channel.
    pub async fn channel(&self, channel: &PublicId) -> Result<Option<ChannelAnswer>, FacilitatorFault> {
        let answer = self.get(self.route(&format!("mpp/session/{channel}"))).await?;
        if answer.status == StatusCode::OK {
            let view: ChannelAnswer = answer.read()?;
            let is_asked = view.channel_id == channel.to_string();
            return if is_asked {
                Ok(Some(view))
            } else {
                Err(FacilitatorFault::Contradiction("it is another channel"))
            };
        }
        let refused = refusal(&answer)?;
        // Some other 404 is a proxy's, and says nothing of the channel.
        if refused.code == SESSION_NOT_FOUND {
            Ok(None)
        } else {
            Err(answer.malformed("no channel and no refusal of one"))
        }
    }
}

/// The word of an answer that is no success.
fn refusal(answer: &Answer) -> Result<SettlementError, FacilitatorFault> {
    if answer.is_backpressure() {
        return Err(answer.busy());
    }
    let told: RefusedJson = answer.read()?;
    let code = told.error_code.or(told.error).ok_or_else(|| answer.malformed("a refusal without a word"))?;
    Ok(SettlementError { code, message: told.detail.unwrap_or_default() })
}

/// The settlement proof: what was settled, in the very texts in which it was asked for.
fn check_proof(settled: &SettleAnswer, asked: &SettleBody) -> Result<(), SettlementError> {
    let proof = &settled.settlement;
    let because = |reason| Err(SettlementError::because(reason));
    if proof.recipient != asked.recipient {
        return because(SellerReason::SettlementRecipient);
    }
    if proof.amount != asked.amount {
        return because(SellerReason::SettlementAmount);
    }
    if asked.asset.as_ref().is_some_and(|asset| proof.asset != *asset) {
        return because(SellerReason::SettlementAsset);
    }
    Ok(())
}
