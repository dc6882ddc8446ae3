//! A buyer who changes the grant beneath their channels by themselves, or through us at the wrong moment (ADR 0064).

use crate::support::{ChannelScene, confirmation, offered, public_id, signed_by};
use serde_json::{Value, json};
use sotto::domain::amount::Amount;
use std::time::Duration;

/// Guards: `delegated::at`, `settle::may_move`. What the buyer approves beyond what they granted is not ours to move: nothing is
/// opened on it, and nothing lands that could not be written.
#[tokio::test]
async fn what_is_approved_beyond_the_grant_opens_no_channel() {
    let scene = ChannelScene::bare(|_| ()).await;
    scene.grants(&scene.buyer, 1_000_000, 3_000_000).await;
    let delegate = scene.delegation(&scene.buyer).await.grant.expect("a grant").terms.delegate;
    let all = Amount::new(100_000_000).expect("fits");
    scene.past_us(&scene.buyer, scene.session_account(&scene.buyer).approve(&delegate, all)).await;
    let body = |deposit| scene.open_body(&scene.buyer, &scene.seller, deposit);
    scene.refused("/mpp/session/open", &body(1_000_001), "insufficient_balance").await;
    let opened = scene.opens(600_000).await;
    scene.draws(&opened, 600_000).await;
    scene.refused("/mpp/session/open", &body(400_001), "insufficient_balance").await;
    let closed = scene.closes(&opened).await;
    assert_eq!(closed["settlement"]["amount_settled"], json!("600000"), "{closed:#}");
    scene.refused("/mpp/session/open", &body(400_001), "insufficient_balance").await;
    let opened = scene.opens(400_000).await;
    scene.draws(&opened, 400_000).await;
    scene.closes(&opened).await;
    scene.ends(1_000_000).await;
}

/// Guard: `Core::can_pay`. No round of the monitor has seen the revoke when the channel is closed: nothing is signed
/// that could only fail, and nobody's decision is waited for.
#[tokio::test]
async fn who_revokes_and_closes_at_once_leaves_nothing_held() {
    let scene = ChannelScene::with(|settings| settings.channels.monitor = Duration::from_secs(2)).await;
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 30_000).await;
    scene.world.quiet().await;
    let lamports = || scene.world.net.network().account(&scene.world.fee_payer()).expect("is there").lamports;
    let before = lamports();
    scene.revokes(&scene.buyer).await;
    let closed = scene.closes(&opened).await;
    let told = (&closed["settlement"]["amount_settled"], &closed["shortfall"]);
    assert_eq!(told, (&json!("0"), &json!("30000")), "{closed:#}");
    assert!(scene.world.ledger().held_settlements().await.expect("reads").is_empty());
    assert_eq!(lamports(), before, "nothing was sent");
    scene.ends(0).await;
}

/// What a renewal of the buyer's to this limit is offered.
async fn renewal(scene: &ChannelScene, limit: u64) -> Value {
    let asked = json!({ "renew": true, "spend_limit_atomic": limit.to_string() });
    scene.asks(&scene.buyer, "/api/sessions/onboard", asked).await.1
}

/// Guards: `issued::changes_grant` in the verbs that open and settle. The renewal is sent and has not landed.
#[tokio::test]
async fn while_a_renewal_is_on_its_way_nothing_opens_and_a_close_waits() {
    let scene = ChannelScene::start().await;
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 30_000).await;
    scene.world.quiet().await;
    let offered = renewal(&scene, 2_000_000).await;
    scene.world.stands_still();
    let meanwhile = async {
        let id = scene.delegation(&scene.buyer).await.id;
        let is_sent = async || scene.world.ledger().issued_on_its_way(id).await.expect("reads").is_some();
        scene.world.until("the renewal is on its way", is_sent).await;
        let body = scene.open_body(&scene.buyer, &scene.seller, 500_000);
        let refused = scene.refused("/mpp/session/open", &body, "unavailable").await;
        assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains("renewal")), "{refused:#}");
        let lands = async {
            scene.becomes(&opened, "closing").await;
            let record = scene.world.ledger().find_channel(public_id(&opened)).await.expect("reads").expect("is there");
            assert!(record.settling.is_none(), "it waits for the renewal");
            scene.world.moves_on();
        };
        tokio::join!(scene.closes(&opened), lands).0
    };
    let ((), closed) = tokio::join!(scene.signs(&scene.buyer, &offered, "ready"), meanwhile);
    let told = (&closed["settlement"]["amount_settled"], &closed["shortfall"]);
    assert_eq!(told, (&json!("30000"), &json!("0")), "{closed:#}");
    assert!(scene.world.ledger().held_settlements().await.expect("reads").is_empty());
    scene.ends(30_000).await;
}

/// Guard: `onboardings::refused`. The close is sent and has not landed when the renewal that was offered before comes back signed.
#[tokio::test]
async fn while_a_close_is_on_its_way_no_renewal_is_sent() {
    let scene = ChannelScene::start().await;
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 30_000).await;
    scene.world.quiet().await;
    let renewal = renewal(&scene, 2_000_000).await;
    scene.world.stands_still();
    let meanwhile = async {
        let id = public_id(&opened);
        let is_sent = async || {
            let record = scene.world.ledger().find_channel(id).await.expect("reads");
            record.is_some_and(|record| record.settling.is_some())
        };
        scene.world.until("the close is on its way", is_sent).await;
        let signed = confirmation(&signed_by(&scene.buyer, offered(&renewal)));
        let (status, answer) = scene.asks(&scene.buyer, "/api/sessions/onboard/confirm", signed).await;
        assert_eq!((status, &answer["error"]), (409, &json!("channels_open")), "{answer:#}");
        scene.world.moves_on();
    };
    let (closed, ()) = tokio::join!(scene.closes(&opened), meanwhile);
    assert_eq!(closed["settlement"]["amount_settled"], json!("30000"), "{closed:#}");
    scene.ends(30_000).await;
}
