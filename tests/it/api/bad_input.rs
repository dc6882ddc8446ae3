//! Every answer to bad input is typed, nothing is charged, and the chain is not asked to move anything.

use super::bench::ApiBench;
use axum::{body::Body, http::StatusCode};
use proptest::{prelude::*, strategy::ValueTree as _};
use serde_json::{Value, json};

/// No transaction reached the network.
fn nothing_was_sent(bench: &ApiBench) {
    let counts = bench.localnet.network().request_counts();
    assert_eq!(counts.get("sendTransaction").copied().unwrap_or(0), 0, "{counts:?}");
}

#[tokio::test]
async fn unreadable_bodies_are_400_in_the_routes_own_format() {
    let bench = ApiBench::start().await;
    let deep = "[".repeat(10_000);
    let bodies: [&[u8]; 9] =
        [b"", b"{", b"null", b"[]", b"\"x\"", b"\xff\xfe", b"{\"paymentPayload\":1}", deep.as_bytes(), b"{}{}"];
    for body in bodies {
        let verify = bench.post_bytes("/verify", body.to_vec()).await;
        assert_eq!((verify.status, &verify.body["isValid"]), (StatusCode::BAD_REQUEST, &json!(false)));
        assert_eq!(verify.body["invalidReason"], "bad_request");
        let settle = bench.post_bytes("/settle", body.to_vec()).await;
        assert_eq!((settle.status, &settle.body["success"]), (StatusCode::BAD_REQUEST, &json!(false)));
        assert_eq!((&settle.body["transaction"], &settle.body["errorReason"]), (&json!(""), &json!("bad_request")));
        assert!(settle.body["network"].as_str().unwrap().starts_with("solana:"), "clients refuse an empty network");
        let open = bench.post_bytes("/sessions", body.to_vec()).await;
        assert_eq!(open.status, StatusCode::BAD_REQUEST);
        assert!(open.body["error"] == "bad_request" || open.body["error"] == "missing_user", "{}", open.body);
    }
    nothing_was_sent(&bench);
}

#[tokio::test]
async fn bodies_above_the_limit_are_413_whether_they_say_their_length_or_not() {
    let bench = ApiBench::start().await;
    for path in ["/verify", "/settle", "/sessions"] {
        let told = bench.post_bytes(path, vec![b' '; 64 * 1024 + 1]).await;
        assert_eq!(told.status, StatusCode::PAYLOAD_TOO_LARGE);
        let chunks = futures_util::stream::iter((0..1_000).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1024])));
        let untold = bench.ask("POST", path, &[], Body::from_stream(chunks)).await;
        assert_eq!(untold.status, StatusCode::PAYLOAD_TOO_LARGE);
        let fits = bench.post_bytes(path, vec![b' '; 64 * 1024]).await;
        assert_eq!(fits.status, StatusCode::BAD_REQUEST, "read, and found not to be JSON");
    }
    let broken = futures_util::stream::iter([Ok(vec![b'{']), Err(std::io::Error::other("gone"))]);
    assert_eq!(bench.ask("POST", "/settle", &[], Body::from_stream(broken)).await.status, StatusCode::BAD_REQUEST);
}

/// FR-27. A compressed body is told what it is, in the route's own format.
#[tokio::test]
async fn compressed_bodies_are_415() {
    let bench = ApiBench::start().await;
    let body = bench.payment("0f8fad5b-d9cb-469f-a165-70867728950e", 5, None).to_string();
    for (path, member) in [("/verify", "invalidReason"), ("/settle", "errorReason"), ("/sessions", "error")] {
        for (coding, status) in [("gzip", 415), ("br, gzip", 415), ("identity", 0), ("Identity", 0)] {
            let answer = bench.ask("POST", path, &[("content-encoding", coding)], Body::from(body.clone())).await;
            let is_told = answer.body[member] == "bad_request" && answer.status.as_u16() == 415;
            assert_eq!(is_told, status == 415, "{path} {coding}: {}", answer.body);
        }
    }
    nothing_was_sent(&bench);
}

#[tokio::test]
async fn the_content_type_is_not_asked_for() {
    let bench = ApiBench::start().await;
    let body = bench.payment("0f8fad5b-d9cb-469f-a165-70867728950e", 5, None).to_string();
    for kind in ["application/json", "text/plain", "application/x-www-form-urlencoded", "nonsense"] {
        let answer = bench.ask("POST", "/verify", &[("content-type", kind)], Body::from(body.clone())).await;
        assert_eq!(answer.body["invalidReason"], "session_not_found", "{kind}");
    }
}

