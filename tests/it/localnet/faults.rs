//! Faults on demand, felt by the real client.

use std::time::{Duration, Instant};

use super::world::{PATIENCE, SOL, World};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use solana_commitment_config::CommitmentConfig;
use solana_pubkey::Pubkey;
use solana_pubsub_client::nonblocking::pubsub_client::PubsubClient;
use solana_rpc_client_api::config::{RpcSignatureSubscribeConfig, RpcTransactionConfig};
use solana_transaction_status_client_types::UiTransactionEncoding;
use sotto::{
    localnet::{ALL, FaultPlan, Odds, Slots, TooManyRequests},
    programs::{Programs, inco_token::IncoAccount},
};

const RECEIVER: Pubkey = Pubkey::new_from_array([5; 32]);

#[tokio::test]
async fn latency_holds_back_the_answer_and_not_the_effect() {
    let world = World::new().await;
    let payer = world.wallet(1, 3 * SOL);
    let tx = world.transfer(&payer, &RECEIVER, SOL).await;
    world.net.faults().change(|plan| {
        plan.latency.insert("sendTransaction".to_owned(), 60_000);
        plan.latency.insert(ALL.to_owned(), 30);
    });
    let start = Instant::now();
    world.rpc.get_slot().await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(30));
    let socket = PubsubClient::new(world.net.ws_url()).await.unwrap();
    let config = RpcSignatureSubscribeConfig {
        commitment: Some(CommitmentConfig::processed()),
        enable_received_notification: None,
    };
    let (mut told, _) = socket.signature_subscribe(&tx.signatures[0], Some(config)).await.unwrap();
    tokio::select! {
        answer = world.rpc.send_transaction(&tx) => panic!("answered too early: {answer:?}"),
        push = tokio::time::timeout(PATIENCE, told.next()) => assert!(push.unwrap().is_some()),
    }
    assert_eq!(world.net.network().balance(&RECEIVER), SOL);
}

#[tokio::test]
async fn a_dropped_send_is_answered_and_never_lands() {
    let world = World::new().await;
    let payer = world.wallet(1, 3 * SOL);
    let tx = world.transfer(&payer, &RECEIVER, SOL).await;
    world.net.faults().change(|plan| plan.drop_sends = Odds::next(1));
    assert_eq!(world.rpc.send_transaction(&tx).await.unwrap(), tx.signatures[0]);
    world.net.tick();
    assert_eq!(world.rpc.get_signature_statuses_with_history(&tx.signatures).await.unwrap().value, [None]);
    world.rpc.send_transaction(&tx).await.expect("the same bytes, sent again");
    assert_eq!(world.net.network().balance(&RECEIVER), SOL);
}

#[tokio::test]
async fn an_error_after_the_take_is_no_proof_of_absence() {
    let world = World::new().await;
    let payer = world.wallet(1, 3 * SOL);
    let tx = world.transfer(&payer, &RECEIVER, SOL).await;
    world.net.faults().change(|plan| plan.error_after_take = Odds::next(1));
    let error = world.rpc.send_transaction(&tx).await.unwrap_err();
    assert!(error.to_string().contains("-32603"), "{error}");
    assert_eq!(world.net.network().balance(&RECEIVER), SOL);
}

#[tokio::test]
async fn too_many_requests_is_http_429_with_retry_after() {
    let world = World::new().await;
    let limit = TooManyRequests { next: 1, retry_after: Some(7), method: None };
    world.net.faults().change(|plan| plan.too_many_requests = Some(limit));
    let ask = json!({ "jsonrpc": "2.0", "id": 1, "method": "getSlot" }).to_string();
    let response = world.request(&ask).send().await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "7");
    assert_eq!(world.request(&ask).send().await.unwrap().status(), 200);

    let limit = TooManyRequests { next: 2, retry_after: Some(0), method: Some("getSlot".to_owned()) };
    world.net.faults().change(|plan| plan.too_many_requests = Some(limit));
    world.net.network().reset_request_counts();
    world.rpc.get_health().await.expect("other methods pass");
    world.rpc.get_slot().await.expect("this client tries again by itself");
    assert_eq!(world.net.network().request_counts()["getSlot"], 3, "refused ones were requests too");
}

#[tokio::test]
async fn a_frozen_node_takes_sends_and_lands_them_when_it_goes_on() {
    let world = World::new().await;
    let payer = world.wallet(1, 3 * SOL);
    let tx = world.transfer(&payer, &RECEIVER, SOL).await;
    world.net.faults().change(|plan| plan.frozen = true);
    let slot = world.net.network().slot();
    world.rpc.send_transaction(&tx).await.unwrap();
    world.net.tick_slots(5);
    assert_eq!(world.net.network().slot(), slot);
    assert_eq!(world.net.network().balance(&RECEIVER), 0);
    world.net.faults().clear();
    world.net.tick();
    assert_eq!(world.net.network().slot(), slot + 1);
    assert_eq!(world.net.network().balance(&RECEIVER), SOL);
}

