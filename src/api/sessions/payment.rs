//! `GET /sessions/{id}/payments/{payment}`: shows what became of a payment.

use crate::{
    api::{
        App,
        error::SessionFailure,
        sessions::{PaymentPath, SignedRead},
    },
    domain::hold::HoldState,
    facilitator::PaymentRecord,
    wire::payments::PaymentView,
};
use axum::{Json, extract::State};

/// Shows what became of a payment.
pub(in crate::api) async fn show(
    State(app): State<App>,
    PaymentPath { session, payment }: PaymentPath,
    SignedRead(read): SignedRead,
) -> Result<Json<PaymentView>, SessionFailure> {
    let record = app.facilitator.payment(session, &payment, read).await.map_err(SessionFailure::of_use_case)?;
    Ok(Json(payment_view(&record)))
}

fn payment_view(record: &PaymentRecord) -> PaymentView {
    let PaymentRecord { hold, times, readable } = record;
    let reason = match hold.state {
        HoldState::Released { reason, .. } => Some(reason.word().to_owned()),
        HoldState::Waiting | HoldState::Planned { .. } | HoldState::Captured { .. } => None,
    };
    PaymentView {
        payment: hold.id.to_string(),
        session_id: hold.session.to_string(),
        state: hold.standing().word().to_owned(),
        deferred: hold.deferred,
        transaction: hold.transaction().map(|signature| signature.to_string()).unwrap_or_default(),
        amount: readable.then(|| hold.amount.to_string()),
        nonce: hold.nonce.clone().filter(|_| *readable),
        reason,
        returns: hold.returns,
        accepted_at: hold.accepted_at,
        captured_at: times.captured_at,
        settled_at: times.settled_at,
        failed_at: times.failed_at,
    }
}
