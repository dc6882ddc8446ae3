//! The Covalidator's client against a server that answers every known failure and lie of `spec/inco.md` §7.

mod scripted;

use crate::support::PATIENCE;
use axum::http::StatusCode;
use scripted::{Scripted, Step};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use sotto::{
    covalidator::{Covalidator as _, CovalidatorError, HttpCovalidator, RequestSigner as _, SetupError, WalletSigner},
    programs::{attestation::attestation_digest, inco_token::ed25519_verify},
};
use std::{
    error::Error,
    fmt::Write as _,
    time::{Duration, Instant},
};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// The golden answers: `(handle, {plaintext, signature}, the whole case)`.
fn golden() -> Vec<(u128, Value, Value)> {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/inco.json")).expect("the vectors are JSON");
    let cases = vectors["covalidator"].as_array().expect("a list").clone();
    cases
        .into_iter()
        .map(|case| {
            let handle = case["handle"].as_str().expect("text").parse().expect("a number");
            let answer = json!({
                "plaintext": case["plaintext"],
                "signature": case["attestation_signature_base58"],
            });
            (handle, answer, case)
        })
        .collect()
}

/// Handle 255 holds 500000.
fn one() -> (u128, Value) {
    let (handle, answer, _) = golden().swap_remove(2);
    assert_eq!((handle, &answer["plaintext"]), (255, &json!("500000")));
    (handle, answer)
}

fn with(answer: &Value, member: &str, value: Value) -> Value {
    let mut answer = answer.clone();
    answer[member] = value;
    answer
}

fn user() -> WalletSigner {
    WalletSigner::from_secret(&[1; 32])
}

fn attestation_key() -> Pubkey {
    WalletSigner::from_secret(&[5; 32]).address()
}

fn client(server: &Scripted) -> HttpCovalidator {
    HttpCovalidator::new(&server.url(), attestation_key(), REQUEST_TIMEOUT).expect("a client")
}

#[tokio::test]
async fn golden_answers_are_believed_and_golden_requests_are_sent() {
    for (handle, answer, case) in golden() {
        let server = Scripted::start([Step::Json(StatusCode::OK, answer.clone())]).await;
        let value = client(&server).decrypt(handle, &user(), PATIENCE).await.expect("an attested value");
        assert_eq!(
            (value.handle, value.plaintext.to_string()),
            (handle, case["plaintext"].as_str().expect("text").into())
        );
        assert_eq!(bs58::encode(value.signature).into_string(), answer["signature"]);
        let asked = json!({
            "handle": case["handle"],
            "address": case["address"],
            "signature": case["request_signature_base58"],
        });
        assert_eq!(server.requests(), [asked]);
    }
}

#[tokio::test]
async fn an_attested_value_becomes_the_instruction_that_checks_it_on_chain() {
    let (handle, answer) = one();
    let server = Scripted::start([Step::Json(StatusCode::OK, answer)]).await;
    let value = client(&server).decrypt(handle, &user(), PATIENCE).await.expect("an attested value");
    let expected = ed25519_verify(&attestation_key(), &attestation_digest(handle, 500_000), &value.signature);
    assert_eq!(value.instruction(&attestation_key()), expected);
}

