//! Sending again what was sent before.

use super::{Shop, Trace, is_not_opened, is_refused_everywhere, transfers};
use crate::support::{Options, World};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::future::join_all;
use serde_json::{Value, json};

/// Guards: `find_session` before anything is spent, and the ledger's unique (user, nonce).
#[tokio::test]
async fn r10_one_nonce_opens_one_session() {
    let world = World::start().await;
    let (payer, merchant) = (world.wallet(100).await, world.wallet(0).await);
    let opening = world.opening(&payer, &merchant.key(), 100);
    let body = world.opening_body(&opening).await;
    let answers = join_all((0..6).map(|_| world.post("/sessions", &body))).await;
    let opened: Vec<&str> = answers.iter().filter_map(|(_, answer)| answer["sessionId"].as_str()).collect();
    assert!(opened.iter().all(|id| *id == opened[0]), "{answers:#?}");
    assert!(answers.iter().any(|(status, _)| *status == 201));
    let after = Trace::of(&world).await;
    assert_eq!(after.sessions, 1);
    let (status, again) = world.post("/sessions", &body).await;
    assert_eq!((status, again["sessionId"].as_str()), (201, Some(opened[0])), "{again:#}");
    // Another cap, recipient or expiry under the same nonce, however well signed.
    let mut other = world.opening(&payer, &merchant.key(), 99);
    other.intent.nonce.clone_from(&opening.intent.nonce);
    is_not_opened(&world, &world.opening_body(&other).await, 409, "nonce_reused").await;
    assert_eq!(Trace::of(&world).await, after);
    // Another user has nonces of their own.
    let second = world.wallet(100).await;
    let mut same_nonce = world.opening(&second, &merchant.key(), 100);
    same_nonce.intent.nonce.clone_from(&opening.intent.nonce);
    let (status, answer) = world.post("/sessions", &world.opening_body(&same_nonce).await).await;
    assert_eq!(status, 201, "{answer:#}");
    world.finish().await;
}

/// Guard: the simulation of `simulate_approve`: a transaction that has landed lands no second time, so a second intent
/// cannot ride on it.
#[tokio::test]
async fn r10_one_approve_transaction_opens_one_session() {
    let world = World::start().await;
    let (payer, merchant) = (world.wallet(100).await, world.wallet(0).await);
    let first = world.opening(&payer, &merchant.key(), 100);
    let approve = world.sign_as_user(&payer, &world.approve_instructions(&first).await).await;
    let second = world.opening(&payer, &merchant.key(), 100);
    let bodies = [world.opening_body_with(&first, &approve), world.opening_body_with(&second, &approve)];
    let answers = join_all(bodies.iter().map(|body| world.post("/sessions", body))).await;
    let opened = answers.iter().filter(|(status, _)| *status == 201).count();
    let refused = answers.iter().filter(|(_, answer)| answer["error"] == "approve_submit_failed").count();
    assert_eq!((opened, refused), (1, 1), "{answers:#?}");
    assert_eq!(world.ledger().totals(None).await.unwrap().grants, 2_000_000);
    world.finish().await;
}

/// What anybody can read on chain: the intent and its signature, in the Ed25519 instruction of a settlement.
async fn published_intent(shop: &Shop) -> (Vec<u8>, Vec<u8>) {
    let (_, transaction) = transfers(&shop.world, &shop.payer).await.remove(0);
    let precompile = &transaction.message.instructions()[0].data;
    let at = |offset: usize| usize::from(u16::from_le_bytes([precompile[offset], precompile[offset + 1]]));
    let (signature, message, length) = (at(2), at(10), at(12));
    (precompile[message..message + length].to_vec(), precompile[signature..signature + 64].to_vec())
}

/// Guard: `answer_repeat` no longer answers once a settlement has published the intent. The session's id is a bearer
/// secret where there is no session key, and from the first settlement on everything that a repeated opening consists
/// of can be read on chain.
#[tokio::test]
async fn r12_the_chain_does_not_tell_strangers_a_sessions_id() {
    let shop = Shop::open(Options::default(), 10_000).await;
    shop.pays(1_000, None).await;
    let (intent, signature) = published_intent(&shop).await;
    let read: Value = serde_json::from_slice(&intent).unwrap();
    let mut body = json!({
        "authMessage": BASE64_STANDARD.encode(&intent), "authSignature": BASE64_STANDARD.encode(&signature),
        "approveTxSignature": bs58::encode([7; 64]).into_string(),
    });
    for member in ["user", "asset", "recipient", "cap", "expirationUnix", "network"] {
        body[member] = read[member].clone();
    }
    let (status, answer) = shop.world.post("/sessions", &body).await;
    assert!(!answer.to_string().contains(&shop.session), "a stranger learnt the id: {answer:#}");
    assert_eq!((status, &answer["error"]), (409, &json!("nonce_reused")));
    shop.closes().await;
}

