//! Sending and simulating.

use super::world::{SOL, World, client, signed, signed_legacy};
use solana_commitment_config::{CommitmentConfig, CommitmentLevel};
use solana_instruction::{AccountMeta, Instruction, error::InstructionError};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_rpc_client_api::{
    client_error::{Error as ClientError, ErrorKind},
    config::{
        RpcSendTransactionConfig, RpcSimulateTransactionAccountsConfig, RpcSimulateTransactionConfig, UiAccountEncoding,
    },
    request::{RpcError, RpcResponseErrorData},
    response::RpcSimulateTransactionResult,
};
use solana_signer::Signer as _;
use solana_system_interface::instruction::{advance_nonce_account, transfer};
use solana_transaction_error::TransactionError;

const RECEIVER: Pubkey = Pubkey::new_from_array([5; 32]);

fn refusal(error: ClientError) -> (i64, String, RpcResponseErrorData) {
    match *error.kind {
        ErrorKind::RpcError(RpcError::RpcResponseError { code, message, data }) => (code, message, data),
        other => panic!("not an RPC error: {other:?}"),
    }
}

fn preflight(error: ClientError) -> (String, RpcSimulateTransactionResult) {
    match refusal(error) {
        (-32002, message, RpcResponseErrorData::SendTransactionPreflightFailure(result)) => (message, result),
        other => panic!("not a preflight failure: {other:?}"),
    }
}

/// Without it this client simulates at `finalized`.
fn confirmed() -> RpcSimulateTransactionConfig {
    RpcSimulateTransactionConfig { commitment: Some(CommitmentConfig::confirmed()), ..Default::default() }
}

#[tokio::test]
async fn an_airdrop_is_seen_at_each_commitment_in_its_own_time() {
    let world = World::new().await;
    let signature = world.rpc.request_airdrop(&RECEIVER, 5 * SOL).await.unwrap();
    let balance = async |level| {
        let at = CommitmentConfig { commitment: level };
        world.rpc.get_balance_with_commitment(&RECEIVER, at).await.unwrap().value
    };
    assert_eq!(balance(CommitmentLevel::Processed).await, 5 * SOL);
    assert_eq!(balance(CommitmentLevel::Confirmed).await, 0, "nobody voted for it yet");
    world.net.tick();
    assert_eq!(balance(CommitmentLevel::Confirmed).await, 5 * SOL);
    assert_eq!(balance(CommitmentLevel::Finalized).await, 0);
    world.net.tick_slots(31);
    assert_eq!(balance(CommitmentLevel::Finalized).await, 5 * SOL);
    assert!(world.rpc.confirm_transaction(&signature).await.unwrap());
}

#[tokio::test]
async fn equal_airdrops_within_one_slot_all_count() {
    let world = World::new().await;
    let first = world.rpc.request_airdrop(&RECEIVER, SOL).await.unwrap();
    let second = world.rpc.request_airdrop(&RECEIVER, SOL).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(world.net.network().balance(&RECEIVER), 2 * SOL);
}

#[tokio::test]
async fn a_transfer_lands_and_costs_its_fee() {
    let world = World::new().await;
    let payer = world.wallet(1, 2 * SOL);
    let tx = world.transfer(&payer, &RECEIVER, SOL).await;
    assert_eq!(world.rpc.send_transaction(&tx).await.unwrap(), tx.signatures[0]);
    assert_eq!(world.net.network().balance(&RECEIVER), SOL);
    assert_eq!(world.net.network().balance(&payer.pubkey()), SOL - 5_000);
}

#[tokio::test]
async fn a_simulation_tells_the_accounts_afterwards_and_changes_nothing() {
    let world = World::new().await;
    let payer = world.wallet(1, 2 * SOL);
    let mut tx = world.transfer(&payer, &RECEIVER, SOL).await;
    tx.signatures[0] = solana_signature::Signature::default(); // unsigned: sigVerify is off
    let accounts = RpcSimulateTransactionAccountsConfig {
        encoding: Some(UiAccountEncoding::Base64),
        addresses: vec![RECEIVER.to_string(), payer.pubkey().to_string()],
    };
    let config = RpcSimulateTransactionConfig { accounts: Some(accounts), ..confirmed() };
    let result = world.rpc.simulate_transaction_with_config(&tx, config).await.unwrap().value;
    assert_eq!(result.err, None);
    let lamports: Vec<_> = result.accounts.unwrap().into_iter().map(|account| account.unwrap().lamports).collect();
    assert_eq!(lamports, [SOL, SOL - 5_000]);
    assert!(result.units_consumed.unwrap() > 0 && !result.logs.unwrap().is_empty());
    assert_eq!(result.fee, Some(5_000));
    assert_eq!(world.net.network().balance(&RECEIVER), 0);
}

