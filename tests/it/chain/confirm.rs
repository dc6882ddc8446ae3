//! What is known of an attempt under every fault of the way to the chain.

use super::{
    proxy::{Proxy, Reply},
    scene::{LIFE, SHORT, SOL, Scene, by_hand, landed, settings},
};
use crate::support::{PATIENCE, in_time, until};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use solana_system_interface::instruction::transfer;
use sotto::{
    chain::{Chain, ChainError, Commitment, keys::Signer, refresher::RefreshPolicy, rpc::ChainSettings},
    domain::settlement::{Attempt, HeldBecause, Observation},
    ledger::Recorded,
    localnet::{ALL, Odds, TooManyRequests},
};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn a_sent_transaction_lands_and_becomes_final() {
    let scene = Scene::new().await;
    let attempt = scene.sent().await;
    scene.net.tick_slots(2);
    let seen = scene.observe(&attempt, Commitment::Confirmed, PATIENCE).await;
    assert!(landed(&seen, false), "{seen:?}");
    let seen = scene.observe(&attempt, Commitment::Finalized, SHORT).await;
    assert!(landed(&seen, false), "what is known is told, not more: {seen:?}");
    scene.net.tick_slots(40);
    let seen = scene.observe(&attempt, Commitment::Finalized, PATIENCE).await;
    assert!(landed(&seen, true), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_websocket_polling_does_alone() {
    let scene = Scene::polling().await;
    let attempt = scene.sent().await;
    let (seen, ()) = tokio::join!(scene.observe(&attempt, Commitment::Confirmed, PATIENCE), async {
        scene.net.tick_slots(2);
    });
    assert!(landed(&seen, false), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_send_is_pending_and_the_same_bytes_land_later() {
    let scene = Scene::new().await;
    scene.net.faults().change(|plan| plan.drop_sends = Odds::next(1));
    let attempt = scene.sent().await;
    scene.net.tick_slots(3);
    assert_eq!(scene.observe(&attempt, Commitment::Confirmed, SHORT).await, Observation::Pending);
    scene.chain.send(&attempt).await.unwrap();
    scene.net.tick_slots(2);
    assert!(landed(&scene.observe(&attempt, Commitment::Confirmed, PATIENCE).await, false));
    scene.chain.send(&attempt).await.unwrap();
    scene.net.tick_slots(2);
    assert!(landed(&scene.observe(&attempt, Commitment::Confirmed, PATIENCE).await, false));
    let sent_once = scene.payer.pubkey();
    assert_eq!(scene.net.network().balance(&sent_once), 100 * SOL - SOL - 5_000, "identical bytes land once");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_after_the_transaction_was_taken_is_no_refusal() {
    let scene = Scene::new().await;
    scene.net.faults().change(|plan| plan.error_after_take = Odds::next(1));
    let attempt = scene.attempt_of(SOL).await;
    let error = scene.chain.send(&attempt).await.unwrap_err();
    assert!(matches!(error, ChainError::Unavailable { .. }), "{error:?}");
    scene.net.tick_slots(2);
    assert!(landed(&scene.observe(&attempt, Commitment::Confirmed, PATIENCE).await, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_confirmation_is_waited_for_and_never_taken_for_a_failure() {
    let scene = Scene::new().await;
    scene.net.faults().change(|plan| _ = plan.late_confirmation.insert(ALL.to_owned(), 20));
    let attempt = scene.sent().await;
    scene.net.tick_slots(5);
    assert_eq!(scene.observe(&attempt, Commitment::Confirmed, SHORT).await, Observation::Pending);
    let (seen, ()) = tokio::join!(scene.observe(&attempt, Commitment::Confirmed, PATIENCE), async {
        scene.net.tick_slots(30);
    });
    assert!(landed(&seen, false), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_fails_on_chain_is_told_with_its_error() {
    let scene = Scene::new().await;
    let payer = scene.payer.pubkey();
    let attempt = scene.attempt(&[transfer(&payer, &Pubkey::new_from_array([9; 32]), 10_000 * SOL)]).await;
    scene.chain.send(&attempt).await.unwrap();
    scene.net.tick_slots(2);
    let seen = scene.observe(&attempt, Commitment::Confirmed, PATIENCE).await;
    let Observation::Failed { finalised: false, error, .. } = seen else { panic!("{seen:?}") };
    assert!(error.contains("custom program error"), "{error}");
    scene.net.tick_slots(40);
    let seen = scene.observe(&attempt, Commitment::Finalized, PATIENCE).await;
    assert!(matches!(seen, Observation::Failed { finalised: true, .. }), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_are_told_at_once_with_the_time_to_wait() {
    let scene = Scene::new().await;
    let attempt = scene.attempt_of(SOL).await;
    let method = Some("sendTransaction".to_owned());
    let limit = TooManyRequests { next: 1, retry_after: Some(7), method };
    scene.net.faults().change(|plan| plan.too_many_requests = Some(limit));
    let begun = Instant::now();
    let error = scene.chain.send(&attempt).await.unwrap_err();
    let ChainError::Unavailable { retry_after, .. } = error else { panic!("{error:?}") };
    assert_eq!(retry_after, Some(Duration::from_secs(7)));
    assert!(begun.elapsed() < Duration::from_secs(7), "the RPC client's own sender would sleep so long");
}

#[tokio::test(flavor = "multi_thread")]
async fn polling_survives_a_rate_limit() {
    let scene = Scene::polling().await;
    let method = Some("getSignatureStatuses".to_owned());
    let limit = TooManyRequests { next: 2, retry_after: None, method };
    scene.net.faults().change(|plan| plan.too_many_requests = Some(limit));
    let attempt = scene.sent().await;
    scene.net.tick_slots(2);
    assert!(landed(&scene.observe(&attempt, Commitment::Confirmed, PATIENCE).await, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_cut_while_waiting_is_made_up_for_by_polling() {
    let scene = Scene::new().await;
    let warm = scene.sent().await;
    scene.net.tick_slots(2);
    scene.observe(&warm, Commitment::Confirmed, PATIENCE).await;

    let attempt = scene.sent().await;
    let (begun, subscribed) = (Instant::now(), scene.chain.counts().subscriptions);
    let (seen, ()) = tokio::join!(scene.observe(&attempt, Commitment::Confirmed, PATIENCE), async {
        until("a notice is promised", async || scene.chain.counts().subscriptions > subscribed).await;
        scene.net.faults().change(|plan| plan.websockets_down = true);
        scene.net.tick_slots(2);
    });
    assert!(landed(&seen, false), "{seen:?}");
    let usual = settings(String::new(), None).poll.after_push;
    assert!(begun.elapsed() < usual, "polling begins when the notices stop, not at its usual time");

    scene.net.faults().clear();
    let attempt = scene.sent().await;
    scene.net.tick_slots(2);
    assert!(landed(&scene.observe(&attempt, Commitment::Confirmed, PATIENCE).await, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn past_its_life_and_not_in_the_history_it_is_absent_with_proof() {
    let scene = Scene::new().await;
    let attempt = scene.attempt_of(SOL).await;
    let last_valid = attempt.get().last_valid_block_height;
    scene.net.tick_slots(152);
    scene.knows_a_blockhash_past(last_valid + LIFE).await;
    let seen = scene.observe(&attempt, Commitment::Confirmed, SHORT).await;
    assert_eq!(seen, Observation::Unknown, "its last block is not final yet: neither pending nor absent");
    scene.net.tick_slots(40);
    let seen = scene.observe(&attempt, Commitment::Confirmed, PATIENCE).await;
    let Observation::Absent(proof) = seen else { panic!("{seen:?}") };
    assert!(proof.finalised_height > last_valid);
    assert!(proof.first_available_block <= attempt.get().signed_at_slot);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_waits_is_told_of_the_expiry_when_it_happens() {
    let scene = Scene::new().await;
    let attempt = scene.attempt_of(SOL).await;
    let (seen, ()) = tokio::join!(scene.observe(&attempt, Commitment::Confirmed, PATIENCE), async {
        // The observer waits, and knows of nothing.
        until("a notice is promised", async || scene.chain.counts().subscriptions > 0).await;
        scene.expire().await;
    });
    assert!(matches!(seen, Observation::Absent(_)), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_landed_transaction_is_found_long_after_nodes_forgot_its_status() {
    let scene = Scene::new().await;
    let attempt = scene.sent().await;
    scene.net.tick_slots(600);
    let seen = scene.observe(&attempt, Commitment::Finalized, PATIENCE).await;
    assert!(landed(&seen, true), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stands_still_proves_nothing() {
    let scene = Scene::start(by_hand(), |net| ChainSettings {
        refresh: RefreshPolicy {
            every: Duration::from_millis(30),
            stalled_after: Duration::from_secs(4),
            ..RefreshPolicy::default()
        },
        ..settings(net.rpc_url(), Some(net.ws_url()))
    })
    .await;
    let attempt = scene.attempt_of(SOL).await;
    scene.net.faults().change(|plan| plan.frozen = true);
    scene.chain.send(&attempt).await.unwrap();
    scene.net.tick_slots(300);
    assert_eq!(scene.observe(&attempt, Commitment::Confirmed, SHORT).await, Observation::Pending);
    let begun = Instant::now();
    let seen = loop {
        let seen = scene.observe(&attempt, Commitment::Confirmed, SHORT).await;
        if seen != Observation::Pending || begun.elapsed() > PATIENCE {
            break seen;
        }
    };
    assert_eq!(seen, Observation::Unknown, "it has stood still for too long");
    let error = scene.chain.latest_blockhash().await.unwrap_err();
    assert!(matches!(error, ChainError::Unavailable { .. }), "nothing is signed on a dead hash: {error:?}");
    scene.net.faults().clear();
    scene.net.tick_slots(3);
    assert!(landed(&scene.observe(&attempt, Commitment::Confirmed, PATIENCE).await, false));
}

/// A scene whose chain sees the network through a proxy.
async fn through_a_proxy() -> (Scene, Proxy) {
    through_a_proxy_with(|_| {}).await
}

async fn through_a_proxy_with(change: impl FnOnce(&mut ChainSettings)) -> (Scene, Proxy) {
    let (sender, receiver) = std::sync::mpsc::channel();
    let scene = Scene::start(by_hand(), |net| {
        let upstream = net.rpc_url();
        let proxy = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(Proxy::start(upstream)));
        let url = proxy.url.clone();
        sender.send(proxy).unwrap();
        let mut settings = settings(url, None);
        change(&mut settings);
        settings
    })
    .await;
    (scene, receiver.recv().unwrap())
}

/// No such transaction, as of the slot that the truth names.
fn nothing(truth: &Value) -> Reply {
    Reply::Result(json!({ "context": truth["context"], "value": [null] }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_a_gap_in_its_history_proves_nothing() {
    let (scene, proxy) = through_a_proxy().await;
    let attempt = scene.sent().await;
    scene.expire().await;
    let first = attempt.get().signed_at_slot + 1;
    proxy.change(move |method, truth| match method {
        "getSignatureStatuses" => Some(nothing(truth)),
        "getFirstAvailableBlock" => Some(Reply::Result(json!(first))),
        _ => None,
    });
    assert_eq!(
        scene.observe(&attempt, Commitment::Confirmed, SHORT).await,
        Observation::Unproved(HeldBecause::Silence)
    );
    proxy.change(|_, _| None);
    assert!(landed(&scene.observe(&attempt, Commitment::Confirmed, PATIENCE).await, true), "it had landed all along");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lagging_node_behind_the_same_address_proves_nothing() {
    let (scene, proxy) = through_a_proxy().await;
    let attempt = scene.sent().await;
    let slot = scene.net.network().slot();
    scene.expire().await;
    proxy.change(move |method, _| {
        (method == "getSignatureStatuses")
            .then(|| Reply::Result(json!({ "context": { "slot": slot }, "value": [null] })))
    });
    assert_eq!(
        scene.observe(&attempt, Commitment::Confirmed, SHORT).await,
        Observation::Unproved(HeldBecause::Silence)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_cannot_be_searched_proves_nothing() {
    let (scene, proxy) = through_a_proxy().await;
    let attempt = scene.attempt_of(SOL).await;
    scene.expire().await;
    for failing in ["getEpochInfo", "getFirstAvailableBlock"] {
        proxy.change(move |method, _| (method == failing).then(|| Reply::Result(Value::Null)));
        assert_eq!(scene.observe(&attempt, Commitment::Confirmed, SHORT).await, Observation::Unknown, "{failing}");
    }
    proxy.change(|_, _| None);
    assert!(matches!(scene.observe(&attempt, Commitment::Confirmed, PATIENCE).await, Observation::Absent(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_says_nothing_is_unknown_never_absent() {
    let (scene, proxy) = through_a_proxy_with(|settings| settings.timeout = Duration::from_secs(2)).await;
    let attempt = scene.sent().await;
    scene.expire().await;
    proxy.change(|_, _| Some(Reply::Silence));
    let observed = scene.observe(&attempt, Commitment::Confirmed, SHORT);
    assert_eq!(in_time("it has a deadline", observed).await, Observation::Unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_fork_took_back_is_absent_once_it_cannot_land_again() {
    let (scene, proxy) = through_a_proxy().await;
    let attempt = scene.sent().await;
    scene.net.tick_slots(2);
    assert!(landed(&scene.observe(&attempt, Commitment::Confirmed, PATIENCE).await, false));
    proxy.change(|method, truth| (method == "getSignatureStatuses").then(|| nothing(truth)));
    scene.net.tick_slots(2);
    assert_eq!(scene.observe(&attempt, Commitment::Finalized, SHORT).await, Observation::Pending);
    scene.expire().await;
    assert!(matches!(scene.observe(&attempt, Commitment::Confirmed, PATIENCE).await, Observation::Absent(_)));
}

/// A transaction that failed, and is waited for to be final.
async fn failed(scene: &Scene) -> Recorded<Attempt> {
    let attempt = scene.attempt(&[transfer(&scene.payer.pubkey(), &scene.paid(), 10_000 * SOL)]).await;
    scene.chain.send(&attempt).await.unwrap();
    scene.net.tick_slots(2);
    let seen = scene.observe(&attempt, Commitment::Confirmed, PATIENCE).await;
    assert!(matches!(seen, Observation::Failed { finalised: false, .. }), "{seen:?}");
    attempt
}

/// The task that waits has to send it again: no other does.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_a_fork_took_back_is_pending_again_at_once() {
    for (scene, meanwhile) in
        [(Scene::polling().await, false), (Scene::polling().await, true), (Scene::new().await, false)]
    {
        let attempt = failed(&scene).await;
        let forks = || {
            scene.net.network().fork_away(&attempt.get().signature).unwrap();
            scene.net.tick_slots(2);
        };
        if !meanwhile {
            forks();
        }
        let asked = scene.requests("getSignatureStatuses");
        // Not only when patience ends.
        let observed = scene.observe(&attempt, Commitment::Finalized, 2 * PATIENCE);
        let (seen, ()) = tokio::join!(in_time("it is told", observed), async {
            if meanwhile {
                // Seen as it is, and then not any more.
                scene.is_asked("getSignatureStatuses", asked + 2).await;
                forks();
            }
        });
        assert_eq!(seen, Observation::Pending, "meanwhile: {meanwhile}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_waiters_share_their_questions() {
    let scene = Scene::polling().await;
    let mut attempts = Vec::new();
    for _ in 0..60 {
        attempts.push(scene.sent().await);
    }
    scene.net.network().reset_request_counts();
    let begun = Instant::now();
    let waits = attempts.iter().map(|attempt| scene.observe(attempt, Commitment::Confirmed, PATIENCE));
    let (seen, ()) = tokio::join!(futures_util::future::join_all(waits), async {
        scene.is_asked("getSignatureStatuses", 3).await;
        scene.net.tick_slots(2);
    });
    assert!(seen.iter().all(|seen| landed(seen, false)));
    // One request a round, not one a waiter; the first round may be split while the waiters arrive.
    let rounds = u64::try_from(begun.elapsed().as_millis()).unwrap() / 20 + 10;
    assert!(scene.requests("getSignatureStatuses") <= rounds, "{:?}", scene.net.network().request_counts());
}
