//! `POST /sessions`: opens a session.

use crate::{
    api::{
        App,
        error::OpenFailure,
        http::body::{self, Body},
        sessions::view,
    },
    domain::session::Session,
    facilitator::{ApproveSource, Backing, OpenRequest},
    wire::opening::{Approve, Opening},
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};

/// Opens a session; 201 with amounts, because the request carries the user's signature over the cap.
pub(in crate::api) async fn open(State(app): State<App>, body: Body) -> Response {
    match ask(&app, body).await {
        Ok((session, backing)) => (StatusCode::CREATED, Json(view(&session, true, backing))).into_response(),
        Err(failure) => failure.answer(),
    }
}

async fn ask(app: &App, body: Body) -> Result<(Session, Backing), OpenFailure> {
    let request = request(body::opening(body)?);
    let session = app.facilitator.open_session(request).await.map_err(OpenFailure::of_use_case)?;
    tracing::Span::current().record("session", session.id.log_hash());
    tracing::info!("session opened");
    let backing = app.facilitator.backing(&session).await.map_err(OpenFailure::of_use_case)?;
    Ok((session, backing))
}

fn request(opening: Opening) -> OpenRequest {
    let Opening { user, asset, recipient, cap, expires_at, network, approve, intent, funding } = opening;
    let approve = match approve {
        Approve::Transaction(base64) => ApproveSource::Transaction(base64),
        Approve::Landed(signature) => ApproveSource::Landed(signature),
    };
    OpenRequest { user, asset, recipient, cap, expires_at, network, approve, intent, funding }
}