#[tokio::test]
async fn an_unknown_session_is_refused_without_a_trace() {
    let bench = ApiBench::start().await;
    for id in ["0f8fad5b-d9cb-469f-a165-70867728950e", "x", "' OR 1=1 --", "../../etc/passwd"] {
        let body = bench.payment(id, 5, Some("n-1"));
        let verify = bench.post("/verify", &body).await;
        assert_eq!((verify.status, &verify.body["invalidReason"]), (StatusCode::OK, &json!("session_not_found")));
        let settle = bench.post("/settle", &body).await;
        assert_eq!((settle.status, &settle.body["errorReason"]), (StatusCode::OK, &json!("session_not_found")));
        assert_eq!(settle.body["network"], "solana:devnet", "the request's spelling");
    }
    for id in
        ["0f8fad5b-d9cb-469f-a165-70867728950e", "x", "%00", "%f0%9f%92%a9", "0F8FAD5B-D9CB-469F-A165-70867728950E"]
    {
        let shown = bench.get(&format!("/sessions/{id}")).await;
        assert_eq!((shown.status, &shown.body["error"]), (StatusCode::NOT_FOUND, &json!("session_not_found")), "{id}");
    }
    nothing_was_sent(&bench);
}

#[tokio::test]
async fn malformed_signed_reads_are_400() {
    let bench = ApiBench::start().await;
    let id = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let signature = bs58::encode([1; 64]).into_string();
    let queries = [
        "?at=1".to_owned(),
        format!("?signature={signature}"),
        format!("?at=x&signature={signature}"),
        format!("?at=-1&signature={signature}"),
        format!("?at=01&signature={signature}"),
        "?at=1&signature=0OIl".to_owned(),
        format!("?at=+1&signature={signature}"),
        format!("?at=1&at=2&signature={signature}"),
        format!("?at=&signature={signature}"),
        format!("?at=99999999999999999999&signature={signature}"),
    ];
    for query in queries {
        let answer = bench.get(&format!("/sessions/{id}{query}")).await;
        assert_eq!((answer.status, &answer.body["error"]), (StatusCode::BAD_REQUEST, &json!("bad_request")), "{query}");
    }
    let headers = [("session-read-at", "x"), ("session-read-signature", signature.as_str())];
    assert_eq!(
        bench.ask("GET", &format!("/sessions/{id}"), &headers, Body::empty()).await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn r08_any_json_gets_a_typed_answer() {
    let bench = ApiBench::start().await;
    let leaves = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        Just(json!({})),
        Just(json!([])),
        Just(json!("-1")),
        Just(json!("1e9")),
        Just(json!("0x10")),
    ];
    let places = [
        "/paymentPayload",
        "/paymentRequirements",
        "/paymentPayload/payload",
        "/paymentPayload/accepted",
        "/paymentPayload/payload/amount",
        "/paymentPayload/payload/sessionId",
        "/paymentPayload/payload/nonce",
        "/paymentPayload/x402Version",
        "/paymentPayload/resource",
        "/paymentPayload/extensions",
        "/paymentRequirements/network",
        "/paymentRequirements/scheme",
        "/paymentRequirements/amount",
        "/paymentRequirements/asset",
        "/paymentRequirements/payTo",
        "/paymentRequirements/extra",
        "/paymentRequirements/maxTimeoutSeconds",
    ];
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for place in places {
        for _ in 0..12 {
            let value = leaves.new_tree(&mut runner).unwrap().current();
            let mut body = bench.payment("0f8fad5b-d9cb-469f-a165-70867728950e", 5, None);
            let (parent, name) = place.rsplit_once('/').unwrap();
            body.pointer_mut(parent).and_then(Value::as_object_mut).unwrap().insert(name.to_owned(), value);
            for path in ["/verify", "/settle"] {
                let answer = bench.post(path, &body).await;
                assert!(
                    answer.status == StatusCode::OK || answer.status == StatusCode::BAD_REQUEST,
                    "{place} {}",
                    answer.body
                );
            }
        }
    }
    nothing_was_sent(&bench);
}
