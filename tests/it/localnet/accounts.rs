//! Reading accounts: encodings, slices, scans, token balances.

use super::world::{SOL, World, signed};
use serde_json::json;
use solana_account::Account;
use solana_commitment_config::CommitmentConfig;
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_rpc_client_api::{
    config::{RpcAccountInfoConfig, RpcProgramAccountsConfig, UiAccountEncoding, UiDataSliceConfig},
    filter::{Memcmp, RpcFilterType},
    response::UiAccountData,
};
use solana_signer::Signer as _;
use solana_system_interface::instruction::create_account;
use solana_transaction::versioned::VersionedTransaction;

const PROGRAM: Pubkey = Pubkey::new_from_array([8; 32]);
const TOKEN: Pubkey = Pubkey::from_str_const("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA");

fn key(n: u8) -> Pubkey {
    Pubkey::new_from_array([n; 32])
}

/// Accounts of `PROGRAM`: one byte of kind, one of number.
fn put(world: &World, n: u8, bytes: &[u8]) {
    let account = Account { lamports: SOL, data: bytes.to_vec(), owner: PROGRAM, ..Account::default() };
    world.net.network().put_account(key(n), account);
}

#[tokio::test]
async fn accounts_come_back_in_order_with_none_for_the_missing() {
    let world = World::new().await;
    put(&world, 40, &[1, 2, 3]);
    world.net.tick();
    let found = world.rpc.get_multiple_accounts(&[key(41), key(40)]).await.unwrap();
    assert!(found[0].is_none());
    assert_eq!(found[1].as_ref().unwrap().data, [1, 2, 3]);
    assert_eq!(world.rpc.get_account(&key(40)).await.unwrap().owner, PROGRAM);
    let too_many = vec![key(1); 101];
    let error = world.rpc.get_multiple_accounts(&too_many).await.unwrap_err();
    assert!(error.to_string().contains("Too many inputs provided; max 100"), "{error}");
}

#[tokio::test]
async fn a_slice_is_all_that_is_told_of_an_account() {
    let world = World::new().await;
    put(&world, 40, &[1, 2, 3, 4, 5]);
    world.net.tick();
    let config = RpcAccountInfoConfig {
        encoding: Some(UiAccountEncoding::Base64),
        data_slice: Some(UiDataSliceConfig { offset: 1, length: 3 }),
        commitment: Some(CommitmentConfig::confirmed()),
        ..Default::default()
    };
    let account = world.rpc.get_ui_account_with_config(&key(40), config).await.unwrap().value.unwrap();
    assert_eq!(account.data.decode().unwrap(), [2, 3, 4]);
    assert_eq!(account.space, Some(5));
}

#[tokio::test]
async fn base58_is_refused_for_more_than_128_bytes() {
    let world = World::new().await;
    put(&world, 40, &[0; 128]);
    put(&world, 41, &[0; 129]);
    let config = json!({ "commitment": "processed" });
    let fits = world.call("getAccountInfo", json!([key(40).to_string(), config])).await;
    assert!(fits["result"]["value"]["data"].is_string(), "the oldest encoding is a bare string: {fits}");
    let refused = world.call("getAccountInfo", json!([key(41).to_string(), config])).await;
    assert_eq!(refused["error"]["code"], -32600);
    assert!(refused["error"]["message"].as_str().unwrap().contains("please use Base64"));
}

