//! Attacks on the watch over payers' accounts: histories filled by strangers, and looks that others have to pay for.

use super::{
    Shop, becomes,
    funding::{moves, proves, source, watchful},
    lands_by_itself, transfers, with_sol,
};
use crate::support::{Options, Wallet, World};
use serde_json::json;
use sotto::{
    domain::funding::{Bound, FundingPolicy, Lost},
    localnet::TooManyRequests,
};
use std::{collections::BTreeMap, time::Duration};

/// Looks often, and may ask little.
fn frugal(requests: u32) -> Options {
    let watchful = watchful(FundingPolicy::Advisory).settings;
    Options::settings(move |settings| {
        watchful(settings);
        settings.funding.requests_per_round = requests;
    })
}

/// How old the look may be that a payment demands, in seconds.
const MAX_AGE: u64 = 60;

/// Nobody looks but for payments, which demand a look that is at most a minute old.
fn on_demand() -> Options {
    Options::settings(|settings| {
        settings.funding.policy = FundingPolicy::Required;
        settings.funding.interval = Duration::from_hours(1);
        settings.funding.max_age = MAX_AGE;
    })
}

async fn bound_of(world: &World, wallet: &Wallet) -> Bound {
    world.ledger().source(&wallet.key(), &world.faucet.mint()).await.unwrap().unwrap().bound.unwrap()
}

/// Waits until the account was looked at to the end, later than `since`.
async fn is_examined(world: &World, wallet: &Wallet, since: u64) {
    world.until("it is examined", async || bound_of(world, wallet).await.looked_at > since).await;
}

/// A stranger's transfers of nothing.
async fn spams(world: &World, stranger: &Wallet, victim: &Wallet, times: usize) {
    for number in 0..times {
        moves(world, stranger, &victim.key(), 0);
        // So many fit into a block.
        if number % 20 == 19 {
            world.confirmed().await;
        }
    }
    world.confirmed().await;
}

fn asked(world: &World, method: &str) -> u64 {
    world.net.network().request_counts().get(method).copied().unwrap_or(0)
}

/// From now on the last look is too old.
fn grows_old(shop: &Shop) {
    shop.world.lets_pass(MAX_AGE + 1);
}

/// Guards: `Known::harmless` is remembered when an examination is cut off, and `share`.
#[tokio::test]
async fn a_history_that_strangers_fill_is_read_bit_by_bit_and_takes_nothing_from_others() {
    let mut shop = Shop::open(frugal(20), 100_000).await;
    let other = shop.world.wallet(5_000).await;
    let stranger = shop.world.wallet(5_000).await;
    with_sol(&shop.world, &stranger).await;
    proves(&shop).await;
    let session = shop.world.open(&other, &shop.merchant.key(), 1_000).await;
    let body = shop.world.funding_proof(&other).await;
    let (status, answer) = shop.world.post(&format!("/sessions/{session}/funding"), &body).await;
    assert_eq!(status, 200, "{answer:#}");
    shop.world.kill().await;
    spams(&shop.world, &stranger, &shop.payer, 60).await;
    moves(&shop.world, &stranger, &other.key(), 7);
    shop.world.confirmed().await;
    let since = shop.world.now();
    shop.world.boot().await;
    is_examined(&shop.world, &other, since).await;
    is_examined(&shop.world, &shop.payer, since).await;
    assert_eq!(bound_of(&shop.world, &shop.payer).await.lost, None, "strangers can only add");
    shop.closes().await;
}

/// Guard: `MOST_ROUNDS`.
#[tokio::test]
async fn a_history_that_is_not_read_to_its_end_in_time_costs_its_proof_and_no_more_requests() {
    let mut shop = Shop::open(frugal(9), 100_000).await;
    let stranger = shop.world.wallet(5_000).await;
    with_sol(&shop.world, &stranger).await;
    proves(&shop).await;
    shop.world.kill().await;
    spams(&shop.world, &stranger, &shop.payer, 90).await;
    shop.world.boot().await;
    let is_given_up = async || source(&shop).await.bound.unwrap().lost.is_some();
    shop.world.until("it is not tried for ever", is_given_up).await;
    let lost = source(&shop).await.bound.unwrap().lost;
    assert_eq!(lost.map(|(lost, _)| lost), Some(Lost::Unreadable));
    // The round that is under way reads to its end; then rounds pass, each of which reads every account, and no history.
    let mut before = None;
    let nobody_reads = async || {
        let rounds = asked(&shop.world, "getMultipleAccounts") + 6;
        shop.world.until("rounds pass", async || asked(&shop.world, "getMultipleAccounts") >= rounds).await;
        let read = Some(asked(&shop.world, "getTransaction"));
        std::mem::replace(&mut before, read) == read
    };
    shop.world.until("nobody reads on", nobody_reads).await;
    let answer = shop.pays(1_000, None).await;
    assert_eq!(answer["extensions"]["session"]["funding"], json!("unproven"), "the session goes on: {answer:#}");
    shop.closes().await;
}

