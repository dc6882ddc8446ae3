//! `GET /openapi.json`: what this API is, for programs.

use axum::{
    http::header::CONTENT_TYPE,
    response::{IntoResponse as _, Response},
};

/// The document of this build: what `tests/it/openapi.rs` holds against the routes.
const DOCUMENT: &str = include_str!("../../docs/openapi.json");

/// The document, as it stands in `docs/openapi.json`.
pub(super) async fn document() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}
