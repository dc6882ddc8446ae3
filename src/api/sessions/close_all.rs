//! `POST /sessions/close`: closes all sessions of a wallet and asset.

use crate::{
    api::{
        App,
        error::SessionFailure,
        http::body::{self, Body},
        sessions::{close::answer, revoke_offer},
    },
    facilitator::CloseAllRequest,
    wire::payments::{CloseAllAnswer, ClosingAll},
};
use axum::{Json, extract::State};

/// Closes all sessions of a wallet and asset; answers with amounts, because the wallet signed.
pub(in crate::api) async fn close_all(
    State(app): State<App>,
    body: Body,
) -> Result<Json<CloseAllAnswer>, SessionFailure> {
    let ClosingAll { user, asset, at, signature } = body::closing_all(body)?;
    let closed = app.facilitator.close_all_sessions(&CloseAllRequest { user, asset, at, signature }).await;
    let mut sessions = Vec::new();
    for closed in closed.map_err(SessionFailure::of_use_case)? {
        sessions.push(answer(&app, closed).await?);
    }
    Ok(Json(CloseAllAnswer { sessions, revoke: revoke_offer::beside_close(&app, &user, &asset).await }))
}
