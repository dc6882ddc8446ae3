//! What can happen to a confirmation.

use super::Scene;
use crate::support::Options;
use sotto::localnet::ALL;

#[tokio::test]
async fn a_slow_confirmation_is_waited_for() {
    let scene = Scene::set(Options::default()).await;
    scene.world.net.faults().change(|plan| plan.late_confirmation = [(ALL.to_owned(), 40)].into());
    scene.pays("slow").await;
    scene.world.net.faults().clear();
    assert_eq!(scene.world.ledger().totals(None).await.unwrap().transfers, 1);
    scene.closes(1).await;
}

#[tokio::test]
async fn a_missing_confirmation_keeps_the_hold_and_is_told_once_it_is_there() {
    let scene = Scene::set(Options::default()).await;
    scene.world.net.faults().change(|plan| plan.missing_confirmation = vec![ALL.to_owned()]);
    // What lands meanwhile gets no older, however long the caller waits.
    scene.world.stands_still();
    let pending = scene.settle_hastily("missing").await;
    assert_eq!(pending["errorReason"], "settlement_pending", "{pending:#}");
    assert_eq!(scene.world.ledger().totals(None).await.unwrap().held.get(), super::PRICE);
    scene.world.net.faults().clear();
    scene.world.moves_on();
    let answer = scene.pays("missing").await;
    assert_eq!(answer["transaction"], pending["transaction"]);
    scene.closes(1).await;
}

#[tokio::test]
async fn a_dropped_websocket_is_replaced_by_looking() {
    let scene = Scene::set(Options::default()).await;
    scene.pays("before").await;
    scene.world.net.faults().change(|plan| plan.websockets_down = true);
    scene.pays("without").await;
    scene.world.net.faults().clear();
    scene.pays("after").await;
    scene.closes(3).await;
}

/// Cut while the transfer is on its way: its notice is lost for ever.
#[tokio::test]
async fn a_websocket_that_drops_with_a_notice_under_way_loses_no_payment() {
    let scene = Scene::set(Options::default()).await;
    let late = [("signatureNotification".to_owned(), 60_000)];
    scene.world.net.faults().change(|plan| plan.latency = late.into());
    let (answer, ()) = tokio::join!(scene.settle("cut"), async {
        scene.until("in flight", async || scene.attempts().await == 1).await;
        scene.world.net.faults().disconnect_websockets();
    });
    assert_eq!(answer["success"], true, "{answer:#}");
    scene.closes(1).await;
}
