//! Forks: what was true of the newest slots is not true any more, and nobody says so.

use super::world::{PATIENCE, SOL, World, signed};
use futures_util::StreamExt as _;
use serde_json::json;
use solana_commitment_config::CommitmentConfig;
use solana_pubkey::Pubkey;
use solana_pubsub_client::nonblocking::pubsub_client::PubsubClient;
use solana_signature::Signature;
use solana_signer::Signer as _;
use solana_system_interface::instruction::transfer;
use solana_transaction_error::TransactionError;
use sotto::{
    localnet::ForkError,
    programs::{Programs, inco_token::IncoAccount},
};

const RECEIVER: Pubkey = Pubkey::new_from_array([5; 32]);

async fn is_known(world: &World, signature: Signature) -> bool {
    world.rpc.get_signature_statuses_with_history(&[signature]).await.unwrap().value[0].is_some()
}

#[tokio::test]
async fn a_fork_takes_back_transactions_accounts_statuses_and_history() {
    let world = World::new().await;
    let payer = world.wallet(1, 9 * SOL);
    world.net.tick();
    let early = world.transfer(&payer, &RECEIVER, SOL).await;
    world.rpc.send_transaction(&early).await.unwrap();
    world.net.tick();
    let before = world.net.network().account(&payer.pubkey());
    let late = world.transfer(&payer, &RECEIVER, 2 * SOL).await;
    world.rpc.send_transaction(&late).await.unwrap();
    world.net.tick();
    assert!(is_known(&world, late.signatures[0]).await, "confirmed, even");

    let slot = world.net.network().slot();
    let taken = world.net.network().fork(2).unwrap();
    assert_eq!((taken.from, taken.to), (slot - 1, slot));
    assert_eq!(taken.transactions, std::slice::from_ref(&late));
    assert_eq!(world.net.network().slot(), slot + 1, "slots go on");
    assert_eq!(world.net.network().balance(&RECEIVER), SOL);
    assert_eq!(world.net.network().account(&payer.pubkey()), before);
    assert!(!is_known(&world, late.signatures[0]).await);
    assert!(is_known(&world, early.signatures[0]).await);
    let listed = world.rpc.get_signatures_for_address(&RECEIVER).await.unwrap_or_default();
    assert!(listed.iter().all(|told| told.signature != late.signatures[0].to_string()));
    assert_eq!(world.rpc.get_balance(&RECEIVER).await.unwrap(), SOL, "at `confirmed` too");
}

#[tokio::test]
async fn what_a_fork_took_back_lands_again_when_it_is_sent_again_and_only_once() {
    let world = World::new().await;
    let payer = world.wallet(1, 9 * SOL);
    let tx = world.transfer(&payer, &RECEIVER, SOL).await;
    world.net.tick_slots(2);
    world.rpc.send_transaction(&tx).await.unwrap();
    world.net.tick();
    world.net.network().fork_away(&tx.signatures[0]).unwrap();
    assert_eq!(world.net.network().balance(&RECEIVER), 0);
    world.net.network().send(tx.clone()).expect("its blockhash is older than the fork");
    assert_eq!(world.net.network().send(tx), Err(TransactionError::AlreadyProcessed));
    assert_eq!(world.net.network().balance(&RECEIVER), SOL);
}

#[tokio::test]
async fn nothing_can_land_on_the_blockhash_of_a_block_that_is_gone() {
    let world = World::new().await;
    let payer = world.wallet(1, 9 * SOL);
    world.net.tick();
    let hash = world.net.network().latest_blockhash();
    let tx = signed(&payer, &[transfer(&payer.pubkey(), &RECEIVER, SOL)], hash);
    world.net.network().fork(1).unwrap();
    assert_eq!(world.net.network().send(tx), Err(TransactionError::BlockhashNotFound));
    assert_ne!(world.net.network().latest_blockhash(), hash, "another block has another hash");
}

