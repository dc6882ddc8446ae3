//! `POST /sessions/{id}/funding`: takes a proof of the payer's balance.

use crate::{
    api::{
        App,
        error::SessionFailure,
        http::body::{self, Body},
        sessions::{Amounts, SessionPath, view},
    },
    wire::session::SessionView,
};
use axum::{Json, extract::State};

/// Takes a payer's attested balance. Needs no signature of its own: the attestation is the Covalidator's, and a true
/// balance hurts nobody. So the answer tells no amounts.
pub(in crate::api) async fn prove(
    State(app): State<App>,
    SessionPath(id): SessionPath,
    body: Body,
) -> Result<Json<SessionView>, SessionFailure> {
    let proof = body::funding_proof(body)?;
    let (session, backing) = app.facilitator.prove_funding(id, &proof).await.map_err(SessionFailure::of_use_case)?;
    Ok(Json(view(&session, Amounts::Hidden, backing)))
}
