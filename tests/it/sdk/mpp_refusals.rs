//! Charges between a buyer and a facilitator that misbehaves: nothing is served unpaid, and nobody is asked to pay twice.

use super::{
    paywall::text,
    stand_in::{Answer, StandIn, json},
};
use crate::{
    mpp::{golden, known, pubkey},
    support::Log,
};
use axum::{Router, body::Body, http::HeaderMap, routing::get};
use http::{Request, Response};
use serde_json::{Value, json as value};
use sotto::{
    domain::amount::Amount,
    merchant::{
        FacilitatorClient, Gate, Offer, Price, Receipt,
        mpp::{ChargeSeller, MppWall, SecretKey, mcp},
    },
    wire::mpp::{
        challenge::{Challenge, read_all},
        credential::Credential,
        mcp as wire,
        receipt::ChargeReceipt,
    },
};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};
use tower::ServiceExt as _;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// An offer like that of the vectors' first challenge.
pub(super) fn offer(amount: u64) -> Offer {
    let asked = golden("/challenges/0/challenge/request");
    let at = |pointer: &str| asked.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    let price = Price::base_units(Amount::new(amount).unwrap()).unwrap();
    Offer::new(at("/methodDetails/network"), pubkey(&at("/methodDetails/splToken")), known("seller"), price)
}

pub(super) fn seller(url: &str) -> ChargeSeller {
    let client = FacilitatorClient::new(url).unwrap();
    ChargeSeller::new(client, "shop.example", SecretKey::new(SECRET).unwrap()).unwrap()
}

/// What `/mpp/prepare` answers.
pub(super) fn prepared() -> Answer {
    let details = golden("/challenges/0/challenge/request/methodDetails");
    json(
        200,
        &value!({ "feePayer": details["feePayerKey"], "recentBlockhash": details["recentBlockhash"],
            "blockhash": details["recentBlockhash"], "lastValidBlockHeight": 1_000, "network": details["network"],
            "splToken": details["splToken"], "decimals": 6, "tokenProgram": details["tokenProgram"] }),
    )
}

/// What `/mpp/settle` answers, with one member of the proof changed.
pub(super) fn settled(changed: Option<(&str, Value)>) -> Answer {
    let asked = golden("/charge/settle_request");
    let mut proof = value!({ "recipient": asked["recipient"], "amount": "10000", "asset": asked["asset"],
        "feePayer": known("fee_payer").to_string() });
    if let Some((member, other)) = changed {
        proof[member] = other;
    }
    json(
        200,
        &value!({ "success": true, "ok": true, "signature": golden("/charge/cosigned/transaction_signature"),
            "payer": known("buyer").to_string(), "network": "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1", "settlement": proof,
            "recipient": asked["recipient"], "amount": "10000", "asset": asked["asset"], "confirmedSlot": 7 }),
    )
}

fn refused(word: &str) -> Answer {
    json(200, &value!({ "success": false, "ok": false, "errorCode": word, "error": word, "detail": "No." }))
}

/// A shop behind the layer, and how often its handler ran.
struct Shop {
    router: Router,
    served: Arc<AtomicU32>,
    facilitator: StandIn,
}

impl Shop {
    async fn answering(answers: Vec<Answer>) -> Self {
        let facilitator = StandIn::answering(answers).await;
        let served = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&served);
        let handler = move |headers: HeaderMap, extensions: http::Extensions| async move {
            count.fetch_add(1, Ordering::SeqCst);
            assert!(!headers.contains_key("authorization"), "no handler sees a credential");
            extensions.get::<Receipt>().unwrap().transaction.clone()
        };
        let wall = MppWall::new(seller(&facilitator.url), Gate::new("GET /weather", offer(10_000)).unwrap());
        Self { router: Router::new().route("/weather", get(handler)).layer(wall), served, facilitator }
    }

    async fn ask(&self, authorization: Option<&str>) -> Response<Body> {
        let request = Request::get("/weather");
        let request = authorization.into_iter().fold(request, |request, text| request.header("authorization", text));
        self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    /// The header that pays a fresh challenge with the transaction of the vectors.
    async fn credential(&self) -> String {
        let challenge = challenge(&self.ask(None).await);
        paying(challenge).header()
    }

    fn served(&self) -> u32 {
        self.served.load(Ordering::SeqCst)
    }
}

pub(super) fn challenge(response: &Response<Body>) -> Challenge {
    assert_eq!(response.status(), 402);
    let found = read_all(response.headers()["www-authenticate"].to_str().unwrap());
    let [challenge] = found.as_slice() else { panic!("one challenge: {found:?}") };
    challenge.clone()
}

