//! The merchant of `dev` and `demo`: one paid route behind the merchant's layer, as anybody would write it.

use crate::merchant::{Paywall, Receipt};
use axum::{Extension, Json, Router, routing::get};
use serde_json::{Value, json};

/// The path that costs something.
pub(super) const ROUTE: &str = "/weather";

/// The merchant's routes; those above the layer are paid, those below are free.
pub(super) fn router(paywall: Paywall) -> Router {
    Router::new().route(ROUTE, get(weather)).layer(paywall).route("/", get(index))
}

/// Runs only when the payment has landed; the receipt says which transaction moved the money.
async fn weather(Extension(receipt): Extension<Receipt>) -> Json<Value> {
    Json(json!({
        "weather": "light clouds; the chain does not show what this call cost",
        "paidBy": receipt.payer,
        "transaction": receipt.transaction,
    }))
}

async fn index() -> Json<Value> {
    Json(json!({ "free": ["/"], "paid": [ROUTE] }))
}
