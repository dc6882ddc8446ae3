//! Bought on request of a wallet that wants to read its balance.

use super::{PRICE, PURSE, Shop, TWO, asks, idle, in_flight, never_at_rest};
use crate::support::{Options, Wallet, World};
use serde_json::json;
use solana_pubkey::Pubkey;
use sotto::{
    domain::{
        budget::{Budgets, Part, Scope},
        settlement::Purpose,
    },
    facilitator::{AllowancePolicy, AllowanceSettings},
};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

#[tokio::test]
async fn the_two_wallets_of_a_session_are_made_able_to_read_on_request() {
    let shop = Shop::open(idle(never_at_rest())).await;
    shop.pays_and_comes_to_rest().await;
    let (status, answer) = shop.asks("user", &shop.payer).await;
    assert_eq!(status, 200, "{answer:#}");
    assert!(answer["transaction"].as_str().is_some_and(|signature| signature.len() > 80));
    shop.world.confirmed().await;
    assert_eq!(shop.world.balance(&shop.payer).await, PURSE - PRICE);
    assert_eq!(shop.world.balance(&shop.merchant).await, PRICE, "both were quiet, and one transfer does for both");
    assert_eq!(shop.spent().await, (15_000, TWO));
    let (status, answer) = shop.asks("merchant", &shop.merchant).await;
    assert_eq!((status, &answer["transaction"]), (200, &json!("")), "what is readable costs nothing");
    assert_eq!(shop.spent().await, (15_000, TWO));

    shop.pays_and_comes_to_rest().await;
    let too_soon = async |who, wallet| {
        let (status, answer) = shop.asks(who, wallet).await;
        assert_eq!((status, &answer["error"]), (429, &json!("refresh_too_soon")), "{who}: {answer:#}");
    };
    too_soon("user", &shop.payer).await;
    assert_eq!(shop.asks("merchant", &shop.merchant).await.0, 200, "it was not the merchant who asked");
    shop.pays().await;
    too_soon("user", &shop.payer).await;
    too_soon("merchant", &shop.merchant).await;
    assert_eq!(shop.spent().await, (40_000, 2 * TWO), "three payments and two refreshes");
    shop.closes(3).await;
}

#[tokio::test]
async fn nobody_else_has_a_balance_made_readable_at_our_cost() {
    let shop = Shop::open(idle(never_at_rest())).await;
    shop.pays().await;
    let spent = shop.spent().await;
    let stranger = shop.world.stranger();
    for (who, signer) in
        [("user", &stranger), ("user", &shop.merchant), ("merchant", &shop.payer), ("merchant", &stranger)]
    {
        let (status, answer) = shop.asks(who, signer).await;
        assert_eq!((status, &answer["error"]), (403, &json!("signature_required")), "{who}: {answer:#}");
    }
    let path = format!("/sessions/{}/allowances", shop.session);
    assert_eq!(shop.world.post(&path, &json!({})).await.0, 403, "unsigned");
    assert_eq!(shop.world.post(&path, &json!({ "for": "everybody" })).await.0, 400);
    let unknown = "/sessions/00000000-0000-4000-8000-000000000000/allowances";
    assert_eq!(shop.world.post(unknown, &json!({})).await.0, 404);
    assert_eq!(shop.spent().await, spent);
    shop.closes(1).await;
}

#[tokio::test]
async fn where_nothing_is_bought_on_idle_a_wallet_is_refreshed_from_our_own_account() {
    let options = Options::settings(|settings| {
        settings.transfers.decrypt_allowance = AllowancePolicy::Never;
        settings.allowances = never_at_rest();
    });
    let shop = Shop::open(options).await;
    shop.pays().await;
    assert_eq!(shop.asks("user", &shop.payer).await.0, 200);
    shop.world.confirmed().await;
    assert_eq!(shop.world.balance(&shop.payer).await, PURSE - PRICE);
    assert!(!shop.is_readable(&shop.merchant), "each for their own account");
    shop.closes(1).await;
}

