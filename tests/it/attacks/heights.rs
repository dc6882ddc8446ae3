//! A liar about how long a blockhash lives: a transfer that lives longer than it says must not be taken for dead.

use super::Shop;
use super::liars::{endpoint, plain};
use crate::chain::proxy::Proxy;
use sotto::chain::Chain as _;

/// Guard: `Heights::least_last_valid`. The first of two endpoints tells a blockhash of now with the end of an old one, takes the
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
