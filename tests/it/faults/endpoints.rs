//! Nodes that are behind, or do not know what they should.

use super::{PRICE, Scene, without_allowances};
use crate::support::Options;
use sotto::{
    domain::settlement::State,
    localnet::{ALL, FaultPlan},
};

#[tokio::test]
async fn a_node_that_lags_delays_payments_and_loses_none() {
    let scene = Scene::set(without_allowances()).await;
    scene.pays("before").await;
    scene.world.net.faults().lag_behind(20);
    scene.pays("behind").await;
    scene.world.net.faults().lag_behind(0);
    scene.pays("after").await;
    assert_eq!(scene.world.ledger().totals(None).await.unwrap().transfers, 3);
    scene.closes(3).await;
}

/// A state that is older than what was seen decides nothing: the payment waits until the node has caught up. A simulation
/// on it may have said no, but nothing was sent for that, and nothing was paid.
#[tokio::test]
async fn a_simulation_waits_for_a_node_that_lags_and_costs_nothing_meanwhile() {
    let scene = Scene::set(Options::default()).await;
    let fees = async || scene.world.ledger().totals(None).await.unwrap().fees;
    let opened = fees().await;
    scene.pays("before").await;
    let one = fees().await - opened;
    scene.world.net.faults().lag_behind(20);
    scene.pays("behind").await;
    assert_eq!(scene.world.units(&scene.merchant), 2 * PRICE, "it has landed, whatever the node knows");
    scene.world.net.faults().lag_behind(0);
    scene.pays("after").await;
    assert_eq!(fees().await - opened, 3 * one, "each was sent once");
    assert_eq!(scene.world.ledger().totals(None).await.unwrap().transfers, 3);
    scene.closes(3).await;
}

/// A transfer lands unseen, its blockhash dies, and the node was restarted from a snapshot meanwhile: it answers null
/// for a transaction that landed. That proves nothing, so nothing is released and nothing is sent anew.
#[tokio::test]
async fn a_node_with_a_history_gap_proves_nothing() {
    let scene = Scene::set(Options::default()).await;
    scene.world.net.faults().change(|plan| plan.missing_confirmation = vec![ALL.to_owned()]);
    let pending = scene.settle_hastily("gap").await;
    // It was confirmed meanwhile and nobody was told; it gets no older.
    scene.world.stands_still();
    assert_eq!(pending["errorReason"], "settlement_pending", "{pending:#}");
    // From here on the node neither knows the transaction nor the block that it would be in.
    let first_block = scene.world.net.network().slot();
    scene.world.net.faults().set(FaultPlan { first_block, ..FaultPlan::default() });
    scene.world.moves_on();
    scene.slots(200).await;
    let unfinished = scene.world.ledger().unfinished().await.unwrap();
    let capture = unfinished.iter().find(|work| work.settlement.amount.get() == PRICE).unwrap();
    assert_eq!((&capture.settlement.state, capture.settlement.attempts), (&State::InFlight, 1));
    assert_eq!(scene.world.ledger().totals(None).await.unwrap().held.get(), PRICE, "it stays held");
    assert_eq!(scene.world.units(&scene.merchant), PRICE, "it had landed");
    scene.world.net.faults().clear();
    let answer = scene.pays("gap").await;
    assert_eq!(answer["transaction"], pending["transaction"]);
    scene.closes(1).await;
}
