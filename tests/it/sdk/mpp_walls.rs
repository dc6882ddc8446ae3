//! What the layers of charges and vouchers sell, and what they leave to the application.

use super::{
    mpp_refusals::{challenge, offer, paying, prepared, seller, settled},
    mpp_sessions::{pinned, selling as session_of, voucher},
    paywall::{self, text},
    stand_in::{StandIn, json},
};
use axum::{Extension, Router, body::Body, http::HeaderMap, routing::get};
use http::{Request, Response};
use serde_json::Value;
use sotto::{
    merchant::{
        FacilitatorClient, Gate, Paywall,
        mpp::{MemoryStore, MppWall, SessionGate, SessionWall, session::Paid},
    },
    wire::mpp::session_challenge::SessionChallenge,
};
use std::sync::Arc;
use tower::ServiceExt as _;

async fn ask(router: &Router, method: &str, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
    let request = Request::builder().method(method).uri(path);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

fn selling(wall: SessionWall) -> Router {
    let paid = |headers: HeaderMap, Extension(paid): Extension<Paid>| async move {
        assert!(!headers.contains_key("x-mpp-voucher"), "no handler sees a voucher");
        paid.amount.to_string()
    };
    Router::new().route("/stream/{part}", get(paid)).route("/free", get(|| async { "free" })).layer(wall)
}

#[tokio::test]
async fn vouchers_open_what_is_sold_and_nothing_else() {
    let shop = selling(SessionWall::new(session_of(pinned()), "GET /stream/{part}").unwrap());
    for (method, path, status) in [
        ("GET", "/free", 200),
        ("GET", "/stream/1", 402),
        ("HEAD", "/stream/1", 402),
        ("POST", "/stream/1", 405),
        ("GET", "/stream/1/", 404),
        ("GET", "//stream/1", 404),
    ] {
        assert_eq!(ask(&shop, method, path, &[]).await.status(), status, "{method} {path}");
    }
    let told: SessionChallenge = serde_json::from_str(&text(ask(&shop, "GET", "/stream/1", &[]).await).await).unwrap();
    assert_eq!((told.kind.as_str(), told.price_per_unit.as_str()), ("mpp-session", "10000"));

    let first = voucher(10_000, 1, "n");
    let response = ask(&shop, "GET", "/stream/1", &[("x-mpp-voucher", &first)]).await;
    assert_eq!(response.status(), 200);
    assert!(response.headers()["vary"].to_str().unwrap().contains("x-mpp-voucher"));
    assert!(response.headers()["cache-control"].to_str().unwrap().contains("private"));
    assert_eq!(text(response).await, "10000");
    let second = voucher(25_000, 2, "n");
    for (headers, expected) in [
        (&[("x-mpp-voucher", &*first)][..], "amount_not_monotonic"),
        (&[("x-mpp-voucher", "{")], "malformed_voucher"),
        (&[("x-mpp-voucher", &*second), ("x-mpp-voucher", &*second)], "malformed_voucher"),
    ] {
        let response = ask(&shop, "GET", "/stream/1", headers).await;
        assert_eq!(response.status(), 402);
        let body: Value = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(body, serde_json::json!({ "error": expected }));
    }
    assert_eq!(text(ask(&shop, "GET", "/stream/1", &[("x-mpp-voucher", &second)]).await).await, "15000");
}

#[tokio::test]
async fn the_seller_says_how_many_units_a_request_costs() {
    let shop = selling(SessionWall::new(session_of(pinned()), "GET /stream/{part}").unwrap().units(2));
    let response = ask(&shop, "GET", "/stream/1", &[("x-mpp-voucher", &voucher(10_000, 1, "n"))]).await;
    assert_eq!(
        (response.status().as_u16(), &*text(response).await),
        (402, "{\"error\":\"underpaid: expected at least 20000, got 10000\"}")
    );
    let response = ask(&shop, "GET", "/stream/1", &[("x-mpp-voucher", &voucher(20_000, 1, "n"))]).await;
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn what_cannot_be_remembered_is_not_served_and_no_402() {
    let full = SessionGate::new(pinned(), Arc::new(MemoryStore::new(0))).unwrap();
    let shop = selling(SessionWall::new(full, "GET /stream/{part}").unwrap());
    let response = ask(&shop, "GET", "/stream/1", &[("x-mpp-voucher", &voucher(10_000, 1, "n"))]).await;
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(text(response).await, "{\"error\":\"too_many_channels\"}");
}

#[tokio::test]
async fn a_page_of_another_origin_may_pay_by_charges_and_vouchers() {
    let facilitator = StandIn::answering(vec![prepared()]).await;
    let charges = MppWall::new(seller(&facilitator.url), Gate::new("GET /weather", offer(10_000)).unwrap());
    let shop = selling(SessionWall::new(session_of(pinned()), "GET /stream/{part}").unwrap());
    let weather = Router::new().route("/weather", get(|| async { "sunny" })).layer(charges);
    for (shop, path) in [(shop, "/stream/1"), (weather, "/weather")] {
        let from = ("origin", "https://page.example");
        let preflight = ask(&shop, "OPTIONS", path, &[from, ("access-control-request-method", "GET")]).await;
        assert_eq!(preflight.status(), 204, "{path}");
        let sent = preflight.headers()["access-control-allow-headers"].to_str().unwrap();
        assert!(sent.contains("authorization") && sent.contains("x-mpp-voucher"), "{sent}");
        let asked = ask(&shop, "GET", path, &[from]).await;
        assert_eq!(
            (asked.status().as_u16(), &asked.headers()["access-control-allow-origin"]),
            (402, &"*".parse().unwrap())
        );
        let read = asked.headers()["access-control-expose-headers"].to_str().unwrap();
        assert!(read.contains("WWW-Authenticate") && read.contains("Payment-Receipt"), "{read}");
    }
}

/// A request without a credential is the other paywall's, and only for what both sell.
#[tokio::test]
async fn x402_and_charges_sell_one_route_beside_each_other() {
    let mpp = StandIn::answering(vec![prepared()]).await;
    let x402 = StandIn::answering(vec![json(200, &paywall::settled())]).await;
    let client = FacilitatorClient::new(&x402.url).unwrap();
    let gate = Gate::new("GET /weather", offer(10_000)).unwrap().also_sells("GET /dear").unwrap();
    let other = Paywall::new(client, Gate::new("GET /weather", paywall::offer()).unwrap());
    let wall = MppWall::new(seller(&mpp.url), gate).or_pay_by(other);
    let sunny = || get(|| async { "sunny" });
    let shop = Router::new().route("/weather", sunny()).route("/dear", sunny()).layer(wall);
    let both = ask(&shop, "GET", "/weather", &[]).await;
    assert!(both.headers().contains_key("payment-required"));
    assert_eq!(challenge(&both).realm, "shop.example");
    let paid = shop.clone().oneshot(paywall::paid()).await.unwrap();
    assert_eq!(paid.status(), 200);
    assert!(paid.headers().contains_key("payment-response") && !paid.headers().contains_key("www-authenticate"));
    let dear = ask(&shop, "GET", "/dear", &[]).await;
    assert!(!dear.headers().contains_key("payment-required"), "what the other does not sell is not let past");
    assert_eq!(challenge(&dear).realm, "shop.example");
    assert_eq!(x402.asked().len(), 1);
}

/// Guards: `Taken`, `Paid`. A cheap layer around a dear one opens nothing, and says whose fault that is.
#[tokio::test]
async fn what_one_layer_takes_opens_no_other_ones_dear_route() {
    let asks = StandIn::answering(vec![prepared()]).await;
    let mpp = StandIn::answering(vec![settled(None)]).await;
    for (inner_price, status) in [(10_000, 200), (5_000_000, 500)] {
        let wall = |route: &str, price| MppWall::new(seller(&mpp.url), Gate::new(route, offer(price)).unwrap());
        let routes = Router::new().route("/dear", get(|| async { "dear" })).layer(wall("GET /dear", inner_price));
        let shop = routes.layer(wall("GET /{*path}", 10_000));
        let credential = paying(seller(&asks.url).challenge(&offer(10_000)).await.unwrap()).header();
        let response = ask(&shop, "GET", "/dear", &[("authorization", &credential)]).await;
        assert_eq!(response.status(), status, "{inner_price}");
    }
    let session = || SessionWall::new(session_of(pinned()), "GET /stream/{part}").unwrap();
    let shop = selling(session()).layer(session());
    assert_eq!(ask(&shop, "GET", "/stream/1", &[("x-mpp-voucher", &voucher(10_000, 1, "n"))]).await.status(), 500);
}
