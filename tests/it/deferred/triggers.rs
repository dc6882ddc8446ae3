//! What makes a facilitator settle what it has promised: each trigger alone, with all others out of reach.

use super::{PRICE, Tab, patient, patient_with};
use crate::support::in_time;
use sotto::{domain::amount::Amount, ledger::Held};
use std::time::Duration;

#[tokio::test]
async fn the_amount_is_a_trigger() {
    let tab = Tab::open(patient(|policy| policy.amount = Amount::new(3 * PRICE).unwrap())).await;
    tab.holds(PRICE, "one").await;
    tab.holds(PRICE, "two").await;
    tab.rests(2 * PRICE).await;
    tab.holds(PRICE, "three").await;
    assert_eq!(tab.settles_down_to(0).await.transfers, 1);
    tab.closes().await;
}

/// What comes while a transfer flies is not carried by the next one for a fee of its own: it gathers as what came before.
#[tokio::test]
async fn what_is_promised_while_a_transfer_flies_waits_for_a_trigger_of_its_own() {
    let tab = Tab::open(patient(|policy| policy.count = 3)).await;
    tab.world.net.faults().change(|plan| plan.frozen = true);
    for nonce in ["one", "two", "three"] {
        tab.holds(PRICE, nonce).await;
    }
    tab.flies().await;
    tab.holds(PRICE, "four").await;
    tab.holds(PRICE, "five").await;
    tab.world.net.faults().clear();
    assert_eq!(tab.settles_down_to(2 * PRICE).await.transfers, 1);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let totals = tab.totals().await;
    assert_eq!((totals.held.get(), totals.transfers), (2 * PRICE, 1), "below every trigger");
    tab.holds(PRICE, "six").await;
    assert_eq!(tab.settles_down_to(0).await.transfers, 2);
    tab.closes().await;
}

/// The trigger that is reached meanwhile is not lost either: it takes off when the first has landed, with everything.
#[tokio::test]
async fn a_trigger_that_is_reached_while_a_transfer_flies_counts() {
    let tab = Tab::open(patient(|policy| policy.count = 3)).await;
    tab.world.net.faults().change(|plan| plan.frozen = true);
    for nonce in ["one", "two", "three"] {
        tab.holds(PRICE, nonce).await;
    }
    tab.flies().await;
    for nonce in ["four", "five", "six", "seven"] {
        tab.holds(PRICE, nonce).await;
    }
    tab.world.net.faults().clear();
    assert_eq!(tab.settles_down_to(0).await.transfers, 2);
    tab.closes().await;
}

#[tokio::test]
async fn the_age_of_the_oldest_is_a_trigger() {
    let tab = Tab::open(patient(|policy| policy.age_seconds = 600)).await;
    tokio::join!(tab.holds(PRICE, "one"), tab.holds(PRICE, "two"));
    tab.rests(2 * PRICE).await;
    tab.world.lets_pass(600);
    assert_eq!(tab.settles_down_to(0).await.transfers, 1);
    // One timer serves them all, again and again.
    tab.holds(PRICE, "three").await;
    tab.world.lets_pass(600);
    assert_eq!(tab.settles_down_to(0).await.transfers, 2);
    tab.closes().await;
}

/// A promise of an hour ago, in a ledger that no process has open.
#[tokio::test]
async fn the_age_counts_from_before_a_restart() {
    let mut tab = Tab::open(patient(|policy| policy.age_seconds = 3_600)).await;
    let promise = tab.promise(tab.world.now() - 3_600);
    tab.world.kill().await;
    let ledger = tab.world.open_ledger("sotto.db").await;
    assert!(matches!(ledger.hold(&promise).await.unwrap(), Held::New(hold) if hold.deferred));
    drop(ledger);
    tab.world.boot().await;
    assert_eq!(tab.settles_down_to(0).await.captured.get(), PRICE);
    tab.closes().await;
}

/// The other side: a minute less, and nothing comes.
#[tokio::test]
async fn a_restart_makes_no_promise_older() {
    let mut tab = Tab::open(patient(|policy| policy.age_seconds = 3_600)).await;
    let promise = tab.promise(tab.world.now() - 3_540);
    tab.world.kill().await;
    let ledger = tab.world.open_ledger("sotto.db").await;
    ledger.hold(&promise).await.unwrap();
    drop(ledger);
    tab.world.boot().await;
    tab.rests(PRICE).await;
    tab.world.running().facilitator.leave().await;
    assert_eq!(tab.totals().await.captured.get(), PRICE);
    tab.world.kill().await;
    tab.world.boot().await;
    tab.closes().await;
}

