//! `GET /api/sessions/onboard/status`: how a wallet's delegation stands.

use crate::{
    api::{
        App,
        mpp::{
            onboard_failure::OnboardFailure,
            sign_in::{place, sign_in},
        },
    },
    domain::mpp::timestamp,
    facilitator::DelegationStatus,
    wire::mpp::onboard::{STATUS_NOT_ONBOARDED, StatusAnswer, query_wallet},
};
use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::{Extensions, HeaderMap},
};
use serde::Deserialize;
use solana_pubkey::Pubkey;

/// The query; the vendor's pages name the wallet in two ways.
#[derive(Debug, Default, Deserialize)]
pub(in crate::api) struct Asked {
    buyer_wallet: Option<String>,
    wallet: Option<String>,
}

/// Tells a wallet how its delegation stands.
pub(in crate::api) async fn status(
    State(app): State<App>,
    extensions: Extensions,
    headers: HeaderMap,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<StatusAnswer>, OnboardFailure> {
    let Asked { buyer_wallet, wallet } = asked.map(|Query(asked)| asked).unwrap_or_default();
    let wallet = query_wallet(buyer_wallet.or(wallet).as_deref())?;
    let sent = sign_in(&headers)?;
    let told = app.facilitator.onboard_status(&sent, wallet, &place(&app, &extensions, &headers)).await;
    Ok(Json(answer(&wallet, told.map_err(OnboardFailure::of_use_case)?.as_ref())))
}

fn answer(wallet: &Pubkey, told: Option<&DelegationStatus>) -> StatusAnswer {
    StatusAnswer {
        buyer_wallet: wallet.to_string(),
        swig_address: told.map(|told| told.account.to_string()),
        role_id: told.and_then(|told| told.role),
        status: told.map_or(STATUS_NOT_ONBOARDED, |told| told.standing.word()).to_owned(),
        spend_limit_atomic: told.and_then(|told| told.limit).map(|limit| limit.to_string()),
        role_expires_at: told.and_then(|told| told.expires_at).map(|at| timestamp::write(at.saturating_mul(1_000))),
        spend_limit_remaining: told.and_then(|told| told.remaining).map(|remaining| remaining.to_string()),
        backend: told.map(|told| told.backend.word().to_owned()),
    }
}
