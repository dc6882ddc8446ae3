//! What a caller is told, and what becomes of a promise.

use super::{PRICE, Tab, patient, patient_with};
use crate::support::{Options, in_time};
use serde_json::{Value, json};
use sotto::{domain::amount::Amount, facilitator::AllowancePolicy, ledger::Held};
use std::time::Duration;

fn duplicate(answer: &Value) -> bool {
    answer["success"] == json!(false) && answer["errorReason"] == json!("duplicate_settlement")
}

#[tokio::test]
async fn a_deferred_payment_is_answered_when_it_is_held_and_settled_with_others() {
    let tab = Tab::open(patient(|policy| policy.count = 5)).await;
    for call in 0..4 {
        let answer = tab.holds(PRICE, &format!("call-{call}")).await;
        let after = &answer["extensions"]["session"];
        assert_eq!(after["spent"], ((call + 1) * PRICE).to_string(), "{answer:#}");
        assert_eq!(after["payment"].as_str().map(str::len), Some(36), "{answer:#}");
    }
    tab.rests(4 * PRICE).await;
    tab.holds(PRICE, "call-4").await;
    let totals = tab.settles_down_to(0).await;
    assert_eq!((totals.captured.get(), totals.transfers), (5 * PRICE, 1), "one transfer carries all five");
    tab.closes().await;
}

#[tokio::test]
async fn a_repeated_promise_is_told_once() {
    let mut tab = Tab::open(patient(|_| ())).await;
    tab.holds(PRICE, "the-same-nonce-000").await;
    let again = tab.settle(PRICE, "the-same-nonce-000").await;
    assert!(duplicate(&again), "{again:#}");
    assert_eq!(again["extensions"]["session"]["settlement"], "held", "{again:#}");
    // A merchant who deduplicates on their own gets the recorded answer, also after it was settled; of what was told to
    // somebody who does not, nobody does.
    let asked = |nonce: &str| {
        let mut body = tab.payment(PRICE, Some(nonce));
        body["paymentRequirements"]["extra"]["idempotent"] = json!(true);
        body
    };
    let (too_late, body) = (asked("the-same-nonce-000"), asked("another-nonce-0000"));
    let refused = tab.world.post("/settle", &too_late).await.1;
    assert!(duplicate(&refused), "{refused:#}");
    let first = tab.world.post("/settle", &body).await.1;
    assert_eq!((&first["success"], &first["transaction"]), (&json!(true), &json!("")), "{first:#}");
    assert_eq!(tab.world.post("/settle", &body).await.1, first);
    let (_, valid) = tab.world.post("/verify", &body).await;
    assert_eq!(valid["isValid"], true, "{valid:#}");
    let (_, verified) = tab.world.post("/verify", &tab.payment(PRICE, Some("the-same-nonce-000"))).await;
    assert_eq!(verified["invalidReason"], "duplicate_settlement", "{verified:#}");
    tab.world.running().facilitator.leave().await;
    assert_eq!(tab.totals().await.captured.get(), 2 * PRICE);
    tab.world.kill().await;
    tab.world.boot().await;
    assert_eq!(tab.world.post("/settle", &body).await.1, first, "byte for byte");
    let refused = tab.world.post("/settle", &too_late).await.1;
    assert!(duplicate(&refused), "{refused:#}");
    let late = tab.settle(PRICE, "the-same-nonce-000").await;
    assert!(duplicate(&late), "{late:#}");
    assert_eq!(late["extensions"]["session"]["settlement"], "captured", "{late:#}");
    assert!(!late["transaction"].as_str().unwrap().is_empty(), "{late:#}");
    tab.world.lets_pass(body["paymentRequirements"]["maxTimeoutSeconds"].as_u64().unwrap());
    let ended = tab.world.post("/settle", &body).await.1;
    assert!(duplicate(&ended), "{ended:#}");
    let (_, ended) = tab.world.post("/verify", &body).await;
    assert_eq!(ended["invalidReason"], "duplicate_settlement", "{ended:#}");
    assert_eq!(tab.totals().await.transfers, 1);
    tab.closes().await;
}

