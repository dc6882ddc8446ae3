//! Endpoints that answer anything at all: every answer ends as a typed error, in time, with bounded memory.

use super::{
    proxy::{Proxy, Reply},
    scene::{Scene, settings},
};
use axum::{body::Body, response::Response};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use sotto::{
    chain::{Chain, ChainError, rpc::SolanaChain},
    localnet::Localnet,
};
use std::time::{Duration, Instant};

async fn behind_a_proxy(most_bytes: usize) -> (Localnet, Proxy, SolanaChain) {
    let net = Localnet::start(sotto::localnet::LocalnetConfig::default()).await.unwrap();
    let proxy = Proxy::start(net.rpc_url()).await;
    let mut settings = settings(proxy.url.clone(), None);
    settings.most_bytes = most_bytes;
    settings.timeout = Duration::from_millis(700);
    let chain = SolanaChain::start(settings).unwrap();
    (net, proxy, chain)
}

fn raw(status: u16, body: impl Into<Body>) -> Reply {
    Reply::Raw(Response::builder().status(status).body(body.into()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_answer_is_cut_off() {
    let (_net, proxy, chain) = behind_a_proxy(10_000).await;
    assert!(chain.genesis_hash().await.is_ok());
    proxy.change(|_, _| {
        let chunks = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 1_000]));
        Some(raw(200, Body::from_stream(chunks)))
    });
    let begun = Instant::now();
    let error = chain.genesis_hash().await.unwrap_err();
    assert!(matches!(error, ChainError::Unavailable { .. }), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn anything_that_is_no_answer_is_unavailable_and_tells_no_url() {
    let (_net, proxy, chain) = behind_a_proxy(1 << 20).await;
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
    let (_net, proxy, chain) = behind_a_proxy(1 << 20).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn shutting_down_ends_every_background_task() {
    let scene = Scene::new().await;
    scene.sent().await;
    tokio::time::timeout(Duration::from_secs(5), scene.chain.shutdown()).await.unwrap();
}
