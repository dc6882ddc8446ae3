//! `POST /pay/settle`: in the first step gives the payer what they are to sign, in the second carries it out.

use crate::{
    api::{
        App,
        error::PayFailure,
        http::body::{self, Body},
        pay::{of_body, served},
    },
    domain::{addresses::caller_prefix, single_payment::SinglePayment},
    facilitator::SingleReceipt,
    wire::{
        facilitator::{AnswerExtensions, SettleAnswer},
        pay::{self, Settling, UnsignedAnswer},
    },
};
use axum::{
    Json,
    extract::State,
    http::{Extensions, HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, json};

/// Takes a signed message or a signed transaction.
pub(in crate::api) async fn settle(
    State(app): State<App>,
    extensions: Extensions,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let caller = app.rates.caller(&extensions, &headers).map(caller_prefix);
    match settle_single(&app, caller, body).await {
        Ok(response) => response,
        Err(failure) => failure.refused_with(StatusCode::BAD_REQUEST).settle_answer(),
    }
}

async fn settle_single(app: &App, caller: Option<u128>, body: Body) -> Result<Response, PayFailure> {
    let bytes = body::pay_body(app, body)?;
    match pay::settle(&bytes, served(app)).map_err(|refused| of_body(app, &refused))? {
        Settling::Authorization(payment) => Ok(Json(offer(app, &payment, caller).await?).into_response()),
        Settling::Transaction { completion, network } => {
            let receipt = app.facilitator.pay_single(&completion).await;
            let receipt = receipt.map_err(|error| PayFailure::of_use_case(error, &network))?;
            tracing::info!(transaction = %receipt.transaction, "single payment settled");
            Ok(Json(answer(receipt, network)).into_response())
        }
    }
}

async fn offer(app: &App, payment: &SinglePayment, caller: Option<u128>) -> Result<UnsignedAnswer, PayFailure> {
    let offered = app.facilitator.offer_single(payment, caller).await;
    let offered = offered.map_err(|error| PayFailure::of_use_case(error, &payment.network))?;
    Ok(UnsignedAnswer {
        success: false,
        network: payment.network.clone(),
        requires_payer_signature: true,
        unsigned_transaction: STANDARD.encode(offered.wire),
    })
}

fn answer(receipt: SingleReceipt, network: String) -> SettleAnswer {
    // Who relays a transaction may not have stated whom it has to pay, and compares it here.
    let told = json!({
        "funding": receipt.funding.word(),
        "payTo": receipt.recipient.to_string(),
        "asset": receipt.asset.to_string(),
    });
    // As `extensions.session`: by its members, and in the form without which some packages refuse a whole answer.
    let mut pay = told.clone();
    pay["info"] = told;
    pay["schema"] = json!({ "type": "object" });
    SettleAnswer {
        success: true,
        transaction: receipt.transaction.to_string(),
        network,
        payer: Some(receipt.payer.to_string()),
        amount: Some(receipt.amount.to_string()),
        error_reason: None,
        error_message: None,
        extensions: Some(AnswerExtensions { session: None, others: Map::from_iter([("pay".to_owned(), pay)]) }),
    }
}