/// A caller who hangs up right after the commit leaves a promise that only the ledger knows of.
#[tokio::test]
async fn a_promise_that_nobody_counted_is_settled_when_its_time_comes() {
    let tab = Tab::open(patient(|_| ())).await;
    let unseen = tab.promise(1);
    let held = tab.world.ledger().hold(&unseen).await.unwrap();
    assert!(matches!(held, Held::New(hold) if hold.deferred));
    assert_eq!(tab.settles_down_to(0).await.captured.get(), PRICE);
    tab.closes().await;
}

#[tokio::test]
async fn without_a_nonce_every_deferred_request_is_a_payment() {
    let tab = Tab::open(patient(|policy| policy.count = 3)).await;
    for _ in 0..3 {
        let (_, answer) = tab.world.post("/settle", &tab.payment(PRICE, None)).await;
        assert_eq!(answer["success"], true, "{answer:#}");
    }
    assert_eq!(tab.settles_down_to(0).await.captured.get(), 3 * PRICE);
    tab.closes().await;
}

#[tokio::test]
async fn beyond_the_limit_a_payment_is_settled_per_call() {
    let tab = Tab::open(patient(|policy| {
        policy.exposure.per_session = Amount::new(2 * PRICE).unwrap();
    }))
    .await;
    tab.holds(PRICE, "one").await;
    tab.holds(PRICE, "two").await;
    let third = tab.settle(PRICE, "three").await;
    assert_eq!(third["success"], true, "{third:#}");
    assert_eq!(third["extensions"]["session"]["settlement"], "captured", "{third:#}");
    assert!(!third["transaction"].as_str().unwrap().is_empty(), "{third:#}");
    // The transfer that was needed anyway has carried what waited.
    let totals = tab.settles_down_to(0).await;
    assert_eq!((totals.captured.get(), totals.transfers), (3 * PRICE, 1));
    tab.holds(PRICE, "four").await;
    tab.closes_holding(PRICE).await;
}

/// Guard: `Carry::promises_alone`. Who asks again for a payment on its way wakes the lane, which finds what was promised
/// meanwhile and nothing else.
#[tokio::test]
async fn a_payment_that_is_asked_for_again_is_no_trigger_and_takes_promises_along() {
    let tab = Tab::open(patient(|_| ())).await;
    let pays = async |nonce, seconds| {
        let mut body = tab.world.payment(&tab.session, &tab.merchant.key(), PRICE, Some(nonce));
        for side in ["/paymentRequirements", "/paymentPayload/accepted"] {
            body.pointer_mut(side).unwrap()["maxTimeoutSeconds"] = json!(seconds);
        }
        tab.world.post("/settle", &body).await.1
    };
    tab.world.net.faults().change(|plan| plan.frozen = true);
    let (paid, ()) = tokio::join!(pays("the-same-nonce-000", 60), async {
        tab.flies().await;
        tab.holds(PRICE, "promised").await;
        let again = pays("the-same-nonce-000", 1).await;
        assert_eq!(again["errorReason"], "settlement_pending", "{again:#}");
        tab.world.net.faults().clear();
    });
    assert_eq!(paid["success"], true, "{paid:#}");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let totals = tab.totals().await;
    assert_eq!((totals.held.get(), totals.transfers), (PRICE, 1), "nobody asked for what is promised");
    let next = pays("the-next-nonce-000", 60).await;
    assert_eq!(next["success"], true, "{next:#}");
    let totals = tab.settles_down_to(0).await;
    assert_eq!((totals.captured.get(), totals.transfers), (3 * PRICE, 2), "it goes along with the next payment");
    tab.closes().await;
}

#[tokio::test]
async fn an_unknown_kind_of_settlement_is_refused() {
    let tab = Tab::open(Options::default()).await;
    let mut body = tab.payment(PRICE, Some("whatever"));
    body["paymentRequirements"]["extra"]["settlement"] = json!("someday");
    let (status, answer) = tab.world.post("/settle", &body).await;
    assert_eq!((status, &answer["errorReason"]), (400, &json!("bad_request")), "{answer:#}");
    body["paymentRequirements"]["extra"]["settlement"] = json!("per-call");
    let (_, answer) = tab.world.post("/settle", &body).await;
    assert_eq!(answer["extensions"]["session"]["settlement"], "captured", "{answer:#}");
    tab.closes().await;
}

