//! `POST /api/sessions/onboard/confirm`: what a wallet has signed.

use crate::{
    api::{
        App,
        http::body::Body,
        mpp::{
            onboard_failure::{self, OnboardFailure},
            sign_in::{place, sign_in},
        },
    },
    domain::mpp::delegation::IssuedKind,
    facilitator::{ConfirmRequest, Confirmed},
    wire::mpp::onboard::{ConfirmAnswer, ConfirmBody, STATUS_LEFT, STATUS_PENDING, STATUS_READY},
};
use axum::{
    Json,
    extract::State,
    http::{Extensions, HeaderMap},
};

/// Takes a signed transaction.
pub(in crate::api) async fn confirm(
    State(app): State<App>,
    extensions: Extensions,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ConfirmAnswer>, OnboardFailure> {
    let bytes = onboard_failure::bytes(body)?;
    let ConfirmBody { wallet, transactions } = ConfirmBody::read(&bytes)?;
    let sent = sign_in(&headers)?;
    let request = ConfirmRequest { wallet, transactions };
    let confirmed = app.facilitator.confirm_onboarding(&sent, &request, &place(&app, &extensions, &headers)).await;
    let confirmed = confirmed.map_err(OnboardFailure::of_use_case)?;
    tracing::info!(transaction = %confirmed.transaction, step = confirmed.kind.word(), "a wallet's step has landed");
    Ok(Json(answer(&confirmed)))
}

fn answer(confirmed: &Confirmed) -> ConfirmAnswer {
    let status = match confirmed.kind {
        IssuedKind::Leave => STATUS_LEFT,
        _ if confirmed.is_active => STATUS_READY,
        _ => STATUS_PENDING,
    };
    ConfirmAnswer {
        status: status.to_owned(),
        swig_address: confirmed.account.to_string(),
        role_id: confirmed.role.unwrap_or(0),
        onboard_tx_signatures: vec![confirmed.transaction.to_string()],
        spend_limit_remaining: confirmed.remaining.map(|remaining| remaining.to_string()),
    }
}
