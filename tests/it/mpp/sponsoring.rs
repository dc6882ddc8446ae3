//! Whose gas is paid, and for how much of it (`spec/mpp.md` §3, §10): over HTTP, with what the ledger counts.

use crate::support::{ChannelScene, MppScene, until};
use serde_json::{Value, json};
use solana_transaction::versioned::VersionedTransaction;
use sotto::{
    domain::{hold::ContentHash, mpp::caps::CapRow},
    facilitator::MppSettings,
};

async fn is_recorded(scene: &MppScene, transaction: &VersionedTransaction) {
    use sha2::Digest as _;
    let message = ContentHash(sha2::Sha256::digest(transaction.message.serialize()).into());
    until("it is recorded", async || scene.world.ledger().find_charge(&message).await.unwrap().is_some()).await;
}

/// A cap that is passed answers 200 on settle, and says when to come back.
async fn capped(scene: &MppScene, body: &Value, word: &str) {
    let url = format!("{}/mpp/settle", scene.world.running().url);
    let response = scene.world.http.post(url).body(body.to_string()).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let again_in: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(again_in > 0);
    let answer: Value = response.json().await.unwrap();
    assert_eq!(answer["errorCode"], json!(word), "{answer:#}");
}

fn settle(row: CapRow) -> impl Fn(&mut MppSettings) {
    move |settings| settings.caps.settle = row
}

#[tokio::test]
async fn a_payer_has_so_many_charges_a_day_and_refusals_count_for_nobody() {
    let scene = MppScene::with(settle(CapRow { global: 0, seller: 0, payer: 1 })).await;
    for _ in 0..3 {
        let body = scene.body(&scene.charge(9_000_000).await, 9_000_000);
        scene.refused(&body, "simulation_failed").await;
    }
    scene.paid(&scene.body(&scene.charge(10_000).await, 10_000)).await;
    capped(&scene, &scene.body(&scene.charge(20_000).await, 20_000), "payer_settle_cap_exceeded").await;
    scene.closes(10_000).await;
}

#[tokio::test]
async fn strangers_leave_half_of_what_is_shared_to_known_wallets() {
    let scene = MppScene::with(settle(CapRow { global: 2, seller: 0, payer: 0 })).await;
    scene.paid(&scene.body(&scene.charge(10_000).await, 10_000)).await;
    let other = scene.world.stranger();
    scene.world.gives_cash(&other, 1_000_000).await;
    capped(&scene, &scene.body(&scene.charge(20_000).await, 20_000), "global_settle_cap_exceeded").await;
    let mut scene = scene;
    let known = scene.buyer.key();
    scene.world.quiet().await;
    scene.world.kill().await;
    scene.world.configure(move |settings| {
        let mpp = settings.served.mpp.as_mut().unwrap();
        (mpp.caps.settle, mpp.known_wallets) = (CapRow { global: 2, seller: 0, payer: 0 }, vec![known]);
    });
    scene.world.boot().await;
    scene.paid(&scene.body(&scene.charge(20_000).await, 20_000)).await;
    scene.closes(30_000).await;
}

/// Guard: `check_accounts` and `ChargeRecorded::Overdrawn`: one balance does not buy many transactions that fail at our cost.
#[tokio::test]
async fn one_balance_pays_for_one_charge_in_flight() {
    let scene = MppScene::start().await;
    let (first, second) = (scene.charge(3_000_000).await, scene.charge(3_000_001).await);
    scene.world.net.faults().change(|plan| plan.frozen = true);
    let paying = async { scene.paid(&scene.body(&first, 3_000_000)).await };
    let draining = async {
        is_recorded(&scene, &first).await;
        let told = scene.refused(&scene.body(&second, 3_000_001), "simulation_failed").await;
        assert!(told["detail"].as_str().unwrap().contains("in flight"), "{told:#}");
        scene.world.net.faults().clear();
    };
    tokio::join!(paying, draining);
    scene.closes(3_000_000).await;
}