/// Guards: `take_over` hands one pending payment to one request. A merchant who repeats a payment without a nonce gets
/// as many successes as the payer is charged, never more.
#[tokio::test]
async fn r14_a_pending_payment_without_a_nonce_is_taken_over_once() {
    let shop = Shop::open(Options::default(), 10_000_000).await;
    shop.world.stands_still();
    let (_, pending) = shop.world.post("/settle", &shop.hasty_payment(1_000, None)).await;
    assert_eq!(pending["errorReason"], "settlement_pending", "{pending:#}");
    assert!(!pending["transaction"].as_str().unwrap().is_empty(), "{pending:#}");
    shop.world.moves_on();
    let answers = join_all((0..4).map(|_| shop.settle(1_000, None))).await;
    let successes = answers.iter().filter(|(_, answer)| answer["success"] == json!(true)).count();
    shop.world.quiet().await;
    assert_eq!(shop.world.units(&shop.merchant), 4_000, "one taken over, three new: {answers:#?}");
    assert_eq!(successes, 4);
    assert!(answers.iter().any(|(_, answer)| answer["transaction"] == pending["transaction"]));
    shop.closes().await;
}

/// Guard: the same under attack: however the repeats come, each success is a charge.
#[tokio::test]
async fn r13_repeats_while_a_payment_is_pending_do_not_multiply_its_success() {
    let shop = Shop::open(Options::default(), 10_000_000).await;
    shop.world.stands_still();
    let body = shop.hasty_payment(1_000, Some("pending-nonce-0001"));
    let (_, pending) = shop.world.post("/settle", &body).await;
    assert_eq!(pending["errorReason"], "settlement_pending", "{pending:#}");
    let seen = super::view(&shop.world, &shop.session).await;
    assert_eq!((&seen["held"], &seen["captured"]), (&json!("1000"), &json!("0")), "the hold is kept");
    shop.world.moves_on();
    let body = shop.payment(1_000, Some("pending-nonce-0001"));
    // What the caller waits for is not part of what is paid.
    let answers = join_all((0..5).map(|_| shop.world.post("/settle", &body))).await;
    let successes = answers.iter().filter(|(_, answer)| answer["success"] == json!(true)).count();
    assert_eq!(successes, 1, "{answers:#?}");
    assert!(answers.iter().all(|(_, answer)| answer["transaction"] == pending["transaction"]));
    assert_eq!(shop.world.units(&shop.merchant), 1_000);
    shop.closes().await;
}

/// The body with the merchant asking for the recorded answer of a repeat.
fn asked_for(body: &Value) -> Value {
    let mut body = body.clone();
    body["paymentRequirements"]["extra"]["idempotent"] = json!(true);
    body
}

/// Guard: `idempotent` is read from the merchant's requirements only.
#[tokio::test]
async fn r13_only_the_merchant_can_ask_for_repeated_receipts() {
    let shop = Shop::open(Options::default(), 10_000_000).await;
    let mut body = shop.payment(1_000, Some("idempotent-0000-0001"));
    body["paymentPayload"]["accepted"]["extra"] = json!({ "idempotent": true });
    let (_, first) = shop.world.post("/settle", &body).await;
    assert_eq!(first["success"], json!(true), "{first:#}");
    is_refused_everywhere(&shop.world, &body, "duplicate_settlement").await;
    // Asked for by the merchant it is the recorded answer, and still one charge.
    body["paymentPayload"]["payload"]["nonce"] = json!("idempotent-0000-0002");
    let body = asked_for(&body);
    let (_, first) = shop.world.post("/settle", &body).await;
    assert_eq!(first["success"], json!(true), "{first:#}");
    for _ in 0..3 {
        let (_, again) = shop.world.post("/settle", &body).await;
        assert_eq!(again, first);
        let (_, verified) = shop.world.post("/verify", &body).await;
        assert_eq!(verified["isValid"], json!(true), "{verified:#}");
    }
    assert_eq!(shop.world.units(&shop.merchant), 2_000);
    shop.closes().await;
}

