//! The short message alone opens a session where the wallet has just shown and signed the transaction, once, and is an order for
//! nothing else (ADR 0055).

use super::{Shop, Trace, is_not_opened, lands_by_itself, session_keys::Signed, view, with_sol};
use crate::support::{Opening, Wallet, World};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_transaction::versioned::VersionedTransaction;
use sotto::domain::intent::IntentHash;

/// An opening with a session key, and the key.
fn opening(world: &World, payer: &Wallet, merchant: &Wallet) -> (Opening, Wallet) {
    let key = world.stranger();
    let mut opening = world.opening(payer, &merchant.key(), 1_000);
    opening.intent.session_key = Some(key.key());
    opening.settle_message = true;
    (opening, key)
}

/// The body without what signs the readable intent.
fn short(body: &Value) -> Value {
    let mut body = body.clone();
    body.as_object_mut().unwrap().remove("authSignature").unwrap();
    body
}

async fn opens(world: &World, body: &Value) -> String {
    let (status, answer) = world.post("/sessions", body).await;
    assert_eq!(status, 201, "{answer:#}");
    answer["sessionId"].as_str().unwrap().to_owned()
}

/// Guards: `answer_repeat`, and that the ledger keeps which signature there was. From the first settlement on everybody can read the
/// short signature on chain.
#[tokio::test]
async fn the_short_message_opens_once_and_signs_no_repeat_when_it_is_public() {
    let mut world = World::start().await;
    let (payer, merchant) = (world.wallet(50_000_000).await, world.wallet(0).await);
    let (opening, key) = opening(&world, &payer, &merchant);
    let body = world.opening_body(&opening).await;
    let session = opens(&world, &short(&body)).await;
    assert_eq!(opens(&world, &short(&body)).await, session, "a repeat is the same session");
    assert_eq!(opens(&world, &body).await, session, "and so is one with both signatures");
    // Another process knows as much.
    world.kill().await;
    world.boot().await;
    assert_eq!(opens(&world, &short(&body)).await, session);

    let intent = IntentHash::of(&opening.intent.to_bytes());
    let shop = Shop { world, payer, merchant, session };
    let later = shop.world.now() + 600;
    let paid = Signed { shop: &shop, key, intent }.body(10, "nonce-0000-0000-0001", later, None);
    let (_, answer) = shop.world.post("/settle", &paid).await;
    assert_eq!(answer["success"], json!(true), "{answer:#}");

    shop.world.quiet().await;
    let before = Trace::of(&shop.world).await;
    let told = is_not_opened(&shop.world, &short(&body), 409, "nonce_reused").await;
    assert!(told["message"].as_str().unwrap().contains("authSignature"), "{told:#}");
    assert!(!told.to_string().contains(&shop.session), "{told:#}");
    assert_eq!(opens(&shop.world, &body).await, shop.session, "the readable signature is on no chain");
    assert_eq!(Trace::of(&shop.world).await, before);
    assert_eq!(view(&shop.world, &shop.session).await["state"], "open");
    shop.closes().await;
}

/// Guard: `check_short_opening`: a session without a key is paid from by whoever knows its id, and one opaque line says nothing of
/// whom it pays.
#[tokio::test]
async fn without_a_session_key_the_short_message_opens_nothing() {
    let world = World::start().await;
    let (payer, merchant) = (world.wallet(100).await, world.wallet(0).await);
    let (mut opening, _) = opening(&world, &payer, &merchant);
    opening.intent.session_key = None;
    let body = world.opening_body(&opening).await;
    let before = Trace::of(&world).await;
    is_not_opened(&world, &short(&body), 400, "auth_signature_required").await;
    assert_eq!(Trace::of(&world).await, before);
    opens(&world, &body).await;
    world.finish().await;
}

/// Guard: `check_short_opening`: on an approve that stands, one opaque line would be an order for all of it.
#[tokio::test]
async fn on_an_approve_that_is_on_chain_the_short_message_opens_nothing() {
    let world = World::start().await;
    let (payer, merchant) = (world.wallet(1_000).await, world.wallet(0).await);
    with_sol(&world, &payer).await;
    let landed = world.lands(world.approve_by_owner(&payer, 1_000));
    world.confirmed().await;
    let (opening, _) = opening(&world, &payer, &merchant);
    let body = world.opening_body_landed(&opening, &landed);
    let before = Trace::of(&world).await;
    is_not_opened(&world, &short(&body), 400, "auth_signature_required").await;
    // Nor with a name that is none.
    let stray = lands_by_itself(
        &world,
        &payer,
        &[solana_system_interface::instruction::transfer(&payer.key(), &world.stranger().key(), 1_000_000)],
    );
    is_not_opened(&world, &short(&world.opening_body_landed(&opening, &stray)), 400, "auth_signature_required").await;
    assert_eq!(Trace::of(&world).await, before);
    opens(&world, &body).await;
    world.finish().await;
}

/// Guards: the signatures that `check_intent` verifies, and the decoder: no opening is signed by nothing.
#[tokio::test]
async fn an_opening_is_signed_by_its_user_in_one_way_or_the_other() {
    let world = World::start().await;
    let (payer, merchant, thief) = (world.wallet(100).await, world.wallet(0).await, world.stranger());
    let (opening, _) = opening(&world, &payer, &merchant);
    let body = world.opening_body(&opening).await;
    let before = Trace::of(&world).await;
    let mut unsigned = short(&body);
    unsigned.as_object_mut().unwrap().remove("settleSignature");
    is_not_opened(&world, &unsigned, 400, "missing_settleSignature").await;
    unsigned.as_object_mut().unwrap().remove("settleMessage");
    is_not_opened(&world, &unsigned, 400, "missing_authSignature").await;
    let text = body["settleMessage"].as_str().unwrap();
    for signature in [thief.sign(text.as_bytes()), payer.sign(b"another text"), [0; 64]] {
        let mut bent = short(&body);
        bent["settleSignature"] = json!(BASE64_STANDARD.encode(signature));
        is_not_opened(&world, &bent, 400, "invalid_auth_signature").await;
        // A good one beside it helps nobody.
        let mut both = body.clone();
        both["settleSignature"] = bent["settleSignature"].clone();
        is_not_opened(&world, &both, 400, "invalid_auth_signature").await;
        let mut bad = body.clone();
        bad["authSignature"] = bent["settleSignature"].clone();
        is_not_opened(&world, &bad, 400, "invalid_auth_signature").await;
    }
    // The short message of one intent for another.
    let mut other = world.opening(&payer, &merchant.key(), 1_000);
    (other.intent.session_key, other.settle_message) = (opening.intent.session_key, true);
    let mut stolen = short(&world.opening_body_with(&other, &VersionedTransaction::default()));
    stolen["approveTxBase64"] = body["approveTxBase64"].clone();
    stolen["settleSignature"] = body["settleSignature"].clone();
    is_not_opened(&world, &stolen, 400, "invalid_auth_signature").await;
    assert_eq!(Trace::of(&world).await, before);
    world.finish().await;
}
