//! Caps that are not what was said, or not known.

use super::super::view;
use crate::support::{Options, World};
use serde_json::json;
use sotto::{domain::session::CapCheck, facilitator::CapCheckPolicy, localnet::standins::Delegation};
use std::time::Duration;

/// Guard: `reject_covering`. The rejected approve replaced the delegate's amount all the same.
#[tokio::test]
async fn an_approve_that_is_rejected_for_its_amount_ends_what_it_no_longer_backs() {
    for delegation in [Delegation::Public, Delegation::Documented] {
        let world = World::with(Options { delegation, ..Options::default() }).await;
        let (payer, merchant) = (world.wallet(50_000).await, world.wallet(0).await);
        let first = world.open(&payer, &merchant.key(), 10_000).await;
        let mut opening = world.opening(&payer, &merchant.key(), 5_000);
        opening.approved = 20;
        let (status, answer) = world.post("/sessions", &world.opening_body(&opening).await).await;
        assert_eq!((status, &answer["error"]), (400, &json!("cap_mismatch")), "{answer:#}");
        assert_eq!(view(&world, &first).await["state"], "superseded", "{delegation:?}: 20 back no 10,000");
        world.finish().await;
    }
}

/// Guard: the remembered handle of the approve. After the first transfer nobody may decrypt the current one.
#[tokio::test]
async fn an_unverified_session_that_has_paid_is_verified_when_the_covalidator_is_back() {
    for delegation in [Delegation::Public, Delegation::Documented] {
        let options = Options {
            delegation,
            settings: Box::new(|settings| {
                settings.openings.cap_check = CapCheckPolicy::BestEffort;
                settings.openings.cap_check_deadline = Duration::from_millis(300);
            }),
            ..Options::default()
        };
        let world = World::with(options).await;
        let (payer, merchant) = (world.wallet(50_000).await, world.wallet(0).await);
        world.covalidator.faults().change(|plan| plan.fail_next = u32::MAX);
        let session = world.open(&payer, &merchant.key(), 10_000).await;
        let body = world.payment(&session, &merchant.key(), 1_000, None);
        let (_, answer) = world.post("/settle", &body).await;
        assert_eq!(answer["success"], true, "{answer:#}");
        assert_eq!(view(&world, &session).await["capVerified"], false, "{delegation:?}");
        world.covalidator.faults().change(|plan| plan.fail_next = 0);
        let id = session.parse().unwrap();
        let check = async || world.ledger().session(id).await.unwrap().unwrap().cap_check;
        world.until("the cap is verified", async || check().await == CapCheck::Verified).await;
        world.finish().await;
    }
}
