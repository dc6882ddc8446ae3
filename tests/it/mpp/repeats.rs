//! A charge is its message, for ever, and its success is told once (`spec/mpp.md` §2).

use crate::support::{MppScene, World, until};
use futures_util::future::join_all;
use serde_json::{Value, json};
use solana_transaction::versioned::VersionedTransaction;
use sotto::{
    domain::{hold::ContentHash, mpp::recorded_charge::ChargeState},
    localnet::Odds,
};

const KEY: &str = "0123456789abcdef";
/// No send arrives.
const ALL_SENDS: Odds = Odds { next: u32::MAX, per_mille: 0 };

fn keyed(body: &Value, key: &str) -> Value {
    let mut body = body.clone();
    body["idempotencyKey"] = json!(key);
    body
}

fn message(transaction: &VersionedTransaction) -> ContentHash {
    use sha2::Digest as _;
    ContentHash(sha2::Sha256::digest(transaction.message.serialize()).into())
}

async fn is_recorded(world: &World, transaction: &VersionedTransaction) {
    let message = message(transaction);
    until("it is recorded", async || world.ledger().find_charge(&message).await.unwrap().is_some()).await;
}

#[tokio::test]
async fn a_success_is_told_once_and_to_its_key_again_byte_for_byte() {
    let scene = MppScene::start().await;
    let body = scene.body(&scene.charge(10_000).await, 10_000);
    let paid = scene.paid(&keyed(&body, KEY)).await;
    assert_eq!(scene.paid(&keyed(&body, KEY)).await, paid);
    let refused = scene.refused(&body, "duplicate_settlement").await;
    assert_eq!(refused["signature"], paid["signature"]);
    scene.refused(&keyed(&body, "another key of 1"), "duplicate_settlement").await;
    // The key means nothing for another message.
    let other = scene.body(&scene.charge(20_000).await, 20_000);
    assert_ne!(scene.paid(&keyed(&other, KEY)).await["signature"], paid["signature"]);
    scene.closes(30_000).await;
}

/// What was told without a key is told to no key.
#[tokio::test]
async fn a_success_without_a_key_is_told_to_no_key_again() {
    let scene = MppScene::start().await;
    let body = scene.body(&scene.charge(10_000).await, 10_000);
    scene.paid(&body).await;
    scene.refused(&body, "duplicate_settlement").await;
    scene.refused(&keyed(&body, KEY), "duplicate_settlement").await;
    scene.closes(10_000).await;
}

/// Guard: `ChargeRecorded::Known`, and the unique message.
#[tokio::test]
async fn other_signatures_around_it_make_no_other_charge() {
    let scene = MppScene::start().await;
    let transaction = scene.charge(10_000).await;
    scene.paid(&scene.body(&transaction, 10_000)).await;
    let mut bent = transaction.clone();
    bent.signatures[0] = [9; 64].into();
    // Before the policy, which would refuse the filled slot.
    let told = scene.refused(&scene.body(&bent, 10_000), "duplicate_settlement").await;
    assert!(told["signature"].is_string());
    // Another price is not what was recorded: the policy has the word.
    scene.refused(&scene.body(&transaction, 20_000), "amount_mismatch").await;
    scene.closes(10_000).await;
}

/// Guards: `Turns`, the claim of `claim_charge`.
#[tokio::test]
async fn sixteen_equal_requests_have_one_success() {
    let scene = MppScene::start().await;
    let body = scene.body(&scene.charge(10_000).await, 10_000);
    let answers = join_all((0..16).map(|_| scene.settles(&body))).await;
    let told = answers.iter().filter(|answer| answer["success"] == json!(true)).count();
    assert_eq!(told, 1, "{answers:#?}");
    for answer in answers.iter().filter(|answer| answer["success"] == json!(false)) {
        let word = answer["errorCode"].as_str().unwrap();
        assert!(["duplicate_settlement", "settlement_pending"].contains(&word), "{answer:#}");
    }
    scene.refused(&body, "duplicate_settlement").await;
    scene.closes(10_000).await;
}

/// Guard: `Charges::turn`: the request that waits goes on where the one before it left.
#[tokio::test]
async fn whoever_waits_is_told_when_the_first_has_hung_up() {
    let scene = MppScene::start().await;
    let transaction = scene.charge(10_000).await;
    let body = scene.body(&transaction, 10_000);
    scene.world.net.faults().change(|plan| plan.frozen = true);
    let waits = async {
        is_recorded(&scene.world, &transaction).await;
        scene.paid(&body).await
    };
    let hangs_up = async {
        tokio::select! {
            answer = scene.settles(&body) => panic!("nothing lands: {answer}"),
            () = is_recorded(&scene.world, &transaction) => {}
        }
        scene.world.net.faults().clear();
    };
    tokio::join!(waits, hangs_up);
    scene.refused(&body, "duplicate_settlement").await;
    scene.closes(10_000).await;
}

