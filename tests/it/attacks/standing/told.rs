//! What has to be said to open on a standing approval, what is told of one and to whom, and what is not promised on one.

use super::{
    super::{becomes, is_not_opened, on_both_sides, view},
    Scene,
};
use crate::support::{Options, Wallet};
use serde_json::json;

use sotto::{
    api::{READ_AT, READ_SIGNATURE},
    domain::{amount::Amount, signed},
    facilitator::Settings,
    localnet::standins::Delegation,
};
use std::time::Duration;

/// Guard: `auth_signature_required`. The short text is one opaque line, and public after the first settlement.
#[tokio::test]
async fn a_replayed_short_text_opens_nothing_on_a_standing_approval() {
    let scene = Scene::begin(Delegation::Public).await;
    let approve = scene.approves(100).await;
    let mut opening = scene.world.opening(&scene.payer, &scene.merchants[0].key(), 40);
    (opening.intent.approved, opening.settle_message) = (Amount::new(100), true);
    let mut body = scene.world.opening_body_landed(&opening, &approve);
    let readable = body.as_object_mut().unwrap().remove("authSignature").unwrap();
    scene.is_refused(&body, 400, "auth_signature_required").await;
    // In place of the readable signature it is none.
    body["authSignature"] = body["settleSignature"].clone();
    scene.is_refused(&body, 400, "invalid_auth_signature").await;
    body["authSignature"] = readable;
    let (status, opened) = scene.world.post("/sessions", &body).await;
    assert_eq!(status, 201, "{opened:#}");
    scene.world.finish().await;
}

/// Guards: `VisibleSession::approval`, and `api::sessions::open`. What is free tells of the payer's other merchants, and whoever had
/// the wallet sign an opening has its whole body: posted again, it would tell at any time.
#[tokio::test]
async fn what_is_free_is_told_to_the_wallet_alone() {
    let scene = Scene::begin(Delegation::Public).await;
    let world = &scene.world;
    let approve = scene.approves(100).await;
    let key = world.stranger();
    let mut opening = world.opening(&scene.payer, &scene.merchants[0].key(), 40);
    (opening.intent.approved, opening.intent.session_key) = (Amount::new(100), Some(key.key()));
    opening.settle_message = true;
    let body = world.opening_body_landed(&opening, &approve);
    let (status, opened) = world.post("/sessions", &body).await;
    assert_eq!((status, opened.get("approval")), (201, None), "{opened:#}");
    let (status, again) = world.post("/sessions", &body).await;
    assert_eq!((status, again.get("approval")), (201, None), "{again:#}");
    let id = opened["sessionId"].as_str().unwrap();
    assert_eq!(view(world, id).await.get("approval"), None);
    let shows = async |reader: &Wallet| {
        let at = world.now();
        let signature = reader.sign(signed::read_message(id, at).as_bytes());
        let (at, signature) = (at.to_string(), bs58::encode(signature).into_string());
        let headers = [(READ_AT, at.as_str()), (READ_SIGNATURE, signature.as_str())];
        world.get_with(&format!("/sessions/{id}"), &headers).await.1
    };
    let seen = shows(&key).await;
    assert_eq!((seen["cap"].as_str(), seen.get("approval")), (Some("40"), None), "a session key sees its own session");
    let expected = json!({ "signature": approve.to_string(), "approved": "100", "free": "60" });
    assert_eq!(shows(&scene.payer).await["approval"], expected);
    // The list names what stands, with sessions and without.
    scene.closes_all().await;
    let at = world.now();
    let message = signed::list_message(&world.spender(), &scene.payer.key(), at);
    let (_, page) = world.lists(&scene.payer.key(), "", &scene.payer, &message, at).await;
    let listed = &page["approvals"];
    let asset = world.faucet.mint().to_string();
    assert_eq!(
        listed,
        &json!([{ "signature": approve.to_string(), "approved": "100", "free": "100", "asset": asset, "sessions": 0 }])
    );
    scene.world.finish().await;
}

/// A total that is less than the cap, or that is not what the wallet signed.
#[tokio::test]
async fn a_total_is_what_was_signed_and_not_less_than_the_cap() {
    let scene = Scene::begin(Delegation::Public).await;
    let approve = scene.approves(100).await;
    let mut opening = scene.world.opening(&scene.payer, &scene.merchants[0].key(), 40);
    opening.intent.approved = Amount::new(39);
    scene
        .is_refused(&scene.world.opening_body_landed(&opening, &approve), 400, "auth_message_field_mismatch_approved")
        .await;
    // With a transaction it has to be what that approves.
    let mut opening = scene.world.opening(&scene.payer, &scene.merchants[0].key(), 40);
    (opening.approved, opening.intent.approved) = (101, Amount::new(100));
    let refused =
        is_not_opened(&scene.world, &scene.world.opening_body(&opening).await, 400, "approved_mismatch").await;
    assert!(refused["sessionId"].is_string(), "its approve has landed: {refused:#}");
    let standing = scene.current().await.unwrap();
    assert_eq!(standing.free(), Amount::new(101).unwrap(), "and stands");
    scene.opens(1, 101, 101, &standing.signature).await;
    scene.world.finish().await;
}

/// Guard: `Shown::Doubtful` for another delegated amount. Until it is known which approve stands there, nothing is promised.
#[tokio::test]
async fn nothing_is_promised_on_an_approve_that_was_replaced_behind_our_back() {
    let seldom = |settings: &mut Settings| settings.funding.interval = Duration::from_hours(1);
    let scene = Scene::of(Options::settings(seldom)).await;
    let approve = scene.approves(100).await;
    let session = scene.opens(0, 50, 100, &approve).await;
    scene.approves(90).await;
    let id = session["sessionId"].as_str().unwrap();
    let mut payment = scene.world.payment(id, &scene.merchants[0].key(), 10, Some("a-promise"));
    on_both_sides(&mut payment, "extra", &json!({ "settlement": "deferred" }));
    let (_, paid) = scene.world.post("/settle", &payment).await;
    assert_eq!(paid["success"], json!(true), "{paid:#}");
    assert_eq!(paid["extensions"]["session"]["settlement"], "captured", "per call: {paid:#}");
    becomes(&scene.world, id, "open").await;
    scene
        .world
        .until("90 stand", async || scene.current().await.is_some_and(|approval| approval.amount == Amount::new(90)))
        .await;
    scene.world.finish().await;
}

/// Guard: `MOST_SESSIONS`.
#[tokio::test]
async fn sixteen_sessions_live_on_one_approve_and_no_more() {
    let scene = Scene::begin(Delegation::Public).await;
    let approve = scene.approves(100).await;
    for _ in 0..16 {
        scene.opens(0, 1, 100, &approve).await;
    }
    scene.is_refused(&scene.body(1, 1, 100, &approve), 429, "quota_exceeded").await;
    scene.closes_all().await;
    scene.opens(1, 100, 100, &approve).await;
    scene.world.finish().await;
}
