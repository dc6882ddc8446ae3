//! The bytes of a transaction are public once it is sent: what repeats of a single payment are worth, and how many are
//! looked at.

use crate::support::{SingleScene, signed_by, transacted, until, verified};
use serde_json::{Value, json};
use sotto::domain::single_payment::SingleKey;
use std::time::Duration;

/// Longer than the success is kept for the request that recorded a payment.
const KEPT: u64 = 400;
/// Of each payment here.
const NONCE: &str = "n-1";

/// A payment whose caller hangs up when it is recorded; it lands all the same. Gives the body of its second step.
async fn unheard(scene: &SingleScene, payload: &Value) -> Value {
    let signed = signed_by(&scene.payer, scene.issued(payload).await);
    scene.world.net.faults().change(|plan| plan.frozen = true);
    tokio::select! {
        answer = scene.settles(&signed) => panic!("nothing lands: {answer:?}"),
        () = is_recorded(scene) => {}
    }
    scene.world.net.faults().clear();
    scene.world.quiet().await;
    transacted(&signed)
}

async fn is_recorded(scene: &SingleScene) {
    let key = SingleKey::Nonce(scene.payer.key(), NONCE.to_owned());
    until("it is recorded", async || scene.world.ledger().find_single(&key).await.unwrap().is_some()).await;
}

/// The second step with what the first was asked with beside it.
fn proving(body: &Value, authorization: &Value) -> Value {
    let mut body = body.clone();
    body["paymentPayload"]["payload"]["authorization"] = authorization.clone();
    body
}

async fn refused(scene: &SingleScene, body: &Value, reason: &str) -> Value {
    let (status, answer) = scene.world.post("/pay/settle", body).await;
    assert_eq!((status, answer["errorReason"].as_str()), (400, Some(reason)), "{answer:#}");
    answer
}

/// The one answer that everybody hears, whatever amount they guess.
async fn tells_nothing(scene: &SingleScene, body: &Value) {
    let mut answers = Vec::new();
    for amount in ["1000000", "999999"] {
        let mut guess = body.clone();
        guess["paymentRequirements"]["amount"] = json!(amount);
        answers.push(refused(scene, &guess, "duplicate_settlement").await);
    }
    assert_eq!(answers[0], answers[1], "an amount is guessed right and wrong");
    assert!(!answers[0]["transaction"].as_str().unwrap().is_empty() && answers[0].get("amount").is_none());
}

/// Guards: `proof`, `answer_repeat`, the claim of `claim_single`.
async fn success_is_for_whoever_knows_more(scene: SingleScene, payload: Value) {
    let body = unheard(&scene, &payload).await;
    tells_nothing(&scene, &body).await;
    refused(&scene, &proving(&body, &payload), "settlement_pending").await;
    scene.world.lets_pass(KEPT);
    tells_nothing(&scene, &body).await;

    let mut forged = payload.clone();
    forged["signature"] = json!(hex::encode([7; 64]));
    refused(&scene, &proving(&body, &forged), "invalid_signature").await;
    let thief = scene.world.stranger();
    let own = scene.payload_by(&thief, "1", "n-9").await;
    refused(&scene, &proving(&body, &own), "message_mismatch").await;
    let mut elsewhere = proving(&body, &payload);
    elsewhere["paymentRequirements"]["payTo"] = json!(thief.key().to_string());
    refused(&scene, &elsewhere, "recipient_mismatch").await;

    let (status, paid) = scene.world.post("/pay/settle", &proving(&body, &payload)).await;
    assert_eq!((status, &paid["success"]), (200, &json!(true)), "{paid:#}");
    refused(&scene, &proving(&body, &payload), "duplicate_settlement").await;
    scene.closes().await;
}

#[tokio::test]
async fn r26_the_success_of_a_plain_transfer_is_for_whoever_has_its_signed_message() {
    let scene = SingleScene::plain().await;
    let payload = scene.payload_of("1", NONCE).await;
    success_is_for_whoever_knows_more(scene, payload).await;
}

#[tokio::test]
async fn r26_the_success_of_a_transfer_with_a_short_message_is_for_whoever_has_its_details() {
    let scene = SingleScene::probed().await;
    let payload = scene.short(&scene.payload_of("1", NONCE).await);
    success_is_for_whoever_knows_more(scene, payload).await;
}

/// A message that stands on chain with its signature proves nothing: who did not hear the success when it was told finds the
/// transaction, and nobody else hears it.
#[tokio::test]
async fn r26_a_message_that_is_public_claims_nothing() {
    let scene = SingleScene::probed().await;
    let payload = scene.payload_of("1", NONCE).await;
    let body = unheard(&scene, &payload).await;
    scene.world.lets_pass(KEPT);
    refused(&scene, &proving(&body, &payload), "duplicate_settlement").await;
    tells_nothing(&scene, &body).await;
    scene.closes().await;
}

/// Guard: `answer_repeat`: whoever has nothing but public bytes is answered at once, while the request that recorded the payment
/// waits, and leaves its success to it. They do not wait where a place is free, and are not turned away where none is.
#[tokio::test]
async fn r26_repeats_wait_for_nothing_and_take_no_place() {
    for places in [1, 2] {
        let scene = SingleScene::with(move |settings| settings.waiting.per_unproven_user = places).await;
        let signed = signed_by(&scene.payer, scene.issued(&scene.payload_of("1", NONCE).await).await);
        scene.world.net.faults().change(|plan| plan.frozen = true);
        let repeats = async {
            is_recorded(&scene).await;
            for _ in 0..3 {
                let repeat = tokio::time::timeout(Duration::from_secs(20), scene.settles(&signed));
                let (status, answer) = repeat.await.expect("is answered while nothing lands");
                assert_eq!((status, answer["errorReason"].as_str()), (400, Some("settlement_pending")), "{answer:#}");
            }
            scene.world.net.faults().clear();
        };
        let ((status, paid), ()) = tokio::join!(scene.settles(&signed), repeats);
        assert_eq!((status, &paid["success"]), (200, &json!(true)), "{places}: {paid:#}");
        scene.closes().await;
    }
}

/// Guard: `PayerRate::take` in `check`, after the signature was verified: whoever asks too often of one message is not looked up, and
/// nobody uses up another's share, nor that of the payer's other messages.
#[tokio::test]
async fn r27_a_payers_messages_are_looked_at_so_often_and_forged_ones_count_for_nobody() {
    let scene = SingleScene::plain().await;
    let payload = scene.payload_of("1", NONCE).await;
    let mut forged = payload.clone();
    forged["signature"] = json!(hex::encode([7; 64]));
    let asks = async |payload: &Value| {
        let (status, answer) = scene.world.post("/pay/verify", &verified(payload)).await;
        (status, answer["invalidReason"].as_str().unwrap_or("none").to_owned())
    };
    for (payload, times, status, reason) in [(&forged, 60, 400, "invalid_signature"), (&payload, 5, 200, "none")] {
        for _ in 0..times {
            assert_eq!(asks(payload).await, (status, reason.to_owned()));
        }
    }
    assert_eq!(asks(&payload).await, (429, "too_many_requests".to_owned()));
    assert_eq!(asks(&scene.payload_of("1", "another-message").await).await.0, 200);
    let other = scene.world.wallet(1_000_000).await;
    assert_eq!(asks(&scene.payload_by(&other, "1", "n-2").await).await.0, 200);
    scene.world.lets_pass(60);
    assert_eq!(asks(&payload).await.0, 200);
    scene.closes().await;
}
