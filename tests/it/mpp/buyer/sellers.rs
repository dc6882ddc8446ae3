//! Sellers on loopback that sell as the published ones do: by a charge, or by vouchers of channels.

use crate::support::MppScene;
use axum::body::Body;
use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, Response, header},
    response::IntoResponse as _,
};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use sotto::{
    domain::{
        amount::Amount,
        mpp::voucher::{SeenChannel, SellerTerms, Strictness, verify},
    },
    wire::mpp::{
        challenge::{Challenge, ChallengeParts, ChargeRequested, MethodDetails},
        credential::Credential,
        receipt::{ChargeReceipt, PAYMENT_RECEIPT},
        voucher::{X_MPP_VOUCHER, read},
    },
};
use std::{
    collections::HashMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};
use tokio::task::JoinHandle;

/// A server that ends with its test.
pub(super) struct Served {
    pub(super) url: String,
    server: JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.server.abort();
    }
}

pub(super) async fn serve(router: Router) -> Served {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Served { url, server }
}

fn answer(status: u16, headers: &[(&str, String)], body: &Value) -> Response<Body> {
    let mut response = Response::builder().status(status).header("content-type", "application/json");
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response.body(Body::from(body.to_string())).unwrap()
}

/// Sells by a charge of `price` units.
pub(super) async fn by_charge(scene: &MppScene, price: u64) -> Served {
    let (facilitator, recipient) = (scene.world.running().url.clone(), scene.seller.key());
    let http = scene.world.http.clone();
    serve(Router::new().fallback(move |request: Request| {
        let (facilitator, http) = (facilitator.clone(), http.clone());
        async move { charge((&http, &facilitator), request.headers(), &recipient, price).await }
    }))
    .await
}

async fn charge(
    (http, facilitator): (&reqwest::Client, &str),
    headers: &HeaderMap,
    recipient: &Pubkey,
    price: u64,
) -> Response<Body> {
    let Some(credential) = headers.get(header::AUTHORIZATION).map(|value| Credential::read(value.to_str().unwrap()))
    else {
        let challenge = challenge(http, facilitator, recipient, price).await;
        return answer(402, &[("www-authenticate", challenge.header())], &json!({ "title": "Payment Required" }));
    };
    let Credential { challenge, transaction, .. } = credential.unwrap();
    assert!(challenge.is_of(b"a secret of the seller's own, long enough"), "the challenge is echoed as it was");
    let asked = challenge.requested().unwrap();
    let body = json!({
        "transaction": transaction,
        "recipient": asked.recipient,
        "amount": asked.amount,
        "asset": asked.method_details.spl_token,
        "network": asked.method_details.network,
    });
    let told = http.post(format!("{facilitator}/mpp/settle")).json(&body).send().await.unwrap();
    let told: Value = told.json().await.unwrap();
    if told["success"] != json!(true) {
        let problem = json!({
            "type": "x", "title": "Verification Failed", "status": 402,
            "detail": format!("Payment verification failed: {}.", told["errorCode"].as_str().unwrap()),
        });
        return answer(402, &[], &problem);
    }
    let receipt = ChargeReceipt::new(told["signature"].as_str().unwrap(), "2026-04-10T22:00:00.000Z").header();
    answer(200, &[(PAYMENT_RECEIPT, receipt)], &json!({ "weather": "fine" }))
}

async fn challenge(http: &reqwest::Client, facilitator: &str, recipient: &Pubkey, price: u64) -> Challenge {
    let told = http.post(format!("{facilitator}/mpp/prepare")).json(&json!({})).send().await.unwrap();
    let told: Value = told.json().await.unwrap();
    let text = |name: &str| told[name].as_str().unwrap().to_owned();
    let request = ChargeRequested {
        amount: price.to_string(),
        currency: "USDC".to_owned(),
        recipient: recipient.to_string(),
        description: None,
        external_id: None,
        method_details: MethodDetails {
            reference: uuid::Uuid::from_bytes(text("recentBlockhash").as_bytes()[..16].try_into().unwrap()).to_string(),
            network: text("network"),
            spl_token: text("splToken"),
            decimals: 6,
            token_program: text("tokenProgram"),
            fee_payer: true,
            fee_payer_key: text("feePayer"),
            recent_blockhash: text("recentBlockhash"),
            last_valid_block_height: told["lastValidBlockHeight"].as_u64().unwrap(),
        },
    };
    let parts = ChallengeParts { realm: "api.example.com", ..ChallengeParts::default() };
    Challenge::charge(b"a secret of the seller's own, long enough", &request, &parts).unwrap()
}

/// Sells by vouchers, `price` units each.
pub(super) async fn by_voucher(scene: &MppScene, price: u64) -> Served {
    let (status, keys) = scene.world.get("/mpp/keys").await;
    assert_eq!(status, 200, "{keys:#}");
    let key = |name: &str| keys[name].as_str().unwrap().to_owned();
    let terms = SellerTerms {
        recipient: scene.seller.key(),
        price_per_unit: Amount::new(price).unwrap(),
        meter: "request".to_owned(),
        strictness: Strictness::Certified { issuer: key("issuer").parse().unwrap(), chain_id: key("chain_id") },
    };
    let seen: Arc<Mutex<HashMap<String, SeenChannel>>> = Arc::default();
    let (now, network) = (scene.world.now(), key("network"));
    serve(Router::new().fallback(move |request: Request| {
        let (terms, seen, network) = (terms.clone(), Arc::clone(&seen), network.clone());
        async move { voucher(request.headers(), &terms, &seen, (now, &network)).into_response() }
    }))
    .await
}

fn voucher(
    headers: &HeaderMap,
    terms: &SellerTerms,
    seen: &Mutex<HashMap<String, SeenChannel>>,
    (now, network): (u64, &str),
) -> Response<Body> {
    let Some(header) = headers.get(X_MPP_VOUCHER) else {
        let offer = json!({
            "type": "mpp-session",
            "recipient": terms.recipient.to_string(),
            "network": network,
            "pricePerUnit": terms.price_per_unit.to_string(),
            "meter": "request",
            "suggestedDeposit": "1000000",
        });
        return answer(402, &[], &offer);
    };
    let presented = read(header.to_str().unwrap()).unwrap();
    let mut seen = seen.lock().unwrap();
    let channel = presented.voucher.channel_id.clone();
    match verify(&presented, terms, seen.get(&channel), None, now) {
        Ok(accepted) => {
            seen.insert(channel, accepted.seen);
            answer(200, &[], &json!({ "paid": accepted.amount_paid.to_string() }))
        }
        Err(fault) => answer(402, &[], &json!({ "error": fault.to_string() })),
    }
}
