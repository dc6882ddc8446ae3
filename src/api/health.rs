//! `GET /health`: the process is alive.

use crate::{api::App, facilitator::Supported};
use axum::{Json, extract::State};
use serde::Serialize;

/// The process answers. The members are those of the deployed service.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HealthAnswer {
    ok: bool,
    /// The spender's key, base58.
    address: String,
    network: String,
    token_mint: String,
    version: &'static str,
}

/// What `/health` says; nothing in it changes while the process lives.
pub(super) fn answer(served: &Supported) -> HealthAnswer {
    HealthAnswer {
        ok: true,
        address: served.spender.to_string(),
        network: served.network.alias().to_owned(),
        token_mint: served.asset.to_string(),
        version: env!("CARGO_PKG_VERSION"),
    }
}

/// Liveness.
pub(super) async fn health(State(app): State<App>) -> Json<HealthAnswer> {
    Json(app.health.clone())
}
