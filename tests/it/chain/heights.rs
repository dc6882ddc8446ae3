//! How long blockhashes live, where one of two voices lies about it or says nothing.

use super::{
    proxy::{Proxy, Reply},
    scene::{LIFE, SHORT, SOL, Scene, by_hand, landed, several},
};
use crate::support::{PATIENCE, until};
use sotto::{
    chain::{Chain as _, Commitment, LiveBlockhash},
    domain::settlement::Observation,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, mpsc},
};

/// How many blocks a liar tells too few: more than a blockhash lives.
const TOO_FEW: u64 = 200;

/// A network of some age that is seen through two proxies. What they say is set by `prepare`.
async fn seen_through_two(prepare: impl FnOnce(&[Proxy; 2])) -> (Scene, [Proxy; 2]) {
    let (sender, opened) = mpsc::channel();
    let scene = Scene::start(by_hand(), |net| {
        net.tick_slots(300);
        let start = || {
            let proxy = Proxy::start(net.rpc_url());
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(proxy))
        };
        let both = [start(), start()];
        prepare(&both);
        let settings = several(&[&both[0].url, &both[1].url]);
        sender.send(both).unwrap();
        settings
    })
    .await;
    (scene, opened.recv().unwrap())
}

/// Waits until a blockhash is told with the word of both: it is recorded as living for a stride longer than it can.
async fn both_are_heard(scene: &Scene) -> LiveBlockhash {
    scene.knows_a_blockhash_past(scene.net.network().slot() + LIFE).await
}

/// Guard: `Heights::least_life`. A liar tells blockhashes of now with the end of an old one, so that the chain never seems to have
/// moved on.
#[tokio::test(flavor = "multi_thread")]
async fn another_voice_says_how_long_a_blockhash_lives_at_least() {
    let (scene, [liar, _honest]) = seen_through_two(|_| {}).await;
    let known = both_are_heard(&scene).await;
    let ends: Arc<Mutex<HashMap<String, u64>>> = Arc::default();
    let (told_ends, dies_at) = (Arc::clone(&ends), OnceLock::new());
    liar.change(move |method, truth| {
        (method == "getLatestBlockhash").then(|| {
            let (mut told, end) = (truth.clone(), &truth["value"]["lastValidBlockHeight"]);
            let hash = truth["value"]["blockhash"].as_str().unwrap().to_owned();
            told_ends.lock().unwrap().insert(hash, end.as_u64().unwrap());
            told["value"]["lastValidBlockHeight"] = dies_at.get_or_init(|| end.clone()).clone();
            Reply::Result(told)
        })
    });
    let was_told = || !ends.lock().unwrap().is_empty();
    until("the liar has told when one dies", async || was_told()).await;
    // Less than a stride: heights are not asked for anew.
    scene.net.tick_slots(25);
    let newest = async || scene.chain.latest_blockhash().await.unwrap();
    until("a blockhash of now is told", async || newest().await.slot >= known.slot + 20).await;
    let told = newest().await;
    let end = ends.lock().unwrap()[&told.hash.to_string()];
    assert!(told.last_valid_block_height >= end, "{told:?} lives until {end}");
}

/// Guard: `IN_DOUBT`. The first one named tells lower heights than the other from the start, and nobody knows which is right.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_signed_while_two_voices_tell_heights_that_do_not_fit() {
    let (scene, [first, _second]) = seen_through_two(|[first, _]| first.tells_heights_too_low(TOO_FEW)).await;
    let refused = scene.chain.latest_blockhash().await.unwrap_err();
    assert!(refused.to_string().contains("no second provider tells a block height"), "{refused}");
    first.is_honest();
    until("they agree", async || scene.chain.latest_blockhash().await.is_ok()).await;
}

/// Guard: `EndpointAnswer::past`. While the other one is down, a liar tells heights too low, takes a transaction and keeps it. To
/// both it is dead and nowhere then, and lives: what it told is no proof before a blockhash's life has passed at the other one.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_signed_on_one_voices_word_is_dead_a_life_after_another_has_spoken() {
    for is_let_go in [true, false] {
        let prepare = |[liar, honest]: &[Proxy; 2]| {
            liar.tells_heights_too_low(TOO_FEW);
            honest.is_down();
        };
        let (scene, [liar, honest]) = seen_through_two(prepare).await;
        let attempt = scene.sent().await;
        let signed_at = scene.net.network().slot();
        assert!(attempt.get().last_valid_block_height < signed_at, "as if it were dead");
        honest.is_honest();
        let known = both_are_heard(&scene).await;
        // What has been recorded is final by now.
        scene.net.tick_slots(40);
        scene.knows_a_blockhash_past(known.last_valid_block_height).await;
        let look = async || scene.chain.look_up(std::slice::from_ref(&attempt)).await.unwrap().remove(0);
        let seen = [look().await, scene.observe(&attempt, Commitment::Confirmed, SHORT).await];
        assert!(!seen.iter().any(|seen| matches!(seen, Observation::Absent(_))), "it lives: {seen:?}");
        if is_let_go {
            liar.lets_go().await;
            liar.is_honest();
            scene.net.tick_slots(2);
            let seen = scene.observe(&attempt, Commitment::Confirmed, PATIENCE).await;
            assert!(landed(&seen, false), "{seen:?}");
            assert_eq!(scene.net.network().balance(&scene.paid()), SOL, "once");
        } else {
            scene.net.tick_slots(31 + LIFE);
            let seen = scene.observe(&attempt, Commitment::Confirmed, PATIENCE).await;
            assert!(matches!(seen, Observation::Absent(_)), "{seen:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_that_falls_silent_stops_no_signing() {
    let (scene, [_first, second]) = seen_through_two(|_| {}).await;
    let newest = both_are_heard(&scene).await;
    second.is_down();
    scene.net.tick_slots(40);
    let newer = async || scene.chain.latest_blockhash().await.unwrap();
    until("another one is told", async || newer().await.slot >= newest.slot + 40).await;
    assert!(newer().await.last_valid_block_height > newest.last_valid_block_height);
}
