//! Cash: plain tokens that are there from genesis, and the faucet that gives them.

use super::world::{SOL, World};
use serde_json::{Value, json};
use solana_commitment_config::CommitmentConfig;
use solana_pubkey::Pubkey;
use solana_rpc_client_api::{
    config::{RpcAccountInfoConfig, UiAccountEncoding},
    response::UiAccountData,
};
use solana_signer::Signer as _;
use solana_transaction_error::TransactionError;
use sotto::{
    localnet::faucet::CASH_DECIMALS,
    programs::spl_token::{TokenProgram, TransferChecked, associated_account},
};

const RECEIVER: Pubkey = Pubkey::new_from_array([5; 32]);

fn canonical(world: &World, wallet: &Pubkey) -> Pubkey {
    associated_account(TokenProgram::Token, wallet, &world.net.cash().mint())
}

async fn funds(world: &World, wallet: &Pubkey, units: u64) -> Value {
    world.call("localnet_fundToken", json!([wallet.to_string(), units])).await
}

async fn balance(world: &World, account: &Pubkey) -> String {
    world.rpc.get_token_account_balance(account).await.expect("the account is there").amount
}

#[tokio::test]
async fn the_mint_is_there_from_genesis_and_no_fork_takes_it_back() {
    let world = World::new().await;
    let mint = world.net.cash().mint();
    let described = world.call("localnet_describe", json!([])).await["result"].clone();
    assert_eq!(described["mppMint"], mint.to_string());
    assert_eq!(described["swigProgram"], sotto::localnet::standins::SWIG.to_string());
    let config = json!([mint.to_string(), { "encoding": "jsonParsed", "commitment": "finalized" }]);
    let told = world.call("getAccountInfo", config).await["result"]["value"].clone();
    let authority = world.net.cash().authority().pubkey().to_string();
    let expected = json!({
        "decimals": 6, "isInitialized": true, "supply": "0",
        "mintAuthority": authority, "freezeAuthority": authority,
    });
    assert_eq!(told["data"]["parsed"]["info"], expected, "{told}");
    assert_eq!(told["owner"], TokenProgram::Token.address().to_string());
    assert_eq!(told["lamports"], world.rpc.get_minimum_balance_for_rent_exemption(82).await.unwrap());

    world.net.network().fork(1).expect("slot 1 is not finalised");
    assert!(world.net.network().account(&mint).is_some());
    assert!(funds(&world, &RECEIVER, 1).await["error"].is_null());
}

#[tokio::test]
async fn gifts_go_to_the_canonical_account_and_add_up() {
    let world = World::new().await;
    let account = canonical(&world, &RECEIVER);
    assert_eq!(account, world.net.cash().account_of(&RECEIVER));
    for (units, total) in [(0, "0"), (700, "700"), (700, "1400")] {
        // All in one slot: equal gifts are different transactions.
        let answer = funds(&world, &RECEIVER, units).await;
        assert!(answer["result"].is_string(), "{answer}");
        let processed = CommitmentConfig::processed();
        let told = world.rpc.get_token_account_balance_with_commitment(&account, processed).await.unwrap().value;
        assert_eq!((told.amount.as_str(), told.decimals), (total, CASH_DECIMALS));
    }
    let refused = funds(&world, &RECEIVER, u64::MAX).await;
    assert_eq!(refused["error"]["code"], -32602, "more than a mint can have: {refused}");
}

#[tokio::test]
async fn cash_moves_by_the_real_token_program() {
    let world = World::new().await;
    let payer = world.wallet(1, SOL);
    for (wallet, units) in [(payer.pubkey(), 1_000), (RECEIVER, 0)] {
        assert!(funds(&world, &wallet, units).await["result"].is_string());
    }
    let transfer = |amount| TransferChecked {
        program: TokenProgram::Token,
        source: canonical(&world, &payer.pubkey()),
        mint: world.net.cash().mint(),
        destination: canonical(&world, &RECEIVER),
        authority: payer.pubkey(),
        amount,
        decimals: CASH_DECIMALS,
    };
    assert_eq!(world.land(&[transfer(400).instruction()], &[&payer]).await, Ok(()));
    assert_eq!(balance(&world, &canonical(&world, &payer.pubkey())).await, "600");
    assert_eq!(balance(&world, &canonical(&world, &RECEIVER)).await, "400");
    let short = world.land(&[transfer(601).instruction()], &[&payer]).await;
    assert!(matches!(short, Err(TransactionError::InstructionError(0, _))), "{short:?}");

    let config = RpcAccountInfoConfig {
        encoding: Some(UiAccountEncoding::JsonParsed),
        commitment: Some(CommitmentConfig::confirmed()),
        ..RpcAccountInfoConfig::default()
    };
    let account = canonical(&world, &RECEIVER);
    let account = world.rpc.get_ui_account_with_config(&account, config).await.unwrap().value.unwrap();
    let UiAccountData::Json(parsed) = account.data else { panic!("not parsed") };
    let expected = json!({
        "isNative": false, "mint": world.net.cash().mint().to_string(), "owner": RECEIVER.to_string(),
        "state": "initialized",
        "tokenAmount": { "amount": "400", "decimals": 6, "uiAmount": 0.0004, "uiAmountString": "0.0004" },
    });
    assert_eq!((parsed.program.as_str(), &parsed.parsed["info"]), ("spl-token", &expected));
}

#[tokio::test]
async fn a_network_that_stands_still_says_that_it_gave_nothing() {
    let world = World::new().await;
    world.net.network().faults().change(|plan| plan.frozen = true);
    let refused = funds(&world, &RECEIVER, 700).await;
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
}

#[tokio::test]
async fn the_version_names_what_is_stood_in_for() {
    let world = World::new().await;
    let told = world.call("getVersion", json!([])).await["result"].clone();
    assert_eq!(told["stand-ins"], json!(["IncoToken", "Inco Lightning", "Covalidator", "Swig"]));
}

/// A file from before there was cash: it has no mint in it.
#[tokio::test]
async fn a_network_kept_from_before_there_was_cash_gets_its_mint() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("net.json");
    let open = async || World::with(|config| config.state = Some(file.clone())).await;
    let first = open().await;
    let mint = first.net.cash().mint();
    first.net.shutdown().await;
    let kept = std::fs::read_to_string(&file).unwrap();
    let elsewhere = kept.replace(&mint.to_string(), &Pubkey::new_from_array([99; 32]).to_string());
    assert_ne!(elsewhere, kept);
    std::fs::write(&file, elsewhere).unwrap();

    let again = open().await;
    assert_eq!(again.net.cash().mint(), mint);
    assert!(funds(&again, &RECEIVER, 7).await["result"].is_string());
    again.net.tick();
    assert_eq!(balance(&again, &canonical(&again, &RECEIVER)).await, "7");
}
