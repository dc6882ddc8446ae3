//! Signed receipts: made of what has landed and of what the payer's key signed, and of nothing that a caller says.

use super::{
    PURSE, Shop, on_both_sides,
    session_keys::{Signed, opens_with_key_in},
};
use crate::support::{Options, World};
use serde_json::{Value, json};
use sotto::{
    domain::{
        hold::HoldId,
        signed_receipt::{MAX_RESOURCE_URL, ReceiptFault, ReceiptKey, ReceiptStatement},
    },
    merchant::{AnswerReceiptFault, published_keys, verify_answer},
    wire::{
        facilitator::{SettleAnswer, SupportedAnswer},
        signed_receipt::OFFER_RECEIPT,
    },
};

const URL: &str = "https://api.example/weather";

/// A world that signs receipts; what is promised is settled at once.
fn signing() -> Options {
    Options { receipt_key: Some([42; 32]), ..Options::settings(|settings| settings.deferred.count = 1) }
}

async fn keys(world: &World) -> Vec<ReceiptKey> {
    let (_, supported) = world.get("/supported").await;
    published_keys(&serde_json::from_value::<SupportedAnswer>(supported).unwrap())
}

fn read(answer: &Value) -> SettleAnswer {
    serde_json::from_value(answer.clone()).unwrap()
}

fn idempotent(mut body: Value) -> Value {
    on_both_sides(&mut body, "extra", &json!({ "idempotent": true }));
    body
}

async fn captured_at(world: &World, answer: &Value) -> Option<u64> {
    let id: HoldId = answer["extensions"]["session"]["payment"].as_str().unwrap().parse().unwrap();
    world.ledger().payment_times(id).await.unwrap().captured_at
}

/// Guard: `Payments::signed_receipt`, which states what the ledger has.
#[tokio::test]
async fn a_landed_payment_has_a_receipt_of_what_the_session_key_signed_and_a_repeat_has_the_same_bytes() {
    let (shop, key, intent) = opens_with_key_in(World::with(signing()).await, PURSE, 1_000).await;
    let (world, later) = (&shop.world, shop.world.now() + 600);
    let signed = Signed { shop: &shop, key, intent };
    let body = idempotent(signed.body(10, "nonce-0000-0000-0001", later, Some(URL)));
    let (_, paid) = world.post("/settle", &body).await;
    assert_eq!(paid["success"], true, "{paid:#}");
    let keys = keys(world).await;
    let statement = verify_answer(&read(&paid), &keys).unwrap();
    let expected = ReceiptStatement {
        network: "solana:devnet".to_owned(),
        resource_url: URL.to_owned(),
        payer: shop.payer.key(),
        issued_at: captured_at(world, &paid).await.unwrap(),
        transaction: paid["transaction"].as_str().unwrap().parse().unwrap(),
    };
    assert_eq!(statement, expected);
    let (_, again) = world.post("/settle", &body).await;
    assert_eq!(again, paid, "byte for byte");
    // A receipt of one payment is none of another, and a forged one is nobody's.
    let other = signed.body(10, "nonce-0000-0000-0002", later, Some(URL));
    let (_, other) = world.post("/settle", &other).await;
    let mut swapped = other.clone();
    swapped["extensions"][OFFER_RECEIPT] = paid["extensions"][OFFER_RECEIPT].clone();
    assert_eq!(verify_answer(&read(&swapped), &keys), Err(AnswerReceiptFault::OfAnother("transaction")));
    let stranger = [ReceiptKey::current(world.spender())];
    let unknown = verify_answer(&read(&other), &stranger);
    assert!(matches!(unknown, Err(AnswerReceiptFault::Receipt(ReceiptFault::UnknownKey(_)))), "{unknown:?}");
    shop.closes().await;
}

/// Guard: `bound_resource`, and that a receipt is made of a landing alone.
#[tokio::test]
async fn no_receipt_is_made_of_a_callers_word_or_of_what_is_only_held() {
    let (shop, key, intent) = opens_with_key_in(World::with(signing()).await, PURSE, 1_000).await;
    let (world, later) = (&shop.world, shop.world.now() + 600);
    let signed = Signed { shop: &shop, key, intent };
    // The payer's key binds no URL: the one that stands beside it is whoever's.
    let unbound = signed.body(10, "nonce-0000-0000-0001", later, None);
    // It binds one that fits into no header.
    let long = format!("{URL}?{}", "x".repeat(MAX_RESOURCE_URL));
    let mut too_long = signed.body(10, "nonce-0000-0000-0002", later, Some(&long));
    too_long["paymentPayload"]["resource"]["url"] = json!(long);
    // It is held, and lands later.
    let mut held = signed.body(10, "nonce-0000-0000-0003", later, Some(URL));
    on_both_sides(&mut held, "extra", &json!({ "settlement": "deferred", "idempotent": true }));
    let mut held_answer = Value::Null;
    for (what, body) in [("unbound", &unbound), ("too long", &too_long), ("held", &held)] {
        let (_, paid) = world.post("/settle", body).await;
        assert_eq!(paid["success"], true, "{what}: {paid:#}");
        assert_eq!(verify_answer(&read(&paid), &keys(world).await), Err(AnswerReceiptFault::Absent), "{what}");
        held_answer = paid;
    }
    world.quiet().await;
    assert!(captured_at(world, &held_answer).await.is_some(), "it has landed by now");
    let (_, recorded) = world.post("/settle", &held).await;
    assert_eq!((&recorded["success"], &recorded["extensions"][OFFER_RECEIPT]), (&json!(true), &Value::Null));
    shop.closes().await;
}

/// Guard: `bound_resource`. Of a session without a key nobody checks what is called an authorisation.
#[tokio::test]
async fn a_bare_session_has_no_receipts_whatever_its_payload_claims() {
    let shop = Shop::open(signing(), 1_000).await;
    let known = shop.world.ledger().session(shop.session.parse().unwrap()).await.unwrap().unwrap();
    let signed = Signed { shop: &shop, key: shop.world.stranger(), intent: known.signed.hash() };
    let body = signed.body(10, "nonce-0000-0000-0001", shop.world.now() + 600, Some(URL));
    let (_, paid) = shop.world.post("/settle", &body).await;
    assert_eq!((&paid["success"], &paid["extensions"][OFFER_RECEIPT]), (&json!(true), &Value::Null), "{paid:#}");
    shop.closes().await;
}

#[tokio::test]
async fn a_facilitator_without_a_receipt_key_signs_none_and_says_so() {
    let (shop, key, intent) = opens_with_key_in(World::start().await, PURSE, 1_000).await;
    let world = &shop.world;
    let signed = Signed { shop: &shop, key, intent };
    let (_, paid) = world.post("/settle", &signed.body(10, "nonce-0000-0000-0001", world.now() + 600, Some(URL))).await;
    assert_eq!((&paid["success"], &paid["extensions"][OFFER_RECEIPT]), (&json!(true), &Value::Null), "{paid:#}");
    let (_, supported) = world.get("/supported").await;
    assert_eq!(supported["extensions"], json!(["payment-identifier"]));
    assert!(keys(world).await.is_empty(), "{supported:#}");
    shop.closes().await;
}
