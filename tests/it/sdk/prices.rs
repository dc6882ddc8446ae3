//! Routes with prices of their own: by type, by callback, and by several offers.

use super::{
    paywall::{offer, receipt, refused, settled, text},
    stand_in::{Answer, StandIn, json},
};
use axum::{Extension, Router, body::Body, routing::get};
use http::{Request, Response, Uri};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use sotto::{
    merchant::{Bought, FacilitatorClient, Flow, Gate, NoPrice, Offer, Order, Paywall, Price, Unserved},
    wire::header,
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tower::ServiceExt as _;

struct Weather;
struct Report;

fn costing(price: &str) -> Offer {
    let price = Price::decimal(price, 6).unwrap();
    Offer::new("solana:devnet", Pubkey::new_from_array([1; 32]), Pubkey::new_from_array([3; 32]), price)
}

/// A request that pays what `offer` asks for.
fn pays(uri: &str, offer: &Offer) -> Request<Body> {
    let amount = offer.amount().to_string();
    let payment = json!({
        "x402Version": 2,
        "accepted": offer.requirements(),
        "payload": {"sessionId": "6c1cf6a4-4a4f-4a35-9e5c-3d9c0f1f0001", "amount": amount, "nonce": "n-1"},
    });
    let header = header::encode(&payment).unwrap();
    Request::get(uri).header("host", "shop").header("payment-signature", header).body(Body::empty()).unwrap()
}

fn settled_for(offer: &Offer) -> Answer {
    let mut answer = settled();
    answer["amount"] = json!(offer.amount().to_string());
    json(200, &answer)
}

async fn facilitator(answers: Vec<Answer>) -> (StandIn, FacilitatorClient) {
    let facilitator = StandIn::answering(answers).await;
    let client = FacilitatorClient::new(&facilitator.url).unwrap();
    (facilitator, client)
}

async fn ask(router: &Router, request: Request<Body>) -> Response<Body> {
    router.clone().oneshot(request).await.unwrap()
}

/// The amounts that a 402 offers.
fn offered(response: &Response<Body>) -> Vec<String> {
    assert_eq!(response.status(), 402);
    let asked: Value = header::decode(response.headers()["payment-required"].to_str().unwrap()).unwrap();
    let accepts = asked["accepts"].as_array().unwrap();
    accepts.iter().map(|offer| offer["amount"].as_str().unwrap().to_owned()).collect()
}

async fn weather(Extension(bought): Extension<Bought<Weather>>) -> String {
    format!("sunny, for {}", bought.receipt().amount)
}

async fn report(Extension(bought): Extension<Bought<Report>>) -> String {
    format!("all is well, for {}", bought.receipt().amount)
}

fn weather_and_report() -> Gate {
    let weather = Gate::new("GET /weather", costing("0.01")).unwrap().sold_as::<Weather>();
    weather.and(Gate::new("GET /report", costing("2")).unwrap().sold_as::<Report>()).unwrap()
}

/// Guard: `Gate::sale`. Each route of one paywall has its own price, and a payment for the cheap one buys nothing else.
#[tokio::test]
async fn each_route_has_its_own_price() {
    let (asked, client) = facilitator(vec![settled_for(&costing("0.01")), settled_for(&costing("2"))]).await;
    let routes = Router::new().route("/weather", get(weather)).route("/report", get(report));
    let router = routes.layer(Paywall::new(client, weather_and_report()));
    for (uri, amount) in [("/weather", "10000"), ("/report", "2000000")] {
        assert_eq!(offered(&ask(&router, Request::get(uri).body(Body::empty()).unwrap()).await), [amount]);
    }
    let cheap = ask(&router, pays("/report", &costing("0.01"))).await;
    assert_eq!(offered(&cheap), ["2000000"], "the price of another route buys nothing here");
    assert!(asked.asked().is_empty());
    assert_eq!(text(ask(&router, pays("/weather", &costing("0.01"))).await).await, "sunny, for 10000");
    assert_eq!(text(ask(&router, pays("/report", &costing("2"))).await).await, "all is well, for 2000000");
    let required: Vec<_> =
        asked.asked().iter().map(|asked| asked.body["paymentRequirements"]["amount"].clone()).collect();
    assert_eq!(required, ["10000", "2000000"]);
}

/// Guard: `Sale::sold_as`. A handler that ends up behind the price of something else does not run.
#[tokio::test]
async fn a_handler_is_bound_to_the_price_of_what_it_serves() {
    let (_facilitator, client) = facilitator(vec![settled_for(&costing("0.01"))]).await;
    // Whoever put this together has mixed up the handlers.
    let routes = Router::new().route("/weather", get(report)).route("/report", get(weather));
    let router = routes.layer(Paywall::new(client.clone(), weather_and_report()));
    let served = ask(&router, pays("/weather", &costing("0.01"))).await;
    assert_eq!((served.status().as_u16(), receipt(&served).is_some()), (500, true), "it was paid for, and it says so");
    assert!(!text(served).await.contains("all is well"));
    let unsaid = Gate::new("GET /weather", costing("0.01")).unwrap();
    let router = Router::new().route("/weather", get(weather)).layer(Paywall::new(client, unsaid));
    assert_eq!(ask(&router, pays("/weather", &costing("0.01"))).await.status(), 500);
}

/// Tier by tier, nothing beyond the third, and no price at all for the second.
async fn price_of(order: Order) -> Result<Vec<Offer>, NoPrice> {
    assert!(!order.headers.contains_key("payment-signature") && !order.headers.contains_key("x-payment"));
    match order.uri.query() {
        Some("tier=1") => Ok(vec![costing("0.01")]),
        Some("tier=2") => Err(NoPrice::Unknown),
        Some("tier=3") => Ok(vec![costing("3"), costing("3").deferred()]),
        Some("tier=4") => Ok(Vec::new()),
        Some("tier=5") => {
            let (mint, derived) = (Pubkey::new_from_array([1; 32]), Pubkey::new_from_array([2; 32]));
            Ok(vec![Offer::new("solana:devnet", mint, derived, Price::decimal("1", 6).unwrap())])
        }
        _ => Err(NoPrice::NotSold),
    }
}

#[tokio::test]
async fn a_price_is_named_for_each_request() {
    let (asked, client) = facilitator(vec![settled_for(&costing("0.01"))]).await;
    let gate = Gate::priced("GET /page", price_of).unwrap();
    let router = Router::new().route("/page", get(|| async { "a page" })).layer(Paywall::new(client, gate));
    let unpaid = async |query: &str, method: &str| {
        let uri: Uri = format!("/page?{query}").parse().unwrap();
        ask(&router, Request::builder().method(method).uri(uri).body(Body::empty()).unwrap()).await
    };
    assert_eq!(offered(&unpaid("tier=1", "GET").await), ["10000"]);
    assert_eq!(offered(&unpaid("tier=1", "HEAD").await), ["10000"]);
    assert_eq!(offered(&unpaid("tier=3", "GET").await), ["3000000", "3000000"]);
    for (query, status, error) in [
        ("tier=2", 503, "price_unknown"),
        ("tier=4", 404, "not_found"),
        ("tier=5", 503, "price_unknown"),
        ("tier=9", 404, "not_found"),
    ] {
        let answer = unpaid(query, "GET").await;
        assert_eq!((answer.status().as_u16(), answer.headers().contains_key("retry-after")), (status, status == 503));
        assert!(text(answer).await.contains(error), "{query}");
    }
    // What the first tier costs buys no other.
    assert_eq!(offered(&ask(&router, pays("/page?tier=3", &costing("0.01"))).await).len(), 2);
    assert_eq!(ask(&router, pays("/page?tier=2", &costing("0.01"))).await.status(), 503);
    assert!(asked.asked().is_empty(), "nobody was charged");
    assert_eq!(text(ask(&router, pays("/page?tier=1", &costing("0.01"))).await).await, "a page");
}

/// A price that has risen since the 402 is asked for again, and the old one charges nobody.
#[tokio::test]
async fn a_price_that_has_risen_is_asked_for_again() {
    let (asked, client) = facilitator(vec![settled_for(&costing("0.01"))]).await;
    let units = Arc::new(AtomicU64::new(1));
    let shown = Arc::clone(&units);
    let price = move |_: Order| {
        let price = format!("0.0{}", shown.load(Ordering::SeqCst));
        async move { Ok(vec![costing(&price)]) }
    };
    let gate = Gate::priced("GET /page", price).unwrap();
    let router = Router::new().route("/page", get(|| async { "a page" })).layer(Paywall::new(client, gate));
    assert_eq!(offered(&ask(&router, Request::get("/page").body(Body::empty()).unwrap()).await), ["10000"]);
    units.store(2, Ordering::SeqCst);
    assert_eq!(offered(&ask(&router, pays("/page", &costing("0.01"))).await), ["20000"]);
    assert!(asked.asked().is_empty());
}

/// Guard: `Quote::accepted`. Of several offers for a route the one that was taken is settled, with its own terms.
#[tokio::test]
async fn the_offer_that_was_taken_is_settled() {
    for flow in [Flow::Upfront, Flow::Authorization] {
        let later = costing("0.02").deferred();
        let verified = json(200, &json!({ "isValid": true, "payer": "p" }));
        let mut answers = if flow == Flow::Authorization { vec![verified] } else { Vec::new() };
        answers.push(settled_for(&later));
        let (asked, client) = facilitator(answers).await;
        let gate = Gate::new("GET /weather", offer()).unwrap().or(later.clone()).unwrap();
        let paywall = Paywall::with_flow(client, gate, flow);
        let router = Router::new().route("/weather", get(|| async { "sunny" })).layer(paywall);
        let served = ask(&router, pays("/weather", &later)).await;
        assert_eq!((served.status().as_u16(), receipt(&served).is_some()), (200, true), "{flow:?}");
        let settled = asked.asked().pop().unwrap();
        assert_eq!(settled.path, "/settle");
        assert_eq!(settled.body["paymentRequirements"]["extra"]["settlement"], "deferred");
        assert_eq!(settled.body["paymentRequirements"]["amount"], "20000");
    }
}

fn supported() -> Value {
    let limits = json!({ "maxPerCall": "50000", "minPerCall": "10", "maxSessionSeconds": 60, "maxGrantLamports": 0 });
    let asset = Pubkey::new_from_array([1; 32]).to_string();
    let extra = json!({ "facilitatorAddress": "f", "asset": asset, "limits": limits });
    json!({ "kinds": [{ "x402Version": 2, "scheme": "session", "network": "solana:devnet", "extra": extra }] })
}

/// Guard: the cache and the repeats of `FacilitatorClient::supported`.
#[tokio::test]
async fn what_a_facilitator_serves_is_asked_once_and_again_when_it_says_so() {
    let busy = || (429, vec![("retry-after", "0".to_owned())], "{}".to_owned());
    let (asked, client) = facilitator(vec![busy(), busy(), json(200, &supported()), json(500, &json!({}))]).await;
    let all = futures_util::future::join_all((0..8).map(|_| client.supported())).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(asked.asked().len(), 3, "two were too early, and one is enough for eight");
    assert!(client.clone().supported().await.is_ok());
    assert_eq!(asked.asked().len(), 3);
    let (asked, client) = facilitator(vec![busy()]).await;
    assert!(client.supported().await.is_err());
    assert_eq!(asked.asked().len(), 4, "three repeats at most");
    // Payments are never repeated because of a 429: whether they count is not known.
    let (asked, client) = facilitator(vec![busy()]).await;
    let gate = Gate::new("GET /weather", offer()).unwrap();
    let router = Router::new().route("/weather", get(|| async { "sunny" })).layer(Paywall::new(client, gate));
    let answer = ask(&router, pays("/weather", &offer())).await;
    assert_eq!((answer.status().as_u16(), asked.asked().len()), (503, 1));
}

#[tokio::test]
async fn a_merchant_learns_before_it_sells_what_nobody_could_pay() {
    let (_facilitator, client) = facilitator(vec![json(200, &supported())]).await;
    let check = async |offer: Offer| {
        let gate = Gate::new("GET /free-of-charge", costing("0.02")).unwrap();
        let gate = gate.and(Gate::new("GET /weather", offer).unwrap()).unwrap();
        Paywall::new(client.clone(), gate).check().await
    };
    assert!(check(costing("0.01")).await.is_ok());
    assert!(matches!(check(costing("0.06")).await, Err(Unserved::Price { .. })));
    assert!(matches!(check(costing("0.000009")).await, Err(Unserved::Price { .. })));
    let price = Price::decimal("0.01", 6).unwrap();
    let (mint, other) = (Pubkey::new_from_array([1; 32]), Pubkey::new_from_array([9; 32]));
    let wallet = Pubkey::new_from_array([3; 32]);
    let elsewhere = Offer::new("solana:mainnet", mint, wallet, price);
    assert!(matches!(check(elsewhere).await, Err(Unserved::Network(network)) if network == "solana:mainnet"));
    assert!(matches!(check(Offer::new("solana-devnet", other, wallet, price)).await, Err(Unserved::Asset(_))));
    let (_facilitator, client) = facilitator(vec![json(200, &refused("bad_request"))]).await;
    let paywall = Paywall::new(client, Gate::new("GET /weather", costing("0.01")).unwrap());
    assert!(matches!(paywall.check().await, Err(Unserved::Facilitator(_))));
    assert!(paywall.check().await.is_err(), "what is no answer is not remembered");
}