/// Guard: `mpp_failures`. A transaction that is emptied under our hands costs a fee: not more than three of them in an hour.
#[tokio::test]
async fn whoever_drains_three_charges_is_not_sponsored_for_an_hour() {
    let scene = MppScene::start().await;
    let account = scene.world.net.cash().account_of(&scene.buyer.key());
    let thief = scene.world.stranger();
    scene.world.gives_cash(&thief, 0).await;
    for units in [4_000_001, 4_000_002, 4_000_003] {
        // Emptied between our simulation and our landing.
        let body = scene.body(&scene.charge(units).await, units);
        scene.world.net.network().ambush(account, scene.world.cash_taken(&scene.buyer, &thief, 5_000_000));
        let told = scene.refused(&body, "settlement_failed").await;
        assert!(told["signature"].is_string());
        scene.world.lands(scene.world.cash_taken(&thief, &scene.buyer, 5_000_000));
        scene.world.confirmed().await;
    }
    capped(&scene, &scene.body(&scene.charge(10_000).await, 10_000), "payer_settle_cap_exceeded").await;
    scene.world.lets_pass(3_601);
    scene.paid(&scene.body(&scene.charge(20_000).await, 20_000)).await;
    scene.closes(20_000).await;
}

/// Guard: `Preparations::take`. Half of the cap is kept for the vouchers of known wallets.
#[tokio::test]
async fn preparations_have_a_cap_that_is_told_by_its_status() {
    let scene = MppScene::with(|settings| settings.caps.verify.global = 4).await;
    for _ in 0..2 {
        scene.prepared().await;
    }
    let (status, answer) = scene.world.post("/mpp/prepare", &json!({})).await;
    assert_eq!((status, answer["error"].as_str()), (429, Some("global_verify_cap_exceeded")), "{answer:#}");
    scene.closes(0).await;
}

/// Guard: `VoucherLimits::per_day`. The first cap that is passed is named, and what was drawn is told and settled all the same.
#[tokio::test]
async fn vouchers_have_caps_of_all_and_of_a_seller_too() {
    for (row, word) in [
        (CapRow { global: 0, seller: 2, payer: 0 }, "seller_verify_cap_exceeded"),
        (CapRow { global: 2, seller: 2, payer: 0 }, "global_verify_cap_exceeded"),
    ] {
        let scene = ChannelScene::with(move |settings| settings.caps.verify = row).await;
        let opened = scene.opens(100_000).await;
        let first = scene.draws(&opened, 10_000).await;
        let body = ChannelScene::voucher_body(&opened, 20_000);
        let (status, answer) = scene.world.post("/mpp/session/voucher", &body).await;
        assert_eq!((status, &answer["error"]), (429, &json!(word)), "{answer:#}");
        assert_eq!(scene.draws(&opened, 10_000).await, first);
        assert_eq!(scene.closes(&opened).await["settlement"]["amount_settled"], json!("10000"));
        scene.ends(10_000).await;
    }
}

/// Everything that was spent is booked under its purpose, and no more.
#[tokio::test]
async fn what_a_charge_costs_is_booked_for_its_buyer_and_seller() {
    let scene = MppScene::start().await;
    let before = scene.world.net.network().balance(&scene.world.fee_payer());
    scene.paid(&scene.body(&scene.charge(10_000).await, 10_000)).await;
    scene.world.quiet().await;
    let spent = before - scene.world.net.network().balance(&scene.world.fee_payer());
    let booked = scene.world.ledger().spending(0).await.unwrap();
    let [row] = booked.as_slice() else { panic!("{booked:?}") };
    assert_eq!((row.purpose.word(), row.recipient), ("mpp_charge", Some(scene.seller.key())));
    assert_eq!((row.spent.total(), row.reserved.total()), (spent, 0));
    scene.closes(10_000).await;
}
