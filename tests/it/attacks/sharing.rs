//! Several sessions on one token account, which has one delegate slot.

use super::{PURSE, Shop, becomes, is_not_opened, is_refused_everywhere, view};
use crate::support::{Options, Wallet, World};
use serde_json::{Value, json};
use sotto::{
    domain::amount::Amount,
    facilitator::Settings,
    localnet::{covalidator::CovalidatorPlan, standins::Delegation},
};
use std::time::Duration;

const BOTH: [Delegation; 2] = [Delegation::Public, Delegation::Documented];

async fn opens_with(world: &World, payer: &Wallet, merchant: &Wallet, cap: u64, approved: u64) -> Value {
    let mut opening = world.opening(payer, &merchant.key(), cap);
    opening.approved = approved;
    let (status, answer) = world.post("/sessions", &world.opening_body(&opening).await).await;
    assert_eq!(status, 201, "{answer:#}");
    answer
}

/// Guard: `rebind` in the one transaction of `mark_open`.
#[tokio::test]
async fn r04_an_approve_of_its_own_cap_leaves_the_older_session_behind() {
    for delegation in BOTH {
        let shop = Shop::open(Options { delegation, ..Options::default() }, 100_000).await;
        shop.pays(30_000, None).await;
        let second = shop.world.open(&shop.payer, &shop.merchant.key(), 50_000).await;
        assert_eq!(view(&shop.world, &shop.session).await["state"], "superseded");
        shop.is_refused(1, None, "session_not_open").await;
        let body = shop.world.payment(&second, &shop.merchant.key(), 50_000, None);
        let (_, paid) = shop.world.post("/settle", &body).await;
        assert_eq!(paid["success"], json!(true), "{paid:#}");
        assert_eq!(shop.world.units(&shop.merchant), 80_000);
        shop.closes().await;
    }
}

/// Guard: `needed`: what an approve must cover, in either semantics.
#[tokio::test]
async fn r04_an_approve_of_the_sum_keeps_both_and_both_can_be_paid_to_the_end() {
    for delegation in BOTH {
        let shop = Shop::open(Options { delegation, ..Options::default() }, 100_000).await;
        shop.pays(30_000, None).await;
        // What is left of the older one, whatever the program does with the amount.
        let answer = opens_with(&shop.world, &shop.payer, &shop.merchant, 50_000, 50_000 + 70_000).await;
        assert_eq!(view(&shop.world, &shop.session).await["state"], "open", "{delegation:?}");
        let second = answer["sessionId"].as_str().unwrap();
        let body = shop.world.payment(second, &shop.merchant.key(), 50_000, None);
        let (_, paid) = shop.world.post("/settle", &body).await;
        assert_eq!(paid["success"], json!(true), "{paid:#}");
        shop.pays(70_000, None).await;
        assert_eq!(shop.world.units(&shop.merchant), 150_000, "{delegation:?}: every unit moved");
        shop.closes().await;
    }
}

/// Guard: the same, one unit short: no approve backs two caps.
#[tokio::test]
async fn r04_an_approve_one_unit_short_of_the_sum_does_not_keep_both() {
    for delegation in BOTH {
        let shop = Shop::open(Options { delegation, ..Options::default() }, 1_000).await;
        opens_with(&shop.world, &shop.payer, &shop.merchant, 500, 1_499).await;
        assert_eq!(view(&shop.world, &shop.session).await["state"], "superseded");
        shop.closes().await;
    }
}

/// Guard: the gate between payments and openings. However they come, nothing is captured beyond what was approved
/// last, and every accepted payment is settled.
#[tokio::test]
async fn r04_payments_race_an_opening_and_nothing_is_lost_or_paid_twice() {
    for delegation in BOTH {
        let shop = Shop::open(Options { delegation, ..Options::default() }, 100_000).await;
        let body = shop.world.opening_body(&shop.world.opening(&shop.payer, &shop.merchant.key(), 50_000)).await;
        let payments = futures_util::future::join_all((0..10).map(|_| shop.settle(1_000, None)));
        let (opened, paid) = tokio::join!(shop.world.post("/sessions", &body), payments);
        assert_eq!(opened.0, 201, "{:#}", opened.1);
        let successes = paid.iter().filter(|(_, answer)| answer["success"] == json!(true)).count() as u64;
        let refused = paid.iter().filter(|(_, answer)| answer["errorReason"] == "session_not_open").count() as u64;
        assert_eq!(successes + refused, 10, "{paid:#?}");
        assert_eq!(shop.world.units(&shop.merchant), successes * 1_000);
        // The new session's cap is untouched by what the old one paid.
        let second = opened.1["sessionId"].as_str().unwrap();
        let payment = shop.world.payment(second, &shop.merchant.key(), 50_000, None);
        let (_, paid) = shop.world.post("/settle", &payment).await;
        assert_eq!(paid["success"], json!(true), "{paid:#}");
        assert_eq!(shop.world.units(&shop.merchant), successes * 1_000 + 50_000, "{delegation:?}");
        shop.closes().await;
    }
}

