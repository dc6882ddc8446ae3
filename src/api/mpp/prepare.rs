//! `POST /mpp/prepare`: what a buyer's transaction has to be built with.

use crate::{
    api::{App, http::body::Body, mpp::failure::MppFailure},
    facilitator::PreparedCharge,
    wire::mpp::charge::{PrepareAnswer, PrepareRequest},
};
use axum::{Json, extract::State};

/// Tells a seller what a challenge needs.
pub(in crate::api) async fn prepare(State(app): State<App>, body: Body) -> Result<Json<PrepareAnswer>, MppFailure> {
    let bytes = super::bytes(body)?;
    // The published client sends an object, and curl nothing at all.
    let request = if bytes.is_empty() { PrepareRequest::default() } else { PrepareRequest::read(&bytes)? };
    let prepared = app.facilitator.prepare_charge(request.network.as_deref()).await;
    Ok(Json(answer(prepared.map_err(MppFailure::of_use_case)?)))
}

fn answer(prepared: PreparedCharge) -> PrepareAnswer {
    let blockhash = prepared.blockhash.to_string();
    PrepareAnswer {
        fee_payer: prepared.fee_payer.to_string(),
        recent_blockhash: blockhash.clone(),
        blockhash,
        last_valid_block_height: prepared.last_valid_block_height,
        network: prepared.network,
        spl_token: prepared.asset.mint.to_string(),
        decimals: prepared.asset.decimals,
        token_program: prepared.asset.token_program.to_string(),
    }
}
