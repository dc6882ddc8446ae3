//! Openings that cost their caller nothing: what they could make us pay for, and whom they could keep out.

use super::{Trace, approves, becomes, is_not_opened, on_total, over, view, with_sol};
use crate::support::{Options, Wallet, World};
use futures_util::future::join_all;
use serde_json::json;
use solana_signature::Signature;
use sotto::{
    facilitator::{CapCheckPolicy, Settings},
    localnet::{covalidator::CovalidatorPlan, standins::Delegation},
};
use std::time::Duration;

/// A payer with an account, some SOL and next to nothing to spend.
async fn farmer(world: &World) -> Wallet {
    let farmer = world.wallet(1).await;
    with_sol(world, &farmer).await;
    farmer
}

/// Guards: `Approval::admits`, and `read_approve`. Without a total one approve opens one session, no other transaction's name
/// goes for it, and those that are refused use up nobody's quota.
#[tokio::test]
async fn a04_one_approve_on_chain_opens_one_session_and_closes_no_merchant() {
    let world = World::with(Options::settings(|settings| {
        settings.openings.sessions_per_merchant_per_hour = 8;
        settings.openings.sessions_per_hour = 8;
    }))
    .await;
    let (farmer, merchant) = (farmer(&world).await, world.wallet(0).await);
    let approve = approves(&world, &farmer, 10).await;
    let first = over(&world, &farmer, &merchant.key(), 10, &approve);
    let (status, opened) = world.post("/sessions", &first).await;
    assert_eq!(status, 201, "{opened:#}");
    let before = Trace::of(&world).await;
    let another_name = world.net.network().airdrop(&merchant.key(), 1_000_000).unwrap();
    let (used, none) = ((409, "approve_used"), (400, "approve_not_allowed"));
    for (name, (status, word)) in
        [(approve, used), (another_name, none), (approve, used), (Signature::from([7; 64]), none)]
    {
        let body = over(&world, &farmer, &merchant.key(), 10, &name);
        let refused = is_not_opened(&world, &body, status, word).await;
        assert_eq!(refused.get("sessionId"), None, "no row was written: {refused:#}");
    }
    assert_eq!(Trace::of(&world).await.sessions, before.sessions);
    let (status, again) = world.post("/sessions", &first).await;
    assert_eq!((status, &again["sessionId"]), (201, &opened["sessionId"]), "a repeat is the same session: {again:#}");

    // One that was sent to us for a session is used as well.
    let payer = world.wallet(100).await;
    let session = world.open(&payer, &merchant.key(), 10).await;
    let approve = view(&world, &session).await["approveTxSignature"].as_str().unwrap().parse().unwrap();
    is_not_opened(&world, &over(&world, &payer, &merchant.key(), 10, &approve), 409, "approve_used").await;
    // A new one is another one, and what is open takes its part of it first.
    let approve = approves(&world, &farmer, 20).await;
    is_not_opened(&world, &over(&world, &farmer, &merchant.key(), 10, &approve), 409, "approve_used").await;
    let (status, answer) =
        world.post("/sessions", &on_total(&world, &farmer, &merchant.key(), (10, 20), &approve)).await;
    assert_eq!(status, 201, "{answer:#}");
    // Three were opened: the honest fourth finds a place.
    world.open(&world.wallet(100).await, &merchant.key(), 10).await;
    world.finish().await;
}

/// Guard: `open_on_approval`: together, all of them pass the look before the row.
#[tokio::test]
async fn a04_of_openings_that_come_together_on_one_approve_one_opens() {
    let world = World::start().await;
    let (farmer, merchant) = (farmer(&world).await, world.wallet(0).await);
    let approve = approves(&world, &farmer, 10).await;
    let bodies: Vec<_> = (0..4).map(|_| over(&world, &farmer, &merchant.key(), 10, &approve)).collect();
    let answers = join_all(bodies.iter().map(|body| world.post("/sessions", body))).await;
    let opened = answers.iter().filter(|(status, _)| *status == 201).count();
    let refused = answers.iter().filter(|(_, answer)| answer["error"] == "approve_used").count();
    assert_eq!((opened, refused), (1, 3), "{answers:#?}");
    // One opening, sent twice at once, is one session.
    let approve = approves(&world, &farmer, 20).await;
    let body = on_total(&world, &farmer, &merchant.key(), (10, 20), &approve);
    let (one, two) = tokio::join!(world.post("/sessions", &body), world.post("/sessions", &body));
    let (_, known) = world.post("/sessions", &body).await;
    assert!(known["sessionId"].is_string(), "{known:#}");
    for (status, answer) in [&one, &two] {
        assert_eq!((*status, &answer["sessionId"]), (201, &known["sessionId"]), "{answer:#}");
    }
    world.finish().await;
}

/// An approve that opened nothing may still open something.
#[tokio::test]
async fn a04_a_rejected_opening_uses_up_no_approve() {
    let world = World::start().await;
    let (farmer, merchant) = (farmer(&world).await, world.wallet(0).await);
    let approve = approves(&world, &farmer, 10).await;
    is_not_opened(&world, &over(&world, &farmer, &merchant.key(), 11, &approve), 400, "cap_mismatch").await;
    let (status, answer) = world.post("/sessions", &over(&world, &farmer, &merchant.key(), 10, &approve)).await;
    assert_eq!(status, 201, "{answer:#}");
    world.finish().await;
}

