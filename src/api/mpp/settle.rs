//! `POST /mpp/settle`: carries out a charge that its buyer has signed.

use crate::{
    api::{App, http::body::Body, mpp::failure::MppFailure},
    domain::addresses::caller_prefix,
    facilitator::{ChargeOrder, SettledCharge},
    wire::mpp::charge::{Landed, SettleAnswer, SettleRequest},
};
use axum::{
    Json,
    extract::State,
    http::{Extensions, HeaderMap},
    response::{IntoResponse as _, Response},
};

/// Takes a signed charge; refusals have the status 200, with which alone the published client keeps their word.
pub(in crate::api) async fn settle(
    State(app): State<App>,
    extensions: Extensions,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let caller = app.rates.caller(&extensions, &headers).map(caller_prefix);
    match settle_charge(&app, caller, body).await {
        Ok(answer) => Json(answer).into_response(),
        Err(failure) => failure.answer(),
    }
}

async fn settle_charge(app: &App, caller: Option<u128>, body: Body) -> Result<SettleAnswer, MppFailure> {
    let request = SettleRequest::read(&super::bytes(body)?)?;
    let order = ChargeOrder {
        transaction: request.transaction,
        recipient: request.recipient,
        amount: request.amount,
        asset: request.asset,
        network: request.network,
        idempotency_key: request.idempotency_key,
    };
    let settled = app.facilitator.settle_charge(&order, caller).await;
    let settled = settled.map_err(|error| MppFailure::of_use_case(error).of_settle())?;
    tracing::info!(signature = %settled.signature, "charge settled");
    Ok(answer(&settled))
}

fn answer(settled: &SettledCharge) -> SettleAnswer {
    let SettledCharge { signature, payer, fee_payer, slot, .. } = *settled;
    let landed = Landed { signature, payer, fee_payer, slot };
    SettleAnswer::new((&settled.recipient, settled.amount, &settled.asset), &landed, &settled.network)
}
