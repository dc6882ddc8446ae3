//! A liar about how long a blockhash lives: a transfer that lives longer than it says must not be taken for dead.

use super::{
    Shop,
    liars::{endpoint, plain},
};
use crate::{chain::proxy::Proxy, support::Options};
use serde_json::json;
use sotto::{chain::Chain as _, domain::amount::Amount, facilitator::AllowancePolicy};

/// A shop whose chain is seen through two providers from now on, as `prepare` has them.
async fn seen_through_two(options: Options, prepare: impl FnOnce(&[Proxy; 2])) -> (Shop, [Proxy; 2]) {
    let mut shop = Shop::open(options, 10_000).await;
    shop.world.quiet().await;
    shop.world.passes(300);
    let both = [Proxy::start(shop.world.net.rpc_url()).await, Proxy::start(shop.world.net.rpc_url()).await];
    prepare(&both);
    shop.world.reboots_with_endpoints(both.iter().map(|voice| endpoint(&voice.url, None)).collect()).await;
    (shop, both)
}

/// Guard: `Heights::least_life`. The first of two endpoints tells a blockhash of now with the end of an old one, takes the
/// transfer and keeps it. To the honest one it would be dead and nowhere, so it would be signed again; then the liar lets it go.
#[tokio::test]
async fn a03_a_transfer_whose_end_a_liar_told_too_early_is_not_signed_again_while_it_lives() {
    let mut shop = Shop::open(plain(), 10_000).await;
    shop.world.quiet().await;
    let (liar, honest) = (Proxy::start(shop.world.net.rpc_url()).await, Proxy::start(shop.world.net.rpc_url()).await);
    shop.world.reboots_with_endpoints(vec![endpoint(&liar.url, None), endpoint(&honest.url, None)]).await;
    let chain = std::sync::Arc::clone(&shop.world.running().chain);
    chain.latest_blockhash().await.unwrap();
    liar.has_blockhashes_die_early();
    let old = shop.world.net.network().slot() + 200;
    while shop.world.net.network().slot() < old {
        shop.world.confirmed().await;
    }
    let told = shop.world.net.network().slot();
    let keeps = async {
        shop.world
            .until("it was signed again, or is settled", async || {
                let settled = shop.world.units(&shop.merchant) > 0;
                settled
                    || shop.world.ledger().unfinished().await.unwrap().iter().any(|work| work.settlement.attempts > 1)
            })
            .await;
        liar.lets_go().await;
    };
    tokio::join!(shop.pays(200, Some("once")), keeps);
    assert!(shop.world.net.network().slot() > told);
    liar.is_honest();
    shop.world.confirmed().await;
    assert_eq!(shop.world.units(&shop.merchant), 200, "once");
    shop.moved_what_it_captured().await;
    assert_eq!(shop.world.ledger().totals(None).await.unwrap().transfers, 1);
    shop.closes().await;
}

/// Guard: `EndpointAnswer::past`. The honest one of the two is down at a start, so that there is only the liar's word for when the
/// transfer dies, and comes back while it lives.
#[tokio::test]
async fn a03_who_is_alone_at_a_start_has_no_living_transfer_signed_again() {
    let prepare = |[liar, honest]: &[Proxy; 2]| {
        liar.tells_heights_too_low(200);
        honest.is_down();
    };
    let (shop, [liar, honest]) = seen_through_two(plain(), prepare).await;
    let keeps = async {
        shop.world.until("the liar has it", async || liar.has_swallowed()).await;
        shop.world.stands_still();
        honest.is_honest();
        // What the liar told is past and final; from here a block takes long, and the transfer lives for a hundred.
        shop.world.passes(40);
        let mut looks = 0;
        shop.world
            .until("it was signed again, or is settled", async || {
                looks += 1;
                if looks % 5 == 0 {
                    shop.world.passes(1);
                }
                let unfinished = shop.world.ledger().unfinished().await.unwrap();
                shop.world.units(&shop.merchant) > 0 || unfinished.iter().any(|work| work.settlement.attempts > 1)
            })
            .await;
        liar.lets_go().await;
        shop.world.moves_on();
    };
    tokio::join!(shop.settle(200, Some("once")), keeps);
    liar.is_honest();
    shop.world.confirmed().await;
    assert_eq!(shop.world.units(&shop.merchant), 200, "once");
    shop.moved_what_it_captured().await;
    assert_eq!(shop.world.ledger().totals(None).await.unwrap().transfers, 1);
    shop.closes().await;
}

/// Guard: `LeastLife::Untold`. One of two providers is down at a start. Payments are made by the other one, told up to the sum that
/// one voice may tell, and `/ready` says how each provider is; the rest waits.
#[tokio::test]
async fn payments_go_on_after_a_start_while_one_of_two_providers_is_down() {
    for down in [0, 1] {
        let options = Options::settings(|settings| {
            settings.transfers.decrypt_allowance = AllowancePolicy::Never;
            settings.transfers.one_voice_exposure = Amount::new(500).unwrap();
        });
        let (shop, voices) = seen_through_two(options, |voices| voices[down].is_down()).await;
        shop.pays(200, Some("1")).await;
        shop.pays(200, Some("2")).await;
        assert_eq!(shop.world.units(&shop.merchant), 400);
        let (status, ready) = shop.world.get("/ready").await;
        let rpc = ready["checks"].as_array().unwrap().iter().find(|check| check["name"] == "rpc").unwrap();
        assert_eq!((status, &rpc["ok"]), (200, &json!(true)), "{ready:#}");
        let told = format!("endpoint {}: failing", down + 1);
        assert!(rpc["detail"].as_str().unwrap().contains(&told), "{rpc}");
        let (_, answer) = shop.world.post("/settle", &shop.hasty_payment(200, Some("3"))).await;
        assert_eq!(answer["success"], false, "one voice's word is not enough for more: {answer:#}");
        assert!(!shop.world.ledger().unfinished().await.unwrap().is_empty(), "nothing is final by one voice's word");
        voices[down].is_honest();
        shop.moved_what_it_captured().await;
        shop.closes().await;
    }
}
