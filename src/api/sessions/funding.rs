//! `POST /sessions/{id}/funding`: takes a proof of the payer's balance.

use crate::{
    api::{
        App,
        error::OpenFailure,
        http::body::{self, Body},
        sessions::{named_session, view},
    },
    domain::session::Session,
    facilitator::Backing,
};
use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    response::{IntoResponse as _, Response},
};

/// Takes a payer's attested balance. Needs no signature of its own: the attestation is the Covalidator's, and a true
/// balance hurts nobody. So the answer tells no amounts.
pub(in crate::api) async fn prove(
    State(app): State<App>,
    id: Result<Path<String>, PathRejection>,
    body: Body,
) -> Response {
    match ask(&app, id, body).await {
        Ok((session, backing)) => Json(view(&session, false, backing)).into_response(),
        Err(failure) => failure.answer(),
    }
}

async fn ask(
    app: &App,
    id: Result<Path<String>, PathRejection>,
    body: Body,
) -> Result<(Session, Backing), OpenFailure> {
    let id = named_session(id)?;
    let proof = body::funding_proof(body)?;
    app.facilitator.prove_funding(id, &proof).await.map_err(OpenFailure::of_use_case)
}
