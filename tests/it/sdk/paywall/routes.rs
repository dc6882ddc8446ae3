//! Which requests a paywall charges, whose pages may pay, and who keeps what was paid for.

use super::{Shop, offer, paid, payload, receipt, settled};
use crate::sdk::stand_in::{StandIn, json};
use axum::{Router, body::Body, http::HeaderValue, routing::get};
use http::{Request, Response, StatusCode};
use serde_json::json;
use sotto::{
    merchant::{Cors, FacilitatorClient, Flow, Gate, Paywall},
    wire::header,
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

/// What was paid for is served to nobody else: a shared cache has neither asked for a payment nor a right to the receipt.
#[tokio::test]
async fn what_was_paid_for_stays_out_of_shared_caches() {
    for flow in [Flow::Upfront, Flow::Authorization] {
        let verified = json!({ "isValid": true, "payer": "p" });
        let answers = if flow == Flow::Upfront { vec![settled()] } else { vec![verified, settled()] };
        let answers = answers.iter().map(|answer| json(200, answer)).collect();
        let served = Shop::with(flow, answers, StatusCode::OK).await.ask(paid()).await;
        assert_eq!((served.status().as_u16(), receipt(&served).is_some()), (200, true), "{flow:?}");
        assert_eq!(served.headers()["cache-control"], "private, no-store", "{flow:?}");
        assert_eq!(served.headers()["vary"], "payment-signature, x-payment", "{flow:?}");
    }
    let facilitator = StandIn::answering(vec![json(200, &settled())]).await;
    let paywall =
        Paywall::new(FacilitatorClient::new(&facilitator.url).unwrap(), Gate::new("GET /weather", offer()).unwrap());
    let handler = || async { ([("cache-control", "private, max-age=60")], "sunny") };
    let router = Router::new().route("/weather", get(handler)).layer(paywall);
    let served = router.oneshot(paid()).await.unwrap();
    assert_eq!(served.headers()["cache-control"], "private, max-age=60", "the application's word stands");
}

/// Guard: `Others::Refused`. A gate that forgot a path of its router does not give it away.
#[tokio::test]
async fn a_forgotten_path_is_not_served_where_nothing_is_sold_beside() {
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

/// Guard: `is_paid_for`. Of two paywalls around one handler the outer one is paid, and nobody is charged twice or sent away.
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

/// FR-11. A page of another origin may ask whether it may pay, pay, and read what it was told.
#[tokio::test]
async fn a_page_of_another_origin_may_pay_unless_the_merchant_says_otherwise() {
    let facilitator = StandIn::answering(vec![json(200, &settled())]).await;
    let shop = |cors: Cors| {
        let gate = Gate::new("GET|POST /weather", offer()).unwrap();
        let paywall = Paywall::new(FacilitatorClient::new(&facilitator.url).unwrap(), gate).cors(cors);
        Router::new()
            .route("/weather", get(|| async { "sunny" }))
            .route("/free", get(|| async { "free" }))
            .layer(paywall)
    };
    let ask = async |router: Router, request: http::request::Builder| {
        let request = request.header("origin", "https://page.example").header("host", "shop");
        router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    };
    let preflight = |path: &str| {
        let request = Request::builder().method("OPTIONS").uri(path).header("access-control-request-method", "GET");
        request.header("access-control-request-headers", "payment-signature")
    };
    let allowed = |response: &Response<Body>| response.headers().get("access-control-allow-origin").cloned();
    let ours = HeaderValue::from_static("https://page.example");
    for (cors, origin) in [
        (Cors::Any, Some(HeaderValue::from_static("*"))),
        (Cors::Origins(vec![ours.clone()]), Some(ours.clone())),
        (Cors::Origins(vec![HeaderValue::from_static("https://other.example")]), None),
    ] {
        let response = ask(shop(cors.clone()), preflight("/weather")).await;
        assert_eq!((response.status().as_u16(), allowed(&response)), (204, origin.clone()), "{cors:?}");
        let headers = response.headers();
        assert_eq!(headers["access-control-allow-methods"], "GET, POST");
        assert_eq!(headers["access-control-allow-headers"], "content-type, payment-signature, x-payment");
        assert_eq!(headers["access-control-max-age"], "600");
        for never in ["access-control-allow-credentials", "access-control-allow-private-network"] {
            assert!(!headers.contains_key(never), "{never}");
        }
        let asked = ask(shop(cors.clone()), Request::get("/weather")).await;
        assert_eq!((asked.status().as_u16(), allowed(&asked)), (402, origin.clone()), "{cors:?}");
        assert!(asked.headers()["access-control-expose-headers"].to_str().unwrap().contains("PAYMENT-REQUIRED"));
        let header = header::encode(&payload()).unwrap();
        let served = ask(shop(cors.clone()), Request::get("/weather").header("payment-signature", header)).await;
        assert_eq!((served.status().as_u16(), allowed(&served)), (200, origin), "{cors:?}");
    }
    let elsewhere = ask(shop(Cors::Any), preflight("/free")).await;
    assert_eq!(elsewhere.status(), 405, "a preflight of a free route is the application's");
    let closed = ask(shop(Cors::Off), preflight("/weather")).await;
    assert_eq!((closed.status().as_u16(), allowed(&closed)), (405, None), "with CORS off it reaches no handler");
    let asked = ask(shop(Cors::Off), Request::get("/weather")).await;
    assert!(!asked.headers().keys().any(|name| name.as_str().starts_with("access-control")));
}
