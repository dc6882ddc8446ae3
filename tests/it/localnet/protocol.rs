//! The envelope: what a strict client sees before it looks at any method.

use super::world::{SOL, World};
use serde_json::{Value, json};
use solana_commitment_config::CommitmentConfig;
use sotto::localnet::{Localnet, LocalnetConfig, LocalnetError};

#[tokio::test]
async fn ids_come_back_as_they_were_given() {
    let world = World::new().await;
    for id in [json!("a-string"), json!(7), json!(Value::Null)] {
        let answer = world.post(&json!({ "jsonrpc": "2.0", "id": id, "method": "getHealth" }).to_string()).await;
        assert_eq!(answer, json!({ "jsonrpc": "2.0", "result": "ok", "id": id }));
    }
}

#[tokio::test]
async fn errors_are_answers_with_status_200_and_without_null_members() {
    let world = World::new().await;
    let answer = world.call("getNothing", json!([])).await;
    assert_eq!(answer["error"], json!({ "code": -32601, "message": "Method not found" }));
    assert!(answer.get("result").is_none());
    let answer = world.call("getBalance", json!([])).await;
    assert_eq!(answer["error"]["message"], "`params` should have at least 1 argument(s)");
    let answer = world.call("getBalance", json!(["not a key"])).await;
    assert_eq!(answer["error"], json!({ "code": -32602, "message": "Invalid param: Invalid" }));
    let answer = world.call("getBalance", json!({ "key": 1 })).await;
    assert_eq!(answer["error"]["code"], -32602);
    let answer = world.call("sendTransaction", json!(["AAAA", { "encoding": "base64" }])).await;
    assert_eq!(answer["error"]["code"], -32602);
    assert_eq!(world.post("{").await["error"], json!({ "code": -32700, "message": "Parse error" }));
    assert_eq!(world.post("[]").await["error"]["code"], -32600);
    assert_eq!(world.post("3").await["error"]["code"], -32600);
    assert_eq!(world.post(r#"{"id":1}"#).await["id"], 1);
}

#[tokio::test]
async fn a_batch_is_answered_in_order_without_its_notifications() {
    let world = World::new().await;
    let batch = json!([
        { "jsonrpc": "2.0", "id": "1", "method": "getSlot", "params": [{ "commitment": "processed" }] },
        { "jsonrpc": "2.0", "method": "getHealth" },
        { "jsonrpc": "2.0", "id": "2", "method": "getNothing" },
    ]);
    let answer = world.post(&batch.to_string()).await;
    assert_eq!(answer.as_array().unwrap().len(), 2);
    assert_eq!(answer[0], json!({ "jsonrpc": "2.0", "result": 1, "id": "1" }));
    assert_eq!((&answer[1]["id"], &answer[1]["error"]["code"]), (&json!("2"), &json!(-32601)));
    let silent = json!({ "jsonrpc": "2.0", "method": "getHealth" }).to_string();
    let response = world.request(&silent).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.text().await.unwrap().as_str()), (200, ""));
}

#[tokio::test]
async fn a_page_of_any_origin_may_ask_with_the_clients_header() {
    let world = World::new().await;
    let preflight = world
        .http()
        .request(reqwest::Method::OPTIONS, world.net.rpc_url())
        .header("origin", "http://wallet.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,solana-client");
    let response = preflight.send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    let headers = response.headers()["access-control-allow-headers"].to_str().unwrap();
    assert!(headers.contains("solana-client") && headers.contains("content-type"), "{headers}");
}

#[tokio::test]
async fn only_json_bodies_of_a_validators_size_are_read() {
    let world = World::new().await;
    let plain = world.http().post(world.net.rpc_url()).header("content-type", "text/plain").body("{}");
    assert_eq!(plain.send().await.unwrap().status(), 415);
    let large = "x".repeat(51 * 1024);
    assert_eq!(world.request(&large).send().await.unwrap().status(), 413);
}

#[tokio::test]
async fn the_version_says_that_this_is_no_validator() {
    let world = World::new().await;
    assert_eq!(world.rpc.get_version().await.unwrap().solana_core, "4.2.2+localnet");
    let told = world.call("getBalance", json!([solana_sdk_ids::system_program::ID.to_string()])).await;
    assert_eq!(told["result"]["context"]["apiVersion"], "4.2.2");
}

