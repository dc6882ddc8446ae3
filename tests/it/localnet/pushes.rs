//! The websocket, heard by `solana-pubsub-client`.

use std::pin::pin;

use super::world::{PATIENCE, SOL, World};
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use serde_json::json;
use solana_commitment_config::{CommitmentConfig, CommitmentLevel};
use solana_instruction::error::InstructionError;
use solana_pubkey::Pubkey;
use solana_pubsub_client::nonblocking::pubsub_client::PubsubClient;
use solana_rpc_client_api::{
    config::{
        RpcAccountInfoConfig, RpcSendTransactionConfig, RpcSignatureSubscribeConfig, RpcTransactionLogsConfig,
        RpcTransactionLogsFilter, UiAccountEncoding,
    },
    response::{ProcessedSignatureResult, RpcSignatureResult, SlotInfo},
};
use solana_transaction_error::TransactionError;

const RECEIVER: Pubkey = Pubkey::new_from_array([5; 32]);

async fn connect(url: &str) -> PubsubClient {
    PubsubClient::new(url).await.expect("the websocket is there")
}

async fn heard<T>(stream: &mut (impl Stream<Item = T> + Unpin)) -> T {
    tokio::time::timeout(PATIENCE, stream.next()).await.expect("a push in time").expect("the socket stays open")
}

/// Waits until everything before the coming slot has been heard on this connection.
async fn next_slot(world: &World, slots: &mut (impl Stream<Item = SlotInfo> + Unpin)) {
    world.net.tick();
    heard(slots).await;
}

fn at(commitment: CommitmentLevel) -> RpcSignatureSubscribeConfig {
    let commitment = Some(CommitmentConfig { commitment });
    RpcSignatureSubscribeConfig { commitment, enable_received_notification: Some(true) }
}

#[tokio::test]
async fn a_signature_is_pushed_at_each_commitment_in_its_own_time() {
    let world = World::new().await;
    let payer = world.wallet(1, 3 * SOL);
    let tx = world.transfer(&payer, &RECEIVER, SOL).await;
    let socket = connect(&world.net.ws_url()).await;
    let (mut slots, _) = socket.slot_subscribe().await.unwrap();
    let signature = tx.signatures[0];
    let (mut processed, _) =
        socket.signature_subscribe(&signature, Some(at(CommitmentLevel::Processed))).await.unwrap();
    let (mut confirmed, _) =
        socket.signature_subscribe(&signature, Some(at(CommitmentLevel::Confirmed))).await.unwrap();
    let (mut finalized, _) = socket.signature_subscribe(&signature, None).await.unwrap();
    let landed_in = world.net.network().slot();
    world.rpc.send_transaction(&tx).await.unwrap();
    let fine = RpcSignatureResult::ProcessedSignature(ProcessedSignatureResult { err: None });
    let told = heard(&mut processed).await;
    assert_eq!((told.context.slot, &told.value), (landed_in, &fine));
    assert!(confirmed.next().now_or_never().is_none());
    next_slot(&world, &mut slots).await;
    let told = heard(&mut confirmed).await;
    assert_eq!((told.context.slot, &told.value), (landed_in, &fine));
    for _ in 0..31 {
        assert!(finalized.next().now_or_never().is_none());
        next_slot(&world, &mut slots).await;
    }
    assert_eq!(heard(&mut finalized).await.value, fine);
}

#[tokio::test]
async fn a_subscription_to_what_has_happened_is_served_at_once_on_either_port() {
    let world = World::new().await;
    let signature = world.net.network().airdrop(&RECEIVER, SOL).unwrap();
    world.net.tick();
    for url in [world.net.ws_url(), world.net.rpc_url().replace("http", "ws")] {
        let socket = connect(&url).await;
        let (mut told, _) = socket.signature_subscribe(&signature, Some(at(CommitmentLevel::Confirmed))).await.unwrap();
        heard(&mut told).await;
    }
}

