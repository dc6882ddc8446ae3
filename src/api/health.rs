//! `GET /health`: the process is alive.

use crate::api::App;
use axum::{Json, extract::State};
use serde::Serialize;
use solana_pubkey::Pubkey;

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

/// Who answers; nothing of it changes while the process lives.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The key that is delegate of every session.
    pub spender: Pubkey,
    /// The network by its short name.
    pub network: String,
    /// The mint.
    pub asset: Pubkey,
}

/// What `/health` says of a process.
pub(super) fn answer(identity: Identity) -> HealthAnswer {
    HealthAnswer {
        ok: true,
        address: identity.spender.to_string(),
        network: identity.network,
        token_mint: identity.asset.to_string(),
        version: env!("CARGO_PKG_VERSION"),
    }
}

/// Liveness.
pub(super) async fn health(State(app): State<App>) -> Json<HealthAnswer> {
    Json(app.health.clone())
}
