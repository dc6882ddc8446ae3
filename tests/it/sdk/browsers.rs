//! Pages of other origins and browsers at a paid route.

use super::{
    paywall::{offer, paid, payload, settled, text},
    stand_in::{StandIn, json},
};
use axum::{Router, body::Body, http::HeaderValue, routing::get};
use http::{Request, Response};
use sotto::{
    merchant::{Cors, FacilitatorClient, Gate, Page, Paywall},
    wire::header,
};
use tower::ServiceExt as _;

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
        assert_eq!(
            headers["access-control-allow-headers"],
            "content-type, payment-signature, x-payment, authorization, x-mpp-voucher"
        );
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
    // What is refused is told too: without the headers a page only sees that its request failed.
    for (method, path, status) in [("GET", "/weather/", 404), ("DELETE", "/weather", 405)] {
        let refused = ask(shop(Cors::Any), Request::builder().method(method).uri(path)).await;
        assert_eq!((refused.status().as_u16(), allowed(&refused)), (status, Some(HeaderValue::from_static("*"))));
        assert_eq!(allowed(&ask(shop(Cors::Off), Request::builder().method(method).uri(path)).await), None);
    }
    let asked = ask(shop(Cors::Off), Request::get("/weather")).await;
    assert!(!asked.headers().keys().any(|name| name.as_str().starts_with("access-control")));
}

/// R2. A person who opens a paid route is shown the page, everybody else what programs read, and no cache mixes them up.
#[tokio::test]
async fn a_person_is_shown_a_page_and_a_program_the_offers() {
    let facilitator = StandIn::answering(vec![json(200, &settled())]).await;
    let shop = |page: bool| {
        let gate = Gate::new("GET|POST /weather", offer()).unwrap();
        let paywall = Paywall::new(FacilitatorClient::new(&facilitator.url).unwrap(), gate);
        let paywall = if page {
            paywall.page(|asked| {
                assert!(asked.header.is_some());
                Page { html: format!("<!doctype html><p>{}", asked.body.len()), policy: None }
            })
        } else {
            paywall
        };
        Router::new().route("/weather", get(|| async { "sunny" })).layer(paywall)
    };
    let ask = async |page: bool, method: &str, mode: &str, accept: &str| {
        let request = Request::builder().method(method).uri("/weather").header("host", "shop");
        let request = request.header("sec-fetch-mode", mode).header("accept", accept).body(Body::empty()).unwrap();
        shop(page).oneshot(request).await.unwrap()
    };
    let (html, any) = ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "*/*");
    let shown = ask(true, "GET", "navigate", html).await;
    assert_eq!(shown.status(), 402);
    let headers = shown.headers().clone();
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(headers["content-security-policy"], "frame-ancestors 'none'");
    assert_eq!(headers["cache-control"], "no-store");
    assert!(headers.contains_key("payment-required"));
    assert!(text(shown).await.starts_with("<!doctype html>"));
    let vary = |headers: &http::HeaderMap| {
        headers.get_all("vary").iter().any(|value| value == "accept, sec-fetch-mode, cookie")
    };
    assert!(vary(&headers));
    for (method, mode, accept) in [("GET", "cors", html), ("GET", "navigate", any), ("POST", "navigate", html)] {
        let read = ask(true, method, mode, accept).await;
        assert_eq!(read.status(), 402, "{method} {mode}");
        assert_eq!(read.headers()["content-type"], "application/json", "{method} {mode}");
        assert!(vary(read.headers()), "{method} {mode}");
    }
    let served = shop(true).oneshot(paid()).await.unwrap();
    assert_eq!((served.status().as_u16(), vary(served.headers())), (200, true));
    let without = ask(false, "GET", "navigate", html).await;
    assert_eq!(without.headers()["content-type"], "application/json");
    assert!(!vary(without.headers()));
}
