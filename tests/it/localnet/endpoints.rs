//! Further endpoints of one network: each lags, forgets and refuses for itself.

use super::world::{PATIENCE, SOL, World, client};
use futures_util::{FutureExt as _, StreamExt as _};
use serde_json::{Value, json};
use solana_commitment_config::CommitmentConfig;
use solana_pubkey::Pubkey;
use solana_pubsub_client::nonblocking::pubsub_client::PubsubClient;
use solana_rpc_client::{nonblocking::rpc_client::RpcClient, rpc_client::GetConfirmedSignaturesForAddress2Config};
use solana_rpc_client_api::config::RpcSignatureSubscribeConfig;
use sotto::localnet::{Endpoint, LocalnetConfig, TooManyRequests};

const RECEIVER: Pubkey = Pubkey::new_from_array([5; 32]);

async fn second(world: &World) -> (Endpoint, RpcClient) {
    let endpoint = world.net.open_endpoint(None).await.unwrap();
    let rpc = client(&endpoint.rpc_url(), CommitmentConfig::confirmed());
    (endpoint, rpc)
}

async fn ask(world: &World, endpoint: &Endpoint, method: &str, params: Value) -> Value {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
    let request = world.http().post(endpoint.rpc_url()).header("content-type", "application/json").body(body);
    request.send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn a_lagging_endpoint_is_late_in_everything_it_says() {
    let world = World::new().await;
    let payer = world.wallet(1, 9 * SOL);
    let (lagging, rpc) = second(&world).await;
    world.net.tick_slots(20);
    lagging.faults().lag_behind(5);
    let tx = world.transfer(&payer, &RECEIVER, SOL).await;
    world.rpc.send_transaction(&tx).await.unwrap();
    world.net.tick();
    let slot = world.rpc.get_slot().await.unwrap();
    assert_eq!(rpc.get_slot().await.unwrap(), slot - 5);
    assert_eq!(rpc.get_block_height().await.unwrap(), slot - 5);
    let (_, valid) = rpc.get_latest_blockhash_with_commitment(CommitmentConfig::confirmed()).await.unwrap();
    assert_eq!(valid, slot - 5 + 150);
    let newest = world.rpc.get_latest_blockhash().await.unwrap();
    assert!(!rpc.is_blockhash_valid(&newest, CommitmentConfig::processed()).await.unwrap());
    assert!(world.rpc.is_blockhash_valid(&newest, CommitmentConfig::processed()).await.unwrap());

    assert_eq!(world.rpc.get_balance(&RECEIVER).await.unwrap(), SOL);
    assert_eq!(rpc.get_balance(&RECEIVER).await.unwrap(), 0);
    assert_eq!(rpc.get_signature_statuses_with_history(&tx.signatures).await.unwrap().value, [None]);
    let listed = rpc.get_signatures_for_address_with_config(
        &RECEIVER,
        GetConfirmedSignaturesForAddress2Config {
            commitment: Some(CommitmentConfig::confirmed()),
            ..GetConfirmedSignaturesForAddress2Config::default()
        },
    );
    assert!(listed.await.unwrap().is_empty());
    let simulated = rpc.simulate_transaction(&tx).await.unwrap();
    assert!(simulated.value.err.is_some(), "it does not know the blockhash yet");

    world.net.tick_slots(4);
    assert!(rpc.get_signature_statuses(&tx.signatures).await.unwrap().value[0].is_some(), "processed, there");
    assert_eq!(rpc.get_balance(&RECEIVER).await.unwrap(), 0, "and not confirmed");
    world.net.tick();
    assert_eq!(rpc.get_balance(&RECEIVER).await.unwrap(), SOL);
    lagging.faults().lag_behind(0);
    assert_eq!(rpc.get_slot().await.unwrap(), world.rpc.get_slot().await.unwrap());
}

#[tokio::test]
async fn what_a_lagging_endpoint_is_sent_lands_at_once() {
    let world = World::new().await;
    let payer = world.wallet(1, 9 * SOL);
    let (lagging, rpc) = second(&world).await;
    world.net.tick_slots(20);
    lagging.faults().lag_behind(5);
    let tx = world.transfer(&payer, &RECEIVER, SOL).await;
    let refused = rpc.send_transaction(&tx).await.unwrap_err();
    assert!(refused.to_string().contains("Blockhash not found"), "its preflight is late too: {refused}");
    let config = solana_rpc_client_api::config::RpcSendTransactionConfig {
        skip_preflight: true,
        ..solana_rpc_client_api::config::RpcSendTransactionConfig::default()
    };
    rpc.send_transaction_with_config(&tx, config).await.unwrap();
    assert_eq!(world.net.network().balance(&RECEIVER), SOL);
}

#[tokio::test]
async fn the_websocket_of_a_lagging_endpoint_is_as_late() {
    let world = World::new().await;
    let payer = world.wallet(1, 9 * SOL);
    let (lagging, _) = second(&world).await;
    world.net.tick_slots(20);
    lagging.faults().lag_behind(4);
    let tx = world.transfer(&payer, &RECEIVER, SOL).await;
    let config = RpcSignatureSubscribeConfig {
        commitment: Some(CommitmentConfig::confirmed()),
        enable_received_notification: None,
    };
    let early = PubsubClient::new(lagging.ws_url()).await.unwrap();
    let (mut slots, _) = early.slot_subscribe().await.unwrap();
    let (mut told, _) = early.signature_subscribe(&tx.signatures[0], Some(config.clone())).await.unwrap();
    world.rpc.send_transaction(&tx).await.unwrap();
    world.net.tick_slots(3);
    let late = PubsubClient::new(lagging.ws_url()).await.unwrap();
    let (mut told_late, _) = late.signature_subscribe(&tx.signatures[0], Some(config)).await.unwrap();
    world.net.tick();
    assert!(told.next().now_or_never().is_none());
    world.net.tick();
    let slot = tokio::time::timeout(PATIENCE, slots.next()).await.unwrap().unwrap().slot;
    assert_eq!(slot, world.net.network().slot() - 4);
    let told = tokio::time::timeout(PATIENCE, told.next()).await.expect("a push in time").unwrap();
    assert_eq!(told.context.slot, slot - 1);
    let told = tokio::time::timeout(PATIENCE, told_late.next()).await.expect("a push in time").unwrap();
    assert_eq!(told.context.slot, slot - 1, "told to somebody who came after it had happened");
}

#[tokio::test]
async fn an_endpoint_without_its_older_history_says_where_it_begins() {
    let world = World::new().await;
    let payer = world.wallet(1, 9 * SOL);
    let (forgetful, rpc) = second(&world).await;
    let old = world.transfer(&payer, &RECEIVER, SOL).await;
    world.rpc.send_transaction(&old).await.unwrap();
    world.net.tick_slots(3);
    let new = world.transfer(&payer, &RECEIVER, 2 * SOL).await;
    world.rpc.send_transaction(&new).await.unwrap();
    world.net.tick_slots(40);
    forgetful.faults().forget_before(world.net.network().slot() - 40);
    assert_eq!(rpc.get_first_available_block().await.unwrap(), world.net.network().slot() - 40);
    assert_eq!(world.rpc.get_first_available_block().await.unwrap(), 0);
    let both = [old.signatures[0], new.signatures[0]];
    let known = async |rpc: &RpcClient| {
        let statuses = rpc.get_signature_statuses_with_history(&both).await.unwrap().value;
        statuses.iter().map(Option::is_some).collect::<Vec<_>>()
    };
    assert_eq!(known(&world.rpc).await, [true, true]);
    assert_eq!(known(&rpc).await, [false, true], "null for a transaction that landed");
    let told = ask(&world, &forgetful, "getTransaction", json!([old.signatures[0].to_string()])).await;
    assert_eq!(told["result"], Value::Null);
    let listed = ask(&world, &forgetful, "getSignaturesForAddress", json!([RECEIVER.to_string()])).await;
    assert_eq!(listed["result"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(rpc.get_balance(&RECEIVER).await.unwrap(), 3 * SOL, "accounts it has");
}

#[tokio::test]
async fn faults_and_request_counts_are_each_endpoints_own() {
    let world = World::new().await;
    let (other, rpc) = second(&world).await;
    other.faults().change(|plan| plan.unhealthy = true);
    assert!(rpc.get_health().await.is_err());
    world.rpc.get_health().await.expect("the first endpoint is well");
    let limit = TooManyRequests { next: 1, retry_after: Some(3), method: None };
    world.net.faults().change(|plan| plan.too_many_requests = Some(limit));
    rpc.get_slot().await.unwrap();
    assert!(world.net.faults().plan().too_many_requests.unwrap().next == 1, "the other was asked");
    assert_eq!(other.network().request_counts()["getSlot"], 1);
    assert!(!world.net.network().request_counts().contains_key("getSlot"));

    let plan = json!([{ "lag": 9, "firstBlock": 2 }]);
    assert_eq!(ask(&world, &other, "localnet_setFaults", plan).await["result"]["lag"], 9);
    assert_eq!(world.call("localnet_faults", json!([])).await["result"]["lag"], 0);
    let refused = ask(&world, &other, "localnet_setFaults", json!([{ "frozen": true }])).await;
    assert_eq!(refused["error"]["code"], -32602, "the network stands still as a whole");
    let refused = ask(&world, &other, "localnet_setFaults", json!([{ "lag": 65 }])).await;
    assert_eq!(refused["error"]["code"], -32602, "nobody keeps so much of the past");
    assert_eq!(other.faults().plan().lag, 9);
}

#[tokio::test]
async fn the_oldest_transactions_are_pruned_and_the_first_available_block_moves() {
    let few = |config: &mut LocalnetConfig| config.most_history = 3;
    let world = World::with(few).await;
    let mut sent = Vec::new();
    for n in 0..5 {
        sent.push(world.net.network().airdrop(&RECEIVER, SOL + n).unwrap());
        world.net.tick();
    }
    assert_eq!(world.rpc.get_first_available_block().await.unwrap(), 0, "young ones are all kept");
    world.net.tick_slots(300);
    assert_eq!(world.rpc.get_first_available_block().await.unwrap(), 3);
    let statuses = world.rpc.get_signature_statuses_with_history(&sent).await.unwrap().value;
    assert_eq!(statuses.iter().map(Option::is_some).collect::<Vec<_>>(), [false, false, true, true, true]);
    let page = |before: usize| json!([RECEIVER.to_string(), { "before": sent[before].to_string() }]);
    let listed = world.call("getSignaturesForAddress", page(4)).await;
    assert_eq!(listed["result"].as_array().unwrap().len(), 2);
    let listed = world.call("getSignaturesForAddress", page(0)).await;
    assert_eq!(listed["result"], json!([]), "a page before something that is gone is empty");
    let until = json!([RECEIVER.to_string(), { "until": sent[0].to_string() }]);
    let listed = world.call("getSignaturesForAddress", until).await;
    assert_eq!(listed["result"].as_array().unwrap().len(), 3, "and one until something that is gone has no end");
    assert_eq!(world.net.network().balance(&RECEIVER), 5 * SOL + 10);
}
