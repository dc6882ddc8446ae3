//! With a session key the session's id is no secret any more.

use super::{PURSE, Shop, Trace, is_refused_everywhere, on_both_sides};
use crate::support::{Wallet, World};
use serde_json::{Value, json};
use sotto::domain::{
    amount::Amount,
    intent::IntentHash,
    signed::{payment_message, resource_hash},
};

type Bend = Box<dyn Fn(&mut Value)>;

/// A payment as a session key signs it.
pub(super) struct Signed<'a> {
    pub(super) shop: &'a Shop,
    pub(super) key: Wallet,
    pub(super) intent: IntentHash,
}

impl Signed<'_> {
    pub(super) fn body(&self, amount: u64, nonce: &str, expires_at: u64, resource: Option<&str>) -> Value {
        let mut body = self.shop.payment(amount, Some(nonce));
        let text = payment_message(
            &self.intent,
            self.shop.session.parse().unwrap(),
            Amount::new(amount).unwrap(),
            &self.shop.merchant.key(),
            nonce,
            expires_at,
            resource,
        );
        let mut authorization = json!({ "nonce": nonce, "expiresAt": expires_at });
        if let Some(url) = resource {
            authorization["resourceHash"] = json!(resource_hash(url));
        }
        body["paymentPayload"]["payload"]["authorization"] = authorization;
        let signature = bs58::encode(self.key.sign(text.as_bytes())).into_string();
        body["paymentPayload"]["payload"]["signature"] = json!(signature);
        body
    }
}

/// Each changes one thing that the session key signed.
fn bends() -> [(&'static str, Bend); 6] {
    [
        (
            "amount",
            Box::new(|body| {
                on_both_sides(body, "amount", &json!("11"));
                body["paymentPayload"]["payload"]["amount"] = json!("11");
            }),
        ),
        (
            "nonce",
            Box::new(|body| {
                body["paymentPayload"]["payload"]["nonce"] = json!("another-nonce-0000");
                body["paymentPayload"]["payload"]["authorization"]["nonce"] = json!("another-nonce-0000");
            }),
        ),
        ("resource", Box::new(|body| body["paymentPayload"]["resource"]["url"] = json!("https://evil.example/"))),
        ("no resource", Box::new(|body| drop(body["paymentPayload"].as_object_mut().unwrap().remove("resource")))),
        (
            "expiry",
            Box::new(|body| {
                let expires_at = &mut body["paymentPayload"]["payload"]["authorization"]["expiresAt"];
                *expires_at = json!(expires_at.as_u64().unwrap() + 1);
            }),
        ),
        (
            "unbound",
            Box::new(|body| {
                let authorization = &mut body["paymentPayload"]["payload"]["authorization"];
                authorization.as_object_mut().unwrap().remove("resourceHash");
            }),
        ),
    ]
}

/// A session of a payer who has so many units, with a session key; the key, and the intent.
async fn opens_with_key(purse: u64, cap: u64) -> (Shop, Wallet, IntentHash) {
    opens_with_key_in(World::start().await, purse, cap).await
}

/// Like [`opens_with_key`], in a world that is there.
pub(super) async fn opens_with_key_in(world: World, purse: u64, cap: u64) -> (Shop, Wallet, IntentHash) {
    let (payer, merchant, key) = (world.wallet(purse).await, world.wallet(0).await, world.stranger());
    let mut opening = world.opening(&payer, &merchant.key(), cap);
    opening.intent.session_key = Some(key.key());
    opening.settle_message = true;
    let (status, answer) = world.post("/sessions", &world.opening_body(&opening).await).await;
    assert_eq!(status, 201, "{answer:#}");
    let session = answer["sessionId"].as_str().unwrap().to_owned();
    (Shop { world, payer, merchant, session }, key, IntentHash::of(&opening.intent.to_bytes()))
}

/// Guard: `amount_to_judge`: who shows by the session key's signature that the payer named the amount is told of it.
#[tokio::test]
async fn an_amount_that_the_session_key_signed_is_verified_against_the_balance() {
    let (shop, key, intent) = opens_with_key(5_000, 10_000).await;
    let later = shop.world.now() + 600;
    let proof = shop.world.funding_proof(&shop.payer).await;
    let (status, proved) = shop.world.post(&format!("/sessions/{}/funding", shop.session), &proof).await;
    assert_eq!((status, &proved["funding"]), (200, &json!("proven")), "{proved:#}");
    let signed = Signed { shop: &shop, key, intent };
    for (amount, level) in [(5_000, "proven"), (5_001, "short")] {
        let body = signed.body(amount, &format!("nonce-0000-0000-{amount}"), later, None);
        let (_, verified) = shop.world.post("/verify", &body).await;
        assert_eq!(verified["extensions"]["session"]["funding"], level, "{amount}: {verified:#}");
    }
    shop.world.finish().await;
}

/// Guard: `domain::payment::check_authorization`.
#[tokio::test]
async fn r12_with_a_session_key_the_bare_id_pays_nothing_and_a_signature_pays_one_thing() {
    let (shop, key, intent) = opens_with_key(PURSE, 1_000).await;
    let (world, later) = (&shop.world, shop.world.now() + 600);
    let signed = Signed { shop: &shop, key, intent };
    let url = "https://api.example/weather";
    let before = Trace::of(world).await;

    shop.is_refused(10, None, "session_signature_required").await;
    shop.is_refused(10, Some("nonce-0000-0000-0000"), "session_signature_required").await;
    let payload = "/paymentPayload/payload";
    for (what, bend) in bends() {
        let mut body = signed.body(10, "nonce-0000-0000-0001", later, Some(url));
        bend(&mut body);
        let (_, answer) = world.post("/settle", &body).await;
        assert_eq!(answer["errorReason"], "invalid_session_signature", "{what}: {answer:#}");
        is_refused_everywhere(world, &body, "invalid_session_signature").await;
    }
    // Beside the signed nonce no other one counts, or one signature would pay twice.
    let mut two_nonces = signed.body(10, "nonce-0000-0000-0001", later, Some(url));
    two_nonces.pointer_mut(payload).unwrap()["nonce"] = json!("nonce-0000-0000-0002");
    is_refused_everywhere(world, &two_nonces, "bad_request").await;
    // The user's own key is not the session key.
    let by_user =
        Signed { key: shop.payer.clone(), ..Signed { shop: &shop, key: shop.payer.clone(), intent: signed.intent } };
    let body = by_user.body(10, "nonce-0000-0000-0001", later, Some(url));
    is_refused_everywhere(world, &body, "invalid_session_signature").await;
    let stale = signed.body(10, "nonce-0000-0000-0003", world.now() - 1, None);
    is_refused_everywhere(world, &stale, "payment_expired").await;
    assert_eq!(Trace::of(world).await, before);

    let good = signed.body(10, "nonce-0000-0000-0001", later, Some(url));
    let (_, paid) = world.post("/settle", &good).await;
    assert_eq!(paid["success"], json!(true), "{paid:#}");
    is_refused_everywhere(world, &good, "duplicate_settlement").await;
    assert_eq!(world.units(&shop.merchant), 10);
    shop.closes().await;
}
