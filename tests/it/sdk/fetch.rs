//! A payer in front of merchants that would like more than one payment.

use super::stand_in::{Answer, StandIn, json};
use reqwest::{Method, Request, Url};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use sotto::{
    client::{Authority, Fate, LocalKey, OpenSession, PayError, PayRefusal, Payer, fetch::ChallengeError},
    domain::{amount::Amount, chance::SeededChance, clock::ManualClock, intent::IntentHash, session::SessionId},
    wire::header,
};
use std::{net::Ipv4Addr, sync::Arc, time::Duration};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

pub(super) fn requirements() -> Value {
    json!({"scheme": "session", "network": "solana:devnet", "amount": "500",
        "asset": Pubkey::new_from_array([3; 32]).to_string(), "payTo": Pubkey::new_from_array([4; 32]).to_string(),
        "maxTimeoutSeconds": 30})
}

pub(super) fn challenge() -> Answer {
    let text = header::encode(&json!({"x402Version": 2, "error": "pay", "accepts": [requirements()], "resource": {}}));
    (402, vec![("payment-required", text.unwrap())], String::new())
}

fn settled(success: bool) -> String {
    let reason = (!success).then_some("cap_exceeded");
    let transaction = bs58::encode([7; 64]).into_string();
    let answer =
        json!({"success": success, "transaction": transaction, "network": "solana:devnet", "errorReason": reason});
    header::encode(&answer).unwrap()
}

fn served() -> Answer {
    (200, vec![("payment-response", settled(true))], "sunny".to_owned())
}

/// Of a facilitator that nobody is at, until the year 2096.
pub(super) fn session(origins: &[&str]) -> OpenSession {
    OpenSession {
        id: SessionId::from_random_bytes([7; 16]),
        facilitator: "http://127.0.0.1:9".to_owned(),
        user: Pubkey::new_from_array([1; 32]),
        spender: Pubkey::new_from_array([2; 32]),
        asset: Pubkey::new_from_array([3; 32]),
        recipient: Pubkey::new_from_array([4; 32]),
        cap: Amount::new(1_000_000),
        expires_at: 4_000_000_000,
        networks: vec!["solana:devnet".to_owned()],
        origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
        authority: Some(Authority { intent: IntentHash([5; 32]), key: LocalKey::generate(&SeededChance::new(1)) }),
    }
}

pub(super) fn payer_of(session: OpenSession) -> Payer {
    let (clock, chance) = (Arc::new(ManualClock::at(1_000)), Arc::new(SeededChance::new(1)));
    Payer::new(session, Amount::new(1_000).unwrap(), Duration::from_secs(10), clock, chance).unwrap()
}

fn payer(origins: &[&str]) -> Payer {
    payer_of(session(origins))
}

pub(super) fn url(merchant: &StandIn) -> Url {
    Url::parse(&format!("{}/weather?city=Bern#today", merchant.url)).unwrap()
}

#[tokio::test]
async fn what_costs_nothing_is_handed_through() {
    let merchant = StandIn::answering(vec![(404, vec![], "gone".to_owned())]).await;
    let fetched = payer(&[]).get(url(&merchant)).await.unwrap();
    assert_eq!(fetched.response.status(), 404);
    assert!(fetched.payment.is_none() && fetched.receipt.is_none());
    assert_eq!(merchant.asked().len(), 1);
}

#[tokio::test]
async fn a_challenge_is_paid_once_and_the_receipt_comes_back() {
    let merchant = StandIn::answering(vec![challenge(), served()]).await;
    let fetched = payer(&[&merchant.url]).get(url(&merchant)).await.unwrap();
    assert_eq!(fetched.payment.unwrap().amount.get(), 500);
    assert!(fetched.receipt.unwrap().success);
    assert_eq!(fetched.response.text().await.unwrap(), "sunny");
    let asked = merchant.asked();
    assert_eq!(asked.len(), 2);
    assert!(!asked[0].headers.contains_key("payment-signature"));
    assert!(!asked[1].headers.contains_key("x-payment"), "version 2 has one header");
    let paid: Value = header::decode(asked[1].headers["payment-signature"].to_str().unwrap()).unwrap();
    assert_eq!(paid["resource"]["url"], format!("{}/weather?city=Bern", merchant.url));
}

#[tokio::test]
async fn a_version_one_merchant_is_paid_under_both_names() {
    let mut offer = requirements();
    offer["maxAmountRequired"] = json!("500");
    offer.as_object_mut().unwrap().remove("amount");
    let challenge = json(402, &json!({"x402Version": 1, "accepts": [offer]}));
    let receipt = (200, vec![("x-payment-response", settled(true))], String::new());
    let merchant = StandIn::answering(vec![challenge, receipt]).await;
    let fetched = payer(&[&merchant.url]).get(url(&merchant)).await.unwrap();
    assert!(fetched.receipt.unwrap().success);
    let headers = &merchant.asked()[1].headers;
    assert_eq!(headers["x-payment"], headers["payment-signature"]);
}

#[tokio::test]
async fn r12_an_origin_that_was_not_allowed_gets_no_payment() {
    let merchant = StandIn::answering(vec![challenge()]).await;
    let port = Url::parse(&merchant.url).unwrap().port().unwrap();
    let elsewhere = [format!("http://127.0.0.1:{}", port ^ 1), format!("https://127.0.0.1:{port}")];
    for allowed in elsewhere.iter().map(String::as_str).chain(["", "null", "http://localhost"]) {
        let refused = payer(&[allowed]).get(url(&merchant)).await;
        assert!(matches!(refused, Err(PayError::Origin { .. })), "{allowed}");
    }
    assert!(merchant.asked().iter().all(|asked| !asked.headers.contains_key("payment-signature")));
}

