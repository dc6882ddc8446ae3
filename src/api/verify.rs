//! `POST /verify`.

use crate::{
    api::{
        App,
        error::{self, PayFailure},
        http::body::{self, Body},
    },
    facilitator::Verified,
    wire::facilitator::VerifyAnswer,
};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};

/// Whether `/settle` would accept the payment now; leaves no trace.
pub(super) async fn verify(State(app): State<App>, body: Body) -> Response {
    match verify_payment(&app, body).await {
        Ok(verified) => Json(answer(&verified)).into_response(),
        Err(failure) => failure.verify_answer(),
    }
}

async fn verify_payment(app: &App, body: Body) -> Result<Verified, PayFailure> {
    let payment = body::payment(app, body)?;
    let verified = app.facilitator.verify(&payment).await;
    verified.map_err(|error| PayFailure::of_use_case(error, payment.network()))
}

fn answer(verified: &Verified) -> VerifyAnswer {
    VerifyAnswer {
        is_valid: true,
        invalid_reason: None,
        invalid_message: None,
        payer: Some(verified.payer.to_string()),
        extensions: Some(error::session_extension(&verified.session)),
    }
}
