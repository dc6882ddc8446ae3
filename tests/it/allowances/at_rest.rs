//! Bought for accounts that rest, and in between for those that never do.

use super::{PRICE, PURSE, Shop, TWO, idle, in_flight, never_at_rest};
use crate::support::Options;
use serde_json::json;
use sotto::{
    domain::{amount::Amount, settlement::Purpose},
    facilitator::{AllowancePolicy, AllowanceSettings},
    localnet::standins::Delegation,
};
use std::time::Duration;

/// Whatever rests for so long is made readable, once.
fn rests_a_second() -> AllowanceSettings {
    AllowanceSettings { idle_after: Duration::from_secs(1), ..never_at_rest() }
}

#[tokio::test]
async fn a_call_costs_a_fee_and_balances_become_readable_once_they_rest() {
    for delegation in [Delegation::Public, Delegation::Documented] {
        let shop = Shop::open(Options { delegation, ..idle(rests_a_second()) }).await;
        shop.pays().await;
        shop.becomes_readable(&shop.merchant).await;
        shop.becomes_readable(&shop.payer).await;
        shop.is_booked().await;
        assert_eq!(shop.world.balance(&shop.merchant).await, PRICE);
        assert_eq!(shop.world.balance(&shop.payer).await, PURSE - PRICE);
        assert_eq!(shop.spent().await, (15_000, TWO), "{delegation:?}: one transfer of zero for both");
        shop.pays().await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(shop.spent().await, (25_000, TWO), "{delegation:?}: not again within the interval");
        shop.closes(2).await;
    }
}

#[tokio::test]
async fn many_calls_cost_a_fee_each_and_a_restart_does_not_forget_which_balances_are_unreadable() {
    let mut shop = Shop::open(idle(never_at_rest())).await;
    for _ in 0..3 {
        shop.pays().await;
    }
    assert_eq!(shop.spent().await, (30_000, 0), "a fee and no rent");
    assert!(!shop.is_readable(&shop.payer) && !shop.is_readable(&shop.merchant));
    shop.world.kill().await;
    shop.world.configure(idle(rests_a_second()).settings);
    shop.world.boot().await;
    shop.becomes_readable(&shop.merchant).await;
    shop.becomes_readable(&shop.payer).await;
    shop.is_booked().await;
    assert_eq!(shop.spent().await, (35_000, TWO), "one transfer of zero for both");
    shop.closes(3).await;
}

#[tokio::test]
async fn accounts_that_never_rest_have_one_payment_buy_the_right_to_read() {
    let allowances = AllowanceSettings { max_age: Duration::from_millis(500), ..never_at_rest() };
    let shop = Shop::open(idle(allowances)).await;
    let mut calls = 0;
    while shop.spent().await.1 == 0 && calls < 200 {
        shop.pays().await;
        calls += 1;
    }
    assert!(calls > 1 && shop.is_readable(&shop.payer) && shop.is_readable(&shop.merchant));
    for _ in 0..5 {
        shop.pays().await;
    }
    assert_eq!(shop.spent().await, ((calls + 5) * 10_000, TWO), "one of them, and not the others");
    shop.closes(calls + 5).await;
}

/// Guard: `refresh_at_rest` waits for no opening.
#[tokio::test]
async fn an_opening_that_takes_its_time_keeps_nobody_elses_balance_unreadable() {
    // The opening takes its gate long before the account that just paid is at rest.
    let allowances = AllowanceSettings { idle_after: Duration::from_secs(2), ..never_at_rest() };
    let options = Options::settings(move |settings| {
        settings.transfers.decrypt_allowance = AllowancePolicy::Idle;
        settings.allowances = allowances;
        settings.openings.cap_check_deadline = Duration::from_mins(1);
    });
    let shop = Shop::open(options).await;
    let world = &shop.world;
    let (other, others) = (world.wallet(PURSE).await, world.wallet(0).await);
    let session = world.open(&other, &others.key(), 100_000).await;
    let opening = world.opening_body(&world.opening(&shop.payer, &shop.merchant.key(), 100_000)).await;
    world.covalidator.faults().change(|plan| plan.silent_next = u32::MAX);
    shop.pays().await;
    let readable = async {
        // It has landed, and asks for what was approved; meanwhile the payer's accounts come to rest, and before those that
        // move only now.
        world.until("it is sent", async || in_flight(world, Purpose::Approve).await > 0).await;
        let body = world.payment(&session, &others.key(), PRICE, None);
        let (status, answer) = world.post("/settle", &body).await;
        assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer:#}");
        shop.becomes_readable(&other).await;
        shop.becomes_readable(&others).await;
    };
    tokio::select! {
        answer = world.post("/sessions", &opening) => panic!("it takes its time: {answer:#?}"),
        () = readable => {}
    }
    assert!(!shop.is_readable(&shop.payer), "left for later");
    world.covalidator.faults().change(|plan| plan.silent_next = 0);
    shop.world.finish().await;
}

/// Guard: `is_worth_it`. Rent of two decrypt allowances never comes back, and a payment of one base unit costs nothing.
#[tokio::test]
async fn a13_dust_makes_us_buy_nothing_until_its_owner_asks() {
    let min_moved = Amount::new(3 * PRICE).unwrap();
    let allowances = AllowanceSettings {
        min_moved,
        idle_after: Duration::from_millis(100),
        min_interval: Duration::ZERO,
        request_interval: Duration::ZERO,
        ..never_at_rest()
    };
    let mut shop = Shop::open(idle(allowances)).await;
    for calls in 1..=2 {
        shop.pays().await;
        // Rounds of the background look for accounts at rest four times in `idle_after`.
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(shop.spent().await, (calls * 10_000, 0), "a fee and no rent");
    }
    assert!(!shop.is_readable(&shop.payer) && !shop.is_readable(&shop.merchant));
    // Neither does a restart make us.
    shop.world.kill().await;
    shop.world.boot().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(shop.spent().await.1, 0);
    let (status, answer) = shop.asks("user", &shop.payer).await;
    assert_eq!(status, 200, "{answer:#}");
    shop.becomes_readable(&shop.payer).await;
    shop.is_booked().await;
    let (_, asked_for) = shop.spent().await;
    assert!(asked_for > 0 && asked_for <= TWO, "{asked_for}");
    let (status, answer) = shop.asks("merchant", &shop.merchant).await;
    assert_eq!(status, 200, "{answer:#}");
    shop.becomes_readable(&shop.merchant).await;
    shop.is_booked().await;
    // Real movement is worth it: the third payment, and none before.
    for _ in 0..3 {
        shop.pays().await;
    }
    shop.becomes_readable(&shop.payer).await;
    shop.becomes_readable(&shop.merchant).await;
    shop.closes(5).await;
}
