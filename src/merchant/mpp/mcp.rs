//! Charges for tools of the Model Context Protocol, over whatever carries its JSON-RPC: the parameters of a call are paid for, or
//! answered by an error that says how. No server of that protocol is here.

use crate::{
    merchant::{
        mpp::charge::{ChargeSeller, Charged, Unpaid},
        price::Offer,
    },
    wire::mpp::{mcp, problem::Problem},
};
use serde_json::{Map, Value, json};

/// JSON-RPC's code for what is wrong on our side.
const INTERNAL_ERROR: i64 = -32_603;

impl ChargeSeller {
    /// Settles what the parameters of a call carry for one of the offers; the error is the call's JSON-RPC `error`, with fresh
    /// challenges where they help. Call the tool only after this, and put the receipt into its result with [`add_receipt`].
    pub async fn verify_call(&self, parameters: &Value, offers: &[Offer]) -> Result<Charged, Value> {
        let unpaid = match mcp::read_credential(parameters) {
            Ok(credential) => match self.verify(&credential, offers).await {
                Ok(charged) => return Ok(charged),
                Err(unpaid) => unpaid,
            },
            Err(fault) => fault.into(),
        };
        Err(match unpaid {
            Unpaid::Problem(problem) => self.call_error(&problem, offers).await,
            Unpaid::Pending(error) => unavailable(&error.code),
            Unpaid::Facilitator(fault) => {
                tracing::warn!(error = &fault as &dyn std::error::Error, "a charge could not be settled");
                unavailable("facilitator_unavailable")
            }
        })
    }

    async fn call_error(&self, problem: &Problem, offers: &[Offer]) -> Value {
        let mut challenges = Vec::with_capacity(offers.len());
        for offer in offers {
            match self.challenge(offer).await {
                Ok(challenge) => challenges.push(challenge),
                Err(fault) => tracing::warn!(error = &fault as &dyn std::error::Error, "no challenge for a charge"),
            }
        }
        if challenges.is_empty() { unavailable("facilitator_unavailable") } else { mcp::error(problem, &challenges) }
    }
}

/// Puts the receipt of a charge into the result of the call that it paid.
pub fn add_receipt(result: &mut Map<String, Value>, charged: &Charged) {
    mcp::add_receipt(result, &charged.receipt, &charged.challenge_id);
}

/// The call may be repeated with the same credential; nothing else is to be paid for it.
fn unavailable(word: &str) -> Value {
    json!({ "code": INTERNAL_ERROR, "message": "The payment is not known to be settled; repeat the call.",
        "data": { "httpStatus": 503, "error": word } })
}
