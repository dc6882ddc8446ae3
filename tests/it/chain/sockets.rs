//! Websockets: how many, how long, and what happens to those who wait when one goes.

use super::{
    scene::{SOL, Scene, by_hand, landed, settings},
    tunnel::Tunnel,
};
use crate::support::{self, PATIENCE};
use futures_util::future::join_all;
use sotto::{
    chain::{ChainCounts, Commitment, PushPolicy, rpc::ChainSettings, signature_statuses::PollPolicy},
    domain::settlement::Observation,
    localnet::Localnet,
};
use std::time::Duration;

/// Waits until the counters satisfy `enough`.
async fn until(scene: &Scene, enough: impl Fn(&ChainCounts) -> bool) {
    support::until("the counters", async || enough(&scene.chain.counts())).await;
}

/// Settings by which nothing is asked again and again: what the poller asks it was told to ask.
fn seldom_polling(net: &Localnet) -> ChainSettings {
    let poll =
        PollPolicy { first: PATIENCE, most: PATIENCE, after_push: PATIENCE.saturating_sub(Duration::from_secs(1)) };
    ChainSettings { poll, ..settings(net.rpc_url(), Some(net.ws_url())) }
}

/// Waits for all attempts together, landing them once `subscribed` subscriptions stand and the network was asked about
/// statuses so often.
async fn land_all(scene: &Scene, count: usize, subscribed: u64, asked: u64) -> Vec<Observation> {
    let mut attempts = Vec::new();
    for _ in 0..count {
        attempts.push(scene.sent().await);
    }
    let waits = attempts.iter().map(|attempt| scene.observe(attempt, Commitment::Confirmed, PATIENCE));
    let (seen, ()) = tokio::join!(join_all(waits), async {
        until(scene, |counts| counts.subscriptions >= subscribed).await;
        scene.is_asked("getSignatureStatuses", asked).await;
        scene.net.tick_slots(2);
    });
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_is_open_before_anybody_waits() {
    let scene = Scene::new().await;
    until(&scene, |counts| counts.sockets == 1).await;
    assert_eq!(scene.chain.counts().subscriptions, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_steady_state_a_settlement_costs_one_request_and_a_pushed_notice() {
    let scene = Scene::new().await;
    until(&scene, |counts| counts.sockets == 1).await;
    let attempt = scene.attempt_of(SOL).await;
    let before = scene.chain.counts();
    scene.net.network().reset_request_counts();
    let (sent, seen, ()) = tokio::join!(
        sotto::chain::Chain::send(&scene.chain, &attempt),
        scene.observe(&attempt, Commitment::Confirmed, PATIENCE),
        async {
            until(&scene, |counts| counts.subscriptions == 1 && counts.sends == 1).await;
            scene.net.tick_slots(2);
        }
    );
    sent.unwrap();
    assert!(landed(&seen, false), "{seen:?}");
    let after = scene.chain.counts();
    assert_eq!((after.sends - before.sends, after.notices - before.notices), (1, 1));
    assert_eq!((after.statuses, after.finality, after.reads), (before.statuses, before.finality, before.reads));
    assert_eq!((scene.requests("sendTransaction"), scene.requests("getSignatureStatuses")), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_waiters_share_one_socket_and_more_than_it_carries_open_another() {
    let push = PushPolicy { per_socket: 4, sockets: 3, ..PushPolicy::default() };
    let scene = Scene::start(by_hand(), |net| ChainSettings { push, ..seldom_polling(net) }).await;
    until(&scene, |counts| counts.sockets == 1).await;
    let seen = land_all(&scene, 4, 4, 0).await;
    assert!(seen.iter().all(|seen| landed(seen, false)), "{seen:?}");
    assert_eq!((scene.chain.counts().sockets, scene.chain.counts().notices), (1, 4));
    // The socket has let go of all four.
    scene.is_asked("signatureUnsubscribe", 4).await;

    // When the second socket stands, everybody is asked about; then they land.
    let seen = land_all(&scene, 7, 4 + 7, 1).await;
    assert!(seen.iter().all(|seen| landed(seen, false)), "{seen:?}");
    let counts = scene.chain.counts();
    assert_eq!((counts.sockets, counts.notices), (2, 11), "{counts:?}");
    assert!(counts.statuses <= 3, "when the second socket stood, and not for each waiter: {counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_socket_can_carry_is_polled_for() {
    let push = PushPolicy { per_socket: 2, sockets: 1, ..PushPolicy::default() };
    let scene = Scene::start(by_hand(), |net| {
        let mut settings = settings(net.rpc_url(), Some(net.ws_url()));
        settings.poll.after_push = Duration::from_millis(300);
        ChainSettings { push, ..settings }
    })
    .await;
    until(&scene, |counts| counts.sockets == 1).await;
    let seen = land_all(&scene, 5, 2, 0).await;
    assert!(seen.iter().all(|seen| landed(seen, false)), "{seen:?}");
    assert!(scene.chain.counts().statuses > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_cut_everybody_is_subscribed_again_and_asked_about_in_one_batch() {
    let scene = Scene::start(by_hand(), seldom_polling).await;
    until(&scene, |counts| counts.sockets == 1).await;
    let mut attempts = Vec::new();
    for _ in 0..20 {
        attempts.push(scene.sent().await);
    }
    let waits = attempts.iter().map(|attempt| scene.observe(attempt, Commitment::Confirmed, PATIENCE));
    let (seen, ()) = tokio::join!(join_all(waits), async {
        until(&scene, |counts| counts.subscriptions == 20).await;
        scene.net.faults().disconnect_websockets();
        until(&scene, |counts| counts.subscriptions == 40).await;
        // Once when the socket went and once when the new subscriptions stood.
        scene.is_asked("getSignatureStatuses", 2).await;
        scene.net.tick_slots(2);
    });
    assert!(seen.iter().all(|seen| landed(seen, false)), "{seen:?}");
    let counts = scene.chain.counts();
    assert_eq!(counts.sockets, 2);
    assert!(counts.notices >= 1, "the new socket pushes");
    assert!((2..=4).contains(&counts.statuses), "in batches: {counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_has_gone_silent_is_found_out_and_replaced() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let push = PushPolicy {
        heartbeat: Duration::from_millis(200),
        patience: Duration::from_millis(500),
        ..PushPolicy::default()
    };
    let scene = Scene::start(by_hand(), |net| {
        let upstream = net.ws_url();
        let tunnel = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(Tunnel::to(&upstream)));
        let url = tunnel.url.clone();
        sender.send(tunnel).unwrap();
        ChainSettings { push, ..settings(net.rpc_url(), Some(url)) }
    })
    .await;
    let tunnel = receiver.recv().unwrap();
    until(&scene, |counts| counts.sockets == 1).await;
    tunnel.swallow();
    until(&scene, |counts| counts.sockets == 2).await;
    let seen = land_all(&scene, 1, 1, 0).await;
    assert!(landed(&seen[0], false), "{seen:?}");
    assert_eq!(scene.chain.counts().notices, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_one_endpoint_has_no_websocket_another_ones_pushes() {
    let (scene, second) = Scene::with_second().await;
    until(&scene, |counts| counts.sockets == 1).await;
    scene.net.faults().change(|plan| plan.websockets_down = true);
    until(&scene, |counts| counts.sockets == 2).await;
    let seen = land_all(&scene, 3, 3, 0).await;
    assert!(seen.iter().all(|seen| landed(seen, false)), "{seen:?}");
    assert_eq!(scene.chain.counts().notices, 3);
    drop(second);
}
