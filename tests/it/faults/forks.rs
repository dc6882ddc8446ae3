//! Forks that take back what was confirmed and told.

use super::{PRICE, Scene, without_allowances};
use crate::support::Options;
use serde_json::Value;
use solana_signature::Signature;
use sotto::{domain::settlement::State, ledger::Ledger as _};

/// Finality comes late enough that a fork can come before it.
fn slow_finality() -> Options {
    Options { finalized_after: 40, ..Options::default() }
}

fn transaction(answer: &Value) -> Signature {
    answer["transaction"].as_str().unwrap().parse().unwrap()
}

/// Nobody replays it: it is settled again by our own doing, once.
#[tokio::test]
async fn a_confirmed_payment_that_a_fork_took_back_is_settled_again_exactly_once() {
    let scene = Scene::set(slow_finality()).await;
    let answer = scene.pays("forked").await;
    scene.world.net.network().fork_away(&transaction(&answer)).unwrap();
    assert_eq!(scene.world.units(&scene.merchant), 0, "it is gone");
    scene.until("settled again", async || scene.world.units(&scene.merchant) == PRICE).await;
    scene.quiet().await;
    assert_eq!(scene.world.units(&scene.merchant), PRICE, "and not twice");
    let repeated = scene.settle("forked").await;
    assert_eq!(repeated["errorReason"], "duplicate_settlement", "success was said before: {repeated:#}");
    scene.closes(1).await;
}

/// Validators include it again: it lands in another slot, and we sign nothing.
#[tokio::test]
async fn a_payment_that_lands_again_on_the_new_fork_is_not_signed_anew() {
    let scene = Scene::set(slow_finality()).await;
    let answer = scene.pays("moved").await;
    let (network, signature) = (scene.world.net.network(), transaction(&answer));
    let taken = network.fork_away(&signature).unwrap();
    let moved = taken.transactions.into_iter().find(|tx| tx.signatures[0] == signature).unwrap();
    scene.slots(3).await;
    // Unless the same bytes were sent again before, which is as good.
    _ = network.send(moved);
    scene.quiet().await;
    assert_eq!(scene.world.ledger().totals(None).await.unwrap().transfers, 1);
    let kept = scene.settle("moved").await;
    assert_eq!(kept["transaction"], answer["transaction"], "the same transaction: {kept:#}");
    scene.closes(1).await;
}

/// Several at once, some before and some after they were told.
#[tokio::test]
async fn forks_under_payments_lose_and_repeat_nothing() {
    let scene = Scene::set(Options { finalized_after: 40, ..without_allowances() }).await;
    let pay = async {
        for number in 0..6 {
            scene.pays(&format!("stormy-{number}")).await;
        }
    };
    let fork = async {
        for _ in 0..4 {
            scene.slots(3).await;
            // One that would reach into what is final takes nothing back.
            drop(scene.world.net.network().fork_and_replay(2, 1));
        }
    };
    tokio::join!(pay, fork);
    scene.closes(6).await;
}

/// The facilitator is killed after it said success and before it noticed the fork.
#[tokio::test]
async fn a_fork_that_nobody_watched_is_noticed_at_the_next_start() {
    let mut scene = Scene::set(slow_finality()).await;
    let answer = scene.pays("unwatched").await;
    scene.world.kill().await;
    scene.world.net.network().fork_away(&transaction(&answer)).unwrap();
    scene.world.boot().await;
    scene.until("settled again", async || scene.world.units(&scene.merchant) == PRICE).await;
    scene
        .until("final", async || {
            let unfinished = scene.world.ledger().unfinished().await.unwrap();
            unfinished.iter().all(|work| work.settlement.state == State::Settled)
        })
        .await;
    scene.closes(1).await;
}