#[tokio::test]
async fn the_end_of_a_session_is_a_trigger() {
    let mut tab = Tab::open(patient(|_| ())).await;
    let mut opening = tab.world.opening(&tab.payer, &tab.merchant.key(), 10_000);
    opening.intent.expires_at = tab.world.now() + 600;
    let (status, session) = tab.world.post("/sessions", &tab.world.opening_body(&opening).await).await;
    assert_eq!(status, 201, "{session:#}");
    tab.session = session["sessionId"].as_str().unwrap().to_owned();
    tab.holds(PRICE, "one").await;
    tab.rests(PRICE).await;
    tab.world.lets_pass(600);
    assert_eq!(tab.settles_down_to(0).await.captured.get(), PRICE);
    let (_, session) = tab.world.get(&format!("/sessions/{}", tab.session)).await;
    assert_eq!(session["state"], "expired", "{session:#}");
    tab.closes().await;
}

#[tokio::test]
async fn leaving_is_a_trigger() {
    let mut tab = Tab::open(patient(|_| ())).await;
    tab.holds(PRICE, "one").await;
    tab.rests(PRICE).await;
    tab.world.running().facilitator.leave().await;
    let totals = tab.totals().await;
    assert_eq!((totals.held, totals.captured.get()), (Amount::ZERO, PRICE));
    tab.world.kill().await;
    tab.world.boot().await;
    tab.closes().await;
}

#[tokio::test]
async fn who_cannot_settle_leaves_in_time_and_the_next_process_settles() {
    let mut tab = Tab::open(patient(|policy| policy.leave_within = Duration::from_millis(300))).await;
    tab.holds(PRICE, "one").await;
    tab.world.net.faults().change(|plan| plan.frozen = true);
    let leaves = tab.world.running().facilitator.leave();
    in_time("it leaves", leaves).await;
    assert_eq!(tab.totals().await.held.get(), PRICE, "durable");
    tab.world.kill().await;
    tab.world.net.faults().clear();
    tab.world.boot().await;
    assert_eq!(tab.settles_down_to(0).await.captured.get(), PRICE);
    tab.closes().await;
}

/// A transfer of the same balance that fails is bad news for everything else that is promised on it.
#[tokio::test]
async fn trouble_with_a_balance_is_a_trigger() {
    let tab = Tab::open(patient_with(|settings| settings.answer_deadline = Duration::from_secs(10))).await;
    let other = tab.world.wallet(0).await;
    let mut opening = tab.world.opening(&tab.payer, &other.key(), 1_000_000);
    // Approves the sum, so that the first session stays open.
    opening.approved = 11_000_000;
    let (status, second) = tab.world.post("/sessions", &tab.world.opening_body(&opening).await).await;
    assert_eq!(status, 201, "{second:#}");
    tab.holds(PRICE, "promised").await;
    tab.rests(PRICE).await;
    tab.freezes(true).await;
    let second = second["sessionId"].as_str().unwrap();
    let (_, refused) = tab.world.post("/settle", &tab.world.payment(second, &other.key(), 5, None)).await;
    assert_eq!(refused["errorReason"], "simulation_failed", "{refused:#}");
    tab.comes_back().await;
    tab.freezes(false).await;
    assert_eq!(tab.settles_down_to(0).await.captured.get(), PRICE, "and it is tried again");
    tab.closes().await;
}

#[tokio::test]
async fn opening_another_session_settles_what_is_promised_on_the_balance() {
    let tab = Tab::open(patient(|_| ())).await;
    tab.holds(PRICE, "promised").await;
    let other = tab.world.wallet(0).await;
    tab.world.open(&tab.payer, &other.key(), 1_000).await;
    assert_eq!(tab.totals().await.captured.get(), PRICE);
    tab.closes().await;
}

/// Guard: `resting` in `drain`. A promise that cannot be kept for now keeps nobody from opening a session.
#[tokio::test]
async fn a_resting_promise_keeps_nobody_from_opening() {
    let tab = Tab::open(patient_with(|settings| settings.openings.drain_deadline = Duration::from_secs(2))).await;
    tab.holds(PRICE, "promised").await;
    tab.world.lands(tab.world.freeze(&tab.merchant.key()));
    tab.world.confirmed().await;
    tab.world.running().facilitator.leave().await;
    assert!(tab.world.ledger().promised(None).await.unwrap()[0].resting > 0);
    let mut tab = tab;
    tab.world.kill().await;
    tab.world.boot().await;
    let other = tab.world.wallet(0).await;
    tab.world.open(&tab.payer, &other.key(), 1_000).await;
    tab.world.lands(tab.world.thaw(&tab.merchant.key()));
    assert_eq!(tab.settles_down_to(0).await.captured.get(), PRICE, "and it is kept by the new approve");
    tab.closes().await;
}
