//! What became of transactions: statuses, archived transactions, an address's history, fees of recent slots.

use super::world::{SOL, World, signed, signed_legacy};
use serde_json::{Value, json};
use solana_commitment_config::CommitmentConfig;
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_message::{AddressLookupTableAccount, VersionedMessage, v0};
use solana_pubkey::Pubkey;
use solana_rpc_client::rpc_client::GetConfirmedSignaturesForAddress2Config;
use solana_rpc_client_api::config::RpcTransactionConfig;
use solana_signature::Signature;
use solana_signer::Signer as _;
use solana_system_interface::instruction::transfer;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_status_client_types::{
    EncodedTransaction, TransactionConfirmationStatus as Status, UiTransactionEncoding,
};

const RECEIVER: Pubkey = Pubkey::new_from_array([5; 32]);
const MEMO: Pubkey = Pubkey::from_str_const("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");
const LOOKUP_TABLES: Pubkey = Pubkey::from_str_const("AddressLookupTab1e1111111111111111111111111");

#[tokio::test]
async fn a_status_goes_from_processed_over_confirmed_to_finalised() {
    let world = World::new().await;
    let payer = world.wallet(1, 2 * SOL);
    let tx = world.transfer(&payer, &RECEIVER, SOL).await;
    world.rpc.send_transaction(&tx).await.unwrap();
    let slot = world.net.network().slot();
    let status = async || {
        let status = world.rpc.get_signature_statuses(&tx.signatures).await.unwrap().value.remove(0).unwrap();
        assert_eq!(status.slot, slot);
        (status.confirmation_status.unwrap(), status.confirmations)
    };
    assert_eq!(status().await, (Status::Processed, Some(0)));
    world.net.tick();
    assert_eq!(status().await, (Status::Confirmed, Some(1)));
    world.net.tick_slots(30);
    assert_eq!(status().await, (Status::Confirmed, Some(31)));
    world.net.tick();
    assert_eq!(status().await, (Status::Finalized, None));
}

#[tokio::test]
async fn an_old_status_needs_a_search_through_history() {
    let world = World::new().await;
    let signature = world.net.network().airdrop(&RECEIVER, SOL).unwrap();
    world.net.tick_slots(301);
    assert_eq!(world.rpc.get_signature_statuses(&[signature]).await.unwrap().value, [None]);
    let found = world.rpc.get_signature_statuses_with_history(&[signature]).await.unwrap().value.remove(0);
    assert_eq!(found.unwrap().slot, 1);
    let unknown = world.rpc.get_signature_statuses_with_history(&[Signature::default()]).await.unwrap().value;
    assert_eq!(unknown, [None]);
    assert_eq!(world.rpc.get_first_available_block().await.unwrap(), 0);
    assert_eq!(world.rpc.minimum_ledger_slot().await.unwrap(), 0);
}

#[tokio::test]
async fn at_most_256_statuses_are_told_at_once() {
    let world = World::new().await;
    let signatures = vec![Signature::default().to_string(); 257];
    let answer = world.call("getSignatureStatuses", json!([signatures[..256]])).await;
    assert_eq!(answer["result"]["value"].as_array().unwrap().len(), 256);
    let answer = world.call("getSignatureStatuses", json!([signatures])).await;
    assert_eq!(answer["error"]["code"], -32602);
}