/// Guard: what `buy` does when the ledger refuses the attempt, and `may_buy_allowances` the next time.
#[tokio::test]
async fn a_refresh_on_request_is_refused_by_a_used_up_budget_and_leaves_no_trace() {
    let shop = Shop::open(Options::settings(|settings| {
        settings.transfers.decrypt_allowance = AllowancePolicy::Idle;
        settings.allowances = AllowanceSettings { request_interval: Duration::ZERO, ..never_at_rest() };
        // One pair of decrypt allowances, after the upper bound of the approve's own.
        settings.budgets = Budgets::default().with(Scope::MerchantHour, Part::Rent, 3_000_000);
    }))
    .await;
    shop.pays_and_comes_to_rest().await;
    assert_eq!(shop.asks("user", &shop.payer).await.0, 200);
    shop.pays().await;
    let before = shop.spent().await;
    assert_eq!(before, (25_000, TWO));
    for who in [("user", &shop.payer), ("merchant", &shop.merchant), ("user", &shop.payer)] {
        let (status, answer) = shop.asks(who.0, who.1).await;
        assert_eq!((status, &answer["error"]), (429, &json!("quota_exceeded")), "{answer:#}");
    }
    assert_eq!(shop.spent().await, before);
    let booked = shop.world.ledger().spending(0).await.unwrap();
    assert!(booked.iter().all(|row| row.reserved.total() == 0), "{booked:?}");
    assert!(!shop.is_readable(&shop.payer) && !shop.is_readable(&shop.merchant));
    shop.pays().await;
    shop.closes(3).await;
}

/// What asks and answers in a shop of its own beside others: a session and the wallet that pays by it.
async fn another_payer(world: &World) -> (String, Wallet) {
    let (payer, merchant) = (world.wallet(PURSE).await, world.wallet(0).await);
    let session = world.open(&payer, &merchant.key(), 100_000).await;
    let (status, answer) = world.post("/settle", &world.payment(&session, &merchant.key(), PRICE, None)).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer:#}");
    (session, payer)
}

#[tokio::test]
async fn a_line_of_refreshes_does_not_hold_a_merchants_account() {
    let options = Options::settings(|settings| {
        settings.transfers.decrypt_allowance = AllowancePolicy::Never;
        settings.allowances = never_at_rest();
    });
    let mut shop = Shop::open(options).await;
    let world = &shop.world;
    let address = |wallet: Pubkey| world.programs.token_account(&wallet, &world.faucet.mint());
    // A merchant whose account comes before our own in every order by key.
    while address(shop.merchant.key()) > address(world.spender()) {
        shop.merchant = world.wallet(0).await;
    }
    shop.session = world.open(&shop.payer, &shop.merchant.key(), 100_000).await;
    shop.pays().await;
    let mut crowd = Vec::new();
    for _ in 0..5 {
        crowd.push(another_payer(world).await);
    }
    // Every landing is told a second late, so each refresh holds what it holds for so long.
    world.net.faults().change(|plan| plan.late_confirmation.insert("*".to_owned(), 40).map_or((), drop));
    let refreshed = AtomicUsize::new(0);
    let asks = async |session: &str, who, wallet: &Wallet| {
        let (status, answer) = asks(world, session, who, wallet).await;
        assert_eq!(status, 200, "{answer:#}");
        refreshed.fetch_add(1, Ordering::SeqCst);
    };
    let line = futures_util::future::join_all(crowd.iter().map(|(session, payer)| asks(session, "user", payer)));
    let merchant = async {
        // At the end of the line, while the first of it has our own account made.
        world.until("it is made", async || in_flight(world, Purpose::Probe).await > 0).await;
        asks(&shop.session, "merchant", &shop.merchant).await;
    };
    let pays = async {
        world.until("one is refreshed", async || refreshed.load(Ordering::SeqCst) > 0).await;
        shop.pays().await;
        refreshed.load(Ordering::SeqCst)
    };
    let (_, (), before) = tokio::join!(line, merchant, pays);
    assert!(before <= 4, "{before} refreshes were done before the merchant was paid");
    shop.world.net.faults().clear();
    assert_eq!(refreshed.into_inner(), 6);
    shop.world.finish().await;
}

#[tokio::test]
async fn who_asks_again_and_again_whether_a_balance_is_readable_is_told_to_wait() {
    let shop = Shop::open(idle(never_at_rest())).await;
    shop.pays().await;
    assert_eq!(shop.asks("user", &shop.payer).await.0, 200);
    for _ in 1..10 {
        assert_eq!(shop.asks("user", &shop.payer).await.0, 200, "it is readable");
    }
    shop.world.net.network().reset_request_counts();
    let (status, answer) = shop.asks("user", &shop.payer).await;
    assert_eq!((status, &answer["error"]), (429, &json!("refresh_too_soon")), "{answer:#}");
    assert_eq!(shop.world.net.network().request_counts().get("getMultipleAccounts"), None, "nothing is read for it");
    assert_eq!(shop.asks("merchant", &shop.merchant).await.0, 200, "it was not the merchant who asked");
    shop.closes(1).await;
}
