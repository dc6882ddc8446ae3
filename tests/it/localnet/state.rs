//! A network that is kept in a file goes on where it stopped.

use std::path::Path;

use super::world::{PATIENCE, SOL, World, signed};
use crate::support::until;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use solana_commitment_config::CommitmentConfig;
use solana_pubkey::Pubkey;
use solana_pubsub_client::nonblocking::pubsub_client::PubsubClient;
use solana_rpc_client_api::config::RpcSignatureSubscribeConfig;
use solana_signer::Signer as _;
use solana_system_interface::instruction::transfer;
use solana_transaction_error::TransactionError;
use sotto::{
    localnet::{Localnet, LocalnetConfig, LocalnetError, Slots, StateError},
    programs::{Programs, inco_token::IncoAccount},
};

const RECEIVER: Pubkey = Pubkey::new_from_array([5; 32]);

async fn world(file: &Path) -> World {
    // The seed is another one at each start: what the file says wins.
    let seed = Some(std::fs::metadata(file).map_or(0, |file| file.len()));
    World::with(|config| (config.state, config.seed) = (Some(file.to_owned()), seed)).await
}

/// Everything that a client can ask about a transaction and an address.
async fn answers(world: &World, signature: &str) -> Vec<Value> {
    let confirmed = json!({ "commitment": "confirmed", "maxSupportedTransactionVersion": 0 });
    let mut answers = Vec::new();
    for (method, params) in [
        ("getTransaction", json!([signature, confirmed])),
        ("getSignaturesForAddress", json!([RECEIVER.to_string(), { "commitment": "confirmed" }])),
        ("getBalance", json!([RECEIVER.to_string(), { "commitment": "processed" }])),
        ("getBalance", json!([RECEIVER.to_string(), { "commitment": "finalized" }])),
        ("getGenesisHash", json!([])),
    ] {
        let mut answer = world.call(method, params).await;
        answer.pointer_mut("/result/context").map(Value::take);
        answers.push(answer);
    }
    answers
}

#[tokio::test]
async fn a_restored_network_answers_as_the_one_that_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("net.json");
    let first = world(&file).await;
    assert!(first.net.is_new());
    let payer = first.wallet(1, 9 * SOL);
    let early = first.transfer(&payer, &RECEIVER, SOL).await;
    first.rpc.send_transaction(&early).await.unwrap();
    first.net.tick_slots(34);
    first.net.network().fork(2).unwrap();
    first.net.faucet().fund(&payer.pubkey(), 700).unwrap();
    let late = first.transfer(&payer, &RECEIVER, 2 * SOL).await;
    first.rpc.send_transaction(&late).await.unwrap();
    first.net.tick();
    let signature = early.signatures[0].to_string();
    let (told, slot, mint) = (answers(&first, &signature).await, first.net.network().slot(), first.net.mint());
    let height = first.rpc.get_block_height().await.unwrap();
    let hash = first.net.network().latest_blockhash();
    first.net.shutdown().await;

    let again = world(&file).await;
    assert!(!again.net.is_new());
    assert_eq!(answers(&again, &signature).await, told);
    assert_eq!(again.net.network().slot(), slot + 1, "slots go on");
    assert_eq!(again.rpc.get_block_height().await.unwrap(), height + 1);
    assert_eq!(again.net.mint(), mint);

    assert_eq!(again.net.network().send(late.clone()), Err(TransactionError::AlreadyProcessed));
    let pay = [transfer(&payer.pubkey(), &RECEIVER, SOL)];
    again.net.network().send(signed(&payer, &pay, hash)).expect("a blockhash from before lives on");
    again.net.faucet().fund(&payer.pubkey(), 30).unwrap();
    let account = again.net.network().account(&Programs::default().token_account(&payer.pubkey(), &mint)).unwrap();
    let handle = IncoAccount::decode(&account.data).unwrap().amount;
    let landed = again.net.network().stand_ins().vault().look_up(handle).expect("it landed");
    assert_eq!(landed.plaintext, Some(730), "plaintexts and the Covalidator's keys are the same");
}

#[tokio::test]
async fn what_was_not_final_yet_can_still_be_taken_back_and_is_still_pushed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("net.json");
    let first = world(&file).await;
    let payer = first.wallet(1, 9 * SOL);
    first.net.tick_slots(3);
    let tx = first.transfer(&payer, &RECEIVER, SOL).await;
    first.rpc.send_transaction(&tx).await.unwrap();
    first.net.tick_slots(2);
    first.net.shutdown().await;

    let again = world(&file).await;
    let finalized = RpcSignatureSubscribeConfig {
        commitment: Some(CommitmentConfig::finalized()),
        enable_received_notification: None,
    };
    let socket = PubsubClient::new(again.net.ws_url()).await.unwrap();
    let (mut told, _) = socket.signature_subscribe(&tx.signatures[0], Some(finalized)).await.unwrap();
    again.net.tick_slots(32);
    assert!(tokio::time::timeout(PATIENCE, told.next()).await.unwrap().is_some());
    again.net.shutdown().await;

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("net.json");
    let first = world(&file).await;
    let payer = first.wallet(1, 9 * SOL);
    first.net.tick_slots(3);
    let tx = first.transfer(&payer, &RECEIVER, SOL).await;
    first.rpc.send_transaction(&tx).await.unwrap();
    first.net.shutdown().await;
    let again = world(&file).await;
    again.net.network().fork_away(&tx.signatures[0]).unwrap();
    assert_eq!(again.net.network().balance(&RECEIVER), 0);
}

#[tokio::test]
async fn a_network_that_was_killed_comes_back_from_its_last_write() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("net.json");
    let first = world(&file).await;
    let payer = first.wallet(1, 9 * SOL);
    let kept = first.transfer(&payer, &RECEIVER, SOL).await;
    first.rpc.send_transaction(&kept).await.unwrap();
    first.net.save().unwrap();
    let lost = first.transfer(&payer, &RECEIVER, 2 * SOL).await;
    first.rpc.send_transaction(&lost).await.unwrap();
    drop(first);
    let again = world(&file).await;
    assert_eq!(again.net.network().balance(&RECEIVER), SOL);
    again.net.network().send(lost).expect("sent again, it lands: for its sender it was a fork");
    assert_eq!(again.net.network().balance(&RECEIVER), 3 * SOL);
}

#[tokio::test]
async fn the_file_is_written_while_transactions_land() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("net.json");
    let world = world(&file).await;
    let before = std::fs::read(&file).unwrap();
    world.net.network().airdrop(&RECEIVER, SOL).unwrap();
    // A file system has no event that all platforms know.
    until("it is written", async || std::fs::read(&file).unwrap() != before).await;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o77, 0, "there are keys in it");
    }
    let names: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names, ["net.json"], "nothing is left beside it");
}

#[tokio::test]
async fn a_file_that_is_something_else_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("net.json");
    let start = async || {
        let config = LocalnetConfig { slots: Slots::ByHand, state: Some(file.clone()), ..LocalnetConfig::default() };
        Localnet::start(config).await.err().expect("it is refused")
    };
    std::fs::write(&file, "{}").unwrap();
    assert!(matches!(start().await, LocalnetError::State(StateError::Unreadable { .. })));
    std::fs::write(&file, r#"{"format":2}"#).unwrap();
    assert!(matches!(start().await, LocalnetError::State(StateError::Format { found: 2, .. })));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), r#"{"format":2}"#);
    let config = LocalnetConfig { state: Some("/not/there/net.json".into()), ..LocalnetConfig::default() };
    assert!(matches!(Localnet::start(config).await, Err(LocalnetError::State(StateError::File { .. }))));
}