#[tokio::test]
async fn a_failed_simulation_tells_nulls_for_the_asked_accounts() {
    let world = World::new().await;
    let payer = world.wallet(1, SOL);
    let tx = world.transfer(&payer, &RECEIVER, 9 * SOL).await;
    let accounts = RpcSimulateTransactionAccountsConfig { encoding: None, addresses: vec![RECEIVER.to_string(); 2] };
    let config = RpcSimulateTransactionConfig { accounts: Some(accounts), ..confirmed() };
    let result = world.rpc.simulate_transaction_with_config(&tx, config).await.unwrap().value;
    let error = TransactionError::InstructionError(0, InstructionError::Custom(1));
    assert_eq!(result.err.map(TransactionError::from), Some(error));
    assert_eq!(result.accounts, Some(vec![None, None]));
}

#[tokio::test]
async fn a_simulation_can_check_signatures_or_replace_the_blockhash() {
    let world = World::new().await;
    let payer = world.wallet(1, 2 * SOL);
    let mut tx = signed(&payer, &[transfer(&payer.pubkey(), &RECEIVER, SOL)], solana_hash::Hash::default());
    let replace = RpcSimulateTransactionConfig { replace_recent_blockhash: true, ..confirmed() };
    let result = world.rpc.simulate_transaction_with_config(&tx, replace).await.unwrap().value;
    assert_eq!(result.err, None);
    let latest = world.rpc.get_latest_blockhash().await.unwrap().to_string();
    assert_eq!(result.replacement_blockhash.unwrap().blockhash, latest);
    let plain = world.rpc.simulate_transaction(&tx).await.unwrap().value;
    assert_eq!(plain.err.map(TransactionError::from), Some(TransactionError::BlockhashNotFound));
    tx.signatures[0] = solana_signature::Signature::default();
    let verify = RpcSimulateTransactionConfig { sig_verify: true, ..Default::default() };
    let error = world.rpc.simulate_transaction_with_config(&tx, verify).await.unwrap_err();
    assert_eq!(refusal(error).0, -32003);
}

#[tokio::test]
async fn a_simulation_at_confirmed_does_not_see_what_is_only_processed() {
    let world = World::new().await;
    let payer = Keypair::new_from_array([1; 32]);
    world.net.network().airdrop(&payer.pubkey(), 2 * SOL).unwrap();
    let tx = world.transfer(&payer, &RECEIVER, SOL).await;
    let (message, _) = preflight(world.rpc.send_transaction(&tx).await.unwrap_err());
    assert!(message.contains("no record of a prior credit"), "{message}");
    assert_eq!(world.net.network().balance(&payer.pubkey()), 2 * SOL, "looking at the past leaves the present alone");
    let processed = client(&world.net.rpc_url(), CommitmentConfig::processed());
    assert_eq!(processed.simulate_transaction(&tx).await.unwrap().value.err, None);
    processed.send_transaction(&tx).await.unwrap();
}

#[tokio::test]
async fn a_program_error_fails_the_preflight_with_logs_and_nothing_is_charged() {
    let world = World::new().await;
    let payer = world.wallet(1, SOL);
    let tx = world.transfer(&payer, &RECEIVER, 9 * SOL).await;
    let error = world.rpc.send_transaction(&tx).await.unwrap_err();
    let expected = TransactionError::InstructionError(0, InstructionError::Custom(1));
    assert_eq!(error.get_transaction_error(), Some(expected));
    let (message, result) = preflight(error);
    assert!(message.starts_with("Transaction simulation failed: Error processing Instruction 0"), "{message}");
    assert!(result.logs.unwrap().iter().any(|line| line.contains("insufficient lamports")));
    assert_eq!(world.net.network().balance(&payer.pubkey()), SOL);
}

#[tokio::test]
async fn without_preflight_a_failing_transaction_lands_and_is_charged() {
    let world = World::new().await;
    let payer = world.wallet(1, SOL);
    let tx = world.transfer(&payer, &RECEIVER, 9 * SOL).await;
    let skip = RpcSendTransactionConfig { skip_preflight: true, ..Default::default() };
    world.rpc.send_transaction_with_config(&tx, skip).await.unwrap();
    assert_eq!(world.net.network().balance(&payer.pubkey()), SOL - 5_000);
    let status = world.rpc.get_signature_statuses(&tx.signatures).await.unwrap().value.remove(0).unwrap();
    assert_eq!(status.err, Some(TransactionError::InstructionError(0, InstructionError::Custom(1))));
}