pub(super) fn paying(challenge: Challenge) -> Credential {
    let transaction = golden("/charge/wire_base64").as_str().unwrap().to_owned();
    Credential { challenge: Challenge { description: None, ..challenge }, transaction, source: None }
}

async fn problem(response: Response<Body>) -> Value {
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(response.headers()["cache-control"], "no-store");
    serde_json::from_str(&text(response).await).unwrap()
}

#[tokio::test]
async fn a_request_without_a_credential_is_told_what_it_costs() {
    let shop = Shop::answering(vec![prepared()]).await;
    let response = shop.ask(None).await;
    let challenge = challenge(&response);
    let asked = challenge.requested().unwrap();
    assert_eq!((asked.amount.as_str(), asked.recipient), ("10000", known("seller").to_string()));
    assert_eq!((asked.currency.as_str(), challenge.realm.as_str()), ("USDC", "shop.example"));
    assert!(uuid::Uuid::parse_str(&asked.method_details.reference).is_ok() && challenge.expires.is_some());
    let problem = problem(response).await;
    assert_eq!(problem["type"], "https://paymentauth.org/problems/payment-required");
    assert_eq!((&problem["status"], &problem["challengeId"]), (&value!(402), &value!(challenge.id)));
    assert_eq!(shop.facilitator.asked()[0].body, value!({ "network": "devnet" }));
    assert_eq!(shop.served(), 0);
}

#[tokio::test]
async fn what_is_asked_of_the_facilitator_is_the_offers_own() {
    let shop = Shop::answering(vec![prepared(), settled(None)]).await;
    let response = shop.ask(Some(&shop.credential().await)).await;
    assert_eq!((response.status().as_u16(), shop.served()), (200, 1));
    let receipt = ChargeReceipt::read(response.headers()["payment-receipt"].to_str().unwrap()).unwrap();
    assert_eq!(value!(receipt.reference), *golden("/charge/cosigned/transaction_signature"));
    assert!(response.headers()["cache-control"].to_str().unwrap().contains("private"));
    assert_eq!(text(response).await, receipt.reference);
    let asked = &shop.facilitator.asked()[1];
    assert_eq!(asked.path, "/mpp/settle");
    for (member, expected) in golden("/charge/settle_request").as_object().unwrap() {
        assert_eq!(asked.body[member], *expected, "{member}");
    }
    assert_eq!(asked.body["idempotencyKey"].as_str().unwrap().len(), 32);
}

/// Guard: `check_proof`.
#[tokio::test]
async fn a_proof_of_something_else_serves_nothing() {
    let log = Log::listen();
    for (member, other) in [("recipient", known("buyer").to_string()), ("amount", "9999".into()), ("asset", "x".into())]
    {
        let shop = Shop::answering(vec![prepared(), settled(Some((member, value!(other)))), prepared()]).await;
        let response = shop.ask(Some(&shop.credential().await)).await;
        let challenge = challenge(&response);
        let problem = problem(response).await;
        assert_eq!(problem["detail"], value!(format!("Payment verification failed: settlement_{member}_mismatch.")));
        assert_eq!((&problem["challengeId"], shop.served()), (&value!(challenge.id), 0));
    }
    let signature = golden("/charge/cosigned/transaction_signature").as_str().unwrap();
    assert!(log.text().contains(signature), "the seller can look up where the money went");
    let mut nothing: Value = serde_json::from_str(&settled(None).2).unwrap();
    nothing["signature"] = value!("");
    let shop = Shop::answering(vec![prepared(), json(200, &nothing)]).await;
    let response = shop.ask(Some(&shop.credential().await)).await;
    assert_eq!((response.status().as_u16(), shop.served()), (502, 0), "a success without a signature is none");
}

#[tokio::test]
async fn the_facilitators_word_is_handed_on_with_a_fresh_challenge() {
    for word in ["amount_mismatch", "duplicate_settlement", "payer_settle_cap_exceeded"] {
        let shop = Shop::answering(vec![prepared(), refused(word), prepared()]).await;
        let response = shop.ask(Some(&shop.credential().await)).await;
        let problem = problem(response).await;
        assert_eq!(problem["detail"], value!(format!("Payment verification failed: {word}.")));
        assert_eq!(shop.served(), 0);
    }
}

