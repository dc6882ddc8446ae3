//! Verifying and settling over HTTP.

use super::bench::{ApiBench, MAX_PER_CALL, UNITS};
use axum::http::StatusCode;
use serde_json::{Value, json};

const NONCE: &str = "nonce-0123456789abcdef";

#[tokio::test]
async fn a_payment_verifies_settles_and_tells_what_is_left() {
    let bench = ApiBench::start().await;
    let id = bench.open(UNITS, NONCE, None).await;
    let body = bench.payment(&id, 10_000, None);
    let verified = bench.post("/verify", &body).await;
    assert_eq!((verified.status, &verified.body["isValid"]), (StatusCode::OK, &json!(true)), "{}", verified.body);
    let settled = bench.post("/settle", &body).await;
    assert_eq!((settled.status, &settled.body["success"]), (StatusCode::OK, &json!(true)), "{}", settled.body);
    assert_eq!((&settled.body["amount"], &settled.body["network"]), (&json!("10000"), &json!("solana:devnet")));
    let session = &settled.body["extensions"]["session"];
    assert_eq!((&session["spent"], &session["remaining"]), (&json!("10000"), &json!((UNITS - 10_000).to_string())));
    assert_eq!(session["funding"], "unproven");
    let shown = bench.get(&format!("/sessions/{id}")).await;
    assert_eq!((&shown.body["captured"], &shown.body["held"]), (&json!("10000"), &json!("0")));
    bench.facilitator.stop().await;
}

#[tokio::test]
async fn r13_a_repeated_nonce_is_one_payment_and_other_content_is_409() {
    let bench = ApiBench::start().await;
    let id = bench.open(UNITS, NONCE, None).await;
    let body = bench.payment(&id, 10_000, Some("call-1"));
    let first = bench.post("/settle", &body).await;
    assert_eq!(first.body["success"], true, "{}", first.body);
    let again = bench.post("/settle", &body).await;
    assert_eq!((again.status, &again.body["errorReason"]), (StatusCode::OK, &json!("duplicate_settlement")));
    assert_eq!(again.body["transaction"], first.body["transaction"]);
    let other = bench.payment(&id, 20_000, Some("call-1"));
    for (path, member) in [("/settle", "errorReason"), ("/verify", "invalidReason")] {
        let conflict = bench.post(path, &other).await;
        assert_eq!(
            (conflict.status, &conflict.body[member]),
            (StatusCode::CONFLICT, &json!("nonce_conflict")),
            "{path}"
        );
    }
    assert_eq!(bench.get(&format!("/sessions/{id}")).await.body["spent"], "10000");
}

/// settle refuses by itself whatever verify refuses, with the same word, and takes nothing.
#[tokio::test]
async fn r06_verify_and_settle_refuse_alike() {
    let bench = ApiBench::start().await;
    let id = bench.open(200_000, NONCE, None).await;
    let on_both_sides = |member: &str, value: Value| {
        let mut body = bench.payment(&id, 10_000, None);
        body["paymentRequirements"][member] = value.clone();
        body["paymentPayload"]["accepted"][member] = value;
        body
    };
    let mut overpaid = bench.payment(&id, 10_000, None);
    overpaid["paymentPayload"]["payload"]["amount"] = json!("9999");
    let mut own_price = bench.payment(&id, 10_000, None);
    own_price["paymentPayload"]["accepted"]["amount"] = json!("1");
    let cases = [
        (on_both_sides("scheme", json!("exact")), "scheme_mismatch"),
        (on_both_sides("network", json!("solana:mainnet")), "network_mismatch"),
        (on_both_sides("asset", json!(bench.spender.to_string())), "asset_mismatch"),
        (on_both_sides("payTo", json!(bench.spender.to_string())), "recipient_mismatch"),
        (overpaid, "amount_mismatch"),
        (own_price, "accepted_mismatch"),
        (bench.payment(&id, MAX_PER_CALL + 1, None), "per_call_limit_exceeded"),
        (bench.payment(&id, 0, None), "invalid_amount"),
        (on_both_sides("extra", json!({"funding": "required"})), "funding_unproven"),
    ];
    for (body, word) in cases {
        let verify = bench.post("/verify", &body).await;
        assert_eq!((verify.status, &verify.body["invalidReason"]), (StatusCode::OK, &json!(word)), "{}", verify.body);
        let settle = bench.post("/settle", &body).await;
        assert_eq!((settle.status, &settle.body["errorReason"]), (StatusCode::OK, &json!(word)), "{}", settle.body);
        assert_eq!(settle.body["transaction"], "");
    }
    for _ in 0..2 {
        assert_eq!(bench.post("/settle", &bench.payment(&id, 90_000, None)).await.body["success"], true);
    }
    let spent = bench.post("/settle", &bench.payment(&id, 90_000, None)).await;
    assert_eq!(spent.body["errorReason"], "cap_exceeded", "{}", spent.body);
    assert_eq!(bench.get(&format!("/sessions/{id}")).await.body["spent"], "180000");
}

