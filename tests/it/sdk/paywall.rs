//! The paywall between a payer and a facilitator that misbehaves: nothing is served unpaid.

use super::stand_in::{Answer, StandIn, json};
use crate::support::Log;
use axum::{Router, body::Body, http::HeaderMap, response::IntoResponse, routing::get};
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use sotto::{
    merchant::{Authorized, FacilitatorClient, Flow, Gate, Offer, Paywall, Price, Receipt},
    wire::{facilitator::SettleAnswer, header},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use tower::ServiceExt as _;

const TRANSACTION: &str = "99eUso3aSbE9tqGSTXzo3TLfKb9RkMTURrHKQ1K7Zh3BbeqPevr5E1iCbpTjqHuTFLtfxTTD5ekfVuZFzQyEQf8";

pub(super) fn offer() -> Offer {
    let price = Price::decimal("0.01", 6).unwrap();
    Offer::new("solana:devnet", Pubkey::new_from_array([1; 32]), Pubkey::new_from_array([3; 32]), price)
}

pub(super) fn payload() -> Value {
    json!({
        "x402Version": 2,
        "accepted": offer().requirements(),
        "payload": {"sessionId": "6c1cf6a4-4a4f-4a35-9e5c-3d9c0f1f0001", "amount": "10000", "nonce": "n-1"},
    })
}

pub(super) fn paid() -> Request<Body> {
    let header = header::encode(&payload()).unwrap();
    Request::get("/weather").header("host", "shop").header("payment-signature", header).body(Body::empty()).unwrap()
}

pub(super) fn settled() -> Value {
    json!({"success": true, "transaction": TRANSACTION, "network": "solana:devnet", "payer": "p", "amount": "10000",
        "extensions": {"session": {"id": "s", "spent": "10000", "remaining": "5"}}})
}

pub(super) fn refused(reason: &str) -> Value {
    json!({"success": false, "transaction": "", "network": "solana:devnet", "errorReason": reason})
}

/// A shop behind a paywall, and how often its handler ran.
struct Shop {
    router: Router,
    served: Arc<AtomicU32>,
    facilitator: StandIn,
}

impl Shop {
    async fn with(flow: Flow, answers: Vec<Answer>, status: StatusCode) -> Self {
        let facilitator = StandIn::answering(answers).await;
        let served = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&served);
        let handler = move |headers: HeaderMap, extensions: http::Extensions| async move {
            count.fetch_add(1, Ordering::SeqCst);
            assert!(!headers.contains_key("payment-signature") && !headers.contains_key("x-payment"));
            let receipt = extensions.get::<Receipt>().map(|receipt| receipt.amount.clone());
            let authorized = extensions.get::<Authorized>().and_then(|authorized| authorized.payer.clone());
            (status, format!("sunny, {}", receipt.or(authorized).unwrap_or_default())).into_response()
        };
        let client = FacilitatorClient::new(&facilitator.url).unwrap();
        let paywall = Paywall::with_flow(client, Gate::new("GET /weather", offer()).unwrap(), flow);
        let router = Router::new().route("/weather", get(handler).layer(paywall));
        Self { router, served, facilitator }
    }

    async fn upfront(answers: Vec<Answer>) -> Self {
        Self::with(Flow::Upfront, answers, StatusCode::OK).await
    }

    async fn ask(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    fn served(&self) -> u32 {
        self.served.load(Ordering::SeqCst)
    }
}

pub(super) async fn text(response: Response<Body>) -> String {
    String::from_utf8(axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
}

pub(super) fn receipt(response: &Response<Body>) -> Option<SettleAnswer> {
    let value = response.headers().get("payment-response")?;
    assert_eq!(response.headers().get("x-payment-response"), Some(value));
    Some(header::decode(value.to_str().unwrap()).unwrap())
}

#[tokio::test]
async fn a_request_without_payment_learns_the_price_and_asks_nobody() {
    let shop = Shop::upfront(vec![json(200, &settled())]).await;
    let response = shop.ask(Request::get("/weather").header("host", "shop").body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), 402);
    assert!(response.headers()["access-control-expose-headers"].to_str().unwrap().contains("PAYMENT-REQUIRED"));
    let v2: Value = header::decode(response.headers()["payment-required"].to_str().unwrap()).unwrap();
    assert_eq!((&v2["accepts"][0]["amount"], &v2["resource"]["url"]), (&json!("10000"), &json!("http://shop/weather")));
    let v1: Value = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!((&v1["x402Version"], &v1["accepts"][0]["maxAmountRequired"]), (&json!(1), &json!("10000")));
    assert_eq!((shop.served(), shop.facilitator.asked().len()), (0, 0));
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

/// FR-13. Waiting and the one repeat together take no longer than the offer said.
#[tokio::test]
async fn a_settlement_takes_no_longer_than_the_offer_says() {
    let facilitator = StandIn::slow(Duration::from_millis(1_500), json(200, &refused("settlement_pending"))).await;
    let gate = Gate::new("GET /weather", offer().within(2)).unwrap();
    let paywall = Paywall::new(FacilitatorClient::new(&facilitator.url).unwrap(), gate);
    let router = Router::new().route("/weather", get(|| async { "sunny" })).layer(paywall);
    let mut late = payload();
    late["accepted"] = serde_json::to_value(offer().within(2).requirements()).unwrap();
    let request = Request::get("/weather").header("payment-signature", header::encode(&late).unwrap());
    let begun = Instant::now();
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(receipt(&response).unwrap().error_reason.as_deref(), Some("settlement_pending"));
    assert_eq!(facilitator.asked().len(), 1, "half a second is not worth a repeat");
}

/// Guard: the last match of `FacilitatorClient::settle`. A repeat that is cut off takes nothing back of what was told before it.
#[tokio::test]
async fn a_repeat_that_is_cut_off_leaves_the_first_answer() {
    let facilitator = StandIn::slow(Duration::from_millis(2_800), json(200, &refused("settlement_pending"))).await;
    let gate = Gate::new("GET /weather", offer().within(4)).unwrap();
    let paywall = Paywall::new(FacilitatorClient::new(&facilitator.url).unwrap(), gate);
    let router = Router::new().route("/weather", get(|| async { "sunny" })).layer(paywall);
    let mut late = payload();
    late["accepted"] = serde_json::to_value(offer().within(4).requirements()).unwrap();
    let request = Request::get("/weather").header("payment-signature", header::encode(&late).unwrap());
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 402);
    assert_eq!(receipt(&response).unwrap().error_reason.as_deref(), Some("settlement_pending"));
    assert_eq!(facilitator.asked().len(), 2);
}

/// What is refused for the offer is logged for the merchant, and no amount with it.
#[tokio::test]
async fn what_the_offer_is_refused_for_is_logged_without_amounts() {
    for (reason, logged) in [("invalid_recipient", true), ("per_call_limit_exceeded", false)] {
        let log = Log::listen();
        let mut told = refused(reason);
        told["errorMessage"] = json!("50001 is what stands here.");
        let shop = Shop::upfront(vec![json(200, &told)]).await;
        assert_eq!(shop.ask(paid()).await.status(), 402);
        let text = log.text();
        assert!(text.contains("refused for what this offer asks for") && text.contains(reason), "{text}");
        assert_eq!(text.contains("50001"), logged, "{text}");
    }
}

/// Nothing is given back to a payer whose request fails after the payment; they are told, and so is the merchant.
#[tokio::test]
async fn a_request_that_fails_after_the_payment_carries_the_receipt_and_is_logged() {
    let log = Log::listen();
    let shop = Shop::with(Flow::Upfront, vec![json(200, &settled())], StatusCode::INTERNAL_SERVER_ERROR).await;
    let response = shop.ask(paid()).await;
    assert_eq!(response.status(), 500);
    assert_eq!(receipt(&response).unwrap().transaction, TRANSACTION);
    let text = log.text();
    assert!(text.contains("a request failed that was paid for") && text.contains(TRANSACTION), "{text}");
}

#[tokio::test]
async fn a_settled_payment_is_served_once_with_its_receipt() {
    let shop = Shop::upfront(vec![json(200, &settled())]).await;
    let response = shop.ask(paid()).await;
    assert_eq!(response.status(), 200);
    assert_eq!(receipt(&response).unwrap().transaction, TRANSACTION);
    assert_eq!(text(response).await, "sunny, 10000");
    let asked = shop.facilitator.asked();
    assert_eq!((shop.served(), asked.len(), asked[0].path.as_str()), (1, 1, "/settle"));
    assert_eq!(asked[0].body["paymentPayload"], payload());
    assert_eq!(asked[0].body["paymentRequirements"], serde_json::to_value(offer().requirements()).unwrap());
}

#[tokio::test]
async fn r09_a_payment_on_other_terms_reaches_neither_facilitator_nor_handler() {
    let shop = Shop::upfront(vec![json(200, &settled())]).await;
    for members in [&["accepted", "payload"][..], &["accepted"], &["payload"]] {
        let mut cheap = payload();
        for member in members {
            cheap[member]["amount"] = json!("1");
        }
        let request = Request::get("/weather").header("payment-signature", header::encode(&cheap).unwrap());
        assert_eq!(shop.ask(request.body(Body::empty()).unwrap()).await.status(), 402, "{members:?}");
    }
    let twice = Request::get("/weather")
        .header("payment-signature", header::encode(&payload()).unwrap())
        .header("payment-signature", header::encode(&payload()).unwrap());
    assert_eq!(shop.ask(twice.body(Body::empty()).unwrap()).await.status(), 402);
    assert_eq!((shop.served(), shop.facilitator.asked().len()), (0, 0));
}

#[tokio::test]
async fn a_refused_payment_is_told_to_the_payer_and_not_served() {
    for status in [200, 400, 409] {
        let shop = Shop::upfront(vec![json(status, &refused("cap_exceeded"))]).await;
        let response = shop.ask(paid()).await;
        assert_eq!(response.status(), 402);
        assert_eq!(receipt(&response).unwrap().error_reason.as_deref(), Some("cap_exceeded"));
        assert_eq!(shop.served(), 0);
    }
}

#[tokio::test]
async fn answers_that_are_unusable_or_contradict_the_request_serve_nothing() {
    let bent = |change: fn(&mut Value)| {
        let mut answer = settled();
        change(&mut answer);
        json(200, &answer)
    };
    let answers: Vec<Answer> = vec![
        (200, vec![], "yes".to_owned()),
        (200, vec![], String::new()),
        (200, vec![], "{}".to_owned()),
        (200, vec![], r#"{"success":false,"success":true,"transaction":"x","network":"solana:devnet"}"#.to_owned()),
        (200, vec![], r#"{"success":"true","transaction":"x","network":"solana:devnet"}"#.to_owned()),
        (200, vec![], "[".repeat(50_000)),
        (200, vec![], format!(r#"{{"success":true,"padding":"{}"}}"#, "x".repeat(200_000))),
        (502, vec![], "<html>bad gateway</html>".to_owned()),
        (307, vec![("location", "http://127.0.0.1:9/settle".to_owned())], String::new()),
        bent(|answer| answer["amount"] = json!("1")),
        bent(|answer| answer["network"] = json!("solana:mainnet")),
        bent(|answer| answer["transaction"] = json!("")),
        bent(|answer| answer["transaction"] = json!("1111")),
        bent(|answer| answer["transaction"] = json!("4sGjMW1sUnHzSxGspuhpqLDx6wiyjNtZAMdL4VZHirAn")),
        bent(|answer| answer["transaction"] = json!("\u{1b}[2J")),
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        let shop = Shop::upfront(vec![answer]).await;
        let response = shop.ask(paid()).await;
        assert_eq!(response.status(), 502, "answer {number}");
        assert!(receipt(&response).is_none(), "answer {number}");
        assert!(text(response).await.contains("facilitator_answer_unusable"), "answer {number}");
        assert_eq!((shop.served(), shop.facilitator.asked().len()), (0, 1), "answer {number}");
    }
}

#[tokio::test]
async fn a_busy_or_absent_facilitator_is_not_the_payers_fault() {
    let busy = (503, vec![("retry-after", "7".to_owned())], refused("internal_error").to_string());
    let shop = Shop::upfront(vec![busy]).await;
    let response = shop.ask(paid()).await;
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &"7".parse().unwrap()));
    let limited = Shop::upfront(vec![(429, vec![], "slow down".to_owned())]).await;
    assert_eq!(limited.ask(paid()).await.status(), 503);
    let shop = Shop::upfront(vec![json(200, &settled())]).await;
    let Shop { router, served, facilitator } = shop;
    facilitator.stop().await;
    assert_eq!(router.oneshot(paid()).await.unwrap().status(), 503);
    assert_eq!(served.load(Ordering::SeqCst) + limited.served(), 0);
}

#[tokio::test]
async fn a_pending_settlement_is_asked_for_once_more_with_the_same_request() {
    let pending = json(200, &refused("settlement_pending"));
    let shop = Shop::upfront(vec![pending.clone(), json(200, &settled())]).await;
    assert_eq!(shop.ask(paid()).await.status(), 200);
    let asked = shop.facilitator.asked();
    assert_eq!((asked.len(), &asked[0].body), (2, &asked[1].body));
    let shop = Shop::upfront(vec![pending]).await;
    let response = shop.ask(paid()).await;
    assert_eq!(response.status(), 402);
    assert_eq!(receipt(&response).unwrap().error_reason.as_deref(), Some("settlement_pending"));
    assert_eq!((shop.served(), shop.facilitator.asked().len()), (0, 2));
}

#[tokio::test]
async fn the_authorization_flow_settles_only_what_was_served_well() {
    let valid = json(200, &json!({"isValid": true, "payer": "p"}));
    let answers = vec![valid.clone(), json(200, &settled())];
    let shop = Shop::with(Flow::Authorization, answers.clone(), StatusCode::OK).await;
    let response = shop.ask(paid()).await;
    assert!(receipt(&response).unwrap().success);
    assert_eq!(text(response).await, "sunny, p");
    let paths: Vec<_> = shop.facilitator.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(paths, ["/verify", "/settle"]);

    let failing = Shop::with(Flow::Authorization, answers, StatusCode::NOT_FOUND).await;
    assert_eq!(failing.ask(paid()).await.status(), 404);
    assert_eq!(failing.facilitator.asked().len(), 1, "what failed is not paid for");

    let invalid = json(200, &json!({"isValid": false, "invalidReason": "session_expired"}));
    let shop = Shop::with(Flow::Authorization, vec![invalid], StatusCode::OK).await;
    let response = shop.ask(paid()).await;
    assert_eq!(response.status(), 402);
    assert!(text(response).await.contains("session_expired"));
    assert_eq!(shop.served(), 0);

    let unsettled = vec![valid, json(200, &refused("duplicate_settlement"))];
    let shop = Shop::with(Flow::Authorization, unsettled, StatusCode::OK).await;
    let response = shop.ask(paid()).await;
    assert_eq!(response.status(), 402);
    assert!(!text(response).await.contains("sunny"), "an unsettled answer is not handed out");
}
