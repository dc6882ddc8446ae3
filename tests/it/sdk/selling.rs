//! What a paywall sells, and what it leaves to the application.

use super::{
    paywall::{offer, paid, payload, receipt, settled, text},
    stand_in::{StandIn, json},
};
use axum::{Router, body::Body, routing::get};
use http::Request;
use serde_json::json as value;
use solana_pubkey::Pubkey;
use sotto::{
    merchant::{FacilitatorClient, Flow, Gate, Offer, Paywall, Price},
    wire::header,
};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};
use tower::ServiceExt as _;

/// What stands around the paid route, in every order in which people write it.
fn arrangements(paywall: &Paywall) -> [(&'static str, Router); 6] {
    let sunny = || get(|| async { "sunny" });
    let free = || get(|| async { "free" });
    let routes = || Router::new().route("/weather", sunny()).route("/free", free());
    [
        ("the route", Router::new().route("/weather", sunny().layer(paywall.clone())).route("/free", free())),
        (
            "the route's methods",
            Router::new().route("/weather", sunny().route_layer(paywall.clone())).route("/free", free()),
        ),
        ("a router", routes().layer(paywall.clone())),
        ("a router's routes", routes().route_layer(paywall.clone())),
        ("an application with a fallback", routes().fallback(|| async { "fallback" }).layer(paywall.clone())),
        (
            "one of two routers",
            Router::new().route("/weather", sunny()).layer(paywall.clone()).merge(Router::new().route("/free", free())),
        ),
    ]
}

/// FR-3. Nobody is charged for what is not sold, whatever the paywall stands around.
#[tokio::test]
async fn only_what_is_sold_is_charged() {
    let facilitator = StandIn::answering(vec![json(200, &settled())]).await;
    let gate = Gate::new("GET /weather", offer()).unwrap();
    let paywall = Paywall::new(FacilitatorClient::new(&facilitator.url).unwrap(), gate);
    for (around, router) in arrangements(&paywall) {
        let ask = async |method: &str, path: &str| {
            let header = header::encode(&payload()).unwrap();
            let request = Request::builder().method(method).uri(path).header("payment-signature", header);
            let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            (response.status().as_u16(), response.headers().clone())
        };
        for path in ["/weather/", "//weather", "/we%61ther", "/./weather"] {
            assert_eq!(ask("GET", path).await.0, 404, "{around}: {path}");
        }
        for method in ["POST", "DELETE", "PUT"] {
            assert_eq!(ask(method, "/weather").await.0, 405, "{around}: {method}");
        }
        let (status, headers) = ask("HEAD", "/weather").await;
        assert_eq!((status, headers.contains_key("payment-required")), (402, true), "{around}: HEAD costs nothing");
        let (status, headers) = ask("GET", "/nosuch").await;
        assert!(matches!((around, status), ("an application with a fallback", 200) | (_, 404)), "{around}: {status}");
        assert!(!headers.contains_key("payment-required"), "{around}: no price for a typing error");
        let (status, headers) = ask("GET", "/free").await;
        assert_eq!(status, 200, "{around}");
        assert!(
            !headers.keys().any(|name| name.as_str().starts_with("access-control")),
            "{around}: free routes are as they were"
        );
        assert!(facilitator.asked().is_empty(), "{around}: {:?}", facilitator.asked());
    }
    for (around, router) in arrangements(&paywall) {
        let before = facilitator.asked().len();
        assert_eq!(router.oneshot(paid()).await.unwrap().status(), 200, "{around}");
        assert_eq!(facilitator.asked().len(), before + 1, "{around}: what is sold is charged once");
    }
}

/// Guard: `Others::Refused`. A gate that forgot a path of its router does not give it away.
#[tokio::test]
async fn a_closed_paywall_serves_nothing_but_what_it_sells() {
    let facilitator = StandIn::answering(vec![json(200, &settled())]).await;
    let gate = Gate::new("GET /weather", offer()).unwrap().closed();
    let paywall = Paywall::new(FacilitatorClient::new(&facilitator.url).unwrap(), gate);
    let sunny = || get(|| async { "sunny" });
    let router = Router::new().route("/weather", sunny()).route("/weather/{city}", sunny()).layer(paywall);
    let forgotten = Request::get("/weather/Bern").body(Body::empty()).unwrap();
    assert_eq!(router.clone().oneshot(forgotten).await.unwrap().status(), 404);
    assert!(facilitator.asked().is_empty());
    assert_eq!(router.oneshot(paid()).await.unwrap().status(), 200);
}

/// Guard: `Terms::serve_within`. Of two paywalls around one handler the outer one is paid, and nobody is charged twice or sent away.
#[tokio::test]
async fn two_paywalls_around_one_handler_charge_once() {
    let facilitator = StandIn::answering(vec![json(200, &settled())]).await;
    let paywall = || {
        let client = FacilitatorClient::new(&facilitator.url).unwrap();
        Paywall::new(client, Gate::new("GET /weather", offer()).unwrap())
    };
    let router = Router::new().route("/weather", get(|| async { "sunny" })).layer(paywall()).layer(paywall());
    let served = router.oneshot(paid()).await.unwrap();
    assert_eq!((served.status().as_u16(), receipt(&served).is_some()), (200, true));
    assert_eq!(facilitator.asked().len(), 1, "charged once");
}

/// What stands further in than the paywall that takes [`offer`], and would have asked for something else.
fn others_within(facilitator: &str, other: &str) -> [(&'static str, Paywall); 5] {
    let wall = |facilitator: &str, offer: Offer| {
        Paywall::new(FacilitatorClient::new(facilitator).unwrap(), Gate::new("GET /weather", offer).unwrap())
    };
    let [asset, merchant, another] = [1, 3, 6].map(|byte| Pubkey::new_from_array([byte; 32]));
    let price = Price::base_units(offer().amount()).unwrap();
    let dear = Price::decimal("2", 6).unwrap();
    [
        ("another price", wall(facilitator, Offer::new("solana:devnet", asset, merchant, dear))),
        ("another merchant", wall(facilitator, Offer::new("solana:devnet", asset, another, price))),
        ("another way to settle", wall(facilitator, offer().deferred())),
        ("proof of funding", wall(facilitator, offer().with_extra("funding", "required"))),
        ("another facilitator", wall(other, offer())),
    ]
}

/// Guard: `Taken::pays`. What one paywall is paid opens no other that asks for something else, or trusts somebody else: a wildcard that
/// costs little would sell everything below it, and one merchant's route another's.
#[tokio::test]
async fn r09_no_paywall_takes_what_was_paid_on_the_terms_of_another() {
    let (facilitator, other) =
        (StandIn::answering(vec![json(200, &settled())]).await, StandIn::answering(Vec::new()).await);
    let outer =
        Paywall::new(FacilitatorClient::new(&facilitator.url).unwrap(), Gate::new("GET /{*path}", offer()).unwrap());
    let served = Arc::new(AtomicU32::new(0));
    for (differs, inner) in others_within(&facilitator.url, &other.url) {
        let count = Arc::clone(&served);
        let handler = get(move || async move { count.fetch_add(1, Ordering::SeqCst).to_string() });
        let router = Router::new().route("/weather", handler).layer(inner).layer(outer.clone());
        let answer = router.oneshot(paid()).await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), receipt(&answer).is_some()),
            (500, true),
            "{differs}: paid for, and it says so"
        );
        assert!(text(answer).await.contains("paywalls_differ"), "{differs}");
    }
    assert_eq!(served.load(Ordering::SeqCst), 0);
    assert!(other.asked().is_empty());
}

/// Guard: `Taken::pays`. Nor does what was only verified open a paywall that settles before it serves; and nobody is charged for it.
#[tokio::test]
async fn r09_a_payment_that_was_only_verified_opens_no_paywall_that_settles_first() {
    let verified = value!({ "isValid": true, "payer": "p" });
    let wall = |url: &str, flow| {
        Paywall::with_flow(FacilitatorClient::new(url).unwrap(), Gate::new("GET /weather", offer()).unwrap(), flow)
    };
    for (inner, status, asked) in
        [(Flow::Upfront, 500, vec!["/verify"]), (Flow::Authorization, 200, vec!["/verify", "/settle"])]
    {
        let facilitator = StandIn::answering(vec![json(200, &verified), json(200, &settled())]).await;
        let sunny = Router::new().route("/weather", get(|| async { "sunny" }));
        let router = sunny.layer(wall(&facilitator.url, inner)).layer(wall(&facilitator.url, Flow::Authorization));
        assert_eq!(router.oneshot(paid()).await.unwrap().status(), status, "{inner:?}");
        let paths: Vec<String> = facilitator.asked().into_iter().map(|asked| asked.path).collect();
        assert_eq!(paths, asked, "{inner:?}");
    }
}