/// A request whose caller hung up lands all the same, and the first repeat is told.
#[tokio::test]
async fn a_lost_answer_is_told_to_the_first_repeat() {
    let mut scene = MppScene::start().await;
    let transaction = scene.charge(10_000).await;
    let body = scene.body(&transaction, 10_000);
    scene.world.net.faults().change(|plan| plan.frozen = true);
    tokio::select! {
        answer = scene.settles(&body) => panic!("nothing lands: {answer}"),
        () = is_recorded(&scene.world, &transaction) => {}
    }
    scene.world.net.faults().clear();
    scene.world.kill().await;
    scene.world.boot().await;
    scene.world.quiet().await;
    scene.paid(&body).await;
    scene.refused(&body, "duplicate_settlement").await;
    scene.closes(10_000).await;
}

/// Guard: `RecordedCharge::is_for`. Landed bytes are public: a stranger who sends them must not be told in the seller's place.
#[tokio::test]
async fn a_stranger_does_not_hear_a_success_that_was_not_told() {
    let scene = MppScene::start().await;
    let transaction = scene.charge(10_000).await;
    let body = keyed(&scene.body(&transaction, 10_000), KEY);
    scene.world.net.faults().change(|plan| plan.frozen = true);
    tokio::select! {
        answer = scene.world.post_from("198.51.100.1", "/mpp/settle", &body) => panic!("nothing lands: {answer:?}"),
        () = is_recorded(&scene.world, &transaction) => {}
    }
    let without = scene.body(&transaction, 10_000);
    let (_, told) = scene.world.post_from("203.0.113.9", "/mpp/settle", &without).await;
    assert_eq!(told["errorCode"], "settlement_pending", "in flight: {told:#}");
    scene.world.net.faults().clear();
    scene.world.quiet().await;
    for body in [without.clone(), keyed(&without, "a stranger's key")] {
        let (_, told) = scene.world.post_from("203.0.113.9", "/mpp/settle", &body).await;
        assert_eq!(told["errorCode"], "settlement_pending", "{told:#}");
        assert!(told["signature"].is_string());
    }
    // The seller's key from anywhere, and nobody after it.
    let (_, paid) = scene.world.post_from("192.0.2.7", "/mpp/settle", &body).await;
    assert_eq!(paid["success"], json!(true), "{paid:#}");
    let (_, told) = scene.world.post_from("198.51.100.1", "/mpp/settle", &without).await;
    assert_eq!(told["errorCode"], "duplicate_settlement", "{told:#}");
    scene.closes(10_000).await;
}

/// Two minutes after the landing anybody may be told: who lost their key is not shut out for ever.
#[tokio::test]
async fn two_minutes_later_anybody_is_told() {
    let scene = MppScene::start().await;
    let transaction = scene.charge(10_000).await;
    let body = scene.body(&transaction, 10_000);
    scene.world.net.faults().change(|plan| plan.frozen = true);
    tokio::select! {
        answer = scene.world.post_from("198.51.100.1", "/mpp/settle", &body) => panic!("nothing lands: {answer:?}"),
        () = is_recorded(&scene.world, &transaction) => {}
    }
    scene.world.net.faults().clear();
    scene.world.quiet().await;
    scene.world.lets_pass(121);
    let (_, paid) = scene.world.post_from("203.0.113.9", "/mpp/settle", &body).await;
    assert_eq!(paid["success"], json!(true), "{paid:#}");
    scene.closes(10_000).await;
}

/// The bytes that we signed are public once they are sent: whoever sends them too changes nothing.
#[tokio::test]
async fn a_stranger_who_sends_the_same_bytes_changes_nothing() {
    let scene = MppScene::start().await;
    let transaction = scene.charge(10_000).await;
    let body = scene.body(&transaction, 10_000);
    scene.world.net.faults().change(|plan| plan.drop_sends = ALL_SENDS);
    let sends = async {
        is_recorded(&scene.world, &transaction).await;
        let unfinished = scene.world.ledger().unfinished().await.unwrap();
        let wire = unfinished[0].attempt.as_ref().unwrap().get().wire.clone();
        let signed: VersionedTransaction = wincode::deserialize(&wire).unwrap();
        scene.world.lands(signed);
    };
    tokio::join!(scene.paid(&body), sends);
    scene.world.net.faults().clear();
    scene.closes(10_000).await;
}

/// Guard: `find_expired_charge` is told only what was seen; what died is told so, with its name, and stays so.
#[tokio::test]
async fn what_never_landed_is_told_as_expired_for_good() {
    let scene = MppScene::start().await;
    let transaction = scene.charge(10_000).await;
    let body = scene.body(&transaction, 10_000);
    scene.world.net.faults().change(|plan| plan.drop_sends = ALL_SENDS);
    let told = scene.settles(&body).await;
    assert!(told["success"] == json!(false) && told["signature"].is_string(), "it was recorded: {told:#}");
    // A busy machine may take longer than a seller waits.
    scene.world.quiet().await;
    scene.world.net.faults().clear();
    let again = scene.refused(&body, "blockhash_expired").await;
    assert_eq!(again["signature"], told["signature"]);
    let known = scene.world.ledger().find_charge(&message(&transaction)).await.unwrap().unwrap();
    assert_eq!(known.state, ChargeState::Expired);
    let (_, stats) = scene.world.get("/mpp/stats").await;
    assert_eq!((&stats["settle"]["fail"], &stats["settle"]["success"]), (&json!(1), &json!(0)), "{stats:#}");
    scene.closes(0).await;
}
