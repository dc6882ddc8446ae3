//! Promises cost their payer nothing: how many there may be, and what those are worth on accounts that nothing can be moved
//! from any more.

use super::{Shop, Trace, is_refused_everywhere};
use crate::support::{Options, Wallet, World};
use serde_json::{Value, json};
use sotto::{
    domain::{amount::Amount, hold::Exposure},
    facilitator::DeferredPolicy,
};
use std::time::Duration;

/// What a promise is worth.
const PRICE: u64 = 990_000;
/// How many of them one session may make.
const PROMISES: u64 = 5;
/// How many may be made by payers who have proved nothing: two thieves fill that.
const UNPROVEN: u64 = 2 * PROMISES;

/// A world in which no trigger settles anything, and in which each limit of what may be promised is another one.
fn credulous(look_after: Duration, monitor: Duration) -> Options {
    Options::settings(move |settings| {
        let promises = |count: u64| Amount::new(count * PRICE).unwrap();
        let exposure = Exposure {
            per_session: promises(PROMISES),
            per_user: promises(PROMISES + 1),
            unproven_per_merchant: promises(UNPROVEN),
            per_merchant: promises(UNPROVEN + 2 * PROMISES),
        };
        settings.deferred = DeferredPolicy {
            amount: Amount::MAX,
            age_seconds: 100_000,
            exposure,
            look_after,
            ..DeferredPolicy::default()
        };
        settings.funding.interval = monitor;
    })
}

/// A payment that its merchant is content to have promised.
async fn promises(world: &World, session: &str, merchant: &Wallet, nonce: &str) -> Value {
    let mut body = world.payment(session, &merchant.key(), PRICE, Some(nonce));
    body["paymentRequirements"]["extra"] = json!({ "settlement": "deferred" });
    world.post("/settle", &body).await.1
}

/// Somebody else may be promised to the merchant: nothing of the limit is taken up.
async fn an_honest_payer_is_believed(shop: &Shop) {
    let honest = shop.world.wallet(10 * PRICE).await;
    let session = shop.world.open(&honest, &shop.merchant.key(), 10 * PRICE).await;
    for call in 0..PROMISES {
        let answer = promises(&shop.world, &session, &shop.merchant, &format!("honest-nonce-{call:04}")).await;
        assert_eq!(answer["extensions"]["session"]["settlement"], "held", "{answer:#}");
    }
}

/// How a promise stands that somebody new asks for: held, or captured because there is no room for it.
async fn stands_for_somebody_new(shop: &Shop, proves: bool) -> String {
    let payer = shop.world.wallet(10 * PRICE).await;
    let session = shop.world.open(&payer, &shop.merchant.key(), 10 * PRICE).await;
    if proves {
        let proof = shop.world.funding_proof(&payer).await;
        let (status, told) = shop.world.post(&format!("/sessions/{session}/funding"), &proof).await;
        assert_eq!((status, &told["funding"]), (200, &json!("proven")), "{told:#}");
    }
    let answer = promises(&shop.world, &session, &shop.merchant, "somebody-new-00001").await;
    answer["extensions"]["session"]["settlement"].as_str().unwrap_or_default().to_owned()
}

/// Guards: each limit of `Exposure` by itself, in the hold verb, and that a loss gives all of them back.
#[tokio::test]
async fn a07_thieves_fill_a_limit_of_promises_each_and_it_is_given_back_when_they_revoke() {
    let shop = Shop::open(credulous(Duration::ZERO, Duration::from_millis(150)), 10 * PRICE).await;
    let other = shop.world.wallet(10 * PRICE).await;
    let others = shop.world.open(&other, &shop.merchant.key(), 10 * PRICE).await;
    for session in [&shop.session, &others] {
        for call in 0..PROMISES {
            let answer = promises(&shop.world, session, &shop.merchant, &format!("thief-nonce-{call:05}")).await;
            assert_eq!(answer["extensions"]["session"]["settlement"], "held", "{answer:#}");
        }
    }
    // The session's own limit, the one of those who have proved nothing, and what is kept for those who have.
    let held = async || shop.world.ledger().totals(None).await.unwrap().held.get();
    assert_eq!(held().await, UNPROVEN * PRICE);
    assert_eq!(stands_for_somebody_new(&shop, false).await, "captured", "slower, and not refused");
    assert_eq!(stands_for_somebody_new(&shop, true).await, "held", "half of it is for those who have proved something");
    for payer in [&shop.payer, &other] {
        shop.world.lands(shop.world.revoke_by_owner(payer));
    }
    let are_lost = async || shop.world.ledger().totals(None).await.unwrap().lost.get() == UNPROVEN * PRICE;
    shop.world.until("the loss is booked", are_lost).await;
    assert_eq!(stands_for_somebody_new(&shop, false).await, "held", "there is room again");
    shop.world.finish_holding(2 * PRICE).await;
}