#[tokio::test]
async fn a_legacy_and_a_version_0_transaction_are_told_with_all_they_did() {
    let world = World::new().await;
    let payer = world.wallet(1, 5 * SOL);
    let hash = world.rpc.get_latest_blockhash().await.unwrap();
    let pay = [transfer(&payer.pubkey(), &RECEIVER, SOL)];
    let (legacy, newer) = (signed_legacy(&payer, &pay, hash), signed(&payer, &pay, hash));
    world.rpc.send_transaction(&legacy).await.unwrap();
    world.rpc.send_transaction(&newer).await.unwrap();
    world.net.tick();
    for (tx, version, before) in [(&legacy, json!("legacy"), 5 * SOL), (&newer, json!(0), 4 * SOL - 5_000)] {
        let config = RpcTransactionConfig {
            encoding: Some(UiTransactionEncoding::Json),
            commitment: Some(CommitmentConfig::confirmed()),
            max_supported_transaction_version: Some(0),
        };
        let told = world.rpc.get_transaction_with_config(&tx.signatures[0], config).await.unwrap();
        assert_eq!(told.slot, world.net.network().slot() - 1);
        assert_eq!(told.block_time, Some(1_800_000_000));
        let told = serde_json::to_value(told).unwrap();
        assert_eq!(told["version"], version);
        assert_eq!(told["transaction"]["message"]["instructions"][0]["programIdIndex"], 2);
        let meta = &told["meta"];
        assert_eq!(meta["err"], Value::Null);
        assert_eq!(meta["fee"], 5_000);
        assert_eq!(meta["preBalances"][0], before);
        assert_eq!(meta["postBalances"][0], before - SOL - 5_000);
        assert_eq!(meta["logMessages"][0], "Program 11111111111111111111111111111111 invoke [1]");
        assert_eq!(meta["computeUnitsConsumed"], 150);

        let config = RpcTransactionConfig { encoding: Some(UiTransactionEncoding::Base64), ..config };
        let told = world.rpc.get_transaction_with_config(&tx.signatures[0], config).await.unwrap();
        assert_eq!(told.transaction.transaction.decode().as_ref(), Some(tx));
    }
}

#[tokio::test]
async fn a_client_that_knows_no_versions_is_refused_a_version_0_transaction() {
    let world = World::new().await;
    let payer = world.wallet(1, 5 * SOL);
    let tx = world.transfer(&payer, &RECEIVER, SOL).await;
    world.rpc.send_transaction(&tx).await.unwrap();
    let ask = |config: Value| world.call("getTransaction", json!([tx.signatures[0].to_string(), config]));
    assert_eq!(ask(json!({ "commitment": "confirmed" })).await["result"], Value::Null, "not confirmed yet");
    world.net.tick();
    assert_eq!(ask(json!({ "commitment": "confirmed" })).await["error"]["code"], -32015);
    assert_eq!(ask(json!({ "commitment": "processed" })).await["error"]["code"], -32602);
    assert_eq!(ask(json!(null)).await["result"], Value::Null, "not finalised yet");
    let old = world.call("getTransaction", json!([tx.signatures[0].to_string(), "base64"])).await;
    assert_eq!(old["result"], Value::Null, "the encoding alone, as old clients send it");
}

#[tokio::test]
async fn inner_instructions_name_the_instruction_that_made_them() {
    let world = World::new().await;
    let payer = world.wallet(1, 5 * SOL);
    let ata: Pubkey = Pubkey::from_str_const("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL");
    let token: Pubkey = Pubkey::from_str_const("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA");
    let native = Pubkey::from_str_const("So11111111111111111111111111111111111111112");
    let mint = [&[0; 36][..], &[0; 8], &[9, 1], &[0; 36]].concat();
    let mint = solana_account::Account { lamports: SOL, data: mint, owner: token, ..Default::default() };
    world.net.network().put_account(native, mint);
    let owner = payer.pubkey();
    let (account, _) = Pubkey::find_program_address(&[owner.as_ref(), token.as_ref(), native.as_ref()], &ata);
    let accounts = vec![
        AccountMeta::new(owner, true),
        AccountMeta::new(account, false),
        AccountMeta::new_readonly(owner, false),
        AccountMeta::new_readonly(native, false),
        AccountMeta::new_readonly(solana_sdk_ids::system_program::ID, false),
        AccountMeta::new_readonly(token, false),
    ];
    let memo = Instruction { program_id: MEMO, accounts: vec![], data: b"rent".to_vec() };
    world.net.tick();
    let hash = world.rpc.get_latest_blockhash().await.unwrap();
    let tx = signed(&payer, &[memo, Instruction { program_id: ata, accounts, data: vec![1] }], hash);
    world.rpc.send_transaction(&tx).await.unwrap();
    world.net.tick();
    let config =
        json!([tx.signatures[0].to_string(), { "commitment": "confirmed", "maxSupportedTransactionVersion": 0 }]);
    let told = world.call("getTransaction", config).await;
    let inner = told["result"]["meta"]["innerInstructions"].as_array().unwrap();
    assert_eq!(inner.len(), 1, "the memo calls nothing: {inner:?}");
    assert_eq!(inner[0]["index"], 1);
    assert!(inner[0]["instructions"].as_array().unwrap().len() >= 3);
    assert_eq!(inner[0]["instructions"][0]["stackHeight"], 2);
}

