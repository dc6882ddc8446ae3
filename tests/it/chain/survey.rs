//! Looking at many landed transactions at once.

use super::{
    proxy::Proxy,
    scene::{LIFE, SOL, Scene, by_hand, landed, several},
};
use crate::support::PATIENCE;
use sotto::{
    chain::{Chain, Commitment, rpc::SolanaChain},
    domain::settlement::Observation,
};

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_transactions_are_looked_up_in_two_requests() {
    let scene = Scene::polling().await;
    let mut attempts = Vec::new();
    for _ in 0..300 {
        attempts.push(scene.attempt_of(1_000_000).await);
    }
    for attempt in &attempts {
        scene.chain.send(attempt).await.unwrap();
    }
    scene.net.tick_slots(2);
    scene.net.network().reset_request_counts();
    let seen = scene.chain.look_up(&attempts).await.unwrap();
    assert!(seen.len() == 300 && seen.iter().all(|seen| landed(seen, false)), "{:?}", seen.first());
    assert_eq!(scene.requests("getSignatureStatuses"), 2);
    assert_eq!(scene.chain.counts().finality, 2);
    scene.net.tick_slots(40);
    let seen = scene.chain.look_up(&attempts).await.unwrap();
    assert!(seen.iter().all(|seen| landed(seen, true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nodes_have_forgotten_is_found_in_their_history() {
    let scene = Scene::polling().await;
    let attempt = scene.sent().await;
    scene.net.tick_slots(600);
    assert!(landed(&scene.chain.look_up(&[attempt]).await.unwrap()[0], true));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_fork_took_back_is_told_apart_from_what_a_lagging_node_does_not_know() {
    let (scene, second) = Scene::with_second().await;
    scene.net.tick_slots(20);
    let attempt = scene.sent().await;
    scene.net.tick_slots(2);
    assert!(landed(&scene.observe(&attempt, Commitment::Confirmed, PATIENCE).await, false));
    // Only a node that lags answers: it has nothing to say.
    second.faults().lag_behind(9);
    let limit = sotto::localnet::TooManyRequests { next: u32::MAX, retry_after: Some(60), method: None };
    scene.net.faults().change(|plan| plan.too_many_requests = Some(limit));
    let told = scene.chain.look_up(std::slice::from_ref(&attempt)).await;
    assert!(!matches!(told.as_deref(), Ok([Observation::Pending | Observation::Absent(_)])), "{told:?}");
    // The truth, without a fork and with one.
    second.faults().lag_behind(0);
    assert!(landed(&scene.chain.look_up(std::slice::from_ref(&attempt)).await.unwrap()[0], false));
    scene.net.network().fork_away(&attempt.get().signature).unwrap();
    scene.net.tick_slots(3);
    assert_eq!(scene.chain.look_up(std::slice::from_ref(&attempt)).await.unwrap(), [Observation::Pending]);
    // Those bytes land again.
    scene.chain.send(&attempt).await.unwrap();
    scene.net.tick_slots(2);
    assert!(landed(&scene.chain.look_up(std::slice::from_ref(&attempt)).await.unwrap()[0], false));
    assert_eq!(scene.net.network().balance(&scene.paid()), SOL, "once");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_fork_took_back_for_good_is_absent_with_proof() {
    let scene = Scene::polling().await;
    scene.net.tick_slots(20);
    let attempt = scene.sent().await;
    scene.net.tick_slots(2);
    scene.net.network().fork_away(&attempt.get().signature).unwrap();
    scene.net.tick_slots(155);
    // The height is a hint that the refresher brings; until it has, the transaction may land for all we know.
    scene.knows_a_blockhash_past(attempt.get().last_valid_block_height + LIFE).await;
    let seen = scene.chain.look_up(std::slice::from_ref(&attempt)).await.unwrap().remove(0);
    assert_eq!(seen, Observation::Unknown, "it cannot land any more, and that is not final yet");
    scene.expire().await;
    let seen = scene.chain.look_up(std::slice::from_ref(&attempt)).await.unwrap();
    assert!(matches!(seen[0], Observation::Absent(_)), "{seen:?}");
}

/// Guards: `Survey::makes_final` and the tellers. The first endpoint makes a landing up that was never sent, and its finality
/// with it; the second knows nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_landing_is_not_final_by_the_word_of_the_one_who_told_it() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let scene = Scene::start(by_hand(), |net| {
        let proxy = Proxy::start(net.rpc_url());
        let proxy = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(proxy));
        let both = several(&[&proxy.url, &net.rpc_url()]);
        sender.send(proxy).unwrap();
        both
    })
    .await;
    let liar = receiver.recv().unwrap();
    liar.makes_up_landings();
    let attempt = scene.sent().await;
    let attempts = std::slice::from_ref(&attempt);
    let seen = scene.observe(&attempt, Commitment::Confirmed, PATIENCE).await;
    assert!(landed(&seen, false), "whoever tells it first is believed, and not that it is final: {seen:?}");
    let seen = scene.chain.look_up(attempts).await.unwrap();
    assert_eq!(seen, [Observation::Pending], "another has not got it, and it can still land: it is sent again");
    scene.expire().await;
    // One that remembers who told it, and one that has just been started.
    let started = SolanaChain::start(several(&[&liar.url, &scene.net.rpc_url()])).unwrap();
    for chain in [&scene.chain, &started] {
        let seen = chain.look_up(attempts).await.unwrap().remove(0);
        assert!(
            matches!(&seen, Observation::Disputed { landed, denied, .. } if *landed == [1] && *denied == [2]),
            "{seen:?}"
        );
    }
    liar.is_honest();
    let seen = scene.chain.look_up(attempts).await.unwrap();
    assert!(matches!(seen[0], Observation::Absent(_)), "{seen:?}");
}

/// Guard: `Survey::makes_final`. An endpoint that was restarted from a snapshot denies nothing and confirms nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_only_its_teller_remembers_is_there_and_not_final() {
    let (scene, second) = Scene::with_second().await;
    let attempt = scene.sent().await;
    scene.net.tick_slots(2);
    let seen = scene.observe(&attempt, Commitment::Confirmed, PATIENCE).await;
    assert!(landed(&seen, false), "{seen:?}");
    second.faults().forget_before(scene.net.network().slot() + 1);
    scene.expire().await;
    let look = async || scene.chain.look_up(std::slice::from_ref(&attempt)).await.unwrap().remove(0);
    let seen = look().await;
    assert!(landed(&seen, false), "{seen:?}");
    second.faults().forget_before(0);
    let seen = look().await;
    assert!(landed(&seen, true), "{seen:?}");
}
