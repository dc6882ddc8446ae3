//! `POST /sessions`: opens a session.

use crate::{
    api::{
        App,
        error::SessionFailure,
        http::body::{self, Body},
        sessions::{Amounts, view},
    },
    facilitator::{ApproveSource, OpenRequest},
    wire::{
        opening::{Approve, Opening},
        session::SessionView,
    },
};
use axum::{Json, extract::State, http::StatusCode};

/// Opens a session; 201 with amounts, because the request carries the user's signature over the cap. Without what is free of the
/// approve: whoever had the wallet sign the request may send it, and again at any time.
pub(in crate::api) async fn open(
    State(app): State<App>,
    body: Body,
) -> Result<(StatusCode, Json<SessionView>), SessionFailure> {
    let request = request(body::opening(body)?);
    let session = app.facilitator.open_session(request).await.map_err(SessionFailure::of_use_case)?;
    tracing::Span::current().record("session", session.id.log_hash());
    tracing::info!("session opened");
    let backing = app.facilitator.backing(&session).await.map_err(SessionFailure::of_use_case)?;
    Ok((StatusCode::CREATED, Json(view(&session, Amounts::Shown, backing))))
}

fn request(opening: Opening) -> OpenRequest {
    let Opening { user, asset, recipient, cap, expires_at, network, approve, intent, funding } = opening;
    let approve = match approve {
        Approve::Transaction(base64) => ApproveSource::Transaction(base64),
        Approve::Landed(signature) => ApproveSource::Landed(signature),
    };
    OpenRequest { user, asset, recipient, cap, expires_at, network, approve, intent, funding }
}
