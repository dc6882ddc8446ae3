//! `POST /pay/verify`.

use crate::{
    api::{
        App,
        error::PayFailure,
        http::body::{self, Body},
        pay::{of_body, served},
    },
    domain::single_payment::SinglePayment,
    wire::{facilitator::VerifyAnswer, pay},
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};

/// Whether the first step of `/pay/settle` would take the signed message now; leaves no trace.
pub(in crate::api) async fn verify(State(app): State<App>, body: Body) -> Response {
    match verify_single(&app, body).await {
        Ok(payment) => Json(answer(&payment)).into_response(),
        Err(failure) => failure.refused_with(StatusCode::BAD_REQUEST).verify_answer(),
    }
}

async fn verify_single(app: &App, body: Body) -> Result<SinglePayment, PayFailure> {
    let bytes = body::pay_body(app, body)?;
    let payment = pay::verify(&bytes, served(app)).map_err(|refused| of_body(app, &refused))?;
    let verified = app.facilitator.verify_single(&payment).await;
    verified.map_err(|error| PayFailure::of_use_case(error, &payment.network))?;
    Ok(payment)
}

fn answer(payment: &SinglePayment) -> VerifyAnswer {
    VerifyAnswer {
        is_valid: true,
        invalid_reason: None,
        invalid_message: None,
        payer: Some(payment.payer.to_string()),
        extensions: None,
    }
}