/// Guard: the amount of the approve itself. Where a transfer lowers the delegation it leaves another handle, which is no new approve.
#[tokio::test]
async fn a04_what_a_transfer_left_of_an_approve_is_no_other_approve() {
    let world = World::with(Options { delegation: Delegation::Documented, ..Options::default() }).await;
    let (farmer, merchant) = (world.wallet(1_000).await, world.wallet(0).await);
    with_sol(&world, &farmer).await;
    let approve = approves(&world, &farmer, 100).await;
    let (status, opened) = world.post("/sessions", &over(&world, &farmer, &merchant.key(), 100, &approve)).await;
    assert_eq!(status, 201, "{opened:#}");
    let payment = world.payment(opened["sessionId"].as_str().unwrap(), &merchant.key(), 40, Some("one"));
    let (_, paid) = world.post("/settle", &payment).await;
    assert_eq!(paid["success"], json!(true), "{paid:#}");
    for cap in [60, 100] {
        is_not_opened(&world, &over(&world, &farmer, &merchant.key(), cap, &approve), 409, "approve_used").await;
    }
    let approve = approves(&world, &farmer, 160).await;
    let body = on_total(&world, &farmer, &merchant.key(), (100, 160), &approve);
    let (status, answer) = world.post("/sessions", &body).await;
    assert_eq!(status, 201, "60 are the first one's: {answer:#}");
    world.finish().await;
}

/// No session opens without its amount, which nobody tells for now.
fn tells_no_amount(world: &World) {
    world.covalidator.faults().set(CovalidatorPlan { fail_next: 100_000, ..CovalidatorPlan::default() });
}

fn demands_amounts(settings: &mut Settings) {
    settings.openings.cap_check = CapCheckPolicy::Required;
    settings.openings.cap_check_deadline = Duration::from_millis(200);
}

/// Guard: `approved_amount` before the row. An amount that nobody tells leaves no session that is asked about again and again, and
/// no nonce that is used up.
#[tokio::test]
async fn a04_an_approve_whose_amount_nobody_tells_leaves_no_trace() {
    let world = World::with(Options::settings(demands_amounts)).await;
    let (farmer, merchant) = (farmer(&world).await, world.wallet(0).await);
    let approve = approves(&world, &farmer, 10).await;
    tells_no_amount(&world);
    let before = Trace::of(&world).await;
    let body = over(&world, &farmer, &merchant.key(), 10, &approve);
    for _ in 0..3 {
        let refused = is_not_opened(&world, &body, 503, "cap_unverified").await;
        assert_eq!(refused.get("sessionId"), None, "no row was written: {refused:#}");
    }
    assert_eq!(Trace::of(&world).await, before);
    world.covalidator.faults().set(CovalidatorPlan::default());
    let (status, opened) = world.post("/sessions", &body).await;
    assert_eq!((status, &opened["capVerified"]), (201, &json!(true)), "{opened:#}");
    world.finish().await;
}

/// Guard: `check_not_opening`. The payer lets a session open by the approve of one that waits, spends it, and then the other one opens.
#[tokio::test]
async fn a04_an_approve_that_was_sent_to_us_is_not_used_before_the_session_it_was_sent_for() {
    let world = World::with(Options::settings(demands_amounts)).await;
    let (payer, merchant) = (world.wallet(100).await, world.wallet(0).await);
    tells_no_amount(&world);
    let body = world.opening_body(&world.opening(&payer, &merchant.key(), 10)).await;
    let waits = is_not_opened(&world, &body, 503, "cap_unverified").await;
    let another = over(&world, &payer, &merchant.key(), 10, &Signature::from([7; 64]));
    let refused = is_not_opened(&world, &another, 409, "approve_used").await;
    assert_eq!(refused.get("sessionId"), None, "no row was written: {refused:#}");
    world.covalidator.faults().set(CovalidatorPlan::default());
    becomes(&world, waits["sessionId"].as_str().unwrap(), "open").await;
    world.finish().await;
}

/// Guard: the handle that `prove_opening` remembers. An opening that waited finds the approve of the next one on the account, which is that one's.
#[tokio::test]
async fn a04_an_opening_that_waited_does_not_live_on_the_approve_of_the_next() {
    let mut world = World::with(Options::settings(|settings| {
        demands_amounts(settings);
        // The first is looked at again by the next process, and not before.
        settings.background.round = Duration::from_hours(1);
    }))
    .await;
    let (payer, merchant) = (world.wallet(100).await, world.wallet(0).await);
    tells_no_amount(&world);
    let body = world.opening_body(&world.opening(&payer, &merchant.key(), 10)).await;
    let waits = is_not_opened(&world, &body, 503, "cap_unverified").await;
    world.covalidator.faults().set(CovalidatorPlan::default());
    let next = world.open(&payer, &merchant.key(), 10).await;
    world.configure(demands_amounts);
    world.kill().await;
    world.boot().await;
    becomes(&world, waits["sessionId"].as_str().unwrap(), "rejected").await;
    assert_eq!(view(&world, &next).await["state"], "open", "and ends nobody's");
    world.finish().await;
}