/// Guard: reading accounts draws on no budget.
#[tokio::test]
async fn a_revoke_is_seen_when_nothing_is_left_for_histories() {
    let shop = Shop::open(frugal(0), 100_000).await;
    with_sol(&shop.world, &shop.payer).await;
    proves(&shop).await;
    let token_account = shop.world.programs.token_account(&shop.payer.key(), &shop.world.faucet.mint());
    lands_by_itself(&shop.world, &shop.payer, &[shop.world.programs.revoke(&token_account, &shop.payer.key())]);
    becomes(&shop.world, &shop.session, "revoked").await;
    shop.world.finish().await;
}

/// Guards: the turn and `may_look` in `look_if_old`. A transfer is looked at before it is signed and after it landed, too.
#[tokio::test]
async fn payments_that_come_together_share_one_look() {
    let shop = Shop::open(on_demand(), 100_000).await;
    proves(&shop).await;
    grows_old(&shop);
    let before = asked(&shop.world, "getSignaturesForAddress");
    let bodies: Vec<_> = (0..12).map(|_| shop.payment(100, None)).collect();
    let answers = futures_util::future::join_all(bodies.iter().map(|body| shop.world.post("/settle", body))).await;
    assert!(answers.iter().all(|(_, answer)| answer["success"] == json!(true)), "{answers:#?}");
    let looks = asked(&shop.world, "getSignaturesForAddress") - before;
    let sent = transfers(&shop.world, &shop.payer).await.len() as u64;
    assert!(looks <= 1 + 2 * sent && sent <= 2, "{looks} looks for {sent} transfers");
    shop.closes().await;
}

/// Guard: `may_look`.
#[tokio::test]
async fn a_look_that_came_to_nothing_is_not_made_again_for_every_payment() {
    const TIMES: u64 = 5;
    let shop = Shop::open(on_demand().without_rounds(), 100_000).await;
    proves(&shop).await;
    grows_old(&shop);
    let method = "getSignaturesForAddress";
    let refuse = TooManyRequests { next: u32::MAX, retry_after: None, method: Some(method.to_owned()) };
    shop.world.net.faults().change(|plan| plan.too_many_requests = Some(refuse));
    shop.is_refused(100, None, "funding_unproven").await;
    let before = (asked(&shop.world, method), asked(&shop.world, "getMultipleAccounts"));
    for _ in 0..TIMES {
        shop.is_refused(100, None, "funding_unproven").await;
    }
    assert_eq!(asked(&shop.world, method), before.0);
    assert_eq!(asked(&shop.world, "getMultipleAccounts"), before.1);
    shop.world.net.faults().clear();
    shop.closes().await;
}

/// Guard: `asked_at`. What is told late is as old as what it tells of.
#[tokio::test]
async fn a_look_is_as_old_as_the_state_it_saw() {
    let shop = Shop::open(on_demand(), 100_000).await;
    proves(&shop).await;
    grows_old(&shop);
    let slow = BTreeMap::from([("getMultipleAccounts".to_owned(), 3_000)]);
    shop.world.net.faults().change(|plan| plan.latency = slow);
    let before = asked(&shop.world, "getMultipleAccounts");
    let (_, answer) = {
        let time_passes = async {
            let is_asked = async || asked(&shop.world, "getMultipleAccounts") > before;
            shop.world.until("the account is asked for", is_asked).await;
            grows_old(&shop);
        };
        tokio::join!(shop.settle(100, None), time_passes).0
    };
    assert_eq!(answer["errorReason"], "funding_unproven", "it was asked for too long ago: {answer:#}");
    shop.world.net.faults().clear();
    shop.closes().await;
}
