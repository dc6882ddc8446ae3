//! `POST /sessions/revoke` and `POST /sessions/{id}/revoke`: take our delegation back at our cost.

use crate::{
    api::{
        App,
        error::SessionFailure,
        http::body::{self, Body},
        sessions::SessionPath,
    },
    domain::session::SessionId,
    facilitator::Revoked,
    wire::revoke::RevokeAnswer,
};
use axum::{Json, extract::State};

/// Carries out the revoke of whatever wallet has signed it.
pub(in crate::api) async fn revoke(State(app): State<App>, body: Body) -> Result<Json<RevokeAnswer>, SessionFailure> {
    carry_out(&app, None, body).await
}

/// Carries out the revoke of this session's wallet.
pub(in crate::api) async fn revoke_of_session(
    State(app): State<App>,
    SessionPath(id): SessionPath,
    body: Body,
) -> Result<Json<RevokeAnswer>, SessionFailure> {
    carry_out(&app, Some(id), body).await
}

async fn carry_out(app: &App, session: Option<SessionId>, body: Body) -> Result<Json<RevokeAnswer>, SessionFailure> {
    let transaction = body::revoking(body)?;
    let revoked = app.facilitator.revoke(session, &transaction).await;
    let Revoked { transaction, user, asset } =
        revoked.map_err(|error| SessionFailure::of_use_case(error).busy_is_a_conflict())?;
    tracing::info!(%transaction, "delegation revoked");
    let [transaction, user, asset] = [transaction.to_string(), user.to_string(), asset.to_string()];
    Ok(Json(RevokeAnswer { transaction, user, asset }))
}
