//! `POST /api/sessions/leave`: what a wallet signs to take everything back.

use crate::{
    api::{
        App,
        http::body::Body,
        mpp::{
            onboard::signing,
            onboard_failure::{self, OnboardFailure},
            sign_in::sign_in,
        },
    },
    wire::mpp::onboard::{OnboardAnswer, leave_body},
};
use axum::{Json, extract::State, http::HeaderMap};

/// Tells a wallet what it signs.
pub(in crate::api) async fn leave(
    State(app): State<App>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<OnboardAnswer>, OnboardFailure> {
    let wallet = leave_body(&onboard_failure::bytes(body)?)?;
    let to_sign = app.facilitator.leave_mpp(&sign_in(&headers)?, wallet).await;
    Ok(Json(signing(to_sign.map_err(OnboardFailure::of_use_case)?)))
}
