//! A lying RPC endpoint: what it can make us pay twice.

use super::Shop;
use crate::{
    chain::proxy::Proxy,
    support::{Left, Log, Options, PATIENCE, World},
};
use serde_json::json;
use sotto::{
    chain::EndpointUrls,
    domain::settlement::{MOST_ATTEMPTS, State},
    facilitator::AllowancePolicy,
};
use std::time::Duration;

/// Transfers bought without allowances can be sent while nobody looks.
fn plain() -> Options {
    Options::settings(|settings| {
        settings.transfers.decrypt_allowance = AllowancePolicy::Never;
        (settings.deferred.count, settings.deferred.age_seconds) = (1, 1);
    })
}

async fn liar(world: &World) -> Proxy {
    let liar = Proxy::start(world.net.rpc_url()).await;
    liar.hides_transactions();
    liar
}

fn endpoint(rpc: &str, websocket: Option<String>) -> EndpointUrls {
    EndpointUrls { rpc: rpc.to_owned(), websocket }
}

/// Guard: `chain::absence::verdict`. The first of two endpoints hides every transaction; a payment that somebody waits for
/// and one that was promised land once each, though nobody is told of it until their blockhashes have died.
#[tokio::test]
async fn a01_an_endpoint_that_hides_transactions_has_nothing_paid_twice() {
    let mut shop = Shop::open(plain(), 10_000).await;
    let liar = liar(&shop.world).await;
    let both = vec![endpoint(&liar.url, None), endpoint(&shop.world.net.rpc_url(), None)];
    shop.world.reboots_with_endpoints(both).await;
    let mut promise = shop.payment(300, Some("promised"));
    promise["paymentRequirements"]["extra"] = json!({ "settlement": "deferred" });
    let (_, promised) = shop.world.post("/settle", &promise).await;
    assert_eq!(promised["success"], true, "{promised:#}");
    shop.pays(200, Some("waited-for")).await;
    shop.moved_what_it_captured().await;
    let totals = shop.world.ledger().totals(None).await.unwrap();
    assert_eq!((totals.captured.get(), totals.held.get()), (500, 0));
    shop.closes().await;
}

/// Guard: as before. The honest endpoint's websocket tells of the landing, and the watch over finality asks the liar.
#[tokio::test]
async fn a01_what_was_told_as_landed_is_not_taken_back_on_a_liars_word() {
    let mut shop = Shop::open(plain(), 10_000).await;
    let liar = liar(&shop.world).await;
    let both = vec![endpoint(&liar.url, None), endpoint(&shop.world.net.rpc_url(), Some(shop.world.net.ws_url()))];
    shop.world.reboots_with_endpoints(both).await;
    shop.pays(200, Some("told")).await;
    shop.moved_what_it_captured().await;
    assert_eq!(shop.world.ledger().totals(None).await.unwrap().transfers, 1);
    shop.closes().await;
}

/// Guards: `next_step` and the trigger `attempts_are_few`. Where every endpoint lies nothing proves the lie, and what it
/// costs is bounded: so many attempts, then the settlement stays where it is, across starts, and is told of once in each.
#[tokio::test]
async fn a01_a_settlement_is_signed_so_many_times_and_then_waits_for_the_operator() {
    let log = Log::listen();
    let mut shop = Shop::open(plain(), 10_000).await;
    let liar = liar(&shop.world).await;
    shop.world.reboots_with_endpoints(vec![endpoint(&liar.url, None)]).await;
    let mut promise = shop.payment(300, Some("promised"));
    promise["paymentRequirements"]["extra"] = json!({ "settlement": "deferred" });
    let (_, promised) = shop.world.post("/settle", &promise).await;
    assert_eq!(promised["success"], true, "{promised:#}");
    let held = async || {
        let unfinished = shop.world.ledger().unfinished().await.unwrap();
        unfinished.first().is_some_and(|work| work.settlement.awaits_operator())
    };
    let waited = async {
        while !held().await {
            shop.world.confirmed().await;
        }
    };
    tokio::time::timeout(PATIENCE, waited).await.expect("it ends");
    assert_eq!(shop.world.units(&shop.merchant), u64::from(MOST_ATTEMPTS) * 300, "each landed, and no further one");
    // Rounds come and go, and another process takes over.
    for starts in 1..=2 {
        let until = shop.world.net.network().slot() + 40;
        while shop.world.net.network().slot() < until {
            shop.world.confirmed().await;
        }
        assert_eq!(log.errors("a settlement is held").len(), starts, "{}", log.text());
        shop.world.kill().await;
        shop.world.boot().await;
    }
    let unfinished = shop.world.ledger().unfinished().await.unwrap();
    let settlement = &unfinished[0].settlement;
    assert_eq!((&settlement.state, settlement.attempts), (&State::Reserved, MOST_ATTEMPTS));
    let totals = shop.world.ledger().totals(None).await.unwrap();
    assert_eq!((totals.captured.get(), totals.held.get(), totals.lost.get()), (0, 300, 0), "no cap is freed");
    // Who asks again is told that it is open; a new approve does not wait for what cannot move; the end is quick. All of it
    // with an honest endpoint, which does not end it either.
    liar.change(|_, _| None);
    let (_, again) = shop.world.post("/settle", &promise).await;
    assert_eq!(again["errorReason"], "duplicate_settlement", "{again:#}");
    assert_eq!(again["transaction"], "", "{again:#}");
    shop.world.open(&shop.payer, &shop.merchant.key(), 100).await;
    let begun = std::time::Instant::now();
    shop.world.running().facilitator.leave().await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    shop.world.kill().await;
    shop.world.boot().await;
    shop.world.finish_leaving(Left { settlements: 1, units: 300 }).await;
}