#[tokio::test]
async fn a_finalised_slot_is_never_taken_back() {
    let world = World::with(|config| config.finalized_after = 4).await;
    let payer = world.wallet(1, 9 * SOL);
    let tx = world.transfer(&payer, &RECEIVER, SOL).await;
    world.rpc.send_transaction(&tx).await.unwrap();
    world.net.tick_slots(4);
    let finalized = world.net.network().slot() - 4;
    let refusal = Err(ForkError::Finalized { finalized });
    assert_eq!(world.net.network().fork(5), refusal);
    assert_eq!(world.net.network().fork_away(&tx.signatures[0]), refusal);
    assert_eq!(world.net.network().fork(0), Err(ForkError::Nothing));
    assert_eq!(world.net.network().fork_away(&Signature::default()), Err(ForkError::Unknown));
    assert_eq!(world.net.network().balance(&RECEIVER), SOL, "a refused fork changes nothing");
    world.net.network().fork(4).expect("up to the newest finalised slot");
    assert_eq!(world.net.network().balance(&RECEIVER), SOL);
    let root = world.rpc.get_slot_with_commitment(CommitmentConfig::finalized()).await.unwrap();
    assert_eq!(root, finalized, "finality does not go back");
}

#[tokio::test]
async fn block_heights_fall_behind_slots_and_expiry_goes_by_height() {
    let world = World::new().await;
    world.net.tick_slots(20);
    let payer = world.wallet(1, 9 * SOL);
    let (hash, last_valid) =
        world.rpc.get_latest_blockhash_with_commitment(CommitmentConfig::confirmed()).await.unwrap();
    world.net.tick_slots(3);
    world.net.network().fork(2).unwrap();
    world.net.network().fork(1).unwrap();
    let processed = CommitmentConfig::processed();
    let height = async || world.rpc.get_block_height_with_commitment(processed).await.unwrap();
    let slot = world.rpc.get_slot_with_commitment(processed).await.unwrap();
    assert_eq!(height().await, slot - 3);
    assert_eq!(world.rpc.get_epoch_info_with_commitment(processed).await.unwrap().block_height, slot - 3);
    world.net.tick_slots(last_valid - height().await);
    let tx = signed(&payer, &[transfer(&payer.pubkey(), &RECEIVER, SOL)], hash);
    world.net.network().send(tx).expect("the last block it can land in");
    world.net.tick();
    let tx = signed(&payer, &[transfer(&payer.pubkey(), &RECEIVER, 2 * SOL)], hash);
    assert_eq!(world.net.network().send(tx), Err(TransactionError::BlockhashNotFound));
}

#[tokio::test]
async fn a_fork_whose_transactions_validators_include_again_moves_them_to_a_later_slot() {
    let world = World::new().await;
    let payer = world.wallet(1, 9 * SOL);
    let tx = world.transfer(&payer, &RECEIVER, SOL).await;
    world.net.tick();
    world.rpc.send_transaction(&tx).await.unwrap();
    let landed_in = world.net.network().slot();
    world.net.network().fork_and_replay(1, 2).unwrap();
    world.net.tick();
    assert_eq!(world.net.network().balance(&RECEIVER), 0);
    world.net.tick();
    assert_eq!(world.net.network().balance(&RECEIVER), SOL);
    let status = world.rpc.get_signature_statuses(&tx.signatures).await.unwrap().value.remove(0).unwrap();
    assert_eq!(status.slot, landed_in + 3);
}

#[tokio::test]
async fn a_push_that_was_told_is_not_taken_back_and_the_new_landing_is_told_to_new_subscribers() {
    let world = World::new().await;
    let payer = world.wallet(1, 9 * SOL);
    let tx = world.transfer(&payer, &RECEIVER, SOL).await;
    world.net.tick();
    let socket = PubsubClient::new(world.net.ws_url()).await.unwrap();
    let config = solana_rpc_client_api::config::RpcSignatureSubscribeConfig {
        commitment: Some(CommitmentConfig::confirmed()),
        enable_received_notification: None,
    };
    let (mut first, _) = socket.signature_subscribe(&tx.signatures[0], Some(config.clone())).await.unwrap();
    world.rpc.send_transaction(&tx).await.unwrap();
    world.net.tick();
    assert!(tokio::time::timeout(PATIENCE, first.next()).await.unwrap().is_some());
    world.net.network().fork_away(&tx.signatures[0]).unwrap();
    let (mut second, _) = socket.signature_subscribe(&tx.signatures[0], Some(config)).await.unwrap();
    world.net.network().send(tx).unwrap();
    world.net.tick();
    let told = tokio::time::timeout(PATIENCE, second.next()).await.unwrap().unwrap();
    assert_eq!(told.context.slot, world.net.network().slot() - 1);
}

