//! `GET /sessions/{id}`: shows a session.

use crate::{
    api::{
        App,
        error::OpenFailure,
        sessions::{
            named_session,
            signed_read::{ReadQuery, read_request},
            view,
        },
    },
    domain::session::Session,
    facilitator::Backing,
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

/// Shows a session; its amounts only to whom the facilitator lets know them.
pub(in crate::api) async fn show(
    State(app): State<App>,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<ReadQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    match look(&app, id, query, &headers).await {
        Ok((session, amounts, backing)) => Json(view(&session, amounts, backing)).into_response(),
        Err(failure) => failure.answer(),
    }
}

async fn look(
    app: &App,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<ReadQuery>, QueryRejection>,
    headers: &HeaderMap,
) -> Result<(Session, bool, Backing), OpenFailure> {
    let id = named_session(id)?;
    let read = read_request(query, headers)?;
    let (session, amounts) = app.facilitator.session(id, read).await.map_err(OpenFailure::of_use_case)?;
    let backing = app.facilitator.backing(&session).await.map_err(OpenFailure::of_use_case)?;
    Ok((session, amounts, backing))
}
