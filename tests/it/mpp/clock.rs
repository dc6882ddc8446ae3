//! Our clock beside the chain's block time (`spec/mpp.md` §4): when grants end, certificates and proofs hang on it.

use crate::support::ChannelScene;
use serde_json::{Value, json};
use sotto::facilitator::ClockCheck;

/// What `GET /ready` says of the clock.
async fn told(scene: &ChannelScene) -> Option<(bool, String)> {
    let (status, answer) = scene.world.get("/ready").await;
    let check = answer["checks"].as_array().expect("a list").iter().find(|check| check["name"] == "clock")?;
    assert_eq!(status == 200, answer["ok"] == json!(true), "{answer:#}");
    Some((check["ok"] == json!(true), check["detail"].as_str().expect("a text").to_owned()))
}

async fn is_told(scene: &ChannelScene, ok: bool) -> String {
    scene.world.until("the clocks are compared", async || told(scene).await.is_some_and(|(is, _)| is == ok)).await;
    told(scene).await.expect("a check").1
}

/// Guard: `MppShared::compare_clocks`, `Facilitator::check_clock` and whoever asks `are_clocks_apart`.
#[tokio::test]
async fn a_clock_that_is_apart_from_the_chains_grants_and_opens_nothing() {
    let scene = ChannelScene::with(|settings| settings.clock = ClockCheck::AgainstBlockTime).await;
    let opened = scene.opens(100_000).await;
    is_told(&scene, true).await;
    scene.world.lets_pass(120);
    let detail = is_told(&scene, false).await;
    assert!(detail.contains("ahead of the chain's block time") && detail.contains("NTP"), "{detail}");
    scene.refused("/mpp/session/open", &scene.open_body(&scene.buyer, &scene.seller, 1_000), "unavailable").await;
    let (status, answer) = scene.asks(&scene.buyer, "/api/sessions/onboard", json!({ "renew": true })).await;
    assert_eq!((status, &answer["error"]), (503, &json!("unavailable")), "{answer:#}");
    scene.draws(&opened, 30_000).await;
    assert_eq!(scene.closes(&opened).await["settlement"]["amount_settled"], json!("30000"), "what is owed is settled");
    scene.ends(30_000).await;
}

/// The time of a local network is what whoever runs it makes it.
#[tokio::test]
async fn on_a_local_network_clocks_are_not_compared() {
    let scene = ChannelScene::with(|settings| settings.clock = ClockCheck::Skipped).await;
    scene.world.lets_pass(3_600);
    assert_eq!(told(&scene).await, None);
    let opened: Value = scene.opens(100_000).await;
    assert_eq!(scene.closes(&opened).await["success"], json!(true));
    scene.ends(0).await;
}
