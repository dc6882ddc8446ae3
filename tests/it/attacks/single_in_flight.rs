//! Single payments that do not land, or not yet, are in nobody's way.

use crate::{
    allowances::asks,
    support::{SingleScene, Wallet, signed_by, until},
};
use serde_json::json;
use sotto::{
    domain::{amount::Amount, settlement::Purpose, single_payment::SingleKey},
    facilitator::{AllowancePolicy, AllowanceSettings},
    ledger::Work,
    localnet::ALL,
};
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);

async fn is_recorded(scene: &SingleScene, payer: &Wallet, nonce: &str) -> bool {
    let key = SingleKey::Nonce(payer.key(), nonce.to_owned());
    scene.world.ledger().find_single(&key).await.unwrap().is_some()
}

/// What is on its way of this kind.
async fn under_way(scene: &SingleScene, purpose: Purpose) -> Option<Work> {
    let unfinished = scene.world.ledger().unfinished().await.unwrap();
    unfinished.into_iter().find(|work| work.settlement.purpose == purpose && work.attempt.is_some())
}

/// Guard: `SinglePayments::run`: what is signed late is proved dead as soon as it is, and not as late as what is signed at once.
#[tokio::test]
async fn r27_what_is_signed_late_is_in_flight_no_longer_than_its_blockhash_lives() {
    let scene = SingleScene::plain().await;
    let issued = scene.issued(&scene.payload_of("1", "n-1").await).await;
    let offers = scene.world.ledger().single_offers(&scene.payer.key(), scene.world.now()).await.unwrap();
    scene.world.passes(20);
    scene.world.net.faults().change(|plan| plan.frozen = true);
    let signed = signed_by(&scene.payer, issued);
    let ((status, paid), ()) = tokio::join!(scene.settles(&signed), async {
        until("it is recorded", async || is_recorded(&scene, &scene.payer, "n-1").await).await;
        let work = under_way(&scene, Purpose::SinglePayment).await.unwrap();
        let attempt = work.attempt.unwrap();
        assert_eq!(attempt.get().last_valid_block_height, offers[0].last_valid_block_height);
        scene.world.net.faults().clear();
    });
    assert_eq!((status, &paid["success"]), (200, &json!(true)), "{paid:#}");
    scene.closes().await;
}

/// Guard: `LEAST_LIFE`. A transaction that is about to die costs its payer nothing and would be in flight until it is proved dead.
#[tokio::test]
async fn r27_what_is_about_to_die_is_not_recorded() {
    let scene = SingleScene::plain().await;
    scene.world.stands_still();
    let signed = signed_by(&scene.payer, scene.issued(&scene.payload_of("1", "n-1").await).await);
    scene.world.passes(130);
    let (status, answer) = scene.settles(&signed).await;
    assert_eq!((status, answer["errorReason"].as_str()), (400, Some("transaction_not_issued")), "{answer:#}");
    assert!(!is_recorded(&scene, &scene.payer, "n-1").await);
    scene.world.moves_on();
    scene.closes().await;
}

/// Guard: `SinglePayments::place`. However many wallets somebody has, sessions keep most of what may be in flight; and what waits
/// is not recorded, so it does not die in a line.
#[tokio::test]
async fn r27_single_payments_without_credit_have_few_places_and_wait_for_them_unrecorded() {
    let scene = SingleScene::with(|settings| settings.dispatch.in_flight = 8).await;
    let other = scene.world.wallet(1_000_000).await;
    let mine = signed_by(&scene.payer, scene.issued(&scene.payload_of("1", "n-1").await).await);
    let theirs = signed_by(&other, scene.issued(&scene.payload_by(&other, "1", "n-2").await).await);
    scene.world.net.faults().change(|plan| plan.frozen = true);
    let ((status, paid), ()) = tokio::join!(scene.settles(&mine), async {
        until("it is recorded", async || is_recorded(&scene, &scene.payer, "n-1").await).await;
        let (status, answer) = scene.settles(&theirs).await;
        assert_eq!((status, answer["errorReason"].as_str()), (503, Some("overloaded")), "{answer:#}");
        assert!(!is_recorded(&scene, &other, "n-2").await);
        scene.world.net.faults().clear();
    });
    assert_eq!((status, &paid["success"]), (200, &json!(true)), "{paid:#}");
    let (status, paid) = scene.settles(&theirs).await;
    assert_eq!((status, &paid["success"]), (200, &json!(true)), "{paid:#}");
    scene.world.quiet().await;
    scene.world.finish().await;
}

/// Guard: `Dispatch::carry_single`. A balance is made readable by a transfer that needs its account alone; one that a stranger has
/// sent there and that is not seen to land does not keep it.
#[tokio::test]
async fn r27_a_single_payment_that_is_not_seen_to_land_keeps_no_balance_unreadable() {
    let scene = SingleScene::with(|settings| {
        settings.transfers.decrypt_allowance = AllowancePolicy::Idle;
        settings.allowances = AllowanceSettings {
            min_moved: Amount::ZERO,
            idle_after: HOUR,
            min_interval: HOUR,
            max_age: HOUR,
            request_interval: HOUR,
        };
        settings.dispatch.single_lock = Duration::ZERO;
    })
    .await;
    let (world, merchant) = (&scene.world, scene.merchant.key());
    let session = world.open(&world.wallet(1_000_000).await, &merchant, 100_000).await;
    let (status, answer) = world.post("/settle", &world.payment(&session, &merchant, 1_000, None)).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer:#}");
    world.quiet().await;

    let signed = signed_by(&scene.payer, scene.issued(&scene.payload_of("1", "n-1").await).await);
    world.stands_still();
    world.net.faults().change(|plan| plan.late_confirmation = [(ALL.to_owned(), 100)].into());
    let ((status, paid), ()) = tokio::join!(scene.settles(&signed), async {
        world.until("it lands", async || world.units(&scene.merchant) == 1_001_000).await;
        world.net.faults().clear();
        world.passes(2);
        let ((status, answer), ()) = tokio::join!(asks(world, &session, "merchant", &scene.merchant), async {
            world.until("it is sent", async || under_way(&scene, Purpose::Refresh).await.is_some()).await;
            assert!(under_way(&scene, Purpose::SinglePayment).await.is_some());
            world.moves_on();
        });
        assert_eq!(status, 200, "{answer:#}");
    });
    assert_eq!((status, &paid["success"]), (200, &json!(true)), "{paid:#}");
    world.quiet().await;
    scene.world.finish().await;
}