#[tokio::test]
async fn a_failed_transaction_is_pushed_with_its_error() {
    let world = World::new().await;
    let payer = world.wallet(1, SOL);
    let tx = world.transfer(&payer, &RECEIVER, 9 * SOL).await;
    let socket = connect(&world.net.ws_url()).await;
    let at = at(CommitmentLevel::Processed);
    let (mut told, _) = socket.signature_subscribe(&tx.signatures[0], Some(at)).await.unwrap();
    let skip = RpcSendTransactionConfig { skip_preflight: true, ..Default::default() };
    world.rpc.send_transaction_with_config(&tx, skip).await.unwrap();
    let RpcSignatureResult::ProcessedSignature(ProcessedSignatureResult { err }) = heard(&mut told).await.value else {
        panic!("not an outcome")
    };
    let expected = TransactionError::InstructionError(0, InstructionError::Custom(1));
    assert_eq!(err.map(TransactionError::from), Some(expected));
}

#[tokio::test]
async fn slots_are_pushed_with_parent_and_root() {
    let world = World::new().await;
    let socket = connect(&world.net.ws_url()).await;
    let (mut slots, unsubscribe) = socket.slot_subscribe().await.unwrap();
    world.net.tick_slots(33);
    let told: Vec<_> = slots.by_ref().take(33).collect().await;
    assert_eq!(told[0], SlotInfo { slot: 2, parent: 1, root: 0 });
    assert_eq!(told[32], SlotInfo { slot: 34, parent: 33, root: 2 });
    unsubscribe().await;
    world.net.tick();
    assert!(slots.next().await.is_none(), "nothing comes after unsubscribing");
}

#[tokio::test]
async fn an_account_is_pushed_when_its_change_is_confirmed() {
    let world = World::new().await;
    let socket = connect(&world.net.ws_url()).await;
    let subscribe = async |commitment| {
        let config = RpcAccountInfoConfig {
            encoding: Some(UiAccountEncoding::Base64),
            commitment: Some(commitment),
            ..Default::default()
        };
        socket.account_subscribe(&RECEIVER, Some(config)).await.unwrap().0
    };
    let mut processed = subscribe(CommitmentConfig::processed()).await;
    let mut confirmed = subscribe(CommitmentConfig::confirmed()).await;
    world.net.network().airdrop(&RECEIVER, SOL).unwrap();
    world.net.network().airdrop(&RECEIVER, SOL).unwrap();
    assert_eq!(heard(&mut processed).await.value.lamports, SOL);
    assert_eq!(heard(&mut processed).await.value.lamports, 2 * SOL);
    assert!(confirmed.next().now_or_never().is_none());
    world.net.tick();
    assert_eq!(heard(&mut confirmed).await.value.lamports, 2 * SOL, "once, as the slot left it");
    world.net.tick();
    world.net.network().airdrop(&RECEIVER, SOL).unwrap();
    world.net.tick();
    assert_eq!(heard(&mut confirmed).await.value.lamports, 3 * SOL);
}

#[tokio::test]
async fn logs_are_pushed_for_all_or_for_those_that_mention_an_address() {
    let world = World::new().await;
    let payer = world.wallet(1, 3 * SOL);
    let socket = connect(&world.net.ws_url()).await;
    let config = || RpcTransactionLogsConfig { commitment: Some(CommitmentConfig::processed()) };
    let (mut all, _) = socket.logs_subscribe(RpcTransactionLogsFilter::All, config()).await.unwrap();
    let mentions = RpcTransactionLogsFilter::Mentions(vec![RECEIVER.to_string()]);
    let (mut mine, _) = socket.logs_subscribe(mentions, config()).await.unwrap();
    let other = world.net.network().airdrop(&Pubkey::new_from_array([6; 32]), SOL).unwrap();
    let tx = world.transfer(&payer, &RECEIVER, SOL).await;
    world.rpc.send_transaction(&tx).await.unwrap();
    assert_eq!(heard(&mut all).await.value.signature, other.to_string());
    assert_eq!(heard(&mut all).await.value.signature, tx.signatures[0].to_string());
    let told = heard(&mut mine).await.value;
    assert_eq!(told.signature, tx.signatures[0].to_string(), "the other one does not mention it");
    assert!(told.logs.iter().any(|line| line.ends_with("success")));
    let two = RpcTransactionLogsFilter::Mentions(vec![RECEIVER.to_string(); 2]);
    assert!(socket.logs_subscribe(two, config()).await.is_err());
}

