//! `POST /sessions/{id}/close`: closes a session.

use crate::{
    api::{
        App,
        error::OpenFailure,
        http::body::{self, Body},
        sessions::{named_session, view},
    },
    facilitator::{Backing, CloseRequest, Closed},
    wire::payments::{CloseAnswer, Closing},
};
use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    response::{IntoResponse as _, Response},
};

/// Closes a session; answers with amounts, because the request is signed.
pub(in crate::api) async fn close(
    State(app): State<App>,
    id: Result<Path<String>, PathRejection>,
    body: Body,
) -> Response {
    match ask(&app, id, body).await {
        Ok((Closed { session, lost }, backing)) => {
            Json(CloseAnswer { session: view(&session, true, backing), lost: lost.to_string() }).into_response()
        }
        Err(failure) => failure.answer(),
    }
}

async fn ask(app: &App, id: Result<Path<String>, PathRejection>, body: Body) -> Result<(Closed, Backing), OpenFailure> {
    let id = named_session(id)?;
    let Closing { nonce, signature } = body::closing(body)?;
    let request = CloseRequest { nonce, signature };
    let closed = app.facilitator.close_session(id, &request).await.map_err(OpenFailure::of_use_case)?;
    let backing = app.facilitator.backing(&closed.session).await.map_err(OpenFailure::of_use_case)?;
    Ok((closed, backing))
}
