//! Opening and reading sessions over HTTP.

use super::bench::{ApiBench, UNITS};
use axum::{body::Body, http::StatusCode};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use solana_keypair::{Keypair, Signer as _};
use sotto::domain::{
    clock::{Clock as _, SystemClock},
    signed,
};

#[tokio::test]
async fn a_session_opens_with_201_and_a_repeat_is_the_same_session() {
    let bench = ApiBench::start().await;
    let approve = bench.approve(UNITS);
    let body = bench.opening(UNITS, "nonce-0123456789abcdef", None, &approve);
    let opened = bench.post("/sessions", &body).await;
    assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.body);
    assert_eq!((&opened.body["state"], &opened.body["spent"]), (&json!("open"), &json!("0")));
    assert_eq!((&opened.body["cap"], &opened.body["network"]), (&json!(UNITS.to_string()), &json!("solana:devnet")));
    let repeat = bench.post("/sessions", &body).await;
    assert_eq!((repeat.status, &repeat.body["sessionId"]), (StatusCode::CREATED, &opened.body["sessionId"]));
    let other = bench.post("/sessions", &bench.opening(5, "nonce-0123456789abcdef", None, &approve)).await;
    assert_eq!((other.status, &other.body["error"]), (StatusCode::CONFLICT, &json!("nonce_reused")), "R-10");
}

#[tokio::test]
async fn r11_reading_a_session_tells_neither_the_intent_nor_its_signature() {
    let bench = ApiBench::start().await;
    let approve = bench.approve(UNITS);
    let body = bench.opening(UNITS, "nonce-0123456789abcdef", None, &approve);
    let id = bench.post("/sessions", &body).await.body["sessionId"].as_str().unwrap().to_owned();
    let shown = bench.get(&format!("/sessions/{id}")).await;
    assert_eq!(shown.status, StatusCode::OK);
    let text = shown.body.to_string();
    for secret in ["authMessage", "authSignature"] {
        assert!(!text.contains(body[secret].as_str().unwrap()) && !text.contains(secret), "{text}");
    }
    let signature = STANDARD.decode(body["authSignature"].as_str().unwrap()).unwrap();
    assert!(!text.contains(&bs58::encode(signature).into_string()));
    assert!(!text.contains("nonce-0123456789abcdef"));
}

/// CR-12. Guard: `view`. Clients of the deployed service read these two.
#[tokio::test]
async fn a_session_has_its_id_and_its_time_under_the_deployed_services_names() {
    let bench = ApiBench::start().await;
    let id = bench.open(UNITS, "nonce-0123456789abcdef", None).await;
    let shown = bench.get(&format!("/sessions/{id}")).await.body;
    assert_eq!((&shown["id"], &shown["sessionId"]), (&json!(id), &json!(id)));
    let expires = shown["expirationUnix"].as_u64().unwrap();
    assert!(shown["createdAt"].as_u64().is_some_and(|at| at < expires && at + 7_200 > expires), "{shown:#}");
}

#[tokio::test]
async fn with_a_session_key_amounts_are_told_only_to_a_signed_read() {
    let bench = ApiBench::start().await;
    let session_key = Keypair::new_from_array([21; 32]);
    let id = bench.open(UNITS, "nonce-0123456789abcdef", Some(session_key.pubkey())).await;
    let path = format!("/sessions/{id}");
    let public = bench.get(&path).await;
    for amount in ["cap", "spent", "captured", "held", "remaining"] {
        assert_eq!(public.body.get(amount), None, "{}", public.body);
    }
    let now = SystemClock.now();
    let read = |signer: &Keypair, at: u64| {
        let signature = signer.sign_message(signed::read_message(&id, at).as_bytes());
        (at.to_string(), signature.to_string())
    };
    for signer in [&session_key, &bench.user] {
        let (at, signature) = read(signer, now);
        let by_header = [("session-read-at", at.as_str()), ("session-read-signature", signature.as_str())];
        let told = bench.ask("GET", &path, &by_header, Body::empty()).await;
        assert_eq!(told.body["cap"], UNITS.to_string(), "{}", told.body);
        let told = bench.get(&format!("{path}?at={at}&signature={signature}")).await;
        assert_eq!(told.body["remaining"], UNITS.to_string());
    }
    let stranger = Keypair::new_from_array([22; 32]);
    for (at, signature) in [read(&stranger, now), read(&session_key, now - 301), read(&session_key, now + 400)] {
        let refused = bench.get(&format!("{path}?at={at}&signature={signature}")).await;
        assert_eq!((refused.status, &refused.body["error"]), (StatusCode::FORBIDDEN, &json!("signature_required")));
    }
}

#[tokio::test]
async fn refused_openings_have_their_words_and_leave_nothing() {
    let bench = ApiBench::start().await;
    let approve = bench.approve(UNITS);
    let good = bench.opening(UNITS, "nonce-0123456789abcdef", None, &approve);
    let cases: [(&str, Value, &str); 9] = [
        ("cap", json!("5"), "auth_message_field_mismatch_cap"),
        ("recipient", json!(bench.spender.to_string()), "auth_message_field_mismatch_recipient"),
        ("network", json!("solana:localnet"), "auth_message_field_mismatch_network"),
        ("network", json!("solana:mainnet"), "network_mismatch"),
        ("expirationUnix", json!(1), "auth_message_field_mismatch_expirationUnix"),
        ("authSignature", json!(STANDARD.encode([1; 64])), "invalid_auth_signature"),
        ("authMessage", json!(STANDARD.encode("{}")), "invalid_auth_signature"),
        ("cap", json!(5), "invalid_cap"),
        ("user", Value::Null, "missing_user"),
    ];
    for (member, value, word) in cases {
        let mut body = good.clone();
        body[member] = value;
        let refused = bench.post("/sessions", &body).await;
        assert_eq!(
            (refused.status, &refused.body["error"]),
            (StatusCode::BAD_REQUEST, &json!(word)),
            "{}",
            refused.body
        );
    }
    assert_eq!(bench.post("/sessions", &good).await.status, StatusCode::CREATED, "no nonce was used up");
}

#[tokio::test]
async fn r18_openings_over_the_quota_are_told_when_to_come_back() {
    let bench = ApiBench::start().await;
    let approve = bench.approve(4_000);
    let opens = async |number: u8| {
        let nonce = format!("nonce-0123456789abcde{number}");
        bench.post("/sessions", &bench.opening_on((1_000, Some(4_000)), &nonce, None, &approve)).await
    };
    for number in 0..3 {
        let opened = opens(number).await;
        assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.body);
    }
    let refused = opens(3).await;
    assert_eq!((refused.status, &refused.body["error"]), (StatusCode::TOO_MANY_REQUESTS, &json!("quota_exceeded")));
    assert!(refused.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
}