/// Promised before the process died: never released at start, settled by the next process.
#[tokio::test]
async fn what_was_promised_is_settled_by_the_next_process() {
    let mut tab = Tab::open(patient(|policy| policy.count = 3)).await;
    tab.holds(PRICE, "before-1").await;
    tab.holds(PRICE, "before-2").await;
    tab.world.kill().await;
    tab.world.boot().await;
    assert_eq!(tab.totals().await.held.get(), 2 * PRICE);
    tab.holds(PRICE, "after-1").await;
    let totals = tab.settles_down_to(0).await;
    assert_eq!((totals.captured.get(), totals.transfers), (3 * PRICE, 1), "the count goes on where it stood");
    tab.closes().await;
}

/// A balance that cannot pay at first: the promise is tried again and kept.
#[tokio::test]
async fn a_promise_whose_settlement_failed_is_tried_again() {
    let tab = Tab::open(patient(|policy| policy.count = 1)).await;
    tab.freezes(true).await;
    tab.holds(PRICE, "frozen-at-first").await;
    tab.comes_back().await;
    assert_eq!(tab.totals().await.held.get(), PRICE, "still promised");
    tab.freezes(false).await;
    assert_eq!(tab.settles_down_to(0).await.captured.get(), PRICE);
    assert_eq!(tab.totals().await.lost, Amount::ZERO);
    tab.closes().await;
}

/// Guard: `revoke_if_delegation_is_gone` asks behind the gate of openings.
#[tokio::test]
async fn a_promise_that_is_tried_while_an_approve_lands_does_not_end_the_session_that_opens() {
    let tab = Tab::open(patient_with(|settings| {
        settings.transfers.decrypt_allowance = AllowancePolicy::Every;
        // The monitor has nothing to say here.
        settings.funding.interval = Duration::from_hours(1);
    }))
    .await;
    let world = &tab.world;
    let opening = world.opening_body(&world.opening(&tab.payer, &tab.merchant.key(), 10_000_000)).await;
    tab.revokes().await;
    // The opening has it tried first, and nobody before: a try without an opening finds out that the delegation is gone.
    tab.holds(PRICE, "tried-again-and-again").await;
    let returns = async || {
        let session = tab.session.parse().unwrap();
        world.ledger().find_payment(session, "tried-again-and-again").await.unwrap().unwrap().returns
    };
    // The node takes the approve and stands still.
    world.net.faults().change(|plan| plan.frozen = true);
    let tried_again = async {
        world.until("it opens", async || !world.ledger().opening_sessions().await.unwrap().is_empty()).await;
        let tried = returns().await;
        world.until("it is tried again", async || returns().await > tried).await;
        world.net.faults().clear();
    };
    let both = async { tokio::join!(world.post("/sessions", &opening), tried_again).0 };
    let (status, answer) = in_time("it opens", both).await;
    assert_eq!((status, &answer["state"]), (201, &json!("open")), "{answer:#}");
    assert_eq!(tab.settles_down_to(0).await.captured.get(), PRICE, "and the promise is kept by the new approve");
    tab.closes().await;
}

#[tokio::test]
async fn a_promise_that_cannot_be_kept_is_booked_as_lost_and_told() {
    let tab = Tab::open(patient(|policy| {
        policy.count = 1;
        policy.give_up_returns = 2;
    }))
    .await;
    tab.freezes(true).await;
    tab.holds(PRICE, "frozen-for-ever").await;
    let totals = tab.settles_down_to(0).await;
    assert_eq!((totals.lost.get(), totals.captured), (PRICE, Amount::ZERO));
    let told = tab.settle(PRICE, "frozen-for-ever").await;
    assert_eq!(told["success"], false, "{told:#}");
    assert_eq!(told["extensions"]["session"]["settlement"], "lost", "{told:#}");
    tab.world.finish().await;
}
