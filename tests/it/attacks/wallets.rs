//! FR-1: a recipient that is no wallet. Explorers show token accounts where a payer looks for an address, and what is paid to
//! one stands in an account that no key signs for.

use super::{PURSE, Shop, Trace, is_not_opened, is_refused_everywhere};
use crate::support::{Options, World};
use serde_json::json;
use solana_account::Account;
use solana_pubkey::Pubkey;
use sotto::programs::{
    Programs,
    spl_token::{TokenAccount, TokenProgram},
};

/// An address that no key signs for.
fn derived() -> Pubkey {
    Pubkey::find_program_address(&[b"nobody signs for this"], &Programs::default().token).0
}

/// Guard: `Core::check_wallet` in `Sessions::read_accounts`. Refused before anything is signed, and whose account it is is told.
#[tokio::test]
async fn fr01_a_session_is_opened_for_a_wallet_and_for_nothing_else() {
    let world = World::start().await;
    let (payer, merchant) = (world.wallet(PURSE).await, world.wallet(0).await);
    let spl = world.stranger().key();
    let mut data = [world.faucet.mint().to_bytes(), merchant.key().to_bytes()].concat();
    data.resize(TokenAccount::SIZE, 0);
    // Its state: initialised.
    data[108] = 1;
    let account = Account { lamports: 2_039_280, owner: TokenProgram::Token.address(), data, ..Account::default() };
    world.net.network().put_account(spl, account);
    world.confirmed().await;
    let before = Trace::of(&world).await;
    for (recipient, words) in [
        (world.account_of(&merchant.key()), merchant.key().to_string()),
        (spl, merchant.key().to_string()),
        (world.faucet.mint(), world.programs.token.to_string()),
        (solana_sdk_ids::sysvar::rent::ID, "no wallet".to_owned()),
        (derived(), "derived address".to_owned()),
    ] {
        let body = world.opening_body(&world.opening(&payer, &recipient, 1_000)).await;
        let refused = is_not_opened(&world, &body, 400, "invalid_recipient").await;
        assert!(refused["message"].as_str().unwrap().contains(&words), "{words}: {refused:#}");
    }
    assert_eq!(Trace::of(&world).await, before, "it cost nothing");
    world.finish().await;
}

/// Guard: `Arrival::Never`. A session from before this was known, or one that was imported, pays no account that is no wallet,
/// by whatever form.
#[tokio::test]
async fn fr01_a_session_that_was_there_before_pays_no_token_account() {
    let mut shop = Shop::open(Options::default(), 10_000).await;
    shop.pays(200, Some("before")).await;
    shop.world.quiet().await;
    let network = shop.world.net.network();
    let account = network.account(&shop.world.account_of(&shop.payer.key())).unwrap();
    network.put_account(shop.merchant.key(), account);
    shop.world.confirmed().await;
    // Another process has not seen the merchant yet.
    shop.world.kill().await;
    shop.world.boot().await;
    shop.is_refused(200, Some("after"), "invalid_recipient").await;
    let mut promise = shop.payment(300, Some("promised"));
    promise["paymentRequirements"]["extra"] = json!({ "settlement": "deferred" });
    is_refused_everywhere(&shop.world, &promise, "invalid_recipient").await;
    let (_, again) = shop.settle(200, Some("before")).await;
    assert_eq!(again["errorReason"], "duplicate_settlement", "what was paid before keeps its answer: {again:#}");
    shop.closes().await;
}

/// A program may pay out of a derived address; the operator says so by listing it.
#[tokio::test]
async fn fr01_a_derived_address_that_the_operator_lists_is_paid() {
    let derived = derived();
    let world = World::with(Options::settings(move |settings| settings.recipients.listed = vec![derived])).await;
    let payer = world.wallet(PURSE).await;
    let session = world.open(&payer, &derived, 10_000).await;
    let (_, paid) = world.post("/settle", &world.payment(&session, &derived, 700, Some("to-a-derived-address"))).await;
    assert_eq!(paid["success"], true, "{paid:#}");
    world.finish().await;
}
