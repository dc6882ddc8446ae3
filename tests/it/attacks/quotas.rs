//! Making us pay: grants, rents, fees.

use super::{Trace, approves, has_paid_for_days, is_not_opened, lands_by_itself, on_total, with_sol};
use crate::support::{Options, World};

fn two_an_hour(settings: &mut sotto::facilitator::Settings) {
    settings.openings.sessions_per_user_per_hour = 2;
}

/// Guard: `check_quota`.
#[tokio::test]
async fn r18_a_user_gets_so_many_grants_an_hour_and_no_more() {
    let world = World::with(Options::settings(two_an_hour)).await;
    let (payer, merchant) = (world.wallet(100).await, world.wallet(0).await);
    world.open(&payer, &merchant.key(), 10).await;
    world.open(&payer, &merchant.key(), 20).await;
    let before = Trace::of(&world).await;
    let third = world.opening_body(&world.opening(&payer, &merchant.key(), 30)).await;
    is_not_opened(&world, &third, 429, "quota_exceeded").await;
    assert_eq!(Trace::of(&world).await, before);
    world.finish().await;
}

/// Guard: the quota is counted again where the row is written, so that openings that come together do not all pass a
/// count that none of them has changed yet.
#[tokio::test]
async fn r18_openings_that_come_together_share_one_quota() {
    let world = World::with(Options::settings(|settings| settings.openings.sessions_per_user_per_hour = 1)).await;
    let (payer, merchant) = (world.wallet(100).await, world.wallet(0).await);
    let mut bodies = Vec::new();
    for cap in 1..=3 {
        bodies.push(world.opening_body(&world.opening(&payer, &merchant.key(), cap)).await);
    }
    let answers = futures_util::future::join_all(bodies.iter().map(|body| world.post("/sessions", body))).await;
    let opened = answers.iter().filter(|(status, _)| *status == 201).count();
    let refused = answers.iter().filter(|(_, answer)| answer["error"] == "quota_exceeded").count();
    assert_eq!((opened, refused), (1, 2), "{answers:#?}");
    assert_eq!(world.ledger().totals(None).await.unwrap().grants, 2_000_000);
    world.finish().await;
}

/// Guard: the half of `check_quota`'s shared quotas that users without credit have. A hundred new wallets, with tokens and proofs or
/// not, had closed a merchant, or the whole facilitator, to everybody for an hour.
#[tokio::test]
async fn a04_strangers_use_up_their_half_of_the_openings_and_payers_with_credit_still_open() {
    for of_merchant in [4, 400] {
        let world = World::with(Options::settings(move |settings| {
            settings.openings.sessions_per_merchant_per_hour = of_merchant;
            settings.openings.sessions_per_hour = 404 - of_merchant;
        }))
        .await;
        let merchant = world.wallet(0).await;
        for _ in 0..2 {
            world.open(&world.wallet(100).await, &merchant.key(), 10).await;
        }
        let late = world.wallet(100).await;
        let late = world.opening_body(&world.opening(&late, &merchant.key(), 10)).await;
        is_not_opened(&world, &late, 429, "quota_exceeded").await;

        let regular = world.wallet(100).await;
        has_paid_for_days(&world, &regular.key());
        world.open(&regular, &merchant.key(), 10).await;
        world.open(&regular, &merchant.key(), 20).await;
        let third = world.opening_body(&world.opening(&regular, &merchant.key(), 30)).await;
        is_not_opened(&world, &third, 429, "quota_exceeded").await;
        world.finish().await;
    }
}

/// Guard: `check_quota` by how the approve comes. An opening on an approve that is on chain costs us nothing: strangers who use up
/// what openings at our cost share keep it out of nothing, and it has its user's quota.
#[tokio::test]
async fn a04_an_opening_on_an_approve_on_chain_counts_against_its_user_alone() {
    let world = World::with(Options::settings(|settings| {
        settings.openings.sessions_per_merchant_per_hour = 1;
        settings.openings.sessions_per_hour = 1;
        settings.openings.sessions_per_user_per_hour = 2;
    }))
    .await;
    let (payer, merchant) = (world.wallet(100).await, world.wallet(0).await);
    with_sol(&world, &payer).await;
    world.open(&world.wallet(100).await, &merchant.key(), 10).await;
    let late = world.wallet(100).await;
    let late = world.opening_body(&world.opening(&late, &merchant.key(), 10)).await;
    is_not_opened(&world, &late, 429, "quota_exceeded").await;
    let approve = approves(&world, &payer, 100).await;
    for _ in 0..2 {
        let (status, opened) =
            world.post("/sessions", &on_total(&world, &payer, &merchant.key(), (10, 100), &approve)).await;
        assert_eq!(status, 201, "{opened:#}");
    }
    let third = on_total(&world, &payer, &merchant.key(), (10, 100), &approve);
    is_not_opened(&world, &third, 429, "quota_exceeded").await;
    world.finish().await;
}

/// Guard: the global count of `check_quota`, under the same lock.
#[tokio::test]
async fn r18_many_users_together_share_the_global_quota() {
    let world = World::with(Options::settings(|settings| settings.openings.sessions_per_hour = 4)).await;
    let merchant = world.wallet(0).await;
    let mut bodies = Vec::new();
    for _ in 0..4 {
        let payer = world.wallet(100).await;
        bodies.push(world.opening_body(&world.opening(&payer, &merchant.key(), 10)).await);
    }
    let answers = futures_util::future::join_all(bodies.iter().map(|body| world.post("/sessions", body))).await;
    let opened = answers.iter().filter(|(status, _)| *status == 201).count();
    assert_eq!(opened, 2, "{answers:#?}");
    world.finish().await;
}