#[tokio::test]
async fn answers_echo_the_callers_spelling_of_the_network() {
    let bench = ApiBench::start().await;
    let id = bench.open(UNITS, NONCE, None).await;
    let genesis = format!("solana:{}", &bench.localnet.genesis_hash()[..32]);
    for spelling in ["solana:devnet", "solana:localnet", &genesis] {
        let mut body = bench.payment(&id, 1_000, None);
        body["paymentRequirements"]["network"] = json!(spelling);
        let settled = bench.post("/settle", &body).await;
        assert_eq!(
            (&settled.body["success"], &settled.body["network"]),
            (&json!(true), &json!(spelling)),
            "{}",
            settled.body
        );
    }
}

/// what is told is what this payment left, whoever else pays at the same time.
#[tokio::test]
async fn r30_concurrent_payments_each_learn_their_own_remainder() {
    let bench = std::sync::Arc::new(ApiBench::start().await);
    let id = bench.open(UNITS, NONCE, None).await;
    let calls = (0..8).map(|_| {
        let (bench, id) = (std::sync::Arc::clone(&bench), id.clone());
        tokio::spawn(async move { bench.post("/settle", &bench.payment(&id, 1_000, None)).await.body })
    });
    let mut spent = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        let body = call.await.unwrap();
        assert_eq!(body["success"], true, "{body}");
        let session = &body["extensions"]["session"];
        let numbers: Vec<u64> = ["spent", "remaining"].map(|n| session[n].as_str().unwrap().parse().unwrap()).to_vec();
        assert_eq!(numbers[0] + numbers[1], UNITS);
        spent.push(numbers[0]);
    }
    spent.sort_unstable();
    assert_eq!(spent, (1..=8).map(|n| n * 1_000).collect::<Vec<_>>());
}

/// CR-10. Guard: `PayFailure::refused_with`. Merchants of the deployed service test the status of a settlement alone.
#[tokio::test]
async fn refused_settlements_may_be_answered_400_as_the_deployed_service_does() {
    let bench = ApiBench::with(|edge| edge.refused_settlement = StatusCode::BAD_REQUEST).await;
    let id = bench.open(UNITS, NONCE, None).await;
    let dear = bench.payment(&id, MAX_PER_CALL + 1, None);
    let settled = bench.post("/settle", &dear).await;
    assert_eq!(
        (settled.status, &settled.body["success"], &settled.body["errorReason"]),
        (StatusCode::BAD_REQUEST, &json!(false), &json!("per_call_limit_exceeded"))
    );
    assert_eq!(bench.post("/verify", &dear).await.status, StatusCode::OK, "which it answers so, too");
    let body = bench.payment(&id, 10_000, Some("call-1"));
    assert_eq!(bench.post("/settle", &body).await.status, StatusCode::OK);
    let again = bench.post("/settle", &body).await;
    assert_eq!((again.status, &again.body["errorReason"]), (StatusCode::BAD_REQUEST, &json!("duplicate_settlement")));
    let other = bench.post("/settle", &bench.payment(&id, 20_000, Some("call-1"))).await;
    assert_eq!(other.status, StatusCode::CONFLICT, "other statuses stay what they are");
}

/// FR-23. Guard: `PaymentLimits::explain`. A limit is told with its figures where it refuses, and by `/supported` before.
#[tokio::test]
async fn a_limit_is_told_where_it_refuses_and_before() {
    let bench = ApiBench::start().await;
    let id = bench.open(UNITS, NONCE, None).await;
    let dear = bench.post("/settle", &bench.payment(&id, MAX_PER_CALL + 1, None)).await;
    let told = dear.body["errorMessage"].as_str().unwrap();
    assert!(told.contains(&(MAX_PER_CALL + 1).to_string()) && told.contains(&MAX_PER_CALL.to_string()), "{told}");
    let limits = &bench.get("/supported").await.body["kinds"][0]["extra"]["limits"];
    assert_eq!((&limits["maxPerCall"], &limits["minPerCall"]), (&json!(MAX_PER_CALL.to_string()), &json!("1")));
}
