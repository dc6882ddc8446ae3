//! What the log holds after payments, refusals and openings: enough to find a request again, nothing confidential
//! (`spec/security.md` §1.4).

use super::bench::ApiBench;
use crate::support::Log;
use serde_json::json;
use solana_keypair::{Keypair, Signer as _};
use sotto::domain::session::SessionId;

#[tokio::test]
async fn logs_find_a_request_again_and_hold_nothing_confidential() {
    let heard = Log::listen();
    let bench = ApiBench::start().await;
    let session_key = Keypair::new_from_array([21; 32]);
    let approve = bench.approve(654_321);
    let opening = bench.opening(654_321, "nonce-of-the-intent-1", None, &approve);
    let id = bench.post("/sessions", &opening).await.body["sessionId"].as_str().unwrap().to_owned();
    let paid = bench.post("/settle", &bench.payment(&id, 54_321, Some("nonce-of-a-call"))).await;
    assert_eq!(paid.body["success"], true, "{}", paid.body);
    let _verified = bench.post("/verify", &bench.payment(&id, 99_999, None)).await;
    let _conflict = bench.post("/settle", &bench.payment(&id, 54_322, Some("nonce-of-a-call"))).await;
    let _cut = bench.post_bytes("/settle", opening.to_string()).await;
    let signature = session_key.sign_message(b"x").to_string();
    let _read = bench.get(&format!("/sessions/{id}?at=17&signature={signature}")).await;
    let mut wrong = opening.clone();
    wrong["cap"] = json!("654322");
    let _mismatch = bench.post("/sessions", &wrong).await;
    bench.facilitator.stop().await;

    let log = heard.text();
    let hash = id.parse::<SessionId>().unwrap().log_hash();
    let transaction = paid.body["transaction"].as_str().unwrap();
    let finds = ["payment settled", "session opened", "nonce_conflict", hash.as_str(), transaction, "/sessions/{id}"];
    for needed in finds {
        assert!(log.contains(needed), "{needed} is missing in:\n{log}");
    }
    let text = |member: &str| opening[member].as_str().unwrap().to_owned();
    let secrets = [
        id,
        text("authMessage"),
        text("authSignature"),
        signature,
        "654321".into(),
        "654322".into(),
        "54321".into(),
        "54322".into(),
        "99999".into(),
        "600000".into(),
        "nonce-of-the-intent-1".into(),
        "nonce-of-a-call".into(),
    ];
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret} is in the log:\n{log}");
    }
}
