//! `GET /sessions/{id}/payments/{payment}`: shows what became of a payment, named by its nonce or its id.

use crate::{
    api::{
        App,
        error::OpenFailure,
        sessions::{
            session_id,
            signed_read::{ReadQuery, read_request},
        },
    },
    domain::{hold::HoldState, reason::SessionReason},
    facilitator::PaymentRecord,
    wire::payments::PaymentView,
};
use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::HeaderMap,
    response::{IntoResponse as _, Response},
};

/// What became of a payment.
pub(in crate::api) async fn show(
    State(app): State<App>,
    names: Result<Path<(String, String)>, PathRejection>,
    query: Result<Query<ReadQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    match look(&app, names, query, &headers).await {
        Ok(record) => Json(payment_view(&record)).into_response(),
        Err(failure) => failure.answer(),
    }
}

async fn look(
    app: &App,
    names: Result<Path<(String, String)>, PathRejection>,
    query: Result<Query<ReadQuery>, QueryRejection>,
    headers: &HeaderMap,
) -> Result<PaymentRecord, OpenFailure> {
    let none = |reason: SessionReason| OpenFailure::new(reason, reason.meaning());
    let Path((session, payment)) = names.map_err(|_| none(SessionReason::SessionNotFound))?;
    let session = session_id(&session)?;
    let read = read_request(query, headers)?;
    app.facilitator.payment(session, &payment, read).await.map_err(OpenFailure::of_use_case)
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
