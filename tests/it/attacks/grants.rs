//! Grants as income: SOL that an opening does not need.

use super::{Trace, is_not_opened, lands_by_itself, rpc, with_sol};
use crate::support::{Options, Wallet, World};
use futures_util::future::join_all;
use serde_json::{Value, json};

/// What the published client asks for, in lamports, whatever the wallet has.
const PUBLISHED: u64 = 2_000_000;
const DAY: u64 = 86_400;

/// The limits that a configuration has by default.
fn by_default() -> Options {
    Options::settings(|settings| {
        settings.openings.grants_per_user_per_day = 1;
        settings.openings.grants_per_user_per_month = 2;
    })
}

/// An opening that asks for so many lamports.
async fn asks(world: &World, payer: &Wallet, merchant: &Wallet, grant: u64) -> Value {
    let mut opening = world.opening(payer, &merchant.key(), 10);
    opening.grant = grant;
    world.opening_body(&opening).await
}

async fn is_opened(world: &World, body: &Value) {
    let (status, answer) = world.post("/sessions", body).await;
    assert_eq!(status, 201, "{answer:#}");
}

async fn granted(world: &World) -> u64 {
    world.ledger().totals(None).await.unwrap().grants
}

/// The wallet moves all its SOL elsewhere, and is empty afterwards.
async fn empties(world: &World, wallet: &Wallet) {
    let left = world.net.network().balance(&wallet.key()).checked_sub(5_000).unwrap();
    let elsewhere = world.stranger().key();
    lands_by_itself(world, wallet, &[solana_system_interface::instruction::transfer(&wallet.key(), &elsewhere, left)]);
    world.confirmed().await;
    assert_eq!(world.net.network().balance(&wallet.key()), 0);
}

/// Guard: `check_grants`, where the request comes in and again where its row is written.
#[tokio::test]
async fn a11_a_wallet_gets_the_published_grant_once_a_day_and_twice_a_month() {
    let world = World::with(by_default()).await;
    let (thief, merchant) = (world.wallet(100).await, world.wallet(0).await);
    let opens = async || is_opened(&world, &asks(&world, &thief, &merchant, PUBLISHED).await).await;
    let gets_no_more = async || {
        empties(&world, &thief).await;
        let before = Trace::of(&world).await;
        let again = asks(&world, &thief, &merchant, PUBLISHED).await;
        is_not_opened(&world, &again, 429, "quota_exceeded").await;
        assert_eq!(Trace::of(&world).await, before);
    };
    opens().await;
    gets_no_more().await;
    world.lets_pass(DAY + 1);
    opens().await;
    world.lets_pass(DAY + 1);
    gets_no_more().await;
    assert_eq!(granted(&world).await, 2 * PUBLISHED);
    // Thirty days after the first one.
    world.lets_pass(28 * DAY);
    opens().await;
    assert_eq!(granted(&world).await, 3 * PUBLISHED);
    world.finish().await;
}

/// Guard: the count where the row is written, under the user's opening lock.
#[tokio::test]
async fn a11_openings_that_come_together_get_one_grant() {
    let world = World::with(by_default()).await;
    let (thief, merchant) = (world.wallet(100).await, world.wallet(0).await);
    let mut bodies = Vec::new();
    for _ in 0..3 {
        bodies.push(asks(&world, &thief, &merchant, PUBLISHED).await);
    }
    let answers = join_all(bodies.iter().map(|body| world.post("/sessions", body))).await;
    let opened = answers.iter().filter(|(status, _)| *status == 201).count();
    let refused = answers.iter().filter(|(_, answer)| answer["error"] == "quota_exceeded").count();
    assert_eq!((opened, refused), (1, 2), "{answers:#?}");
    assert_eq!(granted(&world).await, PUBLISHED);
    world.finish().await;
}

