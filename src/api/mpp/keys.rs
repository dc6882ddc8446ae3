//! `GET /mpp/keys`: whose signatures count, and what is taken.

use crate::{
    api::{App, mpp::failure::MppFailure},
    facilitator::MppKeys,
    wire::mpp::keys::KeysAnswer,
};
use axum::{Json, extract::State};

/// Tells the keys.
pub(in crate::api) async fn keys(State(app): State<App>) -> Result<Json<KeysAnswer>, MppFailure> {
    Ok(Json(answer(&app.facilitator.mpp_keys().map_err(MppFailure::of_use_case)?)))
}

fn answer(keys: &MppKeys) -> KeysAnswer {
    let network = keys.network.accepted().first().map_or(keys.network.chain_id(), String::as_str);
    KeysAnswer {
        issuer: keys.issuer.to_string(),
        network: network.to_owned(),
        chain_id: keys.network.chain_id().to_owned(),
        mint: keys.asset.mint.to_string(),
        decimals: keys.asset.decimals,
        token_program: keys.asset.token_program.to_string(),
        fee_payers: keys.fee_payers.iter().map(ToString::to_string).collect(),
        channel_programs: keys.channel_programs.iter().map(ToString::to_string).collect(),
        min_deposit_atomic: keys.min_deposit.to_string(),
        min_amount: keys.min_amount.to_string(),
    }
}
