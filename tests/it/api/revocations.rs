//! A wallet without SOL takes back what it approved, at our cost.

use crate::support::{Options, RevokeScene, revoke_body};
use serde_json::json;
use sotto::domain::settlement::Purpose;
use std::time::Duration;

#[tokio::test]
async fn a_wallet_takes_back_what_it_approved_and_we_pay() {
    let scene = RevokeScene::over().await;
    let (world, payer) = (&scene.world, scene.payer.key().to_string());
    assert!(scene.is_delegated(), "a close leaves what stands on chain");
    let signed = scene.signed().await;
    let before = world.net.network().balance(&world.fee_payer());
    let (status, revoked) = world.post(&format!("/sessions/{}/revoke", scene.session), &revoke_body(&signed)).await;
    assert_eq!((status, &revoked["user"]), (200, &json!(payer)), "{revoked:#}");
    assert_eq!(revoked["asset"], json!(world.faucet.mint().to_string()));
    assert!(!scene.is_delegated());
    assert_eq!(before - world.net.network().balance(&world.fee_payer()), 10_000, "two signatures");
    // The session is what it was.
    let (_, view) = world.get(&format!("/sessions/{}", scene.session)).await;
    assert_eq!(view["state"], "closed", "{view:#}");
    // A repeat is answered from what was recorded, on either route, and moves nothing.
    for path in ["/sessions/revoke".to_owned(), format!("/sessions/{}/revoke", scene.session)] {
        assert_eq!(world.post(&path, &revoke_body(&signed)).await, (200, revoked.clone()));
    }
    world.quiet().await;
    let spent = world.ledger().spending(0).await.unwrap();
    let revokes: Vec<_> = spent.iter().filter(|row| row.purpose == Purpose::Revoke).collect();
    assert_eq!(revokes.iter().map(|row| (row.landed, row.recipient)).collect::<Vec<_>>(), [(1, None)]);
    scene.world.finish().await;
}

#[tokio::test]
async fn a_close_offers_the_revoke_when_nothing_needs_the_delegation_any_more() {
    let scene = RevokeScene::open(Options::default()).await;
    let second = {
        let merchant = scene.world.wallet(0).await;
        let mut opening = scene.world.opening(&scene.payer, &merchant.key(), 10_000);
        opening.approved = 110_000;
        let (status, session) = scene.world.post("/sessions", &scene.world.opening_body(&opening).await).await;
        assert_eq!(status, 201, "{session:#}");
        session["sessionId"].as_str().unwrap().to_owned()
    };
    let close = async |id: &str| {
        let session = scene.world.ledger().session(id.parse().unwrap()).await.unwrap().unwrap();
        let message = sotto::domain::signed::close_message(&session.signed.hash(), session.id, "n-1");
        let signature = bs58::encode(scene.payer.sign(message.as_bytes())).into_string();
        let body = json!({ "nonce": "n-1", "signature": signature });
        scene.world.post(&format!("/sessions/{id}/close"), &body).await
    };
    let (status, first) = close(&scene.session).await;
    assert_eq!((status, first.get("revoke")), (200, None), "the other session is open: {first:#}");
    let (status, last) = close(&second).await;
    assert_eq!(status, 200, "{last:#}");
    let signed = scene.signs(&last["revoke"]);
    assert_eq!(scene.sends(&signed).await.0, 200);
    assert!(!scene.is_delegated());
    let again = scene.closes_all().await;
    assert_eq!((&again["sessions"], again.get("revoke")), (&json!([]), None), "there is nothing left to take back");
    scene.world.finish().await;
}

#[tokio::test]
async fn refused_revokes_have_their_words() {
    let scene = RevokeScene::open(Options::default()).await;
    let (status, busy) = scene.asks().await;
    assert_eq!((status, &busy["error"]), (409, &json!("session_busy")), "{busy:#}");
    assert!(busy["message"].as_str().unwrap().contains("a wallet with SOL revokes"), "what they can do alone is told");
    scene.is_refused(&scene.built(&[scene.revoke()]).await, 409, "session_busy").await;
    let closed = scene.closes_all().await;
    assert!(closed["revoke"]["transaction"].is_string(), "{closed:#}");
    // The owner was faster, by themselves: there is nothing left.
    scene.world.lands(scene.world.revoke_by_owner(&scene.payer));
    scene.world.confirmed().await;
    let signed = scene.built(&[scene.revoke()]).await;
    scene.is_refused(&signed, 400, "delegate_mismatch").await;
    let (status, nothing) = scene.asks().await;
    assert_eq!((status, &nothing["error"]), (400, &json!("delegate_mismatch")), "{nothing:#}");
    let unknown = format!("/sessions/{}/revoke", uuid::Uuid::nil());
    let (status, unknown) = scene.world.post(&unknown, &revoke_body(&signed)).await;
    assert_eq!((status, &unknown["error"]), (404, &json!("session_not_found")), "{unknown:#}");
    for (body, error) in [
        (json!({}), "missing_transaction"),
        (json!({ "transaction": 7 }), "bad_request"),
        (json!({ "transaction": "AQID" }), "revoke_not_allowed"),
        (json!({ "transaction": "!" }), "revoke_not_allowed"),
    ] {
        let (status, answer) = scene.world.post("/sessions/revoke", &body).await;
        assert_eq!((status, &answer["error"]), (400, &json!(error)), "{answer:#}");
    }
    scene.world.finish().await;
}

/// What is sent and not known at the deadline is told so, and a repeat is told the outcome.
#[tokio::test]
async fn a_revoke_whose_outcome_is_not_known_is_pending_and_a_repeat_is_told() {
    let mut scene = RevokeScene::over().await;
    scene.world.kill().await;
    scene.world.configure(|settings| settings.answer_deadline = Duration::from_secs(2));
    scene.world.boot().await;
    let signed = scene.signed().await;
    // Taken, and never executed: nobody can know.
    scene.world.net.faults().change(|plan| plan.frozen = true);
    let pending = scene.is_refused(&signed, 503, "revoke_pending").await;
    assert!(pending["message"].as_str().unwrap().contains(&signed_name(&scene).await), "{pending:#}");
    // Nothing opens meanwhile, and no other revoke is taken.
    let (status, other) = scene.asks().await;
    assert_eq!((status, &other["error"]), (409, &json!("session_busy")), "{other:#}");
    scene.world.net.faults().clear();
    scene.world.until("it lands", async || !scene.is_delegated()).await;
    scene.world.quiet().await;
    let (status, revoked) = scene.sends(&signed).await;
    assert_eq!(status, 200, "{revoked:#}");
    scene.world.finish().await;
}

/// The signature under which the one revoke on its way is known.
async fn signed_name(scene: &RevokeScene) -> String {
    let unfinished = scene.world.ledger().unfinished().await.unwrap();
    let revoke = unfinished.iter().find(|work| work.settlement.purpose == Purpose::Revoke).expect("is on its way");
    revoke.settlement.signature.expect("is signed").to_string()
}
