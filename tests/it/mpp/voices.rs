//! Where two providers of the chain are configured, a success is told when the second has shown it (`spec/mpp.md` §2).

use crate::support::{MppScene, in_time};
use serde_json::json;
use sotto::{chain::EndpointUrls, localnet::ALL};
use std::time::Duration;

/// A scene that reaches the chain by two endpoints, and the second of them.
async fn two_voices() -> (MppScene, sotto::localnet::Endpoint) {
    let mut scene = MppScene::start().await;
    let second = scene.world.net.open_endpoint(None).await.unwrap();
    let first = EndpointUrls { rpc: scene.world.net.rpc_url(), websocket: Some(scene.world.net.ws_url()) };
    // On one machine each port is a voice.
    let other = EndpointUrls { rpc: second.rpc_url(), websocket: Some(second.ws_url()) };
    scene.world.reboots_with_endpoints(vec![first, other]).await;
    (scene, second)
}

#[tokio::test]
async fn two_voices_that_agree_tell_a_success_and_it_is_verified() {
    let (scene, second) = two_voices().await;
    let body = scene.body(&scene.charge(10_000).await, 10_000);
    scene.paid(&body).await;
    assert!(scene.world.ledger().unverified_charges(9).await.unwrap().is_empty());
    drop(second);
    scene.closes(10_000).await;
}

/// Guard: `Charges::read_again`. A landing that one voice tells alone is no success before the other shows it.
#[tokio::test]
async fn what_the_second_voice_hides_is_pending_until_it_is_shown() {
    let (scene, second) = two_voices().await;
    let body = scene.body(&scene.charge(10_000).await, 10_000);
    for faults in [scene.world.net.faults(), second.faults()] {
        faults.change(|plan| plan.hidden_history = vec![ALL.to_owned()]);
    }
    let told = in_time("an answer", scene.settles(&body)).await;
    assert_eq!((&told["success"], &told["errorCode"]), (&json!(false), &json!("settlement_pending")), "{told:#}");
    assert!(told["signature"].is_string(), "it was recorded: {told:#}");
    for faults in [scene.world.net.faults(), second.faults()] {
        faults.clear();
    }
    scene.paid(&body).await;
    scene.refused(&body, "duplicate_settlement").await;
    drop(second);
    scene.closes(10_000).await;
}

/// With one endpoint nobody else can be asked: what was recorded and landed is told, and read again later.
#[tokio::test]
async fn with_one_voice_an_unread_landing_is_told_and_read_later() {
    let scene = MppScene::start().await;
    let body = scene.body(&scene.charge(10_000).await, 10_000);
    scene.world.net.faults().change(|plan| plan.hidden_history = vec![ALL.to_owned()]);
    scene.paid(&body).await;
    assert_eq!(scene.world.ledger().unverified_charges(9).await.unwrap().len(), 1);
    scene.world.net.faults().clear();
    let read = async {
        while !scene.world.ledger().unverified_charges(9).await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    in_time("it is read again", read).await;
    scene.closes(10_000).await;
}