/// Guard: `drain` waits for every session of the account that holds something, whatever its state: a transfer of an
/// expired session lowers the delegated amount that the new session's cap was just compared with.
#[tokio::test]
async fn r04_an_opening_waits_for_transfers_of_sessions_that_have_ended() {
    let options = Options {
        delegation: Delegation::Documented,
        settings: Box::new(|settings: &mut Settings| settings.openings.drain_deadline = Duration::from_millis(500)),
        ..Options::default()
    };
    let shop = Shop::open(options, 100_000).await;
    // Nothing is confirmed meanwhile, however long what follows takes.
    shop.world.stands_still();
    let (_, pending) = shop.world.post("/settle", &shop.hasty_payment(30_000, None)).await;
    assert_eq!(pending["errorReason"], "settlement_pending", "{pending:#}");
    assert_eq!(shop.world.ledger().expire_sessions(shop.world.now() + 10_000).await.unwrap().len(), 1);
    let opening = shop.world.opening(&shop.payer, &shop.merchant.key(), 50_000);
    let body = shop.world.opening_body(&opening).await;
    is_not_opened(&shop.world, &body, 503, "session_busy").await;
    shop.world.moves_on();
    shop.world.quiet().await;
    // The first transaction's blockhash may have died meanwhile; the nonce is as good as new.
    let body = shop.world.opening_body(&opening).await;
    let (status, answer) = shop.world.post("/sessions", &body).await;
    assert_eq!(status, 201, "nothing was recorded of the busy one: {answer:#}");
    shop.closes().await;
}

/// Guards: the patience of `check_caps_again`, and `account_at_rest`. An honest session that was opened unverified is
/// verified as soon as that can be known, and never taken for a liar because it has paid since.
#[tokio::test]
async fn a_session_that_paid_before_its_cap_was_known_is_verified_later() {
    for delegation in BOTH {
        let options = Options {
            delegation,
            settings: Box::new(|settings: &mut Settings| {
                settings.openings.cap_check_deadline = Duration::from_millis(300);
            }),
            ..Options::default()
        };
        let world = World::with(options).await;
        let (payer, merchant) = (world.wallet(PURSE).await, world.wallet(0).await);
        world.covalidator.faults().set(CovalidatorPlan { fail_next: 1_000, ..CovalidatorPlan::default() });
        let answer = opens_with(&world, &payer, &merchant, 100_000, 100_000).await;
        let session = answer["sessionId"].as_str().unwrap().to_owned();
        assert_eq!(answer["capVerified"], json!(false));
        let shop = Shop { world, payer, merchant, session };
        shop.pays(30_000, None).await;
        shop.world.covalidator.faults().set(CovalidatorPlan::default());
        // Under documented delegation the transfer made a new delegated amount, which nobody may decrypt; what the approve
        // itself made stays readable.
        is_verified(&shop).await;
        shop.pays(70_000, None).await;
        shop.closes().await;
    }
}

async fn is_verified(shop: &Shop) {
    let is_verified = async || {
        let seen = view(&shop.world, &shop.session).await;
        assert_eq!(seen["state"], "open", "{seen:#}");
        seen["capVerified"] == json!(true)
    };
    shop.world.until("the cap is verified", is_verified).await;
}

/// Guard: `check_caps_again`: a user who approved less than they signed for is found out as soon as it can be known.
#[tokio::test]
async fn r05_an_unverified_session_is_rejected_once_its_lie_is_known() {
    let small = |settings: &mut Settings| {
        settings.payments.unverified_exposure = Amount::new(100).unwrap();
        settings.openings.cap_check_deadline = Duration::from_millis(100);
    };
    let world = World::with(Options::settings(small)).await;
    let (payer, merchant) = (world.wallet(PURSE).await, world.wallet(0).await);
    world.covalidator.faults().set(CovalidatorPlan { fail_next: 1_000, ..CovalidatorPlan::default() });
    let answer = opens_with(&world, &payer, &merchant, 100_000, 1).await;
    let session = answer["sessionId"].as_str().unwrap().to_owned();
    is_refused_everywhere(&world, &world.payment(&session, &merchant.key(), 101, None), "cap_unverified").await;
    world.covalidator.faults().set(CovalidatorPlan::default());
    becomes(&world, &session, "rejected").await;
    is_refused_everywhere(&world, &world.payment(&session, &merchant.key(), 1, None), "session_not_open").await;
    world.finish().await;
}
