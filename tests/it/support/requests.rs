//! Openings and payments as the use cases take them, for tests that run a facilitator without its HTTP API.

use super::{Opening, World, wire};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use sotto::{
    domain::{
        amount::Amount,
        intent::Intent,
        payment::{Payment, SessionPayment},
        session::{SessionId, SignedIntent},
    },
    facilitator::{ApproveSource, OpenRequest},
};

impl World {
    /// The request that opens a session.
    pub async fn open_request(&self, opening: &Opening) -> OpenRequest {
        let instructions = self.approve_instructions(opening).await;
        let approve = self.sign_as_user(&opening.payer, &instructions).await;
        let (intent, bytes) = (&opening.intent, opening.intent.to_bytes());
        OpenRequest {
            user: intent.user,
            asset: intent.asset,
            recipient: intent.recipient,
            cap: intent.cap,
            expires_at: intent.expires_at,
            network: intent.network.clone(),
            approve: ApproveSource::Transaction(BASE64_STANDARD.encode(wire(&approve))),
            intent: SignedIntent { signature: Some(opening.payer.sign(&bytes)), bytes, settle_signature: None },
            funding: None,
        }
    }
}

/// A payment per call of a session with this intent.
pub fn payment_in(session: SessionId, intent: &Intent, amount: u64, nonce: &str) -> Payment {
    Payment::Session(SessionPayment {
        session,
        amount: Amount::new(amount).unwrap(),
        network: intent.network.clone(),
        asset: intent.asset,
        pay_to: intent.recipient,
        nonce: Some(nonce.to_owned()),
        resource: None,
        authorization: None,
        idempotent: None,
        deferred: false,
        funding_required: false,
        max_timeout_seconds: None,
    })
}

/// A payment that differs from `payment`.
pub fn changed(payment: Payment, change: impl FnOnce(&mut SessionPayment)) -> Payment {
    let Payment::Session(mut payment) = payment;
    change(&mut payment);
    Payment::Session(payment)
}
