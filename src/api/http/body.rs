//! Bodies with limits. The content type is not asked for: published clients and curl send what they like, and the
//! decoders decide what a body is.

use crate::{
    api::{
        App,
        error::{PayFailure, SessionFailure},
        http::surface::{self, Fault},
    },
    domain::{funding::FundingProof, payment::Payment, reason::SessionReason},
    wire::{
        funding, json,
        opening::{self, Opening},
        payment,
        payments::{self, Closing, ClosingAll},
        prepare::{self, Preparing},
        revoke,
    },
};
use axum::{body::Bytes, extract::rejection::BytesRejection};

/// A body, or why there is none.
pub(in crate::api) type Body = Result<Bytes, BytesRejection>;

/// The payment of a `/verify` or `/settle` body.
pub(in crate::api) fn payment(app: &App, body: Body) -> Result<Payment, PayFailure> {
    let bytes = read(body).map_err(|fault| surface::pay_failure(fault, app.network.alias()))?;
    let payment =
        payment::payment(&bytes, &app.network).map_err(|refused| PayFailure::of_body(&refused, app.network.alias()))?;
    match &payment {
        Payment::Session(payment) => tracing::Span::current().record("session", payment.session.log_hash()),
    };
    Ok(payment)
}

/// The bytes of a body of a route below `/pay`.
pub(in crate::api) fn pay_body(app: &App, body: Body) -> Result<Bytes, PayFailure> {
    read(body).map_err(|fault| surface::pay_failure(fault, app.network.alias()))
}

/// The request of a `POST /sessions` body.
pub(in crate::api) fn opening(body: Body) -> Result<Opening, SessionFailure> {
    let bytes = read(body).map_err(surface::session_failure)?;
    opening::opening(&bytes).map_err(SessionFailure::of_body)
}

/// A body that may be left out; `None` when it is empty. Refuses what is not this JSON.
pub(in crate::api) fn optional_json<T: serde::de::DeserializeOwned>(body: Body) -> Result<Option<T>, SessionFailure> {
    let bytes = read(body).map_err(surface::session_failure)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let malformed = || SessionFailure::new(SessionReason::BadRequest, SessionReason::BadRequest.meaning());
    let value = json::read(&bytes).map_err(|_| malformed())?;
    serde_json::from_value(value).map(Some).map_err(|_| malformed())
}

/// The request of a `POST /sessions/{id}/close` body.
pub(in crate::api) fn closing(body: Body) -> Result<Closing, SessionFailure> {
    let bytes = read(body).map_err(surface::session_failure)?;
    payments::closing(&bytes).map_err(SessionFailure::of_body)
}

/// The request of a body of `POST /sessions/close` or `POST /sessions/revoke-offer`.
pub(in crate::api) fn closing_all(body: Body) -> Result<ClosingAll, SessionFailure> {
    let bytes = read(body).map_err(surface::session_failure)?;
    payments::closing_all(&bytes).map_err(SessionFailure::of_body)
}

/// The request of a `POST /sessions/prepare` body.
pub(in crate::api) fn preparing(body: Body) -> Result<Preparing, SessionFailure> {
    let bytes = read(body).map_err(surface::session_failure)?;
    prepare::preparing(&bytes).map_err(SessionFailure::of_body)
}

/// The transaction of a body of `POST /sessions/revoke` or `POST /sessions/{id}/revoke`.
pub(in crate::api) fn revoking(body: Body) -> Result<String, SessionFailure> {
    let bytes = read(body).map_err(surface::session_failure)?;
    revoke::revoking(&bytes).map_err(SessionFailure::of_body)
}

/// The proof of a `POST /sessions/{id}/funding` body.
pub(in crate::api) fn funding_proof(body: Body) -> Result<FundingProof, SessionFailure> {
    let bytes = read(body).map_err(surface::session_failure)?;
    funding::proof_body(&bytes).map_err(SessionFailure::of_body)
}

/// The bytes of a body that the guard has read.
pub(in crate::api) fn read(body: Body) -> Result<Bytes, Fault> {
    // The guard has read it, so it is there.
    body.map_err(|_| Fault::BrokenOff)
}