#[tokio::test]
async fn a_version_0_transaction_can_use_a_lookup_table() {
    let world = World::new().await;
    let payer = world.wallet(1, 5 * SOL);
    let owner = payer.pubkey();
    world.net.tick_slots(3);
    let recent = world.net.network().slot() - 2;
    let (table, bump) = Pubkey::find_program_address(&[owner.as_ref(), &recent.to_le_bytes()], &LOOKUP_TABLES);
    let accounts = |authority_signs| {
        vec![
            AccountMeta::new(table, false),
            AccountMeta::new_readonly(owner, authority_signs),
            AccountMeta::new(owner, true),
            AccountMeta::new_readonly(solana_sdk_ids::system_program::ID, false),
        ]
    };
    let create = [&0_u32.to_le_bytes()[..], &recent.to_le_bytes(), &[bump]].concat();
    let extend = [&2_u32.to_le_bytes()[..], &1_u64.to_le_bytes(), RECEIVER.as_ref()].concat();
    let instructions = [
        Instruction { program_id: LOOKUP_TABLES, accounts: accounts(false), data: create },
        Instruction { program_id: LOOKUP_TABLES, accounts: accounts(true), data: extend },
    ];
    let hash = world.rpc.get_latest_blockhash().await.unwrap();
    world.rpc.send_transaction(&signed(&payer, &instructions, hash)).await.unwrap();
    world.net.tick_slots(2);

    let tables = [AddressLookupTableAccount { key: table, addresses: vec![RECEIVER] }];
    let hash = world.rpc.get_latest_blockhash().await.unwrap();
    let message = v0::Message::try_compile(&owner, &[transfer(&owner, &RECEIVER, SOL)], &tables, hash).unwrap();
    let tx = VersionedTransaction::try_new(VersionedMessage::V0(message), &[&payer]).unwrap();
    assert!(!tx.message.static_account_keys().contains(&RECEIVER));
    world.rpc.send_transaction(&tx).await.unwrap();
    assert_eq!(world.net.network().balance(&RECEIVER), SOL);
    world.net.tick();
    let config =
        json!([tx.signatures[0].to_string(), { "commitment": "confirmed", "maxSupportedTransactionVersion": 0 }]);
    let told = world.call("getTransaction", config).await;
    assert_eq!(told["result"]["meta"]["loadedAddresses"]["writable"], json!([RECEIVER.to_string()]));
    let listed = world.rpc.get_signatures_for_address_with_config(&RECEIVER, page(None, None, None)).await.unwrap();
    assert_eq!(listed[0].signature, tx.signatures[0].to_string(), "looked-up accounts have a history too");
}

fn page(
    before: Option<Signature>,
    until: Option<Signature>,
    limit: Option<usize>,
) -> GetConfirmedSignaturesForAddress2Config {
    let commitment = Some(CommitmentConfig::confirmed());
    GetConfirmedSignaturesForAddress2Config { before, until, limit, commitment }
}

