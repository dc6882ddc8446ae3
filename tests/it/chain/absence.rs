//! Whose word makes a transaction one without effect, absent or failed: every configured endpoint's, and none of those that do
//! not say it.

use super::{
    proxy::{Proxy, Reply},
    scene::{SHORT, SOL, Scene, by_hand, landed, several},
};
use crate::{
    ledger::build,
    support::{Engine, Log, PATIENCE, until},
};
use axum::{body::Body, response::Response};
use serde_json::json;
use sotto::{
    chain::{Chain as _, ChainError, Commitment, rpc::ChainSettings},
    domain::{
        network::Network,
        settlement::{Attempt, HeldBecause, Moves, Observation},
    },
    ledger::Recorded,
    localnet::{Localnet, LocalnetConfig},
};

/// A network whose chain is seen through a proxy and directly, the proxy at this place of the list.
async fn seen_twice(proxy_at: usize) -> (Scene, Proxy) {
    let (sender, receiver) = std::sync::mpsc::channel();
    let scene = Scene::start(by_hand(), |net| {
        let proxy = start_proxy(net.rpc_url());
        let mut urls = vec![net.rpc_url()];
        urls.insert(proxy_at, proxy.url.clone());
        sender.send(proxy).unwrap();
        several(&urls.iter().map(String::as_str).collect::<Vec<_>>())
    })
    .await;
    (scene, receiver.recv().unwrap())
}

fn start_proxy(upstream: String) -> Proxy {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(Proxy::start(upstream)))
}

/// A transfer out of an account of which nothing was known when it was signed. It is never sent.
async fn unwitnessed(scene: &Scene) -> Recorded<Attempt> {
    let fixture = build::fixture(Engine::default()).await;
    let ledger = &*fixture.ledger;
    let session = build::opened(ledger, 1).await;
    build::held(ledger, &build::payment(session.id, 1, 10)).await;
    let settlement = build::planned(ledger, session.id, 1).await;
    let blockhash = scene.chain.latest_blockhash().await.unwrap();
    let attempt = Attempt {
        last_valid_block_height: blockhash.last_valid_block_height,
        signed_at_slot: blockhash.slot,
        ..build::attempt(&settlement, 1)
    };
    assert_eq!(attempt.moves, Moves::Balance(None));
    ledger.record_signed(&settlement, attempt, build::NOW).await.unwrap().recorded().unwrap().1
}

/// Nothing is proved, and it is waited for more.
fn is_open(seen: &Observation) -> bool {
    matches!(seen, Observation::Unknown | Observation::Unproved(HeldBecause::Silence | HeldBecause::Contradiction))
}

/// The endpoint hides what has landed. Alone it would have been believed; the other one has it, whichever is asked first.
#[tokio::test(flavor = "multi_thread")]
async fn a_liar_by_omission_is_outvoted_by_one_that_has_it_and_is_named() {
    for place in [0, 1] {
        let (scene, liar) = seen_twice(place).await;
        liar.hides_transactions();
        let attempt = scene.sent().await;
        scene.expire().await;
        let log = Log::listen();
        let seen = scene.observe(&attempt, Commitment::Confirmed, PATIENCE).await;
        assert!(landed(&seen, false), "final it is by two words only: {seen:?}");
        let seen = scene.chain.look_up(&[attempt]).await.unwrap().remove(0);
        let (honest, liar) = (vec![2 - place], vec![place + 1]);
        assert!(
            matches!(&seen, Observation::Disputed { landed, denied, .. } if *landed == honest && *denied == liar),
            "{seen:?}"
        );
        let named = log.errors("an endpoint says that a transaction never landed");
        if place == 0 {
            // A second look within the minute says nothing new.
            assert_eq!(named.len(), 1, "{}", log.text());
            assert!(named[0].contains("endpoint=1"), "{named:?}");
        } else {
            assert!(named.is_empty(), "the first has it, so nobody's history is searched: {named:?}");
        }
    }
}