#[tokio::test]
async fn the_handle_may_be_named_as_text_or_number_but_must_be_the_one_asked_for() {
    let (handle, answer) = one();
    for named in [json!("255"), json!(255), Value::Null] {
        let server = Scripted::start([Step::Json(StatusCode::OK, with(&answer, "handle_value", named))]).await;
        assert_eq!(client(&server).decrypt(handle, &user(), PATIENCE).await.expect("a value").plaintext, 500_000);
    }
    for named in [json!("256"), json!(256), json!("0xff"), json!("0255"), json!(255.0), json!(""), json!({})] {
        let server = Scripted::start([Step::Json(StatusCode::OK, with(&answer, "handle_value", named.clone()))]).await;
        let refusal = client(&server).decrypt(handle, &user(), PATIENCE).await.expect_err("another handle");
        assert!(matches!(refusal, CovalidatorError::Untrustworthy(_)), "{named}: {refusal:?}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_verify_is_refused_and_never_asked_for_again() {
    let (handle, honest) = one();
    let others = golden();
    let by_user = bs58::encode(user().sign(&attestation_digest(handle, 500_000))).into_string();
    let signature = honest["signature"].as_str().expect("text");
    let lies = [
        ("the signature of another handle", with(&honest, "signature", others[3].1["signature"].clone())),
        ("an answer about another handle", others[3].1.clone()),
        ("another plaintext", with(&honest, "plaintext", json!("500001"))),
        ("a signature by another key", with(&honest, "signature", json!(by_user))),
        ("a signature in hex", with(&honest, "signature", json!("ab".repeat(64)))),
        ("half a signature", with(&honest, "signature", json!(signature[..44]))),
        ("a very long signature", with(&honest, "signature", json!("1".repeat(60_000)))),
        ("no signature", json!({"plaintext": "500000"})),
        ("no plaintext", json!({"signature": signature})),
        ("an empty plaintext", with(&honest, "plaintext", json!(""))),
        ("a second spelling", with(&honest, "plaintext", json!("0500000"))),
        ("a signed spelling", with(&honest, "plaintext", json!("+500000"))),
        ("a JSON number", with(&honest, "plaintext", json!(500_000))),
        ("hex", with(&honest, "plaintext", json!("0x7a120"))),
        ("more than u128", with(&honest, "plaintext", json!("340282366920938463463374607431768211456"))),
        ("a list", json!([honest])),
        ("nothing", json!(null)),
    ];
    for (lie, answer) in lies {
        let server =
            Scripted::start([Step::Json(StatusCode::OK, answer), Step::Json(StatusCode::OK, honest.clone())]).await;
        let refusal = client(&server).decrypt(handle, &user(), PATIENCE).await.expect_err(lie);
        assert!(matches!(refusal, CovalidatorError::Untrustworthy(_)), "{lie}: {refusal:?}");
        assert_eq!(server.requests().len(), 1, "{lie}");
        assert!(!chain(&refusal).contains("500000"), "{lie}: {}", chain(&refusal));
    }
}

#[tokio::test]
async fn text_that_is_not_json_is_refused() {
    let (handle, _) = one();
    for text in ["", "<html>", "{\"plaintext\": \"500000\""] {
        let server = Scripted::start([Step::Text(StatusCode::OK, text.into())]).await;
        let refusal = client(&server).decrypt(handle, &user(), PATIENCE).await.expect_err("not JSON");
        assert!(matches!(refusal, CovalidatorError::Untrustworthy(_)), "{text}: {refusal:?}");
    }
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let (handle, _) = one();
    let server = Scripted::start([Step::Endless(StatusCode::OK)]).await;
    let refusal = client(&server).decrypt(handle, &user(), PATIENCE).await.expect_err("endless");
    assert!(matches!(refusal, CovalidatorError::Untrustworthy(_)), "{refusal:?}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn whoever_holds_no_decrypt_allowance_is_told_at_once() {
    let (handle, answer) = one();
    let words = "Address is not allowed to decrypt this handle";
    for step in [
        Step::Json(StatusCode::FORBIDDEN, json!({"error": words})),
        Step::Json(StatusCode::INTERNAL_SERVER_ERROR, json!({"code": 13, "message": words})),
        Step::Json(StatusCode::OK, json!({"error": words})),
        Step::Text(StatusCode::BAD_REQUEST, words.into()),
    ] {
        let server = Scripted::start([step, Step::Json(StatusCode::OK, answer.clone())]).await;
        let refusal = client(&server).decrypt(handle, &user(), PATIENCE).await.expect_err("not allowed");
        assert!(
            matches!(refusal, CovalidatorError::NotAllowed { address } if address == user().address()),
            "{refusal:?}"
        );
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn lag_overload_and_faults_are_asked_again() {
    let (handle, answer) = one();
    let passing = [
        Step::Json(StatusCode::NOT_FOUND, json!({"error": "ciphertext not found"})),
        Step::Json(StatusCode::INTERNAL_SERVER_ERROR, json!({"message": "Ciphertext not found for handle"})),
        Step::Json(StatusCode::OK, json!({"error": "ciphertext not found"})),
        Step::Text(StatusCode::BAD_GATEWAY, "<html>".into()),
        Step::Text(StatusCode::SERVICE_UNAVAILABLE, String::new()),
        Step::Text(StatusCode::TOO_MANY_REQUESTS, "slow down".into()),
        Step::Endless(StatusCode::INTERNAL_SERVER_ERROR),
        Step::HangUp,
    ];
    let asked = passing.into_iter().map(|step| async {
        let shown = format!("{step:?}");
        let server = Scripted::start([step, Step::Json(StatusCode::OK, answer.clone())]).await;
        let value = client(&server).decrypt(handle, &user(), PATIENCE).await;
        assert_eq!(value.expect(&shown).plaintext, 500_000);
        let requests = server.requests();
        assert_eq!(requests.len(), 2, "{shown}");
        assert_eq!(requests[0], requests[1], "the same request, signed once");
    });
    futures_util::future::join_all(asked).await;
}

#[tokio::test]
async fn other_refusals_are_final() {
    let (handle, answer) = one();
    for status in [StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED, StatusCode::NOT_FOUND] {
        let server =
            Scripted::start([Step::Text(status, "no".into()), Step::Json(StatusCode::OK, answer.clone())]).await;
        let refusal = client(&server).decrypt(handle, &user(), PATIENCE).await.expect_err("refused");
        assert!(matches!(refusal, CovalidatorError::Unavailable(Some(_))), "{refusal:?}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_redirection_is_not_followed() {
    let (handle, answer) = one();
    let elsewhere = Scripted::start([Step::Json(StatusCode::OK, answer)]).await;
    let server = Scripted::start([Step::Redirect(elsewhere.url())]).await;
    let refusal = client(&server).decrypt(handle, &user(), PATIENCE).await.expect_err("redirected");
    assert!(matches!(refusal, CovalidatorError::Unavailable(Some(_))), "{refusal:?}");
    assert_eq!(elsewhere.requests().len(), 0);
}

#[tokio::test]
async fn a_lag_that_outlasts_the_patience_is_told_as_lag() {
    let (handle, _) = one();
    let server = Scripted::start([Step::Json(StatusCode::OK, json!({"error": "ciphertext not found"}))]).await;
    let refusal = client(&server).decrypt(handle, &user(), Duration::from_secs(2)).await.expect_err("behind");
    assert!(matches!(refusal, CovalidatorError::Behind), "{refusal:?}");
    // At 0, 100, 300, 700 and 1,500 ms; the next one would be too late. A busy machine may miss the last ones.
    assert!((1..=5).contains(&server.requests().len()), "{:?}", server.requests().len());
}

#[tokio::test]
async fn r27_a_silent_service_is_given_up_in_time_and_asked_again_while_there_is_time() {
    let (handle, answer) = one();
    let server = Scripted::start([Step::Silence]).await;
    let started = Instant::now();
    let refusal = client(&server).decrypt(handle, &user(), Duration::from_millis(150)).await.expect_err("silence");
    assert!(matches!(refusal, CovalidatorError::Unavailable(Some(_))), "{refusal:?}");
    assert!(started.elapsed() < REQUEST_TIMEOUT, "the patience ends a request that would last longer");

    let server = Scripted::start([Step::Silence, Step::Json(StatusCode::OK, answer)]).await;
    let hasty = HttpCovalidator::new(&server.url(), attestation_key(), Duration::from_secs(2)).expect("a client");
    assert_eq!(hasty.decrypt(handle, &user(), PATIENCE).await.expect("the second answer").plaintext, 500_000);
}

#[tokio::test]
async fn a_service_that_asks_for_a_pause_longer_than_the_patience_is_left_alone() {
    let (handle, answer) = one();
    let server =
        Scripted::start([Step::RetryAfter(StatusCode::SERVICE_UNAVAILABLE, 3600), Step::Json(StatusCode::OK, answer)])
            .await;
    let refusal = client(&server).decrypt(handle, &user(), PATIENCE).await.expect_err("unavailable");
    assert!(matches!(refusal, CovalidatorError::Unavailable(Some(_))), "{refusal:?}");
    assert_eq!(server.requests().len(), 1);
}

/// An error with everything that a log could show of it.
fn chain(error: &dyn Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        write!(text, " {cause} {cause:?}").expect("a string takes everything");
        source = cause.source();
    }
    text
}

#[tokio::test]
async fn no_error_tells_the_endpoint() {
    let (handle, _) = one();
    let server = Scripted::start([Step::Silence]).await;
    let reachable = server.url() + "?key=hushhush";
    let unreachable = "http://127.0.0.1:1/hushhush";
    for endpoint in [reachable.as_str(), unreachable] {
        let client = HttpCovalidator::new(endpoint, attestation_key(), REQUEST_TIMEOUT).expect("a client");
        let error = client.decrypt(handle, &user(), Duration::from_millis(50)).await.expect_err("no answer");
        assert!(matches!(error, CovalidatorError::Unavailable(Some(_))), "{error:?}");
        assert!(!chain(&error).contains("hushhush"), "{}", chain(&error));
        assert!(!format!("{client:?}").contains("hushhush"));
    }
}

#[test]
fn an_endpoint_that_is_no_web_address_is_refused_without_showing_it() {
    for endpoint in ["", "hushhush", "ftp://hushhush/", "file:///hushhush", "//hushhush"] {
        let error = HttpCovalidator::new(endpoint, attestation_key(), REQUEST_TIMEOUT).expect_err("refused");
        assert!(matches!(error, SetupError::Endpoint), "{endpoint}");
        assert!(!chain(&error).contains("hushhush"));
    }
}

#[test]
fn a_wallet_signer_shows_its_address_and_not_its_key() {
    let shown = format!("{:?}", user());
    assert_eq!(shown, "WalletSigner(AKnL4NNf3DGWZJS6cPknBuEGnVsV4A4m5tgebLHaRSZ9)");
}