#[tokio::test]
async fn a_bad_signature_is_refused_by_preflight_and_never_lands_without_it() {
    let world = World::new().await;
    let payer = world.wallet(1, 2 * SOL);
    let mut tx = world.transfer(&payer, &RECEIVER, SOL).await;
    tx.signatures[0] = Keypair::new_from_array([9; 32]).sign_message(b"something else");
    let (code, message, _) = refusal(world.rpc.send_transaction(&tx).await.unwrap_err());
    assert_eq!((code, message.as_str()), (-32003, "Transaction signature verification failure"));
    let skip = RpcSendTransactionConfig { skip_preflight: true, ..Default::default() };
    world.rpc.send_transaction_with_config(&tx, skip).await.unwrap();
    assert_eq!(world.rpc.get_signature_statuses(&tx.signatures).await.unwrap().value, [None]);
    assert_eq!(world.net.network().balance(&RECEIVER), 0);
}

#[tokio::test]
async fn the_same_transaction_lands_once() {
    let world = World::new().await;
    let payer = world.wallet(1, 3 * SOL);
    let tx = world.transfer(&payer, &RECEIVER, SOL).await;
    world.rpc.send_transaction(&tx).await.unwrap();
    world.rpc.send_transaction(&tx).await.expect("confirmed has not seen it yet, so the preflight passes");
    assert_eq!(world.net.network().balance(&RECEIVER), SOL);
    world.net.tick();
    let (_, result) = preflight(world.rpc.send_transaction(&tx).await.unwrap_err());
    assert_eq!(result.err.map(TransactionError::from), Some(TransactionError::AlreadyProcessed));
}

#[tokio::test]
async fn a_transaction_expires_150_slots_after_its_blockhash() {
    let world = World::with(|config| config.confirmed_after = 0).await;
    let payer = world.wallet(1, 3 * SOL);
    let (hash, last_valid) =
        world.rpc.get_latest_blockhash_with_commitment(CommitmentConfig::processed()).await.unwrap();
    let first = signed(&payer, &[transfer(&payer.pubkey(), &RECEIVER, SOL)], hash);
    let second = signed(&payer, &[transfer(&payer.pubkey(), &RECEIVER, SOL + 1)], hash);
    world.net.tick_slots(150);
    assert_eq!(world.rpc.get_block_height().await.unwrap(), last_valid);
    assert!(world.rpc.is_blockhash_valid(&hash, CommitmentConfig::processed()).await.unwrap());
    world.rpc.send_transaction(&first).await.expect("the last slot in which it is good");
    world.net.tick();
    assert!(!world.rpc.is_blockhash_valid(&hash, CommitmentConfig::processed()).await.unwrap());
    let (message, result) = preflight(world.rpc.send_transaction(&second).await.unwrap_err());
    assert_eq!(message, "Transaction simulation failed: Blockhash not found");
    assert_eq!(result.err.map(TransactionError::from), Some(TransactionError::BlockhashNotFound));
    let skip = RpcSendTransactionConfig { skip_preflight: true, ..Default::default() };
    world.rpc.send_transaction_with_config(&second, skip).await.unwrap();
    assert_eq!(world.net.network().balance(&RECEIVER), SOL, "an expired one never lands");
}

#[tokio::test]
async fn a_rent_paying_account_and_a_stranger_without_money_are_refused() {
    let world = World::new().await;
    let payer = world.wallet(1, SOL);
    let dust = world.transfer(&payer, &Pubkey::new_from_array([6; 32]), 5).await;
    let error = world.rpc.send_transaction(&dust).await.unwrap_err();
    let rent = TransactionError::InsufficientFundsForRent { account_index: 1 };
    assert_eq!(error.get_transaction_error(), Some(rent));
    let stranger = Keypair::new_from_array([77; 32]);
    let tx = world.transfer(&stranger, &RECEIVER, 1).await;
    let error = world.rpc.send_transaction(&tx).await.unwrap_err();
    assert_eq!(error.get_transaction_error(), Some(TransactionError::AccountNotFound));
}

#[tokio::test]
async fn durable_nonces_are_refused_by_name() {
    let world = World::new().await;
    let payer = world.wallet(1, SOL);
    let hash = world.rpc.get_latest_blockhash().await.unwrap();
    let nonce = advance_nonce_account(&RECEIVER, &payer.pubkey());
    let tx = signed_legacy(&payer, &[nonce], hash);
    let (code, message, _) = refusal(world.rpc.send_transaction(&tx).await.unwrap_err());
    assert_eq!(code, -32602);
    assert!(message.contains("durable nonces"), "{message}");
}

