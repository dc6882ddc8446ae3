//! What is left of the grant bears witness when nobody has the settlement of a channel: the seller is paid once, whatever a
//! provider hides (`spec/mpp.md` §11, ADR 0064).

use crate::{
    chain::proxy::{Lost, Proxy},
    support::ChannelScene,
};
use serde_json::{Value, json};
use sotto::{
    chain::EndpointUrls,
    domain::settlement::{HeldBecause, Settlement},
};

/// A channel that owes 30,000, and the one provider by which its facilitator sees the chain.
async fn owing() -> (ChannelScene, Proxy, Value) {
    let mut scene = ChannelScene::start().await;
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 30_000).await;
    scene.world.quiet().await;
    let provider = Proxy::start(scene.world.net.rpc_url()).await;
    scene.world.reboots_with_endpoints(vec![EndpointUrls { rpc: provider.url.clone(), websocket: None }]).await;
    (scene, provider, opened)
}

/// A channel that owes as much, whose settlement is lost on its way.
async fn losing() -> (ChannelScene, Proxy, Value, Lost) {
    let (scene, provider, opened) = owing().await;
    let lost = Lost::default();
    provider.loses(&lost);
    (scene, provider, opened, lost)
}

async fn held(scene: &ChannelScene) -> Option<Settlement> {
    let held = scene.world.ledger().held_settlements().await.expect("reads");
    held.into_iter().next().map(|record| record.settlement)
}

/// The buyer takes the grant back once a settlement is on its way.
async fn revokes_on_the_way(scene: &ChannelScene, lost: &Lost) {
    scene.world.until("it is on its way", async || lost.signature().is_some()).await;
    scene.revokes(&scene.buyer).await;
}

fn assert_closed(closed: &Value, settled: &str, shortfall: &str) {
    let told = (&closed["settlement"]["amount_settled"], &closed["shortfall"]);
    assert_eq!(told, (&json!(settled), &json!(shortfall)), "{closed:#}");
}

/// Guard: `Settlements::step_without_effect`. It landed and is hidden until its blockhash is dead: signed anew, the seller would be
/// paid twice.
#[tokio::test]
async fn a_settlement_that_landed_and_is_hidden_is_held_and_paid_once() {
    let (scene, provider, opened) = owing().await;
    provider.hides_transactions();
    let is_held = async {
        scene.world.until("it is held", async || held(&scene).await.is_some()).await;
        let held = held(&scene).await.expect("is held");
        assert_eq!((held.held.map(|held| held.because), held.attempts), (Some(HeldBecause::Moved), 1));
        assert_eq!(scene.world.cash(&scene.seller), 30_000, "it has landed");
        provider.is_honest();
    };
    let (closed, ()) = tokio::join!(scene.closes(&opened), is_held);
    assert_closed(&closed, "30000", "0");
    scene.ends(30_000).await;
}

/// Guard: `money::witness`. What was lost on its way has moved nothing, and the grant says so.
#[tokio::test]
async fn a_settlement_that_was_lost_is_signed_anew() {
    let (scene, _provider, opened, lost) = losing().await;
    let closed = scene.closes(&opened).await;
    assert_closed(&closed, "30000", "0");
    let first = lost.signature().expect("one was lost");
    assert_ne!(closed["close_tx_signature"], json!(first), "another one landed");
    assert!(held(&scene).await.is_none());
    scene.ends(30_000).await;
}

/// Guard: `money::witness_of_error`. The buyer revokes while it is on its way: it lands with an error, and what is left of a grant
/// that is gone tells nothing. Nothing can be signed by it any more, so nobody has to decide.
#[tokio::test]
async fn a_settlement_that_fails_because_its_grant_is_gone_is_a_loss_and_not_held() {
    let (scene, provider, opened, lost) = losing().await;
    let revokes = async {
        revokes_on_the_way(&scene, &lost).await;
        provider.lets_go().await;
    };
    let (closed, ()) = tokio::join!(scene.closes(&opened), revokes);
    assert_closed(&closed, "0", "30000");
    assert!(held(&scene).await.is_none());
    scene.ends(0).await;
}

/// What never landed and whose grant is gone may have landed where nobody shows it: that is held until somebody knows, and takes no
/// place of what is in flight.
#[tokio::test]
async fn a_settlement_that_was_lost_and_whose_grant_is_gone_is_held() {
    let (scene, _provider, opened, lost) = losing().await;
    let revokes = async {
        revokes_on_the_way(&scene, &lost).await;
        scene.world.until("it is held", async || held(&scene).await.is_some()).await;
        let delegate = scene.delegation(&scene.buyer).await.grant.expect("a grant").terms;
        let approve = scene.session_account(&scene.buyer).approve(&delegate.delegate, delegate.limit);
        scene.past_us(&scene.buyer, approve).await;
    };
    // The buyer grants again what they had, by themselves: the grant tells again that nothing has moved.
    let (closed, ()) = tokio::join!(scene.closes(&opened), revokes);
    assert_closed(&closed, "30000", "0");
    scene.ends(30_000).await;
}
