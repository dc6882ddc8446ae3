//! A12: wallets that nothing is known of, and what they may cost.

use super::{
    Shop,
    funding::{proves, watchful},
};
use crate::support::Options;
use serde_json::json;
use sotto::{
    domain::{
        budget::{Budgets, Part, Scope},
        funding::FundingPolicy,
    },
    facilitator::Settings,
};

/// The fee of a transfer with the user's signature verified on chain, in lamports.
const TRANSFER: u64 = 10_000;

/// Three transfers for a user who has proved nothing.
fn three_to_start_with() -> Options {
    let watchful = watchful(FundingPolicy::Advisory).settings;
    Options::settings(move |settings: &mut Settings| {
        watchful(settings);
        settings.budgets = Budgets::default().with(Scope::UnprovenUserHour, Part::Fee, 3 * TRANSFER);
    })
}

/// Guards: `credit::of_settlement`, and `has_proved`: what an unproven transfer has met does not stop a proven one.
#[tokio::test]
async fn a12_what_is_unproven_costs_a_small_start_and_a_proof_is_free_of_it() {
    let shop = Shop::open(three_to_start_with(), 10_000).await;
    for _ in 0..3 {
        shop.pays(100, None).await;
    }
    for _ in 0..5 {
        let (status, told) = shop.settle(100, None).await;
        assert_eq!((status, &told["errorReason"]), (429, &json!("payer_settle_cap_exceeded")), "{told:#}");
    }
    let other = shop.world.wallet(5_000).await;
    let session = shop.world.open(&other, &shop.merchant.key(), 1_000).await;
    let body = shop.world.payment(&session, &shop.merchant.key(), 100, None);
    let (_, told) = shop.world.post("/settle", &body).await;
    assert_eq!(told["success"], json!(true), "each user has a start of their own: {told:#}");

    proves(&shop).await;
    for _ in 0..4 {
        shop.pays(100, None).await;
    }
    shop.world.quiet().await;
    assert_eq!(shop.world.units(&shop.merchant), 800);
    shop.world.finish().await;
}
