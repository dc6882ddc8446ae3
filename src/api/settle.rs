//! `POST /settle`.

use crate::{
    api::{
        App,
        error::{self, PayFailure},
        http::body::{self, Body},
    },
    facilitator::Receipt,
    wire::facilitator::SettleAnswer,
};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};

/// Carries a payment out; runs every check of `/verify` by itself.
pub(super) async fn settle(State(app): State<App>, body: Body) -> Response {
    match settle_payment(&app, body).await {
        Ok(receipt) => Json(answer(receipt)).into_response(),
        Err(failure) => failure.refused_with(app.refused_settlement).settle_answer(),
    }
}

async fn settle_payment(app: &App, body: Body) -> Result<Receipt, PayFailure> {
    let payment = body::payment(app, body)?;
    let receipt = app.facilitator.settle(&payment).await;
    receipt
        .inspect(|receipt| {
            if let Some(transaction) = receipt.transaction {
                tracing::info!(%transaction, "payment settled");
            } else {
                // A decision, not a change on chain: there may be thousands in a second.
                tracing::debug!("payment held");
            }
        })
        .map_err(|error| PayFailure::of_use_case(error, payment.network()))
}

fn answer(receipt: Receipt) -> SettleAnswer {
    let extensions = error::session_extension(&receipt.session);
    SettleAnswer {
        success: true,
        transaction: receipt.transaction.map(|signature| signature.to_string()).unwrap_or_default(),
        payer: Some(receipt.payer.to_string()),
        amount: Some(receipt.amount.to_string()),
        error_reason: None,
        error_message: None,
        extensions: Some(match &receipt.signed {
            Some(signed) => extensions.with_receipt(signed),
            None => extensions,
        }),
        network: receipt.network,
    }
}
