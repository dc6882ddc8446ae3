//! The API through its router, with everything real behind it. Every answer in here is also held against
//! `docs/openapi.json` (see [`bench::ApiBench::ask`]).

mod backpressure;
mod bad_input;
mod bench;
mod logs;
mod paying;
mod rates;
mod revocations;
mod sessions;
mod shared_places;
mod single_payments;
mod slow_callers;
mod smuggling;
mod wallet_sessions;

use axum::{body::Body, http::StatusCode};
use bench::ApiBench;
use serde_json::json;

#[tokio::test]
async fn health_tells_the_spender_in_the_deployed_services_words() {
    let bench = ApiBench::start().await;
    let answer = bench.get("/health").await;
    assert_eq!((answer.status, &answer.body["ok"]), (StatusCode::OK, &json!(true)));
    assert_eq!(answer.body["address"], bench.spender.to_string());
    assert_eq!(
        (&answer.body["tokenMint"], &answer.body["network"]),
        (&json!(bench.asset.to_string()), &json!("solana:localnet"))
    );
}

#[tokio::test]
async fn r28_ready_asks_the_chain_the_ledger_and_the_purse() {
    let bench = ApiBench::start().await;
    let answer = bench.get("/ready").await;
    assert_eq!((answer.status, &answer.body["ok"]), (StatusCode::OK, &json!(true)), "{}", answer.body);
    let names: Vec<_> = answer.body["checks"].as_array().unwrap().iter().map(|check| check["name"].clone()).collect();
    assert!(["ledger", "rpc", "network", "fee_payer"].iter().all(|name| names.contains(&json!(name))), "{names:?}");
}

#[tokio::test]
async fn r31_supported_lists_version_2_first_in_every_spelling_with_signers_and_extensions() {
    let bench = ApiBench::start().await;
    let body = bench.get("/supported").await.body;
    let kinds: Vec<_> =
        body["kinds"].as_array().unwrap().iter().map(|k| (k["x402Version"].as_u64(), k["network"].clone())).collect();
    let genesis = format!("solana:{}", &bench.localnet.genesis_hash()[..32]);
    let spellings = ["solana:devnet", "solana:localnet", &genesis];
    let expected: Vec<_> = [2, 1].into_iter().flat_map(|v| spellings.map(|s| (Some(v), json!(s)))).collect();
    assert_eq!(kinds, expected);
    for kind in body["kinds"].as_array().unwrap() {
        assert_eq!(kind["extra"]["facilitatorAddress"], bench.spender.to_string());
        assert_eq!((&kind["extra"]["sessionsEndpoint"], &kind["extra"]["decimals"]), (&json!("/sessions"), &json!(6)));
        assert_eq!(kind["extra"]["limits"]["maxPerCall"], bench::MAX_PER_CALL.to_string());
    }
    assert_eq!(body["extensions"], json!(["payment-identifier"]));
    assert_eq!(body["signers"], json!({"solana:*": [bench.spender.to_string()]}), "one key, named once");
}

#[tokio::test]
async fn the_document_of_the_api_is_served() {
    let bench = ApiBench::start().await;
    let answer = bench.get("/openapi.json").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers["content-type"], "application/json");
    let documented = answer.body["paths"].as_object().unwrap();
    assert!(sotto::api::served().iter().all(|(_, path)| documented.contains_key(*path)), "of this build");
}

#[tokio::test]
async fn browsers_of_any_origin_may_call_without_credentials() {
    let bench = ApiBench::start().await;
    let asked = [
        ("origin", "https://shop.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type,payment-signature,x-payment"),
    ];
    for path in ["/health", "/supported", "/sessions", "/sessions/prepare", "/verify", "/settle", "/nowhere"] {
        let preflight = bench.ask("OPTIONS", path, &asked, Body::empty()).await;
        assert_eq!(
            (preflight.status, preflight.headers["access-control-allow-origin"].as_bytes()),
            (StatusCode::OK, &b"*"[..]),
            "{path}"
        );
        let allowed = preflight.headers["access-control-allow-headers"].to_str().unwrap().to_lowercase();
        assert!(
            ["content-type", "payment-signature", "x-payment"].iter().all(|name| allowed.contains(name)),
            "{allowed}"
        );
        assert!(!preflight.headers.contains_key("access-control-allow-credentials"));
    }
    let refused = bench.ask("POST", "/settle", &asked[..1], Body::from("x")).await;
    assert_eq!(refused.headers["access-control-allow-origin"], "*", "refusals are readable too");
}

#[tokio::test]
async fn an_operator_may_narrow_the_origins() {
    let bench = ApiBench::with(|edge| edge.origins = Some(vec!["https://shop.example".parse().unwrap()])).await;
    for (origin, allowed) in [("https://shop.example", true), ("https://other.example", false)] {
        let answer = bench.ask("GET", "/health", &[("origin", origin)], Body::empty()).await;
        assert_eq!(answer.headers.contains_key("access-control-allow-origin"), allowed, "{origin}");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_typed_json() {
    let bench = ApiBench::start().await;
    for path in ["/", "/nowhere", "/sessions/", "/sessions/a/b", "/verify/", "//settle", "/%ff", "/sessions/%2e%2e/x"] {
        let answer = bench.get(path).await;
        assert_eq!((answer.status, &answer.body["error"]), (StatusCode::NOT_FOUND, &json!("not_found")), "{path}");
    }
    for (path, wrong) in [("/verify", "GET"), ("/settle", "PUT"), ("/sessions", "DELETE"), ("/health", "POST")] {
        let answer = bench.ask(wrong, path, &[], Body::empty()).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert!(answer.headers.contains_key("allow"), "{path}");
    }
}

#[tokio::test]
async fn a_busy_facilitator_sheds_work_and_is_still_alive() {
    let bench = ApiBench::with(|edge| edge.max_concurrent = 0).await;
    // Probes have places of their own.
    for probe in ["/health", "/ready"] {
        assert_eq!(bench.get(probe).await.status, StatusCode::OK, "{probe}");
    }
    for (method, path) in [("GET", "/supported"), ("POST", "/sessions"), ("POST", "/verify"), ("POST", "/settle")] {
        let answer = bench.ask(method, path, &[], Body::from("{}")).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(answer.headers["retry-after"], "1", "{path}");
    }
}

#[tokio::test]
async fn every_answer_has_an_id_and_is_never_cached() {
    let bench = ApiBench::start().await;
    let first = bench.get("/health").await;
    let second = bench.get("/nowhere").await;
    assert_ne!(first.headers["x-request-id"], second.headers["x-request-id"]);
    assert_eq!(second.headers["cache-control"], "no-store");
    let given = bench.ask("GET", "/health", &[("x-request-id", "proxy-17")], Body::empty()).await;
    assert_eq!(given.headers["x-request-id"], "proxy-17");
    for hostile in ["a b", "a\u{7f}", "<script>", &"x".repeat(65), ""] {
        let Ok(_) = axum::http::HeaderValue::from_str(hostile) else { continue };
        let answer = bench.ask("GET", "/health", &[("x-request-id", hostile)], Body::empty()).await;
        assert_ne!(answer.headers["x-request-id"], hostile, "taken over into logs");
    }
}
