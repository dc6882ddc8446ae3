//! The merchant of `dev` and `demo`: paid routes behind the merchant's layer, as anybody would write them.

use crate::merchant::{Paywall, Receipt};
use axum::{Extension, Json, Router, routing::get};
use serde_json::{Value, json};

/// The path that costs something, settled per call.
pub(super) const ROUTE: &str = "/weather";
/// The path that costs as much, settled later together with others.
pub(super) const DEFERRED_ROUTE: &str = "/weather/deferred";

/// The merchant's routes, each behind its own paywall.
pub(super) fn router(per_call: Paywall, deferred: Paywall) -> Router {
    let paid = Router::new().route(ROUTE, get(weather)).layer(per_call);
    let later = Router::new().route(DEFERRED_ROUTE, get(weather)).layer(deferred);
    paid.merge(later).route("/", get(index))
}

/// Runs only when the payment has landed or, on the deferred route, is durably held; the receipt says which transaction
/// moved the money, or under which id that can be asked for.
async fn weather(Extension(receipt): Extension<Receipt>) -> Json<Value> {
    Json(json!({
        "weather": "light clouds; the chain does not show what this call cost",
        "paidBy": receipt.payer,
        "transaction": receipt.transaction,
        "payment": receipt.payment(),
        "held": receipt.is_held(),
    }))
}

async fn index() -> Json<Value> {
    Json(json!({ "free": ["/"], "paid": [ROUTE, DEFERRED_ROUTE] }))
}
