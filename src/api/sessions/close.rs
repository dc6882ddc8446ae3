//! `POST /sessions/{id}/close`: closes a session.

use crate::{
    api::{
        App,
        error::SessionFailure,
        http::body::{self, Body},
        sessions::{Amounts, SessionPath, revoke_offer, view},
    },
    facilitator::{CloseRequest, Closed},
    wire::payments::{CloseAnswer, Closing},
};
use axum::{Json, extract::State};

/// Closes a session; answers with amounts, because the request is signed.
pub(in crate::api) async fn close(
    State(app): State<App>,
    SessionPath(id): SessionPath,
    body: Body,
) -> Result<Json<CloseAnswer>, SessionFailure> {
    let Closing { nonce, signature } = body::closing(body)?;
    let closed = app.facilitator.close_session(id, &CloseRequest { nonce, signature }).await;
    let closed = closed.map_err(SessionFailure::of_use_case)?;
    let (user, asset) = (*closed.session.user(), closed.session.intent.asset);
    let answer = answer(&app, closed).await?;
    Ok(Json(CloseAnswer { revoke: revoke_offer::beside_close(&app, &user, &asset).await, ..answer }))
}

/// How a closed session stands.
pub(super) async fn answer(app: &App, Closed { session, lost }: Closed) -> Result<CloseAnswer, SessionFailure> {
    let backing = app.facilitator.backing(&session).await.map_err(SessionFailure::of_use_case)?;
    Ok(CloseAnswer { session: view(&session, Amounts::Shown, backing), lost: lost.to_string(), revoke: None })
}