#[tokio::test]
async fn blockhashes_are_told_at_finalized_from_the_start() {
    let world = World::new().await;
    let finalized = CommitmentConfig::finalized();
    let (genesis, last_valid) = world.rpc.get_latest_blockhash_with_commitment(finalized).await.unwrap();
    assert_eq!((genesis.to_string(), last_valid), (world.net.genesis_hash(), 150));
    world.net.tick_slots(40);
    let (hash, last_valid) = world.rpc.get_latest_blockhash_with_commitment(finalized).await.unwrap();
    assert_eq!(last_valid, 41 - 32 + 150);
    let (newest, _) = world.rpc.get_latest_blockhash_with_commitment(CommitmentConfig::processed()).await.unwrap();
    assert_ne!(hash, newest);
    assert_eq!(newest, world.net.network().latest_blockhash());
    assert!(!world.rpc.is_blockhash_valid(&newest, finalized).await.unwrap(), "finalized does not know it yet");
}

#[tokio::test]
async fn slots_and_epochs_are_told_by_commitment() {
    let world = World::new().await;
    world.net.tick_slots(39);
    let slot = async |at| world.rpc.get_slot_with_commitment(at).await.unwrap();
    assert_eq!(slot(CommitmentConfig::processed()).await, 40);
    assert_eq!(slot(CommitmentConfig::confirmed()).await, 39);
    assert_eq!(slot(CommitmentConfig::finalized()).await, 8);
    assert_eq!(world.rpc.get_block_height_with_commitment(CommitmentConfig::finalized()).await.unwrap(), 8);
    let epoch = world.rpc.get_epoch_info().await.unwrap();
    assert_eq!((epoch.absolute_slot, epoch.epoch, epoch.slot_index), (39, 0, 39));
    assert_eq!(world.rpc.get_minimum_balance_for_rent_exemption(221).await.unwrap(), (221 + 128) * 6_960);
}

#[tokio::test]
async fn a_stopped_network_frees_its_ports() {
    // No other test is given these ports meanwhile: they are none of those that the system hands out.
    let free = |port: u16| std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port)).is_ok();
    let port = (11_000..12_000).step_by(2).find(|port| free(*port) && free(port + 1)).expect("a free pair");
    let addr = (std::net::Ipv4Addr::LOCALHOST, port).into();
    let world = World::with(|config| config.rpc_addr = addr).await;
    world.net.network().airdrop(&solana_pubkey::Pubkey::new_from_array([5; 32]), SOL).unwrap();
    let config = LocalnetConfig { rpc_addr: addr, ..LocalnetConfig::default() };
    let taken = Localnet::start(config.clone()).await.err().unwrap();
    assert!(matches!(taken, LocalnetError::Listen { .. }), "{taken}");
    let _socket =
        solana_pubsub_client::nonblocking::pubsub_client::PubsubClient::new(world.net.ws_url()).await.unwrap();
    world.net.shutdown().await;
    Localnet::start(config).await.expect("the same ports again").shutdown().await;
}

#[tokio::test]
async fn a_network_that_finalises_before_it_confirms_does_not_start() {
    let config = LocalnetConfig { confirmed_after: 5, finalized_after: 4, ..LocalnetConfig::default() };
    assert!(matches!(Localnet::start(config).await, Err(LocalnetError::Depths { confirmed: 5, finalized: 4 })));
}

#[tokio::test]
async fn the_covalidators_stand_in_is_for_this_machine_only() {
    let covalidator_addr = ([192, 0, 2, 1], 0).into();
    let config = LocalnetConfig { covalidator_addr, ..LocalnetConfig::default() };
    assert!(matches!(Localnet::start(config).await, Err(LocalnetError::Covalidator { .. })));
}

#[tokio::test]
async fn pages_of_other_origins_ask_like_anybody_and_steer_nothing() {
    let world = World::new().await;
    let ask = async |origin: Option<&str>, body: &Value| {
        let mut request = world.request(&body.to_string());
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        request.send().await.unwrap().json::<Value>().await.unwrap()
    };
    let call = |method: &str, params: Value| json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let wallet = solana_pubkey::Pubkey::new_from_array([5; 32]).to_string();
    let fund = call("localnet_fundToken", json!([wallet, 7]));
    let (tick, slot) = (call("localnet_tick", json!([])), call("getSlot", json!([])));
    let foreign = ["https://example.com", "http://localhost.example.com", "http://192.0.2.1:8899", "null", "?"];
    for origin in foreign.map(Some) {
        for steering in [&fund, &tick] {
            assert_eq!(ask(origin, steering).await["error"]["code"], -32600, "{origin:?}");
            assert_eq!(ask(origin, &json!([slot, steering])).await[1]["error"]["code"], -32600, "{origin:?}");
        }
        assert!(ask(origin, &slot).await["result"].is_number());
    }
    assert_eq!(world.net.network().slot(), 1);
    let own = ["http://localhost:4022", "http://127.0.0.1:4022", "http://[::1]:4022"].map(Some);
    for origin in own.into_iter().chain([None]) {
        assert!(ask(origin, &fund).await["result"].is_string(), "{origin:?}");
    }
}