#[tokio::test]
async fn the_ed25519_precompile_checks_signatures() {
    let world = World::new().await;
    let payer = world.wallet(1, SOL);
    let hash = world.rpc.get_latest_blockhash().await.unwrap();
    let signature: [u8; 64] = payer.sign_message(b"hello").into();
    let check = |message: &[u8]| -> Instruction {
        let key = payer.pubkey().to_bytes();
        solana_ed25519_program::new_ed25519_instruction_with_signature(message, &signature, &key)
    };
    world.rpc.send_transaction(&signed(&payer, &[check(b"hello")], hash)).await.unwrap();
    assert_eq!(world.net.network().balance(&payer.pubkey()), SOL - 10_000, "its signature is charged too");
    let error = world.rpc.send_transaction(&signed(&payer, &[check(b"HELLO")], hash)).await.unwrap_err();
    let expected = TransactionError::InstructionError(0, InstructionError::Custom(2));
    assert_eq!(error.get_transaction_error(), Some(expected));
}

#[tokio::test]
async fn the_fee_of_a_message_is_told_while_its_blockhash_lives() {
    let world = World::new().await;
    let payer = world.wallet(1, SOL);
    let tx = world.transfer(&payer, &RECEIVER, SOL / 2).await;
    let solana_message::VersionedMessage::V0(message) = tx.message else { panic!("version 0") };
    assert_eq!(world.rpc.get_fee_for_message(&message).await.unwrap(), 5_000);
    let dead = solana_message::v0::Message { recent_blockhash: solana_hash::Hash::default(), ..message };
    assert!(world.rpc.get_fee_for_message(&dead).await.is_err(), "null, which this client takes for an error");
}

#[tokio::test]
async fn a_transaction_that_calls_an_unknown_program_is_refused() {
    let world = World::new().await;
    let payer = world.wallet(1, SOL);
    let hash = world.rpc.get_latest_blockhash().await.unwrap();
    let call = Instruction {
        program_id: Pubkey::new_from_array([42; 32]),
        accounts: vec![AccountMeta::new(payer.pubkey(), true)],
        data: vec![],
    };
    assert!(world.rpc.send_transaction(&signed(&payer, &[call], hash)).await.is_err());
    assert_eq!(world.rpc.get_slot().await.unwrap(), world.net.network().slot() - 1, "the network goes on");
}

#[tokio::test]
async fn slots_tick_by_themselves_and_the_client_confirms() {
    let world = World::with(|config| {
        config.slots = sotto::localnet::Slots::Every(std::time::Duration::from_millis(20));
    })
    .await;
    let payer = Keypair::new_from_array([1; 32]);
    let airdrop = world.rpc.request_airdrop(&payer.pubkey(), 2 * SOL).await.unwrap();
    world.rpc.poll_for_signature(&airdrop).await.unwrap();
    let tx = world.transfer(&payer, &RECEIVER, SOL).await;
    world.rpc.send_and_confirm_transaction(&tx).await.unwrap();
    assert_eq!(world.rpc.get_balance(&RECEIVER).await.unwrap(), SOL);
}

#[tokio::test]
async fn a_panic_inside_the_machine_fails_its_transaction_and_nothing_else() {
    let world = World::new().await;
    let payer = world.wallet(1, 3 * SOL);
    // An executable whose loader does not exist: LiteSVM unwraps that loader.
    let (program, loader) = (Pubkey::new_from_array([42; 32]), Pubkey::new_from_array([43; 32]));
    let account = solana_account::Account { lamports: SOL, owner: loader, executable: true, ..Default::default() };
    world.net.network().put_account(program, account);
    world.net.tick();
    let hash = world.rpc.get_latest_blockhash().await.unwrap();
    let tx = signed(&payer, &[Instruction { program_id: program, accounts: vec![], data: vec![] }], hash);
    let failed = TransactionError::InstructionError(0, InstructionError::ProgramFailedToComplete);
    let error = world.rpc.send_transaction(&tx).await.unwrap_err();
    assert_eq!(error.get_transaction_error(), Some(failed.clone()));
    let skip = RpcSendTransactionConfig { skip_preflight: true, ..Default::default() };
    world.rpc.send_transaction_with_config(&tx, skip).await.unwrap();
    let status = world.rpc.get_signature_statuses(&tx.signatures).await.unwrap().value.remove(0).unwrap();
    assert_eq!(status.err, Some(failed));
    assert_eq!(world.net.network().balance(&payer.pubkey()), 3 * SOL - 5_000, "the fee and nothing else");
    let next = world.transfer(&payer, &RECEIVER, SOL).await;
    world.rpc.send_transaction(&next).await.expect("the network goes on");
}
