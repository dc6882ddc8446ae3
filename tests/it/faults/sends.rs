//! What can happen to a send.

use super::{Scene, without_allowances};
use crate::support::Options;
use sotto::localnet::{Odds, TooManyRequests};

#[tokio::test]
async fn a_lost_send_is_made_again_with_the_same_bytes() {
    let scene = Scene::set(Options::default()).await;
    scene.world.net.faults().change(|plan| plan.drop_sends = Odds::next(1));
    scene.pays("lost").await;
    assert_eq!(scene.world.net.faults().plan().drop_sends.next, 0, "one was lost");
    scene.closes(1).await;
}

#[tokio::test]
async fn an_error_after_the_broadcast_starts_no_second_transfer() {
    let scene = Scene::set(Options::default()).await;
    scene.world.net.faults().change(|plan| plan.error_after_take = Odds { next: 0, per_mille: 1_000 });
    scene.pays("taken").await;
    assert_eq!(scene.world.ledger().totals(None).await.unwrap().transfers, 1);
    scene.closes(1).await;
}

/// While the network stands still every look says "not seen", so the bytes are sent again and again; then all of them
/// arrive.
#[tokio::test]
async fn bytes_that_arrive_many_times_land_once() {
    let scene = Scene::set(Options::default()).await;
    scene.world.net.network().reset_request_counts();
    scene.world.net.faults().change(|plan| plan.frozen = true);
    let (answer, ()) = tokio::join!(scene.settle("again"), async {
        let sends = || scene.world.net.network().request_counts().get("sendTransaction").copied().unwrap_or(0);
        scene.until("sent twice", async || sends() > 1).await;
        scene.world.net.faults().clear();
    });
    assert_eq!(answer["success"], true, "{answer:#}");
    scene.closes(1).await;
}

#[tokio::test]
async fn an_attempt_whose_blockhash_expired_is_followed_by_another_once_it_is_proved_absent() {
    let scene = Scene::set(Options::default()).await;
    scene.world.net.faults().change(|plan| plan.drop_sends = Odds { next: 0, per_mille: 1_000 });
    let (answer, ()) = tokio::join!(scene.settle("expired"), async {
        scene.until("signed", async || scene.attempts().await == 1).await;
        scene.until("signed again", async || scene.attempts().await == 2).await;
        scene.world.net.faults().clear();
    });
    assert_eq!(answer["success"], true, "{answer:#}");
    assert_eq!(scene.world.ledger().totals(None).await.unwrap().transfers, 1);
    scene.closes(1).await;
}

/// The recipient's account is frozen after the simulation: the transfer lands with an error, its fee is spent and
/// booked, its hold goes back.
#[tokio::test]
async fn a_transfer_that_lands_with_an_error_is_given_back() {
    let scene = Scene::set(without_allowances()).await;
    let freeze = scene.world.freeze(&scene.merchant.key());
    scene.world.net.network().ambush(scene.world.account_of(&scene.merchant.key()), freeze);
    let answer = scene.settle("frozen").await;
    assert_eq!(answer["success"], false, "{answer:#}");
    assert_eq!(answer["errorReason"], "onchain_transfer_failed", "{answer:#}");
    scene.world.lands(scene.world.thaw(&scene.merchant.key()));
    scene.world.confirmed().await;
    scene.quiet().await;
    scene.pays("thawed").await;
    scene.closes(1).await;
}

#[tokio::test]
async fn too_many_requests_delay_a_payment_and_nothing_else() {
    let scene = Scene::set(Options::default()).await;
    let limit = TooManyRequests { next: 3, retry_after: Some(0), method: None };
    scene.world.net.faults().change(|plan| plan.too_many_requests = Some(limit));
    scene.pays("throttled").await;
    let left = scene.world.net.faults().plan().too_many_requests;
    assert!(left.as_ref().is_none_or(|left| left.next == 0), "they were told no: {left:?}");
    scene.closes(1).await;
}