/// What has truly never landed is not absent while one endpoint is silent, fails, rests, is late or cannot know; whichever
/// it is, and however sure the other is.
#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_does_not_say_it_delays_the_proof() {
    for place in [0, 1] {
        let (scene, proxy) = seen_twice(place).await;
        let attempt = scene.attempt_of(SOL).await;
        scene.expire().await;
        let (early, late) = (attempt.get().last_valid_block_height, attempt.get().signed_at_slot + 1);
        let answers = |status: u16| move || Response::builder().status(status).header("retry-after", "1");
        let (fails, rests) = (answers(500), answers(429));
        let unknown = async |why: &str| {
            let seen = scene.observe(&attempt, Commitment::Confirmed, SHORT).await;
            assert!(is_open(&seen), "{why}, at {place}: {seen:?}");
        };
        proxy.change(move |method, truth| {
            (method == "getEpochInfo").then(|| {
                let mut truth = truth.clone();
                truth["blockHeight"] = json!(early);
                Reply::Result(truth)
            })
        });
        unknown("late").await;
        proxy.change(move |method, _| (method == "getFirstAvailableBlock").then(|| Reply::Result(json!(late))));
        unknown("cannot know").await;
        proxy.change(move |method, _| {
            (method == "getFirstAvailableBlock").then(|| Reply::Raw(fails().body(Body::empty()).unwrap()))
        });
        unknown("fails").await;
        proxy.change(|method, _| (method == "getFirstAvailableBlock").then_some(Reply::Silence));
        unknown("silent").await;
        proxy.change(move |_, _| Some(Reply::Raw(rests().body(Body::empty()).unwrap())));
        unknown("rests").await;
        proxy.change(|_, _| None);
        let seen = scene.observe(&attempt, Commitment::Confirmed, PATIENCE).await;
        assert!(matches!(seen, Observation::Absent(_)), "{seen:?}");
    }
}

/// Guard: `Observer::watch` asks all. The first endpoint tells an error, for good, of what landed; believed, it would have the
/// transfer given back or signed once more.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_one_endpoint_makes_up_is_outvoted_by_one_that_has_it() {
    for final_by_now in [true, false] {
        let (scene, liar) = seen_twice(0).await;
        liar.makes_up_errors();
        let attempt = scene.sent().await;
        scene.net.tick_slots(if final_by_now { 40 } else { 3 });
        let log = Log::listen();
        let seen = scene.observe(&attempt, Commitment::Finalized, PATIENCE).await;
        assert!(landed(&seen, false), "{seen:?}");
        let seen = scene.chain.look_up(std::slice::from_ref(&attempt)).await.unwrap().remove(0);
        assert!(
            matches!(&seen, Observation::Disputed { landed, denied, .. } if *landed == [2] && *denied == [1]),
            "{seen:?}"
        );
        assert_eq!(log.errors("an endpoint says that a transaction never landed or failed").len(), 1, "{}", log.text());
    }
}

