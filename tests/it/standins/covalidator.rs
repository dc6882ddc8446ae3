//! The Covalidator's stand-in over HTTP, as the published client speaks to it.

use crate::support::{PATIENCE, until};
use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use solana_keypair::{Keypair, Signer as _};
use sotto::localnet::covalidator::{CovalidatorPlan, Lie, LocalCovalidator};
use sotto::programs::attestation::verify_attestation;

use super::bench::{Bench, key};
use super::chain::BenchChain;
use sotto::localnet::standins::Rules;

const UNITS: u128 = 1_000_000;

/// A funded bench, the Covalidator on it, and the user's balance that the user may read.
struct Scene {
    chain: Arc<BenchChain>,
    covalidator: LocalCovalidator,
    user: Keypair,
    handle: u128,
    http: reqwest::Client,
}

impl Scene {
    async fn open() -> Self {
        let mut bench = Bench::funded(Rules::default(), UNITS);
        let user = bench.user.insecure_clone();
        let handle = bench.account(&user).amount;
        let allow = super::allowance::allow(&bench, handle, &user, &user.pubkey());
        bench.land(&[allow], &[&user]).unwrap();
        Self::over(bench, user, handle).await
    }

    async fn over(bench: Bench, user: Keypair, handle: u128) -> Self {
        let stand_ins = bench.stand_ins.clone();
        let chain = Arc::new(BenchChain::new(bench));
        let at = ([127, 0, 0, 1], 0).into();
        let covalidator = LocalCovalidator::start(at, stand_ins, chain.clone()).await.unwrap();
        let http = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        Self { chain, covalidator, user, handle, http }
    }

