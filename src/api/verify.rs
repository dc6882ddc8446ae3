//! `POST /verify`.

use crate::{
    api::{
        App,
        error::{self, PayFailure},
        http::body::{self, Body},
    },
    domain::{payment::Payment, reason::PayReason},
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
    let Payment::Session(of_session) = &payment;
    app.rates.take_verification(of_session.session).map_err(|seconds| too_often(payment.network(), seconds))?;
    let verified = app.facilitator.verify(&payment).await;
    verified.map_err(|error| PayFailure::of_use_case(error, payment.network()))
}

/// A session is verified for its merchant's calls, and watched by whoever knows its id: so often and no more.
fn too_often(network: &str, seconds: u64) -> PayFailure {
    let detail = "Too many verifications of this session; repeat after Retry-After.";
    PayFailure::new(PayReason::TooManyRequests, detail, network).again_in(Some(seconds))
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
