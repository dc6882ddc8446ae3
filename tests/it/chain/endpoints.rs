//! Several endpoints: who is asked, who is left alone, and what a node that lags cannot undo.

use super::{
    proxy::{Proxy, Reply},
    scene::{SHORT, SOL, Scene, by_hand, landed, settings, several},
};
use crate::support::{PATIENCE, until};
use axum::{body::Body, response::Response};
use solana_pubkey::Pubkey;
use solana_system_interface::instruction::transfer;
use sotto::{
    chain::{
        Chain, ChainError, Commitment, EndpointState, keys::Signer, refresher::RefreshPolicy, rpc::SolanaChain,
        transaction::UnsignedTransaction,
    },
    domain::{
        network::Network,
        settlement::{HeldBecause, Observation},
    },
    localnet::{Localnet, TooManyRequests},
};
use std::time::{Duration, Instant};

fn broken() -> Reply {
    Reply::Raw(Response::builder().status(500).body(Body::from("oops")).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_first_endpoint_fails_the_second_serves_and_the_first_is_preferred_again_later() {
    let net = Localnet::start(by_hand()).await.unwrap();
    let (first, second) = (Proxy::start(net.rpc_url()).await, net.open_endpoint(None).await.unwrap());
    let chain = SolanaChain::start(several(&[&first.url, &second.rpc_url()])).unwrap();
    let key = [Pubkey::default()];
    chain.accounts(&key).await.unwrap();
    assert_eq!(second.network().request_counts().get("getMultipleAccounts"), None);
    first.change(|_, _| Some(broken()));
    for _ in 0..3 {
        chain.accounts(&key).await.unwrap();
    }
    assert_eq!(second.network().request_counts()["getMultipleAccounts"], 3);
    assert_eq!(chain.endpoints()[0].state, EndpointState::Failing);
    assert!(!format!("{:?} {}", chain.endpoints(), chain.endpoints()[0]).contains("127.0.0.1"), "no URL is told");

    first.change(|_, _| None);
    until("the first is well", async || chain.examine().await[0].state == EndpointState::Well).await;
    let before = second.network().request_counts()["getMultipleAccounts"];
    chain.accounts(&key).await.unwrap();
    assert_eq!(second.network().request_counts()["getMultipleAccounts"], before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_endpoint_leaves_the_other_its_share_of_the_time() {
    let net = Localnet::start(by_hand()).await.unwrap();
    let first = Proxy::start(net.rpc_url()).await;
    first.change(|_, _| Some(Reply::Silence));
    let timeout = Duration::from_secs(6);
    let expected = Some(Network::local(&net.genesis_hash(), &[]));
    let both = several(&[&first.url, &net.rpc_url()]);
    let chain = SolanaChain::start(sotto::chain::rpc::ChainSettings { expected, timeout, ..both }).unwrap();
    let begun = Instant::now();
    chain.accounts(&[Pubkey::default()]).await.unwrap();
    assert!(begun.elapsed() < timeout, "the silent one had all of it: {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_asks_for_rest_rests_while_the_other_serves() {
    let net = Localnet::start(by_hand()).await.unwrap();
    let second = net.open_endpoint(None).await.unwrap();
    let chain = SolanaChain::start(several(&[&net.rpc_url(), &second.rpc_url()])).unwrap();
    chain.accounts(&[Pubkey::default()]).await.unwrap();
    // Ours is the question that is refused, and so the refusal has been heard when the other has answered.
    let rest = Duration::from_secs(3);
    let method = Some("getMultipleAccounts".to_owned());
    let limit = TooManyRequests { next: 1, retry_after: Some(rest.as_secs()), method };
    net.faults().change(|plan| plan.too_many_requests = Some(limit));
    let begun = Instant::now();
    chain.accounts(&[Pubkey::default()]).await.unwrap();
    assert_eq!(chain.endpoints()[0].state, EndpointState::Resting);
    // What others had asked it before may still arrive; of this method only the test asks.
    net.network().reset_request_counts();
    let is_asked = async || {
        chain.accounts(&[Pubkey::default()]).await.unwrap();
        net.network().request_counts().contains_key("getMultipleAccounts")
    };
    until("it is asked again after its rest", is_asked).await;
    assert!(begun.elapsed() >= rest, "left alone for as long as it asked: {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_endpoint_that_asks_for_a_long_rest_is_left_alone() {
    let net = Localnet::start(by_hand()).await.unwrap();
    let chain = SolanaChain::start(settings(net.rpc_url(), None)).unwrap();
    chain.accounts(&[Pubkey::default()]).await.unwrap();
    let limit = TooManyRequests { next: 1, retry_after: Some(60), method: Some("getMultipleAccounts".to_owned()) };
    net.faults().change(|plan| plan.too_many_requests = Some(limit));
    chain.accounts(&[Pubkey::default()]).await.unwrap_err();
    net.network().reset_request_counts();
    let begun = Instant::now();
    let error = chain.accounts(&[Pubkey::default()]).await.unwrap_err();
    let ChainError::Unavailable { retry_after: Some(rest), .. } = error else { panic!("{error:?}") };
    assert!(rest > Duration::from_secs(30) && begun.elapsed() < rest, "told at once, not after the rest: {rest:?}");
    assert_eq!(net.network().request_counts().get("getMultipleAccounts"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_of_another_cluster_is_never_used() {
    let (net, other) = (Localnet::start(by_hand()).await.unwrap(), foreign().await);
    let expected = Some(Network::local(&net.genesis_hash(), &[]));
    let both = several(&[&other.rpc_url(), &net.rpc_url()]);
    let chain = SolanaChain::start(sotto::chain::rpc::ChainSettings { expected, ..both }).unwrap();
    assert_eq!(chain.genesis_hash().await.unwrap(), net.genesis_hash());
    let payer = Pubkey::new_from_array([77; 32]);
    other.network().airdrop(&payer, SOL).unwrap();
    other.tick_slots(3);
    assert_eq!(chain.accounts(&[payer]).await.unwrap(), [None]);
    assert_eq!(chain.endpoints()[0].state, EndpointState::WrongCluster);
    let methods: Vec<_> = other.network().request_counts().into_keys().collect();
    assert_eq!(methods, ["getGenesisHash"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_pinned_cluster_the_first_answer_decides_and_nothing_fails_over_to_another() {
    let (net, other) = (Localnet::start(by_hand()).await.unwrap(), foreign().await);
    let first = Proxy::start(net.rpc_url()).await;
    let chain = SolanaChain::start(several(&[&first.url, &other.rpc_url()])).unwrap();
    chain.accounts(&[Pubkey::default()]).await.unwrap();
    first.change(|_, _| Some(broken()));
    chain.accounts(&[Pubkey::default()]).await.unwrap_err();
    assert_eq!(other.network().request_counts().get("getMultipleAccounts"), None);
}

async fn foreign() -> Localnet {
    let config = sotto::localnet::LocalnetConfig { seed: Some(8), ..by_hand() };
    Localnet::start(config).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_send_goes_to_another_endpoint() {
    let (scene, second) = Scene::with_second().await;
    let attempt = scene.attempt_of(SOL).await;
    for _ in 0..2 {
        scene.chain.send(&attempt).await.unwrap();
    }
    assert_eq!(scene.requests("sendTransaction"), 1);
    assert_eq!(second.network().request_counts()["sendTransaction"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_that_one_endpoint_refuses_to_take_now_goes_out_through_another() {
    let (scene, second) = Scene::with_second().await;
    let limit = TooManyRequests { next: 9, retry_after: Some(9), method: Some("sendTransaction".to_owned()) };
    scene.net.faults().change(|plan| plan.too_many_requests = Some(limit));
    let attempt = scene.sent().await;
    assert_eq!(second.network().request_counts()["sendTransaction"], 1);
    scene.net.tick_slots(2);
    assert!(landed(&scene.observe(&attempt, Commitment::Confirmed, PATIENCE).await, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_lags_is_asked_last() {
    let (scene, second) = Scene::with_second().await;
    scene.net.tick_slots(60);
    scene.net.faults().lag_behind(40);
    let told = scene.chain.examine().await;
    assert_eq!((told[0].state, told[0].behind), (EndpointState::Behind, 40));
    let asked = || second.network().request_counts().get("getMultipleAccounts").copied().unwrap_or(0);
    let before = asked();
    scene.chain.accounts(&[Pubkey::default()]).await.unwrap();
    assert_eq!(asked(), before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_reading_is_older_than_a_landing_that_was_told() {
    let (scene, second) = Scene::with_second().await;
    scene.net.tick_slots(20);
    second.faults().lag_behind(9);
    let attempt = scene.sent().await;
    scene.net.tick_slots(2);
    assert!(landed(&scene.observe(&attempt, Commitment::Confirmed, PATIENCE).await, false));
    // From now on only the node that lags answers, and what it would say is that nothing was paid.
    let payer = scene.payer.pubkey();
    let limit = TooManyRequests { next: u32::MAX, retry_after: Some(60), method: None };
    scene.net.faults().change(|plan| plan.too_many_requests = Some(limit));
    let error = scene.chain.accounts(&[payer]).await.unwrap_err();
    assert!(matches!(error, ChainError::Unavailable { .. }), "{error:?}");
    scene.net.tick_slots(9);
    let account = scene.chain.accounts(&[payer]).await.unwrap().remove(0).unwrap();
    assert_eq!(account.lamports, 100 * SOL - SOL - 5_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blockhash_that_a_lagging_node_does_not_know_is_no_verdict_on_the_transaction() {
    let (scene, second) = Scene::with_second().await;
    let before = scene.chain.latest_blockhash().await.unwrap().last_valid_block_height;
    scene.net.tick_slots(20);
    second.faults().lag_behind(9);
    // One of the first node's newest blocks.
    let hash = scene.knows_a_blockhash_past(before + 15).await.hash;
    let limit = TooManyRequests { next: u32::MAX, retry_after: Some(60), method: None };
    scene.net.faults().change(|plan| plan.too_many_requests = Some(limit));
    let payer = scene.payer.pubkey();
    let tx =
        UnsignedTransaction::new(&payer, &[transfer(&payer, &Pubkey::new_from_array([9; 32]), SOL)], hash).unwrap();
    let error = scene.chain.simulate(tx.transaction(), &[]).await.unwrap_err();
    assert!(matches!(error, ChainError::Unavailable { .. }), "{error:?}");
    scene.net.tick_slots(9);
    assert_eq!(scene.chain.simulate(tx.transaction(), &[]).await.unwrap().error, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_height_of_one_node_and_a_history_of_another_prove_nothing_together() {
    let (scene, second) = Scene::with_second().await;
    let attempt = scene.attempt_of(SOL).await;
    // The first is far enough and has forgotten; the second remembers and is not far enough.
    scene.net.faults().forget_before(attempt.get().signed_at_slot + 5);
    second.faults().lag_behind(60);
    scene.expire().await;
    assert_eq!(scene.observe(&attempt, Commitment::Confirmed, SHORT).await, Observation::Unknown);
    second.faults().lag_behind(0);
    let seen = scene.observe(&attempt, Commitment::Confirmed, SHORT).await;
    assert_eq!(
        seen,
        Observation::Unproved(HeldBecause::Silence),
        "the second says so by itself, and the first cannot know"
    );
    scene.net.faults().forget_before(0);
    let seen = scene.observe(&attempt, Commitment::Confirmed, PATIENCE).await;
    assert!(matches!(seen, Observation::Absent(_)), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn blockhashes_come_from_whoever_answers() {
    let net = Localnet::start(by_hand()).await.unwrap();
    let first = Proxy::start(net.rpc_url()).await;
    first.change(|method, _| (method == "getLatestBlockhash").then(broken));
    let refresh = RefreshPolicy { every: Duration::from_millis(30), ..RefreshPolicy::default() };
    let both = several(&[&first.url, &net.rpc_url()]);
    let chain = SolanaChain::start(sotto::chain::rpc::ChainSettings { refresh, ..both }).unwrap();
    chain.latest_blockhash().await.unwrap();
}