/// Guards: `claim_success` writes which request was told, and `recorded_answer` compares it: one payment is served by one server,
/// whichever of a merchant's servers ask for the recorded answer.
#[tokio::test]
async fn r13_what_one_server_was_told_no_other_server_is_told() {
    let shop = Shop::open(Options::default(), 10_000_000).await;
    // Served by a server that does not ask for it, such as one of our paywall.
    let bare = shop.payment(1_000, Some("served-elsewhere-01"));
    let (_, first) = shop.world.post("/settle", &bare).await;
    assert_eq!(first["success"], json!(true), "{first:#}");
    is_refused_everywhere(&shop.world, &asked_for(&bare), "duplicate_settlement").await;
    // Served by one that does: the others are told nothing, whether or not they ask.
    let bare = shop.payment(1_000, Some("served-elsewhere-02"));
    let asked = asked_for(&bare);
    let (_, first) = shop.world.post("/settle", &asked).await;
    assert_eq!(first["success"], json!(true), "{first:#}");
    let mut described = asked.clone();
    described["paymentRequirements"]["description"] = json!("another server's weather");
    let mut other_terms = asked.clone();
    other_terms["paymentPayload"]["accepted"]["maxTimeoutSeconds"] = json!(299);
    other_terms["paymentRequirements"]["maxTimeoutSeconds"] = json!(299);
    let mut other_payload = asked.clone();
    other_payload["paymentPayload"]["extensions"] = json!({ "note": {} });
    for body in [&bare, &described, &other_terms, &other_payload] {
        is_refused_everywhere(&shop.world, body, "duplicate_settlement").await;
    }
    assert_eq!(shop.world.post("/settle", &asked).await.1, first, "the one that was told is told again");
    assert_eq!(shop.world.units(&shop.merchant), 2_000);
    shop.closes().await;
}

/// Guard: `Waiters::count`: who asks for a record claims the success from the ledger.
#[tokio::test]
async fn r13_servers_that_ask_at_once_are_not_both_served() {
    let shop = Shop::open(Options::default(), 10_000_000).await;
    for round in 0..4 {
        let bare = shop.payment(1_000, Some(&format!("served-at-once-000{round}")));
        let asked = asked_for(&bare);
        let bodies = [&bare, &asked, &bare, &asked, &asked, &bare];
        let answers = join_all(bodies.map(|body| shop.world.post("/settle", body))).await;
        let success = |number: &usize| answers[*number].1["success"] == json!(true);
        let [bare_told, asked_told] = [[0, 2, 5], [1, 3, 4]].map(|of| of.iter().filter(|one| success(one)).count());
        assert!(matches!((bare_told, asked_told), (1, 0) | (0, 3)), "{answers:#?}");
        let (_, again) = shop.world.post("/settle", &asked).await;
        assert_eq!(again["success"], json!(asked_told == 3), "{again:#}");
    }
    assert_eq!(shop.world.units(&shop.merchant), 4_000);
    shop.closes().await;
}

/// Guard: `RecordedAnswer::is_for`: a server's list of what it has served ends, and what a payer kept for longer buys nothing.
#[tokio::test]
async fn r13_a_recorded_answer_ends_with_the_merchants_time() {
    let shop = Shop::open(Options::default(), 10_000_000).await;
    let body = asked_for(&shop.payment(1_000, Some("kept-for-a-year-0001")));
    let (_, first) = shop.world.post("/settle", &body).await;
    assert_eq!(first["success"], json!(true), "{first:#}");
    let seconds = body["paymentRequirements"]["maxTimeoutSeconds"].as_u64().unwrap();
    shop.world.lets_pass(seconds / 2);
    assert_eq!(shop.world.post("/settle", &body).await.1, first);
    shop.world.lets_pass(seconds);
    is_refused_everywhere(&shop.world, &body, "duplicate_settlement").await;
    assert_eq!(shop.world.units(&shop.merchant), 1_000);
    shop.closes().await;
}

/// Guard: the intent's spender and network, and the session's id, are in what is signed.
#[tokio::test]
async fn r12_an_intent_for_another_world_opens_nothing_here() {
    let (here, there) = (World::start().await, World::start().await);
    let (payer, merchant) = (there.wallet(100).await, there.wallet(0).await);
    let body = there.opening_body(&there.opening(&payer, &merchant.key(), 100)).await;
    is_not_opened(&here, &body, 400, "auth_message_field_mismatch_spender").await;
    here.finish().await;
    there.finish().await;
}
