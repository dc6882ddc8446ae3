//! `POST /sessions/{id}/allowances`: makes a balance readable for its owner.

use crate::{
    api::{
        App,
        error::SessionFailure,
        http::body::{self, Body},
        sessions::{SessionPath, SignedRead},
    },
    facilitator::Reader,
    wire::session::{RefreshAnswer, RefreshBody, RefreshFor},
};
use axum::{Json, extract::State};

/// Makes a balance readable for its owner, who signs the request like a read.
pub(in crate::api) async fn refresh(
    State(app): State<App>,
    SessionPath(id): SessionPath,
    SignedRead(read): SignedRead,
    body: Body,
) -> Result<Json<RefreshAnswer>, SessionFailure> {
    let body = body::optional_json::<RefreshBody>(body)?.unwrap_or_default();
    let reader = match body.reader {
        RefreshFor::User => Reader::User,
        RefreshFor::Merchant => Reader::Merchant,
    };
    let readable = app.facilitator.make_readable(id, reader, read).await.map_err(SessionFailure::of_use_case)?;
    Ok(Json(RefreshAnswer {
        account: readable.account.to_string(),
        transaction: readable.transaction.map(|signature| signature.to_string()).unwrap_or_default(),
    }))
}
