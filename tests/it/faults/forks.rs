//! Forks that take back what was confirmed and told.

use super::{PRICE, Scene, without_allowances};
use crate::support::{Options, RevokeScene};
use serde_json::Value;
use solana_signature::Signature;
use sotto::{
    chain::Chain as _,
    domain::settlement::{Purpose, State},
    localnet::Odds,
};

/// Finality comes late enough that slots can be made to stand still before it.
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
    let answer = scene.pays_and_stands_still("forked").await;
    scene.world.net.network().fork_away(&transaction(&answer)).unwrap();
    assert_eq!(scene.world.units(&scene.merchant), 0, "it is gone");
    scene.world.moves_on();
    scene.until("settled again", async || scene.world.units(&scene.merchant) == PRICE).await;
    scene.quiet().await;
    assert_eq!(scene.world.units(&scene.merchant), PRICE, "and not twice");
    let repeated = scene.settle("forked").await;
    assert_eq!(repeated["errorReason"], "duplicate_settlement", "success was said before: {repeated:#}");
    assert_eq!(repeated["transaction"], answer["transaction"], "the same bytes, at once and without an expiry");
    scene.pays("after").await;
    scene.closes(2).await;
}

/// Validators include it again: it lands in another slot, and we sign nothing.
#[tokio::test]
async fn a_payment_that_lands_again_on_the_new_fork_is_not_signed_anew() {
    let scene = Scene::set(slow_finality()).await;
    let answer = scene.pays_and_stands_still("moved").await;
    let (network, signature) = (scene.world.net.network(), transaction(&answer));
    let taken = network.fork_away(&signature).unwrap();
    let moved = taken.transactions.into_iter().find(|tx| tx.signatures[0] == signature).unwrap();
    scene.world.passes(3);
    // Unless the same bytes were sent again before, which is as good.
    _ = network.send(moved);
    scene.world.moves_on();
    scene.quiet().await;
    assert_eq!(scene.world.ledger().totals(None).await.unwrap().transfers, 1);
    let kept = scene.settle("moved").await;
    assert_eq!(kept["transaction"], answer["transaction"], "the same transaction: {kept:#}");
    scene.closes(1).await;
}

/// Several payments, of which every other one is taken back before anybody was told that it landed.
#[tokio::test]
async fn forks_under_payments_lose_and_repeat_nothing() {
    let scene = Scene::set(Options { finalized_after: 40, ..without_allowances() }).await;
    let world = &scene.world;
    // Out of the forks' reach: a payment that lands while the approve is taken back fails, as it should.
    scene.slots(6).await;
    let pay = async {
        for number in 0..6 {
            scene.pays(&format!("stormy-{number}")).await;
        }
    };
    let fork = async {
        let mut taken_back = 0;
        for round in 1..=4 {
            scene.until("a payment lands", async || world.units(&scene.merchant) >= round * PRICE).await;
            world.stands_still();
            if round % 2 == 0 {
                world.passes(2);
                let told = async || world.ledger().totals(None).await.unwrap().transfers >= round;
                scene.until("it is told", told).await;
            }
            taken_back += world.net.network().fork_and_replay(5, 1).unwrap().transactions.len();
            world.moves_on();
        }
        taken_back
    };
    let ((), taken_back) = tokio::join!(pay, fork);
    assert!(taken_back >= 4, "{taken_back} were taken back");
    scene.closes(6).await;
}

/// The facilitator is killed after it said success and before it noticed the fork.
#[tokio::test]
async fn a_fork_that_nobody_watched_is_noticed_at_the_next_start() {
    let mut scene = Scene::set(slow_finality()).await;
    let answer = scene.pays_and_stands_still("unwatched").await;
    scene.world.kill().await;
    scene.world.net.network().fork_away(&transaction(&answer)).unwrap();
    scene.world.boot().await;
    scene.world.moves_on();
    scene.until("settled again", async || scene.world.units(&scene.merchant) == PRICE).await;
    scene
        .until("final", async || {
            let unfinished = scene.world.ledger().unfinished().await.unwrap();
            unfinished.iter().all(|work| work.settlement.state == State::Settled)
        })
        .await;
    scene.closes(1).await;
}

/// A revoke that we paid for is the wallet's: its bytes are sent again, and nothing is signed anew.
#[tokio::test]
async fn a_revoke_that_a_fork_took_back_lands_again_and_is_paid_for_once() {
    let scene = RevokeScene::with(Options { finalized_after: 200, ..Options::default() }).await;
    let (world, signed) = (&scene.world, scene.signed().await);
    let (status, revoked) = scene.sends(&signed).await;
    assert_eq!(status, 200, "{revoked:#}");
    world.net.network().fork_away(&transaction(&revoked)).unwrap();
    assert!(scene.is_delegated(), "it is taken back");
    world.until("it lands again", async || !scene.is_delegated()).await;
    world.passes(200);
    world.quiet().await;
    assert_eq!(scene.sends(&signed).await, (200, revoked), "the same transaction");
    let spent = world.ledger().spending(0).await.unwrap();
    let revokes = spent.iter().filter(|row| row.purpose == Purpose::Revoke);
    assert_eq!(revokes.map(|row| (row.landed, row.spent.total())).collect::<Vec<_>>(), [(1, 10_000)]);
    scene.world.finish().await;
}

/// The lock is gone with the process that took it, and the fork comes after: the watch takes it again before anything is sent.
#[tokio::test]
async fn a_revoke_that_a_fork_took_back_after_a_start_keeps_openings_out_again() {
    let mut scene = RevokeScene::with(slow_finality()).await;
    scene.world.stands_still();
    let slot = scene.world.net.network().slot();
    let is_new = async || scene.world.running().chain.latest_blockhash().await.unwrap().slot + 3 >= slot;
    scene.world.until("a blockhash of now is told", is_new).await;
    let signed = scene.signed().await;
    let confirmed = async {
        scene.world.until("it lands", async || !scene.is_delegated()).await;
        scene.world.passes(3);
    };
    let ((status, revoked), ()) = tokio::join!(scene.sends(&signed), confirmed);
    assert_eq!(status, 200, "{revoked:#}");
    scene.world.kill().await;
    scene.world.net.network().fork_away(&transaction(&revoked)).unwrap();
    scene.world.net.faults().change(|plan| plan.drop_sends = Odds { next: 0, per_mille: 1_000 });
    scene.world.net.network().reset_request_counts();
    scene.world.boot().await;
    let world = &scene.world;
    world.moves_on();
    let sends = async || world.net.network().request_counts().contains_key("sendTransaction");
    world.until("it is sent again", sends).await;
    let opening = world.opening(&scene.payer, &scene.merchant.key(), 10_000);
    let body = world.opening_body(&opening).await;
    // It waits for the revoke, which lands again, and then has an approve of its own.
    let lands = async {
        let end = world.net.network().slot() + 5;
        world.until("slots pass", async || world.net.network().slot() >= end).await;
        world.net.faults().clear();
        world.until("it lands again", async || !scene.is_delegated()).await;
    };
    let ((status, opened), ()) = tokio::join!(world.post("/sessions", &body), lands);
    assert_eq!(status, 201, "{opened:#}");
    assert!(scene.is_delegated(), "to the new session");
    scene.world.finish().await;
}
