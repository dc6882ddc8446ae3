//! Programs of the Machine Payments Protocol with nothing of ours but a URL, against a running `sotto dev`: sellers on stock mppx as
//! the published package's documentation has them, buyers of stock mppx and by the published client's calls, and the merchant of
//! `sotto dev` itself.

use super::{
    FAST,
    mpp::{folder_for, runs},
    start_dev,
};
use crate::processes::{Desk, text};
use serde_json::{Value, json};
use sotto::{
    client::{PayerRpc as _, SolanaRpc},
    domain::signed::parse_key,
    programs::spl_token::{TokenAccount, TokenProgram, associated_account},
};
use std::time::Duration;

/// What a charge costs everywhere here, and a voucher of the merchant of `sotto dev`.
const CHARGE: u64 = 10_000;
const VOUCHER: u64 = 1_000;
/// What five vouchers of the published client's calls come to.
const CLIENTS_SESSION: u64 = 50_000;

/// What a script is told of `sotto dev`: what a developer reads on the screen and in the state directory.
fn told(dev: &Value) -> Value {
    let key: Vec<u8> = serde_json::from_slice(&std::fs::read(text(dev, "payerKey")).unwrap()).unwrap();
    json!({
        "facilitator": text(dev, "facilitator"),
        "network": "devnet",
        "buyer": hex::encode(&key[..32]),
        "seller": text(dev, "recipient"),
        "rounds": ["create_session_account"],
        "charged": { "url": text(dev, "mppChargeRoute"), "price": CHARGE },
        "streamed": { "url": text(dev, "mppStreamRoute"), "price": VOUCHER },
    })
}

/// What the merchant has of cash.
async fn merchants_cash(dev: &Value) -> u64 {
    let key = |name| parse_key(&text(dev, name)).unwrap();
    let account = associated_account(TokenProgram::Token, &key("recipient"), &key("mppMint"));
    let rpc = SolanaRpc::new(text(dev, "rpc"), Duration::from_secs(10));
    let account = rpc.accounts(&[account]).await.unwrap().remove(0).expect("the merchant's account");
    TokenAccount::decode(TokenProgram::Token, &account.bytes).unwrap().amount
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_sellers_and_buyers_need_nothing_but_the_url_of_sotto_dev() {
    let Some(folder) = folder_for("client.mjs").await else { return };
    let desk = Desk::new();
    let dev = start_dev(&desk, &FAST);
    let told = told(&dev.1);
    // The published client's calls: a charge, a grant, and a session of five vouchers.
    runs("client.mjs", folder.clone(), told.clone()).await;
    // Each line of mppx sells to each.
    runs("mppx.mjs", folder.clone(), told.clone()).await;
    // Each line buys from the merchant of `sotto dev`, and the client's calls draw five vouchers for it.
    runs("our_seller.mjs", folder, told).await;
    let paid = CHARGE + CLIENTS_SESSION + 4 * CHARGE + 2 * CHARGE + 5 * VOUCHER;
    assert_eq!(merchants_cash(&dev.1).await, paid, "the merchant has what was paid");
    dev.stop();
}
