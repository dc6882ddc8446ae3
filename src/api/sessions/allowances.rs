//! `POST /sessions/{id}/allowances`: makes a balance readable for its owner.

use crate::{
    api::{
        App,
        error::OpenFailure,
        http::body::{self, Body},
        sessions::{
            named_session,
            signed_read::{ReadQuery, read_request},
        },
    },
    facilitator::{ReadableBalance, Reader},
    wire::session::{RefreshAnswer, RefreshBody, RefreshFor},
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

/// Makes a balance readable for its owner, who signs the request like a read.
pub(in crate::api) async fn refresh(
    State(app): State<App>,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<ReadQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match make_readable(&app, id, query, &headers, body).await {
        Ok(readable) => Json(RefreshAnswer {
            account: readable.account.to_string(),
            transaction: readable.transaction.map(|signature| signature.to_string()).unwrap_or_default(),
        })
        .into_response(),
        Err(failure) => failure.answer(),
    }
}

async fn make_readable(
    app: &App,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<ReadQuery>, QueryRejection>,
    headers: &HeaderMap,
    body: Body,
) -> Result<ReadableBalance, OpenFailure> {
    let id = named_session(id)?;
    let read = read_request(query, headers)?;
    let body = body::optional_json::<RefreshBody>(body)?.unwrap_or_default();
    let reader = match body.reader {
        RefreshFor::User => Reader::User,
        RefreshFor::Merchant => Reader::Merchant,
    };
    app.facilitator.make_readable(id, reader, read).await.map_err(OpenFailure::of_use_case)
}
