//! `GET /sessions/{id}`: shows a session.

use crate::{
    api::{
        App,
        error::SessionFailure,
        sessions::{Amounts, SessionPath, SignedRead, view},
    },
    wire::session::SessionView,
};
use axum::{Json, extract::State};

/// Shows a session; its amounts only to a reader who may know them.
pub(in crate::api) async fn show(
    State(app): State<App>,
    SessionPath(id): SessionPath,
    SignedRead(read): SignedRead,
) -> Result<Json<SessionView>, SessionFailure> {
    let (session, amounts) = app.facilitator.session(id, read).await.map_err(SessionFailure::of_use_case)?;
    let backing = app.facilitator.backing(&session).await.map_err(SessionFailure::of_use_case)?;
    let amounts = if amounts { Amounts::Shown } else { Amounts::Hidden };
    Ok(Json(view(&session, amounts, backing)))
}