#[tokio::test]
async fn a_fork_takes_plaintexts_back_too() {
    let world = World::new().await;
    world.net.tick_slots(2);
    world.net.faucet().fund(&RECEIVER, 700).unwrap();
    let address = Programs::default().token_account(&RECEIVER, &world.net.mint());
    let handle = || IncoAccount::decode(&world.net.network().account(&address).unwrap().data).unwrap().amount;
    let funded = handle();
    world.net.tick();
    world.net.faucet().fund(&RECEIVER, 50).unwrap();
    let richer = handle();
    let plaintext = |handle| world.net.network().stand_ins().vault().look_up(handle).map(|landed| landed.plaintext);
    assert_eq!(plaintext(richer), Some(Some(750)));
    world.net.network().fork(1).unwrap();
    assert_eq!(handle(), funded);
    assert_eq!(plaintext(funded), Some(Some(700)));
    assert_eq!(plaintext(richer), None, "nobody can decrypt what never happened");
    world.net.faucet().fund(&RECEIVER, 60).unwrap();
    assert_eq!(plaintext(handle()), Some(Some(760)), "the new fork goes its own way");
}

#[tokio::test]
async fn the_admin_method_forks_and_tells_what_went() {
    let world = World::new().await;
    let payer = world.wallet(1, 9 * SOL);
    let tx = world.transfer(&payer, &RECEIVER, SOL).await;
    world.net.tick();
    world.rpc.send_transaction(&tx).await.unwrap();
    let slot = world.net.network().slot();
    let told = world.call("localnet_fork", json!([1, 0])).await["result"].clone();
    assert_eq!(told, json!({ "from": slot, "to": slot, "signatures": [tx.signatures[0].to_string()] }));
    assert_eq!(world.net.network().balance(&RECEIVER), SOL, "replayed at once");
    let told = world.call("localnet_forkAway", json!([tx.signatures[0].to_string()])).await["result"].clone();
    assert_eq!(told["signatures"], json!([tx.signatures[0].to_string()]));
    assert_eq!(world.net.network().balance(&RECEIVER), 0);
    assert_eq!(world.call("localnet_fork", json!([500])).await["error"]["code"], -32602);
}

#[tokio::test]
async fn an_ambush_lands_between_the_simulation_and_the_landing() {
    let world = World::new().await;
    let (payer, stranger) = (world.wallet(1, 9 * SOL), world.wallet(2, 9 * SOL));
    let theirs = world.transfer(&stranger, &RECEIVER, 3 * SOL).await;
    world.net.network().ambush(RECEIVER, theirs.clone());
    let elsewhere = world.transfer(&payer, &Pubkey::new_from_array([6; 32]), SOL).await;
    world.rpc.send_transaction(&elsewhere).await.unwrap();
    assert!(world.net.network().has_ambushes(), "a transaction that does not write the account sets off nothing");
    let tx = world.transfer(&payer, &RECEIVER, SOL).await;
    assert!(world.rpc.simulate_transaction(&tx).await.unwrap().value.err.is_none());
    assert_eq!(world.net.network().balance(&RECEIVER), 0);
    world.rpc.send_transaction(&tx).await.unwrap();
    assert_eq!(world.net.network().balance(&RECEIVER), 4 * SOL);
    world.net.tick();
    let config = json!([RECEIVER.to_string(), { "commitment": "confirmed" }]);
    let listed = world.call("getSignaturesForAddress", config).await;
    assert_eq!(listed["result"][0]["signature"], tx.signatures[0].to_string());
    assert_eq!(listed["result"][1]["signature"], theirs.signatures[0].to_string(), "the stranger was first");
    assert!(!world.net.network().has_ambushes());
}