    async fn post(&self, body: &Value) -> (StatusCode, Value) {
        let answer = self.http.post(self.covalidator.url()).json(body).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    async fn ask(&self) -> (StatusCode, Value) {
        self.post(&request(self.handle, &self.user)).await
    }

    /// Whether the answer's attestation verifies for the handle that was asked for.
    fn verifies(&self, answer: &Value) -> bool {
        let Some(plaintext) = answer["plaintext"].as_str().unwrap().parse().ok() else { return false };
        let signature = bs58::decode(answer["signature"].as_str().unwrap()).into_vec().unwrap().try_into().unwrap();
        verify_attestation(&key(5).pubkey(), self.handle, plaintext, &signature)
    }
}

fn request(handle: u128, asker: &Keypair) -> Value {
    let signature = asker.sign_message(handle.to_string().as_bytes());
    json!({ "handle": handle.to_string(), "address": asker.pubkey().to_string(), "signature": signature.to_string() })
}

#[tokio::test]
async fn the_holder_of_a_decrypt_allowance_gets_an_attested_plaintext() {
    let scene = Scene::open().await;
    let (status, answer) = scene.ask().await;
    assert_eq!((status, answer["plaintext"].as_str()), (StatusCode::OK, Some("1000000")));
    assert_eq!(answer["handle_value"], scene.handle.to_string());
    assert!(scene.verifies(&answer));
    assert_eq!(scene.covalidator.requests(), 1);
}

#[tokio::test]
async fn without_an_allowance_nobody_reads() {
    let scene = Scene::open().await;
    let (status, answer) = scene.post(&request(scene.handle, &key(9))).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(answer["error"], "Address is not allowed to decrypt this handle");
}

#[tokio::test]
async fn lamports_at_the_allowances_address_are_no_allowance() {
    let scene = Scene::open().await;
    let thief = key(9);
    scene.chain.with(|bench| {
        let address = bench.programs.decrypt_allowance(scene.handle, &thief.pubkey());
        bench.svm.airdrop(&address, 10_000_000).unwrap();
    });
    let (status, _) = scene.post(&request(scene.handle, &thief)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_signature_of_somebody_else_is_refused() {
    let scene = Scene::open().await;
    let mut forged = request(scene.handle, &key(9));
    forged["address"] = scene.user.pubkey().to_string().into();
    assert_eq!(scene.post(&forged).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn malformed_requests_are_refused() {
    let scene = Scene::open().await;
    let good = request(scene.handle, &scene.user);
    for (member, value) in [
        ("handle", json!(format!("{:#x}", scene.handle))),
        ("handle", json!("007")),
        ("handle", json!("")),
        ("handle", json!(7)),
        ("address", json!("I0lO")),
        ("signature", json!("1".repeat(2_000))),
        ("signature", Value::Null),
    ] {
        let mut bad = good.clone();
        bad[member] = value;
        assert_eq!(scene.post(&bad).await.0, StatusCode::BAD_REQUEST, "{member}");
    }
    let huge = json!({ "handle": "1".repeat(100_000) });
    assert_eq!(scene.post(&huge).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_undecryptable_ciphertext_is_not_found() {
    let mut bench = Bench::funded(Rules::default(), UNITS);
    let (user, facilitator) = (bench.user.insecure_clone(), bench.facilitator.insecure_clone());
    let source = bench.token_account(&user);
    let approve = bench.programs.approve(&source, &facilitator.pubkey(), &user.pubkey(), &[4; 120], None);
    bench.land(&[approve], &[&user]).unwrap();
    let handle = bench.account(&user).delegated_amount;
    let allow = super::allowance::allow(&bench, handle, &user, &facilitator.pubkey());
    bench.land(&[allow], &[&user]).unwrap();
    let scene = Scene::over(bench, facilitator, handle).await;
    let (status, answer) = scene.ask().await;
    assert_eq!((status, answer["error"].as_str()), (StatusCode::NOT_FOUND, Some("ciphertext not found")));
}

#[tokio::test]
async fn a_lagging_covalidator_finds_the_ciphertext_some_slots_later() {
    let scene = Scene::open().await;
    scene.covalidator.faults().set(CovalidatorPlan { lag_slots: 1_000, ..CovalidatorPlan::default() });
    let (status, answer) = scene.ask().await;
    assert_eq!((status, answer["error"].as_str()), (StatusCode::NOT_FOUND, Some("ciphertext not found")));
    scene.chain.advance(1_000);
    assert_eq!(scene.ask().await.0, StatusCode::OK);
}

#[tokio::test]
async fn counted_failures_end() {
    let scene = Scene::open().await;
    scene.covalidator.faults().change(|plan| plan.fail_next = 2);
    for expected in [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::INTERNAL_SERVER_ERROR, StatusCode::OK] {
        assert_eq!(scene.ask().await.0, expected);
    }
}

#[tokio::test]
async fn a_silent_request_is_never_answered_and_does_not_hold_up_a_stop() {
    let scene = Scene::open().await;
    scene.covalidator.faults().change(|plan| plan.silent_next = 2);
    let question = request(scene.handle, &scene.user);
    let send = || tokio::spawn(scene.http.post(scene.covalidator.url()).json(&question).send());
    let mut given_up = send();
    until("it is asked", async || scene.covalidator.requests() == 1).await;
    assert!(tokio::time::timeout(Duration::from_millis(100), &mut given_up).await.is_err(), "no answer");
    given_up.abort();
    let unanswered = send();
    until("it is asked again", async || scene.covalidator.requests() == 2).await;
    scene.covalidator.shutdown().await;
    assert!(unanswered.await.unwrap().is_ok_and(|answer| answer.status() == StatusCode::INTERNAL_SERVER_ERROR));
}

#[tokio::test]
async fn no_lie_passes_the_attestation_check() {
    let scene = Scene::open().await;
    for lie in [Lie::Signature, Lie::Handle, Lie::Plaintext, Lie::Empty] {
        scene.covalidator.faults().set(CovalidatorPlan { lie: Some(lie), ..CovalidatorPlan::default() });
        let (status, answer) = scene.ask().await;
        assert_eq!(status, StatusCode::OK);
        assert!(!scene.verifies(&answer), "{lie:?}");
    }
    scene.covalidator.faults().set(CovalidatorPlan::default());
    assert!(scene.verifies(&scene.ask().await.1));
}

#[tokio::test]
async fn a_browser_may_ask() {
    let scene = Scene::open().await;
    let preflight = scene
        .http
        .request(reqwest::Method::OPTIONS, scene.covalidator.url())
        .header("origin", "http://localhost:3000")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type")
        .send()
        .await
        .unwrap();
    assert!(preflight.status().is_success());
    assert!(preflight.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn it_listens_on_loopback_only() {
    let bench = Bench::new(Rules::default());
    let stand_ins = bench.stand_ins.clone();
    let chain = Arc::new(BenchChain::new(bench));
    assert!(LocalCovalidator::start(([0, 0, 0, 0], 0).into(), stand_ins, chain).await.is_err());
}
