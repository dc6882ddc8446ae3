//! The merchant of `dev` and `demo`: paid routes behind the merchant's layers, as anybody would write them.

use crate::merchant::{
    Paywall, Receipt,
    mpp::{MppWall, SessionWall, session::Paid},
};
use axum::{Extension, Json, Router, routing::get};
use serde_json::{Value, json};

/// The path that costs something, settled per call.
pub(super) const ROUTE: &str = "/weather";
/// The path that costs as much, settled later together with others.
pub(super) const DEFERRED_ROUTE: &str = "/weather/deferred";
/// The path that costs a charge of the Machine Payments Protocol.
pub(super) const CHARGE_ROUTE: &str = "/mpp/weather";
/// The path of which each request costs a voucher of a channel.
pub(super) const STREAM_ROUTE: &str = "/mpp/stream";

/// What a merchant sells who is paid by x402 alone.
pub(super) const PAID_BY_X402: [&str; 2] = [ROUTE, DEFERRED_ROUTE];
/// What a merchant sells who is paid in cash, too.
pub(super) const PAID: [&str; 4] = [ROUTE, DEFERRED_ROUTE, CHARGE_ROUTE, STREAM_ROUTE];

/// What a charge is, in tokens of cash.
pub(super) const CHARGE_PRICE: &str = "0.01";
/// What a voucher adds, in tokens of cash.
pub(super) const VOUCHER_PRICE: &str = "0.001";

/// What stands before the routes that are paid in cash.
pub(super) struct CashWalls {
    /// Before the one that costs a charge.
    pub(super) charges: MppWall,
    /// Before the one that costs vouchers.
    pub(super) vouchers: SessionWall,
}

/// The merchant's routes of x402, each behind its own paywall.
pub(super) fn router(per_call: Paywall, deferred: Paywall) -> Router {
    let paid = Router::new().route(ROUTE, get(weather)).layer(per_call);
    let later = Router::new().route(DEFERRED_ROUTE, get(weather)).layer(deferred);
    paid.merge(later)
}

/// The merchant's routes of the Machine Payments Protocol.
pub(super) fn cash_router(walls: CashWalls) -> Router {
    let charged = Router::new().route(CHARGE_ROUTE, get(forecast)).layer(walls.charges);
    let streamed = Router::new().route(STREAM_ROUTE, get(part)).layer(walls.vouchers);
    charged.merge(streamed)
}

/// The free route, which names what is paid.
pub(super) fn index(paid: &'static [&'static str]) -> Router {
    Router::new().route("/", get(move || async move { Json(json!({ "free": ["/"], "paid": paid })) }))
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

/// Runs only when the charge has landed.
async fn forecast(Extension(receipt): Extension<Receipt>) -> Json<Value> {
    Json(json!({
        "weather": "light clouds; everybody can see what this call cost",
        "paidBy": receipt.payer,
        "transaction": receipt.transaction,
    }))
}

/// Runs only when the voucher is remembered, so that it is served for once.
async fn part(Extension(paid): Extension<Paid>) -> Json<Value> {
    Json(json!({
        "part": paid.voucher.sequence,
        "paidBy": paid.voucher.payer,
        "owed": paid.voucher.cumulative_amount.to_string(),
    }))
}