#[tokio::test]
async fn r12_a_price_above_the_maximum_or_for_somebody_else_is_not_paid() {
    for (member, value) in [("amount", "1001"), ("payTo", "11111111111111111111111111111111")] {
        let mut offer = requirements();
        offer[member] = json!(value);
        let challenge = json(402, &json!({"x402Version": 1, "accepts": [offer]}));
        let merchant = StandIn::answering(vec![challenge]).await;
        match payer(&[&merchant.url]).get(url(&merchant)).await {
            Err(PayError::Refusal(PayRefusal::TooExpensive { .. } | PayRefusal::Recipient)) => {}
            other => panic!("{member}: {other:?}"),
        }
        assert_eq!(merchant.asked().len(), 1);
    }
}

#[tokio::test]
async fn r12_a_merchant_that_asks_again_is_not_paid_again() {
    let merchant = StandIn::answering(vec![challenge()]).await;
    match payer(&[&merchant.url]).get(url(&merchant)).await {
        Err(PayError::Rejected { reason, payment, fate }) => {
            assert_eq!((reason.as_str(), payment.version), ("pay", 2));
            assert!(matches!(*fate, Fate::Untold(_)), "there is no facilitator to ask: {fate:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(merchant.asked().len(), 2);
}

#[tokio::test]
async fn r12_a_payment_does_not_follow_a_redirect() {
    let thief = StandIn::answering(vec![served()]).await;
    let redirect = (307, vec![("location", thief.url.clone())], String::new());
    let merchant = StandIn::answering(vec![challenge(), redirect]).await;
    let fetched = payer(&[&merchant.url, &thief.url]).get(url(&merchant)).await.unwrap();
    assert_eq!(fetched.response.status(), 307);
    assert!(thief.asked().is_empty());
}

#[tokio::test]
async fn r12_a_merchants_cookie_goes_nowhere() {
    let (status, mut headers, body) = challenge();
    headers.push(("set-cookie", "who=payer; Path=/".to_owned()));
    let merchant = StandIn::answering(vec![(status, headers, body), served()]).await;
    let payer = payer(&[&merchant.url]);
    payer.get(url(&merchant)).await.unwrap();
    payer.get(url(&merchant)).await.unwrap();
    assert!(merchant.asked().iter().all(|asked| !asked.headers.contains_key("cookie")), "calls are not tied together");
}

#[tokio::test]
async fn an_unsettled_payment_is_a_typed_error_and_can_be_repeated_as_the_same_payment() {
    let unsettled = (402, vec![("payment-response", settled(false))], String::new());
    let merchant = StandIn::answering(vec![challenge(), unsettled, served()]).await;
    let payer = payer(&[&merchant.url]);
    let payment = match payer.get(url(&merchant)).await {
        Err(PayError::NotSettled { payment, answer, .. }) => {
            assert_eq!(answer.error_reason.as_deref(), Some("cap_exceeded"));
            payment
        }
        other => panic!("{other:?}"),
    };
    let again = payer.repeat(Request::new(Method::GET, url(&merchant)), *payment).await.unwrap();
    assert!(again.receipt.unwrap().success);
    let asked = merchant.asked();
    assert_eq!(asked[1].headers["payment-signature"], asked[2].headers["payment-signature"]);
}

#[tokio::test]
async fn a_payment_without_an_answer_has_an_unknown_outcome() {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (_, headers, _) = challenge();
    let merchant = tokio::spawn(async move {
        let head = format!("HTTP/1.1 402 X\r\n{}: {}\r\n", headers[0].0, headers[0].1);
        let answers = [format!("{head}content-length: 0\r\nconnection: close\r\n\r\n"), String::new()];
        for answer in answers {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 8_192];
            let read = connection.read(&mut request).await.unwrap();
            assert!(read > 0);
            connection.write_all(answer.as_bytes()).await.unwrap();
            connection.shutdown().await.unwrap();
        }
    });
    match payer(&[&url]).get(Url::parse(&url).unwrap()).await {
        Err(PayError::Unknown { payment, source }) => {
            assert_eq!(payment.amount.get(), 500);
            assert!(!source.to_string().contains("127.0.0.1"), "{source}");
        }
        other => panic!("{other:?}"),
    }
    merchant.await.unwrap();
}

#[tokio::test]
async fn unreadable_challenges_cost_nothing() {
    let long = format!(r#"{{"x402Version":1,"accepts":[],"padding":"{}"}}"#, "x".repeat(100_000));
    let answers: Vec<Answer> = vec![
        (402, vec![("payment-required", "%%%".to_owned())], String::new()),
        (402, vec![("payment-required", String::new())], String::new()),
        (402, vec![], "<html>".to_owned()),
        (402, vec![], r#"{"x402Version":9,"accepts":[]}"#.to_owned()),
        (402, vec![], r#"{"x402Version":1,"x402Version":2,"accepts":[]}"#.to_owned()),
        (402, vec![], "[".repeat(60_000)),
        (402, vec![], long),
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        let merchant = StandIn::answering(vec![answer]).await;
        let error = payer(&[&merchant.url]).get(url(&merchant)).await.expect_err("refused");
        assert!(matches!(error, PayError::Challenge(_)), "answer {number}: {error:?}");
        assert_eq!(matches!(error, PayError::Challenge(ChallengeError::TooLong)), number == 6);
        assert_eq!(merchant.asked().len(), 1, "answer {number}");
    }
}