#[tokio::test]
async fn a_liar_about_histories_leaves_out_what_it_is_told_to() {
    let world = World::new().await;
    let payer = world.wallet(1, 3 * SOL);
    let tx = world.transfer(&payer, &RECEIVER, SOL).await;
    world.rpc.send_transaction(&tx).await.unwrap();
    // Histories are told as of what is final.
    world.net.tick_slots(40);
    let signature = tx.signatures[0];
    let listed = async || world.rpc.get_signatures_for_address(&RECEIVER).await.unwrap().len();
    let config = RpcTransactionConfig {
        encoding: Some(UiTransactionEncoding::Base64),
        max_supported_transaction_version: Some(0),
        commitment: None,
    };
    let known = async || world.rpc.get_transaction_with_config(&signature, config).await.is_ok();
    assert_eq!((listed().await, known().await), (1, true));
    world.net.faults().change(|plan| plan.hidden_history.push(signature.to_string()));
    assert_eq!((listed().await, known().await), (0, false));
    let statuses = world.rpc.get_signature_statuses_with_history(&[signature]).await.unwrap().value;
    assert!(statuses[0].is_some(), "its status is told");
    world.net.faults().clear();
    assert_eq!((listed().await, known().await), (1, true));
}

#[tokio::test]
async fn a_liar_about_accounts_tells_old_ones_under_the_slot_of_now() {
    let world = World::new().await;
    let payer = world.wallet(1, 3 * SOL);
    let tx = world.transfer(&payer, &RECEIVER, SOL).await;
    world.rpc.send_transaction(&tx).await.unwrap();
    world.net.tick_slots(2);
    let told = async || {
        let told = world.rpc.get_balance_with_commitment(&RECEIVER, CommitmentConfig::processed()).await.unwrap();
        assert_eq!(told.context.slot, world.net.network().slot());
        told.value
    };
    assert_eq!(told().await, SOL);
    world.net.faults().change(|plan| plan.accounts_behind = 3);
    assert_eq!(told().await, 0);
    world.net.tick();
    assert_eq!(told().await, SOL, "it is that many slots ago by now");
}

#[tokio::test]
async fn an_unhealthy_node_says_so_and_refuses_preflight() {
    let world = World::new().await;
    let payer = world.wallet(1, 3 * SOL);
    let tx = world.transfer(&payer, &RECEIVER, SOL).await;
    world.net.faults().change(|plan| plan.unhealthy = true);
    assert!(world.rpc.get_health().await.unwrap_err().to_string().contains("-32005"));
    assert!(world.rpc.send_transaction(&tx).await.unwrap_err().to_string().contains("-32005"));
    assert_eq!(world.net.network().balance(&RECEIVER), 0);
}

#[tokio::test]
async fn the_admin_methods_set_and_tell_the_plan_and_move_time() {
    let world = World::new().await;
    let plan = json!({ "dropSends": { "next": 2 }, "latency": { "getSlot": 5 }, "frozen": false });
    let answer = world.call("localnet_setFaults", json!([plan])).await;
    assert_eq!(answer["result"]["dropSends"]["next"], 2);
    assert_eq!(world.net.faults().plan().latency["getSlot"], 5);
    let refused = world.call("localnet_setFaults", json!([{ "dropSend": 1 }])).await;
    assert_eq!(refused["error"]["code"], -32602);
    assert_eq!(world.net.faults().plan().drop_sends.next, 2, "a refused plan changes nothing");
    assert_eq!(world.call("localnet_tick", json!([4])).await["result"], 5);
    assert_eq!(world.call("localnet_tick", json!([])).await["result"], 6);
    world.call("localnet_setFaults", json!([])).await;
    assert_eq!(world.net.faults().plan(), FaultPlan::default());
    assert_eq!(world.call("localnet_faults", json!([])).await["result"]["frozen"], false);
    assert_eq!(world.call("localnet_nothing", json!([])).await["error"]["code"], -32601);
    assert_eq!(world.call("localnet_requestCounts", json!([])).await["result"], json!({}), "admin is not counted");
}

