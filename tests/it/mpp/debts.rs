//! Debts of channels: they wait for what is wanting, and dust buys no transactions (ADR 0064).

use crate::support::{ChannelScene, public_id};
use serde_json::json;

/// Guard: `waits_for_lamports`. Given up and planned anew in each round it would be rows without end.
#[tokio::test]
async fn a_debt_waits_for_lamports_and_is_planned_once() {
    let scene = ChannelScene::start().await;
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 30_000).await;
    scene.world.quiet().await;
    let (network, payer) = (scene.world.net.network(), scene.world.fee_payer());
    let full = network.account(&payer).expect("is there");
    let lamports = async |lamports| {
        let mut account = network.account(&payer).expect("is there");
        account.lamports = lamports;
        network.put_account(payer, account);
        scene.world.confirmed().await;
        // Asking whether it is ready reads the balances.
        scene.world.get("/ready").await;
    };
    lamports(1_000_000).await;
    scene.drains(&scene.buyer, 1_000_000 - 99_999).await;
    let planned = async || {
        let found = scene.world.ledger().find_channel(public_id(&opened)).await.expect("reads");
        found.expect("is there").settling.map(|settling| settling.settlement)
    };
    scene.world.until("it is planned", async || planned().await.is_some()).await;
    let first = planned().await;
    for left in [99_998, 99_997, 99_996] {
        scene.drains(&scene.buyer, 1).await;
        scene.sees(&scene.buyer, left).await;
        assert_eq!(planned().await, first, "one settlement, whatever rounds see it");
    }
    lamports(full.lamports).await;
    let ended = scene.becomes(&opened, "closed").await;
    assert_eq!((&ended["reason"], &ended["settled"]), (&json!("balance"), &json!("30000")));
    scene.ends(30_000).await;
}

/// Guard: `worthwhile_shares`. What anybody can send to a drained account costs us no fee, and keeps nothing from being written off.
#[tokio::test]
async fn dust_keeps_no_drained_account_alive() {
    let scene = ChannelScene::start().await;
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 30_000).await;
    // One unit less than the least of a charge.
    scene.drains(&scene.buyer, 1_000_000 - 9_999).await;
    let ended = scene.becomes(&opened, "closed").await;
    assert_eq!((&ended["reason"], &ended["settled"]), (&json!("balance"), &json!("0")));
    assert_eq!(scene.closes(&opened).await["shortfall"], json!("30000"));
    assert_eq!(scene.deposited(&scene.buyer), 9_999);
    scene.ends(0).await;
}