#[tokio::test]
async fn a_hidden_confirmation_is_neither_told_nor_pushed_and_a_late_one_comes_late() {
    let world = World::new().await;
    let payer = world.wallet(1, 9 * SOL);
    let (hidden, late) =
        (world.transfer(&payer, &RECEIVER, SOL).await, world.transfer(&payer, &RECEIVER, 2 * SOL).await);
    world.net.faults().change(|plan| {
        plan.missing_confirmation.push(hidden.signatures[0].to_string());
        plan.late_confirmation.insert(late.signatures[0].to_string(), 3);
    });
    let socket = connect(&world.net.ws_url()).await;
    let (mut slots, _) = socket.slot_subscribe().await.unwrap();
    let confirmed = || Some(at(CommitmentLevel::Confirmed));
    let (never, _) = socket.signature_subscribe(&hidden.signatures[0], confirmed()).await.unwrap();
    let (mut lately, _) = socket.signature_subscribe(&late.signatures[0], confirmed()).await.unwrap();
    let mut never = pin!(never);
    world.rpc.send_transaction(&hidden).await.unwrap();
    world.rpc.send_transaction(&late).await.unwrap();
    for _ in 0..3 {
        next_slot(&world, &mut slots).await;
        assert!(lately.next().now_or_never().is_none());
    }
    assert!(!world.rpc.confirm_transaction(&late.signatures[0]).await.unwrap());
    next_slot(&world, &mut slots).await;
    heard(&mut lately).await;
    assert!(world.rpc.confirm_transaction(&late.signatures[0]).await.unwrap());
    assert!(never.next().now_or_never().is_none());
    assert_eq!(world.rpc.get_signature_statuses(&hidden.signatures).await.unwrap().value, [None]);
    assert_eq!(world.net.network().balance(&RECEIVER), 3 * SOL, "both landed all the same");
    world.net.faults().clear();
    assert!(world.rpc.confirm_transaction(&hidden.signatures[0]).await.unwrap(), "polling finds it afterwards");
}

#[tokio::test]
async fn websockets_are_cut_and_refused_on_demand() {
    let world = World::new().await;
    let socket = connect(&world.net.ws_url()).await;
    let (mut slots, _) = socket.slot_subscribe().await.unwrap();
    next_slot(&world, &mut slots).await;
    world.net.faults().disconnect_websockets();
    assert!(tokio::time::timeout(PATIENCE, slots.next()).await.expect("in time").is_none());
    let again = connect(&world.net.ws_url()).await;
    let (mut slots, _) = again.slot_subscribe().await.unwrap();
    world.net.faults().change(|plan| plan.websockets_down = true);
    assert!(tokio::time::timeout(PATIENCE, slots.next()).await.expect("in time").is_none());
    assert!(PubsubClient::new(world.net.ws_url()).await.is_err());
    world.net.faults().clear();
    connect(&world.net.ws_url()).await;
}

#[tokio::test]
async fn latency_delays_a_push_without_reordering_it() {
    let world = World::new().await;
    let delay = std::time::Duration::from_millis(80);
    world.net.faults().change(|plan| {
        plan.latency.insert("slotNotification".to_owned(), 80);
    });
    let socket = connect(&world.net.ws_url()).await;
    let (mut slots, _) = socket.slot_subscribe().await.unwrap();
    let start = std::time::Instant::now();
    world.net.tick_slots(3);
    let told: Vec<_> = slots.by_ref().take(3).map(|slot| slot.slot).collect().await;
    assert!(start.elapsed() >= delay);
    assert_eq!(told, [2, 3, 4]);
}

#[tokio::test]
async fn a_subscription_counts_as_one_request_and_its_push_as_none() {
    let world = World::new().await;
    let signature = world.net.network().airdrop(&RECEIVER, SOL).unwrap();
    let socket = connect(&world.net.ws_url()).await;
    let (mut told, _) = socket.signature_subscribe(&signature, Some(at(CommitmentLevel::Processed))).await.unwrap();
    heard(&mut told).await;
    world.rpc.get_slot().await.unwrap();
    let counts = world.call("localnet_requestCounts", json!([])).await;
    assert_eq!(counts["result"], json!({ "getSlot": 1, "signatureSubscribe": 1 }));
}
