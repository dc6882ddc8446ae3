//! `POST /api/sessions/onboard`: what a wallet signs next.

use crate::{
    api::{
        App,
        http::body::Body,
        mpp::{
            onboard_failure::OnboardFailure,
            sign_in::{place, sign_in},
        },
    },
    domain::mpp::{delegation::Renewal, timestamp},
    facilitator::{GrantOffer, OnboardAnswer as Told, OnboardRequest, ToSign},
    wire::mpp::onboard::{
        OnboardAnswer, OnboardBody, OnboardTransaction, RoleDetails, STATUS_NOT_ELIGIBLE, STATUS_READY, STATUS_SIGN,
        STATUS_UNAVAILABLE,
    },
};
use axum::{
    Json,
    extract::State,
    http::{Extensions, HeaderMap},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Tells a wallet what it signs next.
pub(in crate::api) async fn onboard(
    State(app): State<App>,
    extensions: Extensions,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<OnboardAnswer>, OnboardFailure> {
    let bytes = super::onboard_failure::bytes(body)?;
    let body = OnboardBody::read(&bytes)?;
    let sent = sign_in(&headers)?;
    let request = OnboardRequest {
        wallet: body.wallet,
        limit: body.spend_limit,
        ttl: body.ttl,
        deposit: body.deposit,
        seller: body.seller,
        renewal: if body.renew == Some(true) { Renewal::Asked } else { Renewal::WhenNeeded },
    };
    let told = app.facilitator.onboard(&sent, &request, &place(&app, &extensions, &headers)).await;
    Ok(Json(answer(told.map_err(OnboardFailure::of_use_case)?)))
}

fn answer(told: Told) -> OnboardAnswer {
    let nothing = |status: &str, next_step: String| OnboardAnswer {
        status: status.to_owned(),
        next_step: Some(next_step),
        ..OnboardAnswer::default()
    };
    match told {
        Told::Ready(ready) => OnboardAnswer {
            status: STATUS_READY.to_owned(),
            swig_address: Some(ready.account.to_string()),
            role_details: ready.terms.as_ref().map(details),
            role_id: Some(ready.role),
            spend_limit_remaining: Some(ready.remaining.to_string()),
            ..OnboardAnswer::default()
        },
        Told::Sign(to_sign) => signing(to_sign),
        Told::NotEligible { next_step } => nothing(STATUS_NOT_ELIGIBLE, next_step),
        Told::Unavailable { next_step } => nothing(STATUS_UNAVAILABLE, next_step),
    }
}

/// A transaction that its wallet is to sign.
pub(super) fn signing(to_sign: ToSign) -> OnboardAnswer {
    let transaction = OnboardTransaction { kind: to_sign.kind.word().to_owned(), tx: STANDARD.encode(to_sign.wire) };
    OnboardAnswer {
        status: STATUS_SIGN.to_owned(),
        swig_address: Some(to_sign.account.to_string()),
        transactions: Some(vec![transaction]),
        expires_at: Some(timestamp::write(to_sign.until.saturating_mul(1_000))),
        role_details: to_sign.terms.as_ref().map(details),
        role_id: to_sign.role,
        ..OnboardAnswer::default()
    }
}

fn details(terms: &GrantOffer) -> RoleDetails {
    RoleDetails {
        spend_limit_atomic: terms.limit.to_string(),
        ttl_seconds: terms.ttl,
        dexter_session_pubkey: terms.delegate.to_string(),
        programs: vec![terms.program.to_string()],
    }
}