#[tokio::test]
async fn chance_faults_repeat_themselves_for_equal_seeds() {
    let struck = async |seed| {
        let world = World::with(|config| config.seed = Some(seed)).await;
        let payer = world.wallet(1, 9 * SOL);
        world.net.faults().change(|plan| plan.error_after_take = Odds { next: 0, per_mille: 500 });
        let mut struck = Vec::new();
        for n in 0..16 {
            let tx = world.transfer(&payer, &RECEIVER, SOL / 4 + n).await;
            struck.push(world.rpc.send_transaction(&tx).await.is_err());
        }
        struck
    };
    let first = struck(1).await;
    assert_eq!(first, struck(1).await);
    assert_ne!(first, struck(2).await);
    assert!(first.contains(&true) && first.contains(&false));
}

#[tokio::test]
async fn a_seed_repeats_the_genesis_hash_and_none_makes_each_network_new() {
    let genesis = async |seed| World::with(|config| config.seed = seed).await.net.genesis_hash();
    assert_eq!(genesis(Some(3)).await, genesis(Some(3)).await);
    assert_ne!(genesis(None).await, genesis(None).await);
    let world = World::new().await;
    assert_eq!(world.rpc.get_genesis_hash().await.unwrap().to_string(), world.net.genesis_hash());
    let told: Value = world.call("getGenesisHash", json!([])).await;
    assert_eq!(told["result"], world.net.genesis_hash());
}

/// CR-14. What a script does next reads at `confirmed`.
#[tokio::test]
async fn what_the_faucet_gives_can_be_read_when_it_has_answered() {
    let world = World::with(|config| {
        config.slots = Slots::Every(Duration::from_millis(30));
        config.confirmed_after = 4;
    })
    .await;
    let account = Programs::default().token_account(&RECEIVER, &world.net.mint());
    let funds = || world.call("localnet_fund", json!([RECEIVER.to_string(), 700]));
    for times in 1..=3_u64 {
        assert!(funds().await["result"].is_string());
        let read = world.rpc.get_account_data(&account).await.expect("it is there at `confirmed`");
        let handle = IncoAccount::decode(&read).expect("a token account").amount;
        let landed = world.net.network().stand_ins().vault().look_up(handle).expect("it landed");
        assert_eq!(landed.plaintext, Some(u128::from(700 * times)));
    }
    // Nothing lands on a network that stands still, and it says so at once.
    world.net.network().faults().change(|plan| plan.frozen = true);
    assert!(funds().await["error"].is_object());
}

#[tokio::test]
async fn the_admin_methods_describe_the_stand_ins_and_hand_out_demo_tokens() {
    let world = World::new().await;
    let told = world.call("localnet_describe", json!([])).await["result"].clone();
    assert_eq!(told["standIns"], true);
    assert_eq!(told["mint"], world.net.mint().to_string());
    assert_eq!(told["covalidatorUrl"], world.net.covalidator_url());
    assert_eq!(told["genesisHash"], world.net.genesis_hash());
    let funded = world.call("localnet_fund", json!([RECEIVER.to_string(), 700])).await;
    assert!(funded["result"].is_string(), "{funded}");
    let account = Programs::default().token_account(&RECEIVER, &world.net.mint());
    let stored = world.net.network().account(&account).expect("the faucet made it");
    let handle = IncoAccount::decode(&stored.data).unwrap().amount;
    let landed = world.net.network().stand_ins().vault().look_up(handle).expect("it landed");
    assert_eq!(landed.plaintext, Some(700));
    let wallets = [RECEIVER.to_string(), world.net.mint().to_string()];
    let lamports = world.net.network().balance(&world.net.mint());
    let told = world.call("localnet_holdings", json!([wallets])).await["result"].clone();
    let none = json!({ "lamports": lamports, "units": null, "delegated": null });
    assert_eq!(told, json!([{ "lamports": 0, "units": 700, "delegated": 0 }, none]));
    let (signature, unknown) = (funded["result"].clone(), solana_signature::Signature::default().to_string());
    let moved = world.call("localnet_moved", json!([[signature, unknown]])).await["result"].clone();
    assert_eq!(moved, json!([{ (RECEIVER.to_string()): 700 }, null]));
    // What a fork takes back has moved nothing.
    world.call("localnet_fork", json!([1])).await;
    assert_eq!(world.call("localnet_moved", json!([[signature]])).await["result"], json!([null]));
    let cash = world.net.cash();
    cash.fund(&RECEIVER, 900).unwrap();
    let accounts = [cash.account_of(&RECEIVER).to_string(), RECEIVER.to_string()];
    let told = world.call("localnet_tokenAccounts", json!([accounts])).await["result"].clone();
    assert_eq!(told, json!([{ "lamports": 2_039_280, "units": 900, "delegated": 0 }, null]));

    let plan = world.call("localnet_setCovalidatorFaults", json!([{ "lagSlots": 9 }])).await;
    assert_eq!(plan["result"]["lagSlots"], 9);
    assert_eq!(world.net.covalidator().faults().get().lag_slots, 9);
}