/// Guard: `check_grant`.
#[tokio::test]
async fn a11_no_grant_is_more_than_the_wallet_lacks_but_the_published_one() {
    let world = World::with(by_default()).await;
    let (rich, poor, merchant) = (world.wallet(100).await, world.wallet(100).await, world.wallet(0).await);
    with_sol(&world, &rich).await;
    let rent_of =
        async |bytes: usize| rpc(&world, "getMinimumBalanceForRentExemption", json!([bytes])).await.as_u64().unwrap();
    let (rent, least) = (rent_of(sotto::programs::lightning::DECRYPT_ALLOWANCE_BYTES).await, rent_of(0).await);
    let before = Trace::of(&world).await;
    for (payer, grant) in [(&rich, 1), (&poor, rent + least), (&poor, PUBLISHED - 1)] {
        let refused =
            is_not_opened(&world, &asks(&world, payer, &merchant, grant).await, 400, "approve_not_allowed").await;
        let lacks = if grant == 1 { 0 } else { rent };
        let told = format!("the wallet lacks {lacks};");
        assert!(refused["message"].as_str().unwrap().contains(&told), "{refused:#}");
    }
    assert_eq!(Trace::of(&world).await, before);
    is_opened(&world, &asks(&world, &rich, &merchant, 0).await).await;
    is_opened(&world, &asks(&world, &poor, &merchant, rent).await).await;
    assert_eq!(world.net.network().balance(&poor.key()), 0, "nothing of it is left");
    // A published client asks for it whatever its wallet has, and cannot be told otherwise: it counts, and that bounds it.
    let other = world.wallet(100).await;
    with_sol(&world, &other).await;
    is_opened(&world, &asks(&world, &other, &merchant, PUBLISHED).await).await;
    assert_eq!(granted(&world).await, rent + PUBLISHED);
    world.finish().await;
}

/// Guard: `count_unproven_grant`, and its lock. Wallets without a proof share a number of grants in an hour, which strangers can use
/// up; a payer who proves a balance and one with SOL of their own do not meet it.
#[tokio::test]
async fn a11_strangers_use_up_the_grants_of_whoever_proves_nothing_and_of_nobody_else() {
    let world = World::with(Options::settings(|settings| settings.openings.unproven_grants_per_hour = 2)).await;
    let (merchant, mut bodies) = (world.wallet(0).await, Vec::new());
    for _ in 0..4 {
        let thief = world.wallet(0).await;
        bodies.push(asks(&world, &thief, &merchant, PUBLISHED).await);
    }
    let answers = join_all(bodies.iter().map(|body| world.post("/sessions", body))).await;
    let opened = answers.iter().filter(|(status, _)| *status == 201).count();
    let refused = answers.iter().filter(|(status, answer)| *status == 429 && answer["error"] == "quota_exceeded");
    assert_eq!((opened, refused.count()), (2, 2), "{answers:#?}");
    assert_eq!(granted(&world).await, 2 * PUBLISHED);
    let (newcomer, rich) = (world.wallet(100).await, world.wallet(100).await);
    with_sol(&world, &rich).await;
    is_opened(&world, &asks(&world, &rich, &merchant, 0).await).await;
    let mut body = asks(&world, &newcomer, &merchant, PUBLISHED).await;
    let before = Trace::of(&world).await;
    let refused = is_not_opened(&world, &body, 429, "quota_exceeded").await;
    assert!(refused["message"].as_str().unwrap().contains("funding proof"), "{refused:#}");
    assert_eq!(Trace::of(&world).await, before);
    // A proof of another's balance is none of theirs.
    body["fundingProof"] = world.funding_proof(&rich).await["fundingProof"].clone();
    is_not_opened(&world, &body, 429, "quota_exceeded").await;
    body["fundingProof"] = world.funding_proof(&newcomer).await["fundingProof"].clone();
    is_opened(&world, &body).await;
    // Who proved has used up nobody's place, and an hour later strangers get theirs again.
    world.lets_pass(3_601);
    for number in 0..3 {
        let stranger = world.wallet(0).await;
        let body = asks(&world, &stranger, &merchant, PUBLISHED).await;
        let (status, answer) = world.post("/sessions", &body).await;
        assert_eq!(status == 201, number < 2, "{number}: {answer:#}");
    }
    world.finish().await;
}

/// Guard: `mark_unproven_grant`. A stranger who passes one token through all their wallets, and proves it in each after its grant,
/// gets no more of them.
#[tokio::test]
async fn a11_a_proof_that_comes_after_the_grant_gives_no_place_back() {
    let world = World::with(Options::settings(|settings| settings.openings.unproven_grants_per_hour = 1)).await;
    let (thief, merchant) = (world.wallet(100).await, world.wallet(0).await);
    let (status, opened) = world.post("/sessions", &asks(&world, &thief, &merchant, PUBLISHED).await).await;
    assert_eq!(status, 201, "{opened:#}");
    let proof = world.funding_proof(&thief).await;
    let path = format!("/sessions/{}/funding", opened["sessionId"].as_str().unwrap());
    let (status, proved) = world.post(&path, &proof).await;
    assert_eq!((status, &proved["funding"]), (200, &json!("proven")), "{proved:#}");
    let other = world.wallet(100).await;
    let again = asks(&world, &other, &merchant, PUBLISHED).await;
    is_not_opened(&world, &again, 429, "quota_exceeded").await;
    assert_eq!(granted(&world).await, PUBLISHED);
    world.finish().await;
}