#[tokio::test]
async fn an_addresss_history_is_told_newest_first_in_pages() {
    let world = World::new().await;
    let payer: Keypair = world.wallet(1, 9 * SOL);
    let mut sent = Vec::new();
    for n in 0..5 {
        let tx = world.transfer(&payer, &RECEIVER, SOL + n).await;
        sent.push(world.rpc.send_transaction(&tx).await.unwrap());
        world.net.tick();
    }
    let list = async |page| {
        let listed = world.rpc.get_signatures_for_address_with_config(&RECEIVER, page).await.unwrap();
        listed.into_iter().map(|told| told.signature.parse().unwrap()).collect::<Vec<Signature>>()
    };
    let newest_first: Vec<_> = sent.iter().rev().copied().collect();
    assert_eq!(list(page(None, None, None)).await, newest_first);
    assert_eq!(list(page(None, None, Some(2))).await, newest_first[..2]);
    assert_eq!(list(page(Some(sent[3]), None, None)).await, newest_first[2..]);
    assert_eq!(list(page(None, Some(sent[1]), None)).await, newest_first[..3]);
    let tx = world.transfer(&payer, &RECEIVER, SOL / 2).await;
    world.rpc.send_transaction(&tx).await.unwrap();
    assert_eq!(list(page(None, None, None)).await, newest_first, "only what is confirmed");
    let bad = world.call("getSignaturesForAddress", json!([RECEIVER.to_string(), { "limit": 1001 }])).await;
    assert_eq!(bad["error"]["code"], -32602);
}

#[tokio::test]
async fn memos_are_listed_with_their_length() {
    let world = World::new().await;
    let payer = world.wallet(1, SOL);
    let memo = |text: &[u8]| Instruction { program_id: MEMO, accounts: vec![], data: text.to_vec() };
    let hash = world.rpc.get_latest_blockhash().await.unwrap();
    world.rpc.send_transaction(&signed(&payer, &[memo(b"one"), memo(b"four")], hash)).await.unwrap();
    world.net.tick();
    let listed = world.rpc.get_signatures_for_address_with_config(&MEMO, page(None, None, None)).await.unwrap();
    assert_eq!(listed[0].memo.as_deref(), Some("[3] one; [4] four"));
}

#[tokio::test]
async fn recent_priority_fees_are_those_of_transactions_that_write_the_account() {
    let world = World::new().await;
    let payer = world.wallet(1, 5 * SOL);
    let price = [&[3][..], &700_u64.to_le_bytes()].concat();
    let price = Instruction { program_id: solana_sdk_ids::compute_budget::ID, accounts: vec![], data: price };
    let hash = world.rpc.get_latest_blockhash().await.unwrap();
    let tx = signed(&payer, &[price, transfer(&payer.pubkey(), &RECEIVER, SOL)], hash);
    world.rpc.send_transaction(&tx).await.unwrap();
    let slot = world.net.network().slot();
    let fee_of = async |key| {
        let fees = world.rpc.get_recent_prioritization_fees(&[key]).await.unwrap();
        fees.into_iter().find(|fee| fee.slot == slot).unwrap().prioritization_fee
    };
    assert_eq!(fee_of(RECEIVER).await, 700);
    assert_eq!(fee_of(Pubkey::new_from_array([99; 32])).await, 0);
    assert!(world.net.network().balance(&payer.pubkey()) < 4 * SOL - 5_000, "the price was paid");
}

#[tokio::test]
async fn the_clock_sysvar_follows_slots_and_time() {
    let world = World::new().await;
    world.clock.advance(60);
    world.net.tick();
    let clock = world.net.network().account(&solana_sdk_ids::sysvar::clock::ID).unwrap();
    assert_eq!(clock.data[..8], 2_u64.to_le_bytes());
    assert_eq!(clock.data[32..40], 1_800_000_060_i64.to_le_bytes());
    let EncodedTransaction::Json(_) = world_transaction(&world).await else { panic!("json is the default") };
}

async fn world_transaction(world: &World) -> EncodedTransaction {
    let signature = world.net.network().airdrop(&RECEIVER, SOL).unwrap();
    world.net.tick();
    let told = world.rpc.get_transaction(&signature, UiTransactionEncoding::Json).await;
    assert!(told.is_err(), "this call asks at finalized");
    world.net.tick_slots(31);
    world.rpc.get_transaction(&signature, UiTransactionEncoding::Json).await.unwrap().transaction.transaction
}
