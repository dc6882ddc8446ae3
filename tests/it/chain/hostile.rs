//! Endpoints that answer anything at all: every answer ends as a typed error, in time, with bounded memory.

use super::{
    proxy::{Proxy, Reply},
    scene::{SOL, Scene, by_hand, settings, several},
};
use crate::support::{PATIENCE, in_time, until};
use axum::{body::Body, response::Response};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use sotto::{
    chain::{Chain, ChainError, Commitment, EndpointState, rpc::SolanaChain},
    domain::settlement::Observation,
    localnet::Localnet,
};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

async fn behind_a_proxy(most_bytes: usize, timeout: Duration) -> (Localnet, Proxy, SolanaChain) {
    let net = Localnet::start(sotto::localnet::LocalnetConfig::default()).await.unwrap();
    let proxy = Proxy::start(net.rpc_url()).await;
    let mut settings = settings(proxy.url.clone(), None);
    settings.most_bytes = most_bytes;
    settings.timeout = timeout;
    let chain = SolanaChain::start(settings).unwrap();
    (net, proxy, chain)
}

fn raw(status: u16, body: impl Into<Body>) -> Reply {
    Reply::Raw(Response::builder().status(status).body(body.into()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn r27_an_endless_answer_is_cut_off() {
    let (_net, proxy, chain) = behind_a_proxy(10_000, PATIENCE).await;
    assert!(chain.genesis_hash().await.is_ok());
    proxy.change(|_, _| {
        let chunks = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 1_000]));
        Some(raw(200, Body::from_stream(chunks)))
    });
    // By its length: that the time is over would be told later.
    let error = in_time("it is cut off", chain.genesis_hash()).await.unwrap_err();
    assert!(matches!(error, ChainError::Unavailable { .. }), "{error:?}");
    assert!(format!("{error:?}").contains("TooLong"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn anything_that_is_no_answer_is_unavailable_and_tells_no_url() {
    let (_net, proxy, chain) = behind_a_proxy(1 << 20, Duration::from_secs(2)).await;
    let replies: [fn() -> Reply; 9] = [
        || raw(500, "oops"),
        || raw(503, ""),
        || raw(302, ""),
        || raw(200, ""),
        || raw(200, "<html>"),
        || raw(200, r#"{"jsonrpc":"2.0","id":999999,"result":"11111111111111111111111111111111"}"#),
        || raw(200, r#"{"jsonrpc":"2.0","id":0}"#),
        || raw(200, "[".repeat(100_000)),
        || Reply::Silence,
    ];
    for (number, reply) in replies.into_iter().enumerate() {
        proxy.change(move |_, _| Some(reply()));
        let error = chain.genesis_hash().await.unwrap_err();
        assert!(matches!(error, ChainError::Unavailable { .. }), "{number}: {error:?}");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_the_wrong_shape_are_inconsistent() {
    let (_net, proxy, chain) = behind_a_proxy(1 << 20, PATIENCE).await;
    let account = |owner: &str, data: Value| json!({"lamports": 1, "owner": owner, "data": data, "executable": false, "rentEpoch": 0});
    let system = "11111111111111111111111111111111";
    let values = [
        json!([]),
        json!([null, null]),
        json!([account("not a key", json!(["", "base64"]))]),
        json!([account(system, json!(["%%%", "base64"]))]),
        json!([account(system, json!({"program": "spl-token", "parsed": {}, "space": 1}))]),
        json!([{"lamports": -1}]),
        json!("text"),
    ];
    for value in values {
        let told = value.clone();
        proxy.change(move |_, _| Some(Reply::Result(json!({ "context": { "slot": 1 }, "value": told }))));
        let error = chain.accounts(&[Pubkey::default()]).await.unwrap_err();
        assert!(matches!(error, ChainError::Inconsistent(_)), "{value}: {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_answered_with_another_signature_is_no_success() {
    let scene = Scene::polling().await;
    let attempt = scene.attempt_of(1).await;
    let proxy = Proxy::start(scene.net.rpc_url()).await;
    proxy.change(|_, _| Some(Reply::Result(json!("1".repeat(64)))));
    let chain = SolanaChain::start(settings(proxy.url.clone(), None)).unwrap();
    assert!(matches!(chain.send(&attempt).await, Err(ChainError::Inconsistent(_))));
}

/// Guard: `history::seen_as`. What a transaction holds is told by whoever is asked, and which one it is by its signature.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_told_in_the_place_of_another_is_not_believed() {
    let (net, proxy, chain) = behind_a_proxy(1 << 20, PATIENCE).await;
    let [first, second] = [5, 6].map(|key| net.network().airdrop(&Pubkey::new_from_array([key; 32]), SOL).unwrap());
    net.tick_slots(2);
    assert!(chain.transaction(&first).await.unwrap().is_some());
    let told = Arc::new(Mutex::new(None));
    let kept = Arc::clone(&told);
    proxy.change(move |method, truth| {
        if method == "getTransaction" {
            *kept.lock().unwrap() = Some(truth.clone());
        }
        None
    });
    chain.transaction(&second).await.unwrap();
    let honest = told.lock().unwrap().take().unwrap();
    // The other one as it is, and under the name that was asked for.
    let mut renamed = honest.clone();
    let mut bytes = BASE64_STANDARD.decode(honest["transaction"][0].as_str().unwrap()).unwrap();
    bytes[1..65].copy_from_slice(first.as_ref());
    renamed["transaction"][0] = json!(BASE64_STANDARD.encode(bytes));
    for lie in [honest, renamed] {
        proxy.change(move |method, _| (method == "getTransaction").then(|| Reply::Result(lie.clone())));
        let error = chain.transaction(&first).await.unwrap_err();
        assert!(matches!(error, ChainError::Inconsistent(_)), "{error:?}");
    }
    drop(net);
}

/// Guard: `history::calls`. An endpoint that keeps no record of what programs called says nothing of an approve in another program:
/// that is not "nothing was called".
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_whose_calls_nobody_recorded_is_not_read_as_one_that_called_nothing() {
    let (net, proxy, chain) = behind_a_proxy(1 << 20, PATIENCE).await;
    let signature = net.network().airdrop(&Pubkey::new_from_array([5; 32]), SOL).unwrap();
    net.tick_slots(2);
    // The network itself records them always: none is an empty list.
    assert!(chain.transaction(&signature).await.unwrap().is_some());
    let without = |change: fn(&mut Value)| {
        proxy.change(move |method, truth| {
            let mut told = truth.clone();
            (method == "getTransaction").then(|| {
                assert_eq!(told["meta"]["innerInstructions"], json!([]));
                change(&mut told["meta"]);
                Reply::Result(told)
            })
        });
    };
    let nulls: fn(&mut Value) = |meta| meta["innerInstructions"] = Value::Null;
    let removes: fn(&mut Value) = |meta| drop(meta.as_object_mut().unwrap().remove("innerInstructions"));
    for change in [nulls, removes] {
        without(change);
        let error = chain.transaction(&signature).await.unwrap_err();
        assert!(matches!(error, ChainError::Inconsistent(_)), "{error:?}");
    }
    // One that failed before anything ran has no record anywhere, and has changed nothing.
    without(|meta| {
        meta["innerInstructions"] = Value::Null;
        meta["err"] = json!("InsufficientFundsForFee");
        meta["status"] = json!({ "Err": "InsufficientFundsForFee" });
    });
    assert!(chain.transaction(&signature).await.unwrap().unwrap().failed);
    drop(net);
}

#[tokio::test(flavor = "multi_thread")]
async fn shutting_down_ends_every_background_task() {
    let scene = Scene::new().await;
    scene.sent().await;
    in_time("they end", scene.chain.shutdown()).await;
}

/// More than any chain has of anything.
const FAR: u64 = 1_000_000_000_000;

/// A scene whose first endpoint can lie and whose second does not.
async fn beside_an_honest_one() -> (Scene, Proxy) {
    let (sender, opened) = std::sync::mpsc::channel();
    let scene = Scene::start(by_hand(), |net| {
        let proxy = Proxy::start(net.rpc_url());
        let proxy = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(proxy));
        let both = several(&[&proxy.url, &net.rpc_url()]);
        sender.send(proxy).unwrap();
        both
    })
    .await;
    (scene, opened.recv().unwrap())
}

fn with_height(method: &str, truth: &Value) -> Option<Reply> {
    (method == "getLatestBlockhash").then(|| {
        let mut told = truth.clone();
        told["value"]["lastValidBlockHeight"] = json!(FAR);
        Reply::Result(told)
    })
}

fn with_slot(truth: &Value) -> Option<Reply> {
    truth["context"]["slot"].is_u64().then(|| {
        let mut told = truth.clone();
        told["context"]["slot"] = json!(FAR);
        Reply::Result(told)
    })
}

/// Waits until an endpoint's word has been judged to be of a time to come.
async fn is_found_out(chain: &SolanaChain) {
    until("the first is found out", async || chain.endpoints()[0].state == EndpointState::Ahead).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blockhash_with_an_absurd_height_holds_no_payment_for_ever() {
    let (scene, first) = beside_an_honest_one().await;
    first.change(with_height);
    is_found_out(&scene.chain).await;
    let attempt = scene.attempt_of(SOL).await;
    assert!(attempt.get().last_valid_block_height < 1_000, "{}", attempt.get().last_valid_block_height);
    scene.expire().await;
    let seen = scene.observe(&attempt, Commitment::Confirmed, PATIENCE).await;
    assert!(matches!(seen, Observation::Absent(_)), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_signed_under_the_absurd_height_of_a_lone_endpoint() {
    let (net, proxy, chain) = behind_a_proxy(1 << 20, PATIENCE).await;
    proxy.change(with_height);
    // What was known before is handed out until it is old.
    let refused = async || match chain.latest_blockhash().await {
        Ok(told) if told.last_valid_block_height < 10_000 => false,
        Err(ChainError::Unavailable { .. }) => true,
        other => panic!("{other:?}"),
    };
    until("there is none to sign under", refused).await;
    proxy.change(|_, _| None);
    let told = chain.latest_blockhash().await.unwrap();
    assert!(told.last_valid_block_height < 10_000, "{told:?}");
    drop(net);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blockhash_is_not_believed_to_die_before_it_can_be_dead() {
    let (net, proxy, chain) = behind_a_proxy(1 << 20, PATIENCE).await;
    let honest = chain.latest_blockhash().await.unwrap();
    let lies = Arc::new(Mutex::new(HashSet::new()));
    let tells = Arc::clone(&lies);
    proxy.change(move |method, truth| {
        (method == "getLatestBlockhash").then(|| {
            let mut told = truth.clone();
            told["value"]["lastValidBlockHeight"] = json!(truth["value"]["lastValidBlockHeight"].as_u64()? - 100);
            tells.lock().unwrap().insert(told["value"]["blockhash"].as_str()?.to_owned());
            Some(Reply::Result(told))
        })?
    });
    let mut told = honest;
    let is_lied_about = async || {
        told = chain.latest_blockhash().await.unwrap();
        told.hash != honest.hash && lies.lock().unwrap().contains(&told.hash.to_string())
    };
    // One that was asked for before the change may come first.
    until("one is handed out that was told with a lie", is_lied_about).await;
    assert!(told.last_valid_block_height + 31 >= honest.last_valid_block_height, "{told:?} {honest:?}");
    drop(net);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_from_the_far_future_makes_no_honest_endpoint_behind() {
    let (scene, first) = beside_an_honest_one().await;
    let key = [Pubkey::default()];
    let honest = scene.chain.accounts_in_turn(&key, 0, 0).await.unwrap().0;
    first.change(|_, truth| with_slot(truth));
    let (slot, _) = scene.chain.accounts_in_turn(&key, honest, 0).await.unwrap();
    assert!(slot < 1_000, "{slot}");
    let known = scene.chain.latest_blockhash().await.unwrap();
    scene.net.tick_slots(3);
    let told = scene.knows_a_blockhash_past(known.last_valid_block_height).await;
    assert!(told.slot < 1_000, "{told:?}");
    assert_eq!(scene.chain.endpoints()[0].state, EndpointState::Ahead);
    scene.chain.accounts(&key).await.unwrap();
    // What was said once is not remembered: the endpoint that said it serves again.
    first.change(|_, _| None);
    scene.net.tick_slots(3);
    assert!(scene.chain.accounts_in_turn(&key, slot, 0).await.unwrap().0 < 1_000);
}