/// Guard: `settle_charge`. A buyer who is told 402 pays again, so an outcome that is not known is none.
#[tokio::test]
async fn an_outcome_that_is_not_known_is_asked_for_again_with_the_same_key() {
    let shop = Shop::answering(vec![prepared(), refused("settlement_pending"), settled(None)]).await;
    let credential = shop.credential().await;
    assert_eq!(shop.ask(Some(&credential)).await.status(), 200);
    let asked = shop.facilitator.asked();
    assert_eq!((asked.len(), &asked[1].body), (3, &asked[2].body), "the key too");

    let shop = Shop::answering(vec![prepared(), refused("settlement_pending")]).await;
    let credential = shop.credential().await;
    let response = shop.ask(Some(&credential)).await;
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after") && !response.headers().contains_key("www-authenticate"));
    assert!(text(response).await.contains("settlement_pending"));
    let keys: Vec<_> = shop.facilitator.asked()[1..].iter().map(|asked| asked.body["idempotencyKey"].clone()).collect();
    assert_eq!((keys.len(), keys[0] == keys[1], shop.served()), (2, true, 0));
    shop.ask(Some(&credential)).await;
    let later = shop.facilitator.asked()[3].body["idempotencyKey"].clone();
    assert_ne!(later, keys[0], "each verification has its own");
}

#[tokio::test]
async fn a_facilitator_that_cannot_be_asked_is_no_402() {
    let busy = (503, vec![("retry-after", "7".to_owned())], "{}".to_owned());
    let shop = Shop::answering(vec![busy]).await;
    let response = shop.ask(None).await;
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &"7".parse().unwrap()));
    let mut other: Value = serde_json::from_str(&prepared().2).unwrap();
    other["splToken"] = value!(known("buyer").to_string());
    for answer in
        [json(200, &other), json(400, &value!({ "errorCode": "unsupported_network" })), json(200, &value!({}))]
    {
        assert_eq!(Shop::answering(vec![answer]).await.ask(None).await.status(), 502);
    }
}

#[tokio::test]
async fn credentials_that_are_none_cost_no_settlement() {
    let shop = Shop::answering(vec![prepared()]).await;
    let mut bent = challenge(&shop.ask(None).await);
    bent.realm.push('x');
    for (header, kind) in [
        ("Payment !".to_owned(), "malformed-credential"),
        (paying(bent.clone()).header(), "invalid-challenge"),
        ("Bearer abc".to_owned(), "payment-required"),
    ] {
        let response = shop.ask(Some(&header)).await;
        let problem = problem(response).await;
        assert_eq!(problem["type"], value!(format!("https://paymentauth.org/problems/{kind}")), "{header:.40}");
    }
    let tempo = Challenge { method: "tempo".to_owned(), ..bent };
    assert_eq!(shop.ask(Some(&paying(tempo).header())).await.status(), 400);
    assert!(shop.facilitator.asked().iter().all(|asked| asked.path == "/mpp/prepare"));
}

#[tokio::test]
async fn a_call_of_a_tool_is_paid_in_its_parameters() {
    let facilitator =
        StandIn::answering(vec![prepared(), settled(None), refused("duplicate_settlement"), prepared()]).await;
    let (seller, offers) = (seller(&facilitator.url), [offer(10_000)]);
    let error = seller.verify_call(&value!({ "name": "weather" }), &offers).await.unwrap_err();
    assert_eq!((&error["code"], &error["data"]["httpStatus"]), (&value!(-32_042), &value!(402)));
    let (challenges, _) = wire::read_error(&error);
    let mut parameters = serde_json::Map::new();
    wire::add_credential(&mut parameters, &paying(challenges[0].clone()));
    let parameters = Value::Object(parameters);
    let charged = seller.verify_call(&parameters, &offers).await.unwrap();
    let mut result = serde_json::Map::new();
    mcp::add_receipt(&mut result, &charged);
    let (receipt, id) = wire::read_receipt(&Value::Object(result)).unwrap();
    assert_eq!((receipt.reference, id), (charged.answer.signature, challenges[0].id.clone()));
    let error = seller.verify_call(&parameters, &offers).await.unwrap_err();
    assert_eq!(error["code"], value!(-32_043), "{error:#}");
    let error =
        seller.verify_call(&value!({ "_meta": { "org.paymentauth/credential": 1 } }), &offers).await.unwrap_err();
    assert_eq!(error["code"], value!(-32_602), "{error:#}");
}

#[test]
fn a_secret_is_long_and_a_realm_can_be_quoted() {
    assert!(SecretKey::new(&SECRET[1..]).is_err());
    assert!(!format!("{:?}", SecretKey::new(SECRET).unwrap()).contains("0123"));
    for realm in ["", "a|b", "a\"b", "Payment api", "caf\u{e9}"] {
        let client = FacilitatorClient::new("http://127.0.0.1:1").unwrap();
        assert!(ChargeSeller::new(client, realm, SecretKey::new(SECRET).unwrap()).is_err(), "{realm}");
    }
}