/// Guards: `give_up_revoked` in the session's queue, `promise::ending` in the ledger.
#[tokio::test]
async fn a07_promises_of_a_revoked_delegation_are_lost_at_once_and_keep_nobody_out() {
    let shop = Shop::open(credulous(Duration::ZERO, Duration::from_millis(150)), 10 * PRICE).await;
    let mut payments = Vec::new();
    for call in 0..PROMISES {
        let answer = promises(&shop.world, &shop.session, &shop.merchant, &format!("thief-nonce-{call:05}")).await;
        assert_eq!(answer["extensions"]["session"]["settlement"], "held", "{answer:#}");
        payments.push(answer["extensions"]["session"]["payment"].as_str().unwrap().to_owned());
    }
    let before = Trace::of(&shop.world).await;
    shop.world.lands(shop.world.revoke_by_owner(&shop.payer));
    let are_lost = async || shop.world.ledger().totals(None).await.unwrap().lost.get() == PROMISES * PRICE;
    shop.world.until("the loss is booked", are_lost).await;
    let after = Trace::of(&shop.world).await;
    assert_eq!((after.totals.held.get(), after.totals.captured.get()), (0, 0));
    assert_eq!((after.fee_payer, after.spender), (before.fee_payer, before.spender), "nothing was tried at our cost");
    for payment in payments {
        let (_, told) = shop.world.get(&format!("/sessions/{}/payments/{payment}", shop.session)).await;
        let told = [&told["state"], &told["reason"]];
        assert_eq!(told, [&json!("lost"), &json!("session_revoked")], "its merchant is told");
    }
    shop.is_refused(PRICE, None, "session_revoked").await;
    an_honest_payer_is_believed(&shop).await;
    shop.world.finish_holding(PROMISES * PRICE).await;
}

/// Guard: `look_before_promise`. The monitor has not come round yet.
#[tokio::test]
async fn a07_nothing_is_promised_on_an_account_that_has_revoked_already() {
    let hour = Duration::from_hours(1);
    let shop = Shop::open(credulous(Duration::from_secs(5), hour), 10 * PRICE).await;
    shop.world.lands(shop.world.revoke_by_owner(&shop.payer));
    shop.world.confirmed().await;
    let before = Trace::of(&shop.world).await;
    for call in 0..PROMISES {
        let answer = promises(&shop.world, &shop.session, &shop.merchant, &format!("thief-nonce-{call:05}")).await;
        assert_eq!(answer["success"], false, "{answer:#}");
        let reason = answer["errorReason"].as_str().unwrap();
        assert!(["session_revoked", "simulation_failed"].contains(&reason), "{answer:#}");
    }
    shop.world.quiet().await;
    assert_eq!(Trace::of(&shop.world).await, before, "it costs us nothing, and nobody a loss");
    an_honest_payer_is_believed(&shop).await;
    shop.world.finish_holding(PROMISES * PRICE).await;
}

/// Guard: `shown_within`. A payer who pays on and on costs one read in a while.
#[tokio::test]
async fn a_look_is_good_for_the_promises_after_it() {
    let hour = Duration::from_hours(1);
    let shop = Shop::open(credulous(hour, 2 * hour), 10 * PRICE).await;
    let first = promises(&shop.world, &shop.session, &shop.merchant, "thief-nonce-00000").await;
    assert_eq!(first["extensions"]["session"]["settlement"], "held", "{first:#}");
    shop.world.lands(shop.world.revoke_by_owner(&shop.payer));
    shop.world.confirmed().await;
    let second = promises(&shop.world, &shop.session, &shop.merchant, "thief-nonce-00001").await;
    assert_eq!(second["extensions"]["session"]["settlement"], "held", "it was looked at a moment ago: {second:#}");
    // A payment per call finds out.
    let (_, third) = shop.settle(PRICE, None).await;
    assert_eq!(third["success"], false, "{third:#}");
    let are_lost = async || shop.world.ledger().totals(None).await.unwrap().lost.get() == 2 * PRICE;
    shop.world.until("the loss is booked", are_lost).await;
    is_refused_everywhere(&shop.world, &shop.payment(PRICE, None), "session_revoked").await;
    shop.world.finish().await;
}

/// Guards: `PromiseQuota`, and its question in `exposure_of`. A promise costs its payer nothing, and us a row for ever.
#[tokio::test]
async fn a10_a_payer_is_promised_so_many_payments_an_hour_and_then_pays_per_call() {
    let options = Options::settings(|settings| {
        settings.deferred = DeferredPolicy {
            amount: Amount::MAX,
            age_seconds: 100_000,
            promises_per_user_per_hour: 3,
            ..DeferredPolicy::default()
        };
    });
    let shop = Shop::open(options, 1_000_000).await;
    let stands = async |session: &str, call: u32| {
        let mut body = shop.world.payment(session, &shop.merchant.key(), 100, Some(&format!("dust-nonce-{call:06}")));
        body["paymentRequirements"]["extra"] = json!({ "settlement": "deferred" });
        let (_, answer) = shop.world.post("/settle", &body).await;
        assert_eq!(answer["success"], true, "{answer:#}");
        answer["extensions"]["session"]["settlement"].as_str().unwrap().to_owned()
    };
    for call in 0..3 {
        assert_eq!(stands(&shop.session, call).await, "held");
    }
    assert_eq!(stands(&shop.session, 3).await, "captured", "slower, and never refused");
    // Another payer is not concerned.
    let other = shop.world.wallet(1_000).await;
    let others = shop.world.open(&other, &shop.merchant.key(), 1_000).await;
    assert_eq!(stands(&others, 4).await, "held");
    shop.world.lets_pass(3_600);
    let again = shop.world.open(&shop.payer, &shop.merchant.key(), 1_000).await;
    assert_eq!(stands(&again, 5).await, "held");
    // The other session has expired, and what was promised in it was settled.
    shop.world.finish_holding(100).await;
}