/// Guard: `no_effect::same_failure`. What has truly failed has not failed for good while one endpoint does not say so, or
/// tells another error; whichever it is, and however sure the other is.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_final_when_every_endpoint_tells_it() {
    for place in [0, 1] {
        let (scene, proxy) = seen_twice(place).await;
        let attempt = scene.fails_for_good().await;
        let is_not_final = async |why: &str| {
            let seen = scene.observe(&attempt, Commitment::Finalized, SHORT).await;
            assert!(matches!(seen, Observation::Failed { finalised: false, .. }), "{why}, at {place}: {seen:?}");
            let seen = scene.chain.look_up(std::slice::from_ref(&attempt)).await.unwrap().remove(0);
            let waits = is_open(&seen) || matches!(seen, Observation::Failed { finalised: false, .. });
            assert!(waits, "{why}, at {place}: {seen:?}");
        };
        proxy.changes_statuses(|status, _| status["confirmationStatus"] = json!("confirmed"));
        is_not_final("it lags").await;
        proxy.changes_statuses(|status, _| {
            let error = json!({ "InstructionError": [0, { "Custom": 77 }] });
            (status["err"], status["status"]) = (error.clone(), json!({ "Err": error }));
        });
        is_not_final("it tells another error").await;
        let failing = |status: u16| move || Response::builder().status(status).header("retry-after", "1");
        let (fails, rests) = (failing(500), failing(429));
        proxy.change(move |_, _| Some(Reply::Raw(fails().body(Body::empty()).unwrap())));
        is_not_final("it fails").await;
        proxy.change(move |_, _| Some(Reply::Raw(rests().body(Body::empty()).unwrap())));
        is_not_final("it rests").await;
        proxy.is_honest();
        let seen = scene.observe(&attempt, Commitment::Finalized, PATIENCE).await;
        assert!(matches!(seen, Observation::Failed { finalised: true, .. }), "{seen:?}");
        let seen = scene.chain.look_up(std::slice::from_ref(&attempt)).await.unwrap().remove(0);
        assert!(matches!(seen, Observation::Failed { finalised: true, .. }), "{seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_proved_is_what_the_weakest_endpoint_says() {
    let (scene, proxy) = seen_twice(1).await;
    let attempt = scene.attempt_of(SOL).await;
    scene.expire().await;
    let (last_valid, signed_at) = (attempt.get().last_valid_block_height, attempt.get().signed_at_slot);
    proxy.change(move |method, truth| match method {
        "getEpochInfo" => {
            let mut truth = truth.clone();
            truth["blockHeight"] = json!(last_valid + 1);
            Some(Reply::Result(truth))
        }
        "getFirstAvailableBlock" => Some(Reply::Result(json!(signed_at))),
        _ => None,
    });
    let seen = scene.observe(&attempt, Commitment::Confirmed, PATIENCE).await;
    let Observation::Absent(proof) = seen else { panic!("{seen:?}") };
    assert_eq!((proof.finalised_height, proof.first_available_block), (last_valid + 1, signed_at));
}

/// An endpoint of another cluster knows nothing of our transactions. It is left out where the operator named the cluster;
/// where nobody did, it may as well be the other one that is wrong, and nothing is signed.
#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_of_another_cluster_has_no_word_where_the_cluster_is_named() {
    for named in [true, false] {
        let other = Localnet::start(LocalnetConfig { seed: Some(8), ..by_hand() }).await.unwrap();
        let url = other.rpc_url();
        let scene = Scene::start(by_hand(), move |net| {
            let expected = named.then(|| Network::local(&net.genesis_hash(), &[]));
            ChainSettings { expected, ..several(&[&net.rpc_url(), &url]) }
        })
        .await;
        if !named {
            assert!(matches!(scene.chain.latest_blockhash().await, Err(ChainError::Unavailable { .. })));
            continue;
        }
        let attempt = scene.attempt_of(SOL).await;
        scene.expire().await;
        let seen = scene.observe(&attempt, Commitment::Confirmed, SHORT * 10).await;
        assert!(matches!(seen, Observation::Absent(_)), "{seen:?}");
    }
}

/// Guard: `Proving::testimony`. Of a balance that nobody saw before the transfer nothing can be said: however many voices deny it,
/// the transfer is held, and never taken for one that left the balance as it was. What moves no balance needs the voices only.
#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_without_a_witness_is_not_absent_by_words_alone() {
    let (one, (two, _second)) = (Scene::polling().await, Scene::with_second().await);
    for (voices, scene) in [(1, &one), (2, &two)] {
        let (transfer, other) = (unwitnessed(scene).await, scene.attempt_of(SOL).await);
        scene.expire().await;
        let held = Observation::Unproved(HeldBecause::Moved);
        assert_eq!(scene.observe(&transfer, Commitment::Confirmed, PATIENCE).await, held, "{voices}");
        let seen = scene.chain.look_up(&[transfer, other]).await.unwrap();
        assert!(matches!(&seen[..], [first, Observation::Absent(_)] if *first == held), "{voices}: {seen:?}");
    }
}

/// Guard: `Proving::seen_by`, of what this process was told. The first of three makes a landing up and is then silent: the two
/// others are enough to say absent, and not enough against who said that it landed.
#[tokio::test(flavor = "multi_thread")]
async fn who_told_of_a_landing_and_fell_silent_is_waited_for() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let scene = Scene::start(by_hand(), |net| {
        let [first, third] = [(); 2].map(|()| start_proxy(net.rpc_url()));
        let three = several(&[&first.url, &net.rpc_url(), &third.url]);
        sender.send((first, third)).unwrap();
        three
    })
    .await;
    let (liar, _third) = receiver.recv().unwrap();
    liar.makes_up_landings();
    let attempt = scene.sent().await;
    let seen = scene.observe(&attempt, Commitment::Confirmed, PATIENCE).await;
    assert!(landed(&seen, false), "{seen:?}");
    liar.is_limited();
    scene.expire().await;
    let look = async || scene.chain.look_up(std::slice::from_ref(&attempt)).await.unwrap().remove(0);
    assert_eq!(look().await, Observation::Unproved(HeldBecause::Seen));
    liar.is_honest();
    until("it says itself that there is none", async || matches!(look().await, Observation::Absent(_))).await;
}
