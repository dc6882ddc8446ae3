//! Rounds of the watch over channels in which one channel, or one delegation, is not as it should be.

use crate::support::{ChannelScene, Options};
use rusqlite::Connection;
use serde_json::json;
use sotto::domain::settlement::Purpose;
use std::time::Duration;

/// Guard: `ChannelMonitor::round`. A channel that is due in every round and cannot be ended keeps the watch from nobody else.
#[tokio::test]
async fn one_channel_that_does_not_end_stops_no_watch_over_others() {
    let mut scene = ChannelScene::start().await;
    let other = scene.world.stranger();
    scene.world.gives_cash(&other, 1_000_000).await;
    scene.grants(&other, 1_000_000, 500_000).await;
    let mut body = scene.open_body(&scene.buyer, &scene.seller, 100_000);
    body["idle_timeout_seconds"] = json!(60);
    let stuck = scene.opens_by(&body).await;
    let drained = scene.opens_by(&scene.open_body(&other, &scene.seller, 100_000)).await;
    scene.draws(&stuck, 1_000).await;
    scene.draws(&drained, 20_000).await;
    scene.world.quiet().await;
    scene.world.kill().await;
    let ledger = Connection::open(scene.world.directory().join("sotto.db")).expect("opens");
    ledger
        .execute_batch(
            "CREATE TRIGGER stuck BEFORE UPDATE OF state ON channel_sums
             WHEN NEW.channel = (SELECT min(seq) FROM channels) AND NEW.state <> OLD.state
             BEGIN SELECT RAISE(ABORT, 'it does not end'); END",
        )
        .expect("writes");
    drop(ledger);
    scene.world.boot().await;
    scene.world.lets_pass(60 + 301);
    scene.drains(&other, 450_000).await;
    let ended = scene.becomes(&drained, "closed").await;
    assert_eq!((&ended["reason"], &ended["settled"]), (&json!("balance"), &json!("20000")));
    assert_eq!(scene.shown(&stuck).await["settled"], json!("0"), "it is due, and does not end");
    scene.ends(20_000).await;
}

/// Guard: `ChannelMonitor::judge_ungranted`. A fork takes the grant back for good under an open channel: it ends, and what it owes
/// is lost, without a settlement that could never be planned.
#[tokio::test]
async fn a_channel_whose_grant_a_fork_took_back_ends() {
    // So rarely that a round after the first finds the landing taken back, and given up.
    let options = ChannelScene::options(|settings| settings.channels.monitor = Duration::from_secs(3));
    let mut scene = ChannelScene::of(Options { finalized_after: 250, ..options }).await;
    scene.grants(&scene.buyer, 1_000_000, 1_000_000).await;
    let work = scene.world.ledger().unfinished().await.expect("reads");
    let onboarded = work.iter().find(|work| work.settlement.purpose == Purpose::MppOnboard).expect("is not final");
    let onboarded = onboarded.settlement.signature.expect("was signed");
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 30_000).await;
    scene.world.kill().await;
    scene.world.net.network().fork_away(&onboarded).expect("it is not final");
    // Its blockhash is dead, and that is final.
    scene.world.passes(600);
    scene.world.boot().await;
    let is_gone = async || scene.delegation(&scene.buyer).await.grant.is_none();
    scene.world.until("the grant is taken back", is_gone).await;
    assert_eq!(scene.shown(&opened).await["state"], json!("open"));
    let ended = scene.becomes(&opened, "closed").await;
    assert_eq!((&ended["reason"], &ended["settled"]), (&json!("role_removed"), &json!("0")));
    assert_eq!(scene.closes(&opened).await["shortfall"], json!("30000"));
    scene.ends(0).await;
}
