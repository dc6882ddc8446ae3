//! `POST /pay/getAmount`: encrypts an amount for a single payment. `GET /pay/getAmount`: says how to ask.

use crate::{
    api::{
        App,
        error::PayFailure,
        http::body::{self, Body},
        pay::{of_body, of_query, served},
    },
    wire::pay::{self, AmountAnswer, AmountRequest},
};
use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};

/// The query, each member once; it is read where there is no body.
#[derive(serde::Deserialize)]
pub(in crate::api) struct AmountQuery {
    amount: Option<String>,
    decimals: Option<String>,
}

/// Encrypts an amount that is given in whole tokens.
pub(in crate::api) async fn encrypt(
    State(app): State<App>,
    query: Result<Query<AmountQuery>, QueryRejection>,
    body: Body,
) -> Response {
    match encrypted(&app, query, body) {
        Ok(answer) => Json(answer).into_response(),
        Err(failure) => failure.refused_with(StatusCode::BAD_REQUEST).plain_answer(),
    }
}

fn encrypted(
    app: &App,
    query: Result<Query<AmountQuery>, QueryRejection>,
    body: Body,
) -> Result<AmountAnswer, PayFailure> {
    let bytes = body::pay_body(app, body)?;
    let Query(AmountQuery { amount, decimals }) = query.map_err(|_| of_query(app))?;
    let members = [("amount", amount), ("decimals", decimals)];
    let members: Vec<_> = members.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?))).collect();
    let AmountRequest { amount, written } =
        pay::amount(&bytes, &members, served(app)).map_err(|refused| of_body(app, &refused))?;
    let ciphertext = app.facilitator.encrypt_amount(amount);
    let ciphertext = ciphertext.map_err(|error| PayFailure::of_use_case(error, app.network.alias()))?;
    Ok(AmountAnswer { ciphertext: hex::encode(ciphertext), amount: written, decimals: app.decimals })
}

/// Says how an amount is asked for.
pub(in crate::api) async fn explain(State(app): State<App>) -> Json<Value> {
    Json(json!({
        "use": "POST /pay/getAmount",
        "body": { "amount": "0.29", "decimals": app.decimals },
        "answer": { "ciphertext": "hex", "amount": "0.29", "decimals": app.decimals },
        "next": ["POST /pay/verify", "POST /pay/settle"],
    }))
}
