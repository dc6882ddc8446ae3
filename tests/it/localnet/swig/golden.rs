//! The golden transactions: three rounds, a settlement, a renewal, a removal.

use crate::localnet::{
    golden::{PURSE, VECTORS, address, bytes, key, token_account, transaction, world},
    world::World,
};
use serde_json::json;
use solana_pubkey::Pubkey;
use solana_signer::Signer as _;

/// What the first round moves into the wallet, and what the settlement pays.
const DEPOSIT: u64 = 5_000_000;
const SETTLED: u64 = 35_000;
/// Two signatures, and the priority fee.
const FEES: u64 = 10_001;
/// Where the first session role keeps its expiry: behind the header, the first role, and its own header and keys.
const EXPIRY: std::ops::Range<usize> = 48 + 56 + 16 + 72..48 + 56 + 16 + 80;

fn config() -> Pubkey {
    address(&VECTORS["swig"]["config"])
}

fn stored(world: &World) -> Vec<u8> {
    world.net.network().account(&config()).expect("the config is there").data
}

/// Lamports that a golden transaction costs its fee payer beside the fees; negative when it gets some back.
async fn rent_of(world: &World, name: &str) -> i128 {
    let sponsor = key("fee_payer").pubkey();
    let before = i128::from(world.net.network().balance(&sponsor));
    let tx = transaction(world, &VECTORS["swig"]["transactions"][name]);
    assert_eq!(world.outcome(&tx).await, Ok(()), "{name}");
    before - i128::from(world.net.network().balance(&sponsor)) - i128::from(FEES)
}

/// The golden bytes of the config at a stage.
fn golden(stage: &str) -> Vec<u8> {
    bytes(&VECTORS["swig"]["accounts"][stage]["data_hex"])
}

#[tokio::test]
async fn three_rounds_and_a_settlement_leave_the_golden_bytes() {
    let world = world().await;
    let created = rent_of(&world, "create_swig").await;
    assert_eq!(stored(&world), golden("after_create"));
    let granted = rent_of(&world, "grant_role").await;
    assert_eq!(stored(&world), golden("after_grant"));
    assert_eq!(created + granted, 5_825_520, "the rent of config, wallet and token account");
    assert_eq!(world.net.network().balance(&config()), 2_895_360);
    assert_eq!(world.net.network().balance(&address(&VECTORS["swig"]["wallet"])), 890_880);

    let slot = world.net.network().slot();
    assert_eq!(rent_of(&world, "activate_session_key").await, 0);
    let settle = transaction(&world, &VECTORS["swig"]["transactions"]["settle"]);
    assert_eq!(world.outcome(&settle).await, Ok(()));
    let mut expected = golden("after_activate_and_one_settlement");
    expected[EXPIRY].copy_from_slice(&(slot + 216_000).to_le_bytes());
    assert_eq!(stored(&world), expected);

    let constants = &VECTORS["constants"];
    let has = |account: &Pubkey| token_account(&world, account).amount;
    assert_eq!(has(&address(&constants["buyer_token_account"])), PURSE - DEPOSIT);
    assert_eq!(has(&address(&VECTORS["swig"]["wallet_token_account"])), DEPOSIT - SETTLED);
    assert_eq!(has(&address(&constants["seller_token_account"])), SETTLED);

    let told = world.parsed(&settle).await;
    let calls = &told["meta"]["innerInstructions"][0];
    let transfer = &calls["instructions"][0];
    assert_eq!((&calls["index"], &transfer["stackHeight"]), (&json!(2), &json!(2)));
    assert_eq!(transfer["parsed"]["type"], "transferChecked");
    assert_eq!(transfer["parsed"]["info"]["tokenAmount"]["amount"], SETTLED.to_string());
    assert_eq!(transfer["parsed"]["info"]["destination"], constants["seller_token_account"]);
    let logs = told["meta"]["logMessages"].to_string();
    assert!(logs.contains("Swig stand-in: sign_v2"), "{logs}");
}

#[tokio::test]
async fn a_renewal_is_a_new_role_and_a_removal_gives_the_rent_back() {
    let world = world().await;
    rent_of(&world, "create_swig").await;
    let granted = rent_of(&world, "grant_role").await;
    assert_eq!(rent_of(&world, "renew").await, 0);
    let renewed = stored(&world);
    let granted_then = golden("after_grant");
    assert_eq!(renewed.len(), granted_then.len());
    // The count of roles stays, the id of the next one and that of this one do not.
    assert_eq!(renewed[34..40], [2, 0, 3, 0, 0, 0]);
    assert_eq!(renewed[112..116], [2, 0, 0, 0]);
    assert_eq!(renewed[116..], granted_then[116..]);

    // The golden removal names the role that the renewal has removed already.
    let again = transaction(&world, &VECTORS["swig"]["transactions"]["revoke"]);
    assert!(world.outcome(&again).await.is_err());

    let other = crate::localnet::golden::world().await;
    rent_of(&other, "create_swig").await;
    rent_of(&other, "grant_role").await;
    assert_eq!(rent_of(&other, "revoke").await, -granted);
    let mut created = golden("after_create");
    created[36] = 2;
    assert_eq!(stored(&other), created, "an id is not used twice");
}

#[tokio::test]
async fn a_role_bound_to_a_seller_leaves_the_golden_bytes() {
    let world = world().await;
    rent_of(&world, "create_swig").await;
    let granted = rent_of(&world, "grant_role_with_destination").await;
    assert_eq!(granted - 1_280_640, 556_800, "a destination's rent");
    let mut expected = golden("with_destination_limit");
    expected[EXPIRY].fill(0);
    assert_eq!(stored(&world), expected);
    rent_of(&world, "activate_session_key").await;
    rent_of(&world, "settle").await;
}