#[tokio::test]
async fn a_scan_finds_what_matches_every_filter_as_of_its_commitment() {
    let world = World::new().await;
    put(&world, 40, &[1, 10]);
    put(&world, 41, &[2, 11]);
    put(&world, 42, &[1, 12, 0]);
    world.net.tick();
    put(&world, 43, &[1, 13]);
    world.net.network().put_account(key(40), Account { lamports: SOL, owner: key(9), ..Account::default() });
    let scan = async |commitment| {
        let filters = vec![RpcFilterType::DataSize(2), RpcFilterType::Memcmp(Memcmp::new_base58_encoded(0, &[1]))];
        let account_config = RpcAccountInfoConfig {
            encoding: Some(UiAccountEncoding::Base64),
            commitment: Some(commitment),
            ..Default::default()
        };
        let config = RpcProgramAccountsConfig { filters: Some(filters), account_config, ..Default::default() };
        let found = world.rpc.get_program_ui_accounts_with_config(&PROGRAM, config).await.unwrap();
        found.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert_eq!(scan(CommitmentConfig::confirmed()).await, [key(40)], "43 is too new, 40 had not changed hands yet");
    assert_eq!(scan(CommitmentConfig::processed()).await, [key(43)]);
}

#[tokio::test]
async fn a_minimum_context_slot_in_the_future_is_refused() {
    let world = World::new().await;
    let config = json!({ "commitment": "processed", "minContextSlot": 1_000 });
    let refused = world.call("getBalance", json!([key(1).to_string(), config])).await;
    assert_eq!(refused["error"]["code"], -32016);
    assert_eq!(refused["error"]["data"]["contextSlot"], 1);
}

fn token_instruction(tag: u8, rest: &[u8], accounts: &[(Pubkey, bool)]) -> Instruction {
    let accounts = accounts.iter().map(|&(key, signs)| AccountMeta::new(key, signs)).collect();
    Instruction { program_id: TOKEN, accounts, data: [&[tag], rest].concat() }
}

/// A mint with two decimals and an account of `owner` with 1,234 base units, by the real SPL Token program.
async fn mint_some(world: &World, payer: &Keypair) -> (Pubkey, Pubkey, VersionedTransaction) {
    let (mint, holder) = (Keypair::new_from_array([61; 32]), Keypair::new_from_array([62; 32]));
    let rent = async |bytes| world.rpc.get_minimum_balance_for_rent_exemption(bytes).await.unwrap();
    let owner = payer.pubkey();
    let create = [
        create_account(&owner, &mint.pubkey(), rent(82).await, 82, &TOKEN),
        token_instruction(20, &[&[2], owner.as_ref(), &[0]].concat(), &[(mint.pubkey(), false)]),
        create_account(&owner, &holder.pubkey(), rent(165).await, 165, &TOKEN),
        token_instruction(18, owner.as_ref(), &[(holder.pubkey(), false), (mint.pubkey(), false)]),
    ];
    let hash = world.rpc.get_latest_blockhash().await.unwrap();
    let message = solana_message::Message::new_with_blockhash(&create, Some(&owner), &hash);
    let message = solana_message::VersionedMessage::Legacy(message);
    let tx = VersionedTransaction::try_new(message, &[payer, &mint, &holder]).unwrap();
    world.rpc.send_transaction(&tx).await.unwrap();
    world.net.tick();
    let accounts = [(mint.pubkey(), false), (holder.pubkey(), false), (owner, true)];
    let mint_to = token_instruction(7, &1_234_u64.to_le_bytes(), &accounts);
    let tx = signed(payer, &[mint_to], world.rpc.get_latest_blockhash().await.unwrap());
    world.rpc.send_transaction(&tx).await.unwrap();
    world.net.tick();
    (mint.pubkey(), holder.pubkey(), tx)
}

#[tokio::test]
async fn spl_token_runs_and_its_balances_are_told() {
    let world = World::new().await;
    let payer = world.wallet(1, 10 * SOL);
    let (mint, holder, tx) = mint_some(&world, &payer).await;
    let balance = world.rpc.get_token_account_balance(&holder).await.unwrap();
    assert_eq!((balance.amount.as_str(), balance.decimals, balance.ui_amount_string.as_str()), ("1234", 2, "12.34"));
    let missing = world.rpc.get_token_account_balance(&key(99)).await.unwrap_err();
    assert!(missing.to_string().contains("could not find account"), "{missing}");
    let other = world.rpc.get_token_account_balance(&payer.pubkey()).await.unwrap_err();
    assert!(other.to_string().contains("not a Token account"), "{other}");

    let config =
        json!([tx.signatures[0].to_string(), { "commitment": "confirmed", "maxSupportedTransactionVersion": 0 }]);
    let told = world.call("getTransaction", config).await;
    let meta = &told["result"]["meta"];
    assert_eq!(meta["preTokenBalances"][0]["uiTokenAmount"]["amount"], "0");
    assert_eq!(meta["postTokenBalances"][0]["uiTokenAmount"]["uiAmountString"], "12.34");
    assert_eq!(meta["postTokenBalances"][0]["mint"], mint.to_string());
    assert_eq!(meta["postTokenBalances"][0]["owner"], payer.pubkey().to_string());
}

#[tokio::test]
async fn a_token_account_can_be_told_parsed() {
    let world = World::new().await;
    let payer = world.wallet(1, 10 * SOL);
    let (mint, holder, _) = mint_some(&world, &payer).await;
    let config = RpcAccountInfoConfig {
        encoding: Some(UiAccountEncoding::JsonParsed),
        commitment: Some(CommitmentConfig::confirmed()),
        ..Default::default()
    };
    let account = world.rpc.get_ui_account_with_config(&holder, config).await.unwrap().value.unwrap();
    let UiAccountData::Json(parsed) = account.data else { panic!("not parsed") };
    assert_eq!(parsed.program, "spl-token");
    assert_eq!(parsed.parsed["info"]["mint"], mint.to_string());
    assert_eq!(parsed.parsed["info"]["tokenAmount"]["amount"], "1234");
}

#[tokio::test]
async fn accounts_are_put_into_the_network_as_no_transaction_could() {
    let world = World::new().await;
    let (one, other) = (key(41), key(42));
    let placed = |key: Pubkey, data: &str| json!({ "pubkey": key.to_string(), "lamports": 77, "owner": PROGRAM.to_string(), "data": data });
    let answer = world.call("localnet_putAccounts", json!([[placed(one, "AQID"), placed(other, "")]])).await;
    assert!(answer.get("error").is_none(), "{answer:#}");
    let account = world.net.network().account(&one).unwrap();
    assert_eq!((account.lamports, account.owner, account.data), (77, PROGRAM, vec![1, 2, 3]));
    assert_eq!(world.net.network().balance(&other), 77);
    let refused = world.call("localnet_putAccounts", json!([[placed(one, "no base64")]])).await;
    assert_eq!(refused["error"]["code"], -32602, "{refused:#}");
}