/// Guards: `await_approve` refuses before the row what names a transaction and shows no approve, and `opened_since` counts
/// only openings that something was signed for.
#[tokio::test]
async fn r18_openings_that_prove_nothing_use_up_no_merchants_quota() {
    let world = World::with(Options::settings(|settings| {
        settings.openings.sessions_per_merchant_per_hour = 4;
        settings.openings.sessions_per_hour = 4;
    }))
    .await;
    let merchant = world.wallet(0).await;
    let before = Trace::of(&world).await;
    let any = world.net.network().airdrop(&merchant.key(), 1_000_000).unwrap();
    for approve in [any, solana_signature::Signature::from([7; 64])] {
        let sybil = world.wallet(0).await;
        let body = world.opening_body_landed(&world.opening(&sybil, &merchant.key(), 10), &approve);
        let refused = is_not_opened(&world, &body, 400, "delegate_mismatch").await;
        assert_eq!(refused.get("sessionId"), None, "no row was written: {refused:#}");
    }
    assert_eq!(Trace::of(&world).await, before);
    // An approve of ours, but not of the cap.
    for _ in 0..3 {
        let sybil = world.wallet(100).await;
        with_sol(&world, &sybil).await;
        let mut opening = world.opening(&sybil, &merchant.key(), 10);
        (opening.approved, opening.grant) = (9, 0);
        let approve = world.approve_instructions(&opening).await.pop().unwrap();
        let approve = lands_by_itself(&world, &sybil, &[approve]);
        world.confirmed().await;
        let rejected = is_not_opened(&world, &world.opening_body_landed(&opening, &approve), 400, "cap_mismatch").await;
        assert_eq!(rejected.get("sessionId"), None, "no row was written: {rejected:#}");
    }
    for _ in 0..2 {
        let payer = world.wallet(100).await;
        world.open(&payer, &merchant.key(), 10).await;
    }
    let late = world.wallet(100).await;
    let late = world.opening_body(&world.opening(&late, &merchant.key(), 10)).await;
    is_not_opened(&world, &late, 429, "quota_exceeded").await;
    world.finish().await;
}

/// A4: wallets whose approves cost us nothing had closed a merchant, and the whole facilitator, to all openings for an hour.
/// Guard: `COST_US` in `opened_since`.
#[tokio::test]
async fn openings_that_cost_us_nothing_use_up_nobody_elses_quota() {
    let world = World::with(Options::settings(|settings| {
        settings.openings.sessions_per_merchant_per_hour = 4;
        settings.openings.sessions_per_hour = 4;
    }))
    .await;
    let merchant = world.wallet(0).await;
    for _ in 0..3 {
        let stranger = world.wallet(100).await;
        with_sol(&world, &stranger).await;
        let mut opening = world.opening(&stranger, &merchant.key(), 10);
        opening.grant = 0;
        let approve = world.approve_instructions(&opening).await.pop().unwrap();
        let approve = lands_by_itself(&world, &stranger, &[approve]);
        world.confirmed().await;
        let (status, answer) = world.post("/sessions", &world.opening_body_landed(&opening, &approve)).await;
        assert_eq!(status, 201, "{answer:#}");
    }
    for _ in 0..2 {
        let payer = world.wallet(100).await;
        world.open(&payer, &merchant.key(), 10).await;
    }
    let late = world.wallet(100).await;
    let late = world.opening_body(&world.opening(&late, &merchant.key(), 10)).await;
    is_not_opened(&world, &late, 429, "quota_exceeded").await;
    world.finish().await;
}

/// Guard: `max_grant` in the template.
#[tokio::test]
async fn r18_a_grant_above_the_bound_is_not_signed() {
    let world = World::start().await;
    let (payer, merchant) = (world.wallet(100).await, world.wallet(0).await);
    let before = Trace::of(&world).await;
    for grant in [2_000_001, 50_000_000_000] {
        let mut opening = world.opening(&payer, &merchant.key(), 10);
        opening.grant = grant;
        is_not_opened(&world, &world.opening_body(&opening).await, 400, "approve_not_allowed").await;
    }
    assert_eq!(Trace::of(&world).await, before);
    world.finish().await;
}

/// Guard: `sponsor_account_creation` in `read_accounts`.
#[tokio::test]
async fn r18_a_users_own_account_is_not_created_at_our_cost() {
    let world = World::start().await;
    let (pauper, merchant) = (world.stranger(), world.wallet(0).await);
    let before = Trace::of(&world).await;
    let opening = world.opening(&pauper, &merchant.key(), 10);
    is_not_opened(&world, &world.opening_body(&opening).await, 400, "source_not_ready").await;
    assert_eq!(Trace::of(&world).await, before);
    assert!(world.token_account(&pauper.key()).is_none());
    world.finish().await;
}

/// Guard: the balance check of `read_accounts`.
#[tokio::test]
async fn a_poor_fee_payer_opens_nothing_and_says_so() {
    let world = World::with(Options::settings(|settings| settings.low_balance = u64::MAX)).await;
    let (payer, merchant) = (world.wallet(100).await, world.wallet(0).await);
    let body = world.opening_body(&world.opening(&payer, &merchant.key(), 10)).await;
    is_not_opened(&world, &body, 503, "insufficient_sponsor_balance").await;
    world.finish().await;
}
