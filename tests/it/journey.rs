//! The main job over real HTTP, a real SVM and real encryption: open, pay, settle, decrypt.

use crate::support::{Options, World};
use sotto::{facilitator::CapCheckPolicy, localnet::standins::Delegation};
use std::time::Duration;

async fn pay_twenty_times(delegation: Delegation) {
    let world = World::with(Options { delegation, ..Options::default() }).await;
    let (payer, merchant) = (world.wallet(50_000_000).await, world.wallet(0).await);
    let session = world.open(&payer, &merchant.key(), 10_000_000).await;
    for call in 0..20 {
        let body = world.payment(&session, &merchant.key(), 10_000, Some(&format!("call-{call:04}-nonce-0000")));
        let (status, answer) = world.post("/settle", &body).await;
        assert_eq!((status, &answer["success"]), (200, &serde_json::json!(true)), "{answer:#}");
    }
    assert_eq!(world.balance(&merchant).await, 200_000);
    assert_eq!(world.balance(&payer).await, 50_000_000 - 200_000);
    world.finish().await;
}

#[tokio::test]
async fn twenty_payments_land_where_only_the_delegate_is_compared() {
    pay_twenty_times(Delegation::Public).await;
}

#[tokio::test]
async fn twenty_payments_land_where_the_delegated_amount_is_lowered() {
    pay_twenty_times(Delegation::Documented).await;
}

#[tokio::test]
async fn an_opening_that_waits_for_the_covalidator_opens_by_itself() {
    let world = World::with(Options::settings(|settings| {
        settings.openings.cap_check = CapCheckPolicy::Required;
        settings.openings.cap_check_deadline = Duration::from_millis(300);
    }))
    .await;
    let (payer, merchant) = (world.wallet(1_000).await, world.wallet(0).await);
    world.covalidator.faults().change(|plan| plan.fail_next = 1_000);
    let body = world.opening_body(&world.opening(&payer, &merchant.key(), 500)).await;
    let (status, refusal) = world.post("/sessions", &body).await;
    assert_eq!((status, &refusal["error"]), (503, &"cap_unverified".into()), "{refusal:#}");
    let session = refusal["sessionId"].as_str().unwrap().to_owned();
    let payment = world.payment(&session, &merchant.key(), 10, None);
    let (_, refused) = world.post("/settle", &payment).await;
    assert_eq!(refused["errorReason"], "session_not_open");
    world.covalidator.faults().change(|plan| plan.fail_next = 0);
    // The request is sent again, as a client repeats it, until it is answered with the open session.
    let mut opened = serde_json::Value::Null;
    let is_open = async || {
        let (status, answer) = world.post("/sessions", &body).await;
        assert!(matches!(status, 201 | 503), "{answer:#}");
        opened = answer;
        status == 201
    };
    world.until("it opens", is_open).await;
    assert_eq!(opened["sessionId"], session.as_str());
    let (_, paid) = world.post("/settle", &payment).await;
    assert_eq!(paid["success"], true, "{paid:#}");
    world.finish().await;
}

#[tokio::test]
async fn an_empty_balance_moves_nothing_and_the_answer_says_what_is_known() {
    let world = World::start().await;
    let (payer, merchant) = (world.wallet(0).await, world.wallet(0).await);
    let session = world.open(&payer, &merchant.key(), 500).await;
    let (_, answer) = world.post("/settle", &world.payment(&session, &merchant.key(), 10, None)).await;
    assert_eq!(answer["success"], true, "{answer:#}");
    assert_eq!(answer["extensions"]["session"]["funding"], "unproven", "{answer:#}");
    assert_eq!(world.balance(&merchant).await, 0);
    world.finish().await;
}
