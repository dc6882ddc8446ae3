//! Promises cost their payer nothing: how many there may be.

use super::Shop;
use crate::support::Options;
use serde_json::json;
use sotto::{domain::amount::Amount, facilitator::DeferredPolicy};

/// Guards: `PromiseQuota`, and its question in `exposure_of`. A promise costs its payer nothing, and us a row for ever.
#[tokio::test]
async fn a10_a_payer_is_promised_so_many_payments_an_hour_and_then_pays_per_call() {
    let options = Options::settings(|settings| {
        settings.deferred = DeferredPolicy {
            amount: Amount::MAX,
            age_seconds: 100_000,
            promises_per_user_per_hour: 3,
            ..DeferredPolicy::default()
        };
    });
    let shop = Shop::open(options, 1_000_000).await;
    let stands = async |session: &str, call: u32| {
        let mut body = shop.world.payment(session, &shop.merchant.key(), 100, Some(&format!("dust-nonce-{call:06}")));
        body["paymentRequirements"]["extra"] = json!({ "settlement": "deferred" });
        let (_, answer) = shop.world.post("/settle", &body).await;
        assert_eq!(answer["success"], true, "{answer:#}");
        answer["extensions"]["session"]["settlement"].as_str().unwrap().to_owned()
    };
    for call in 0..3 {
        assert_eq!(stands(&shop.session, call).await, "held");
    }
    assert_eq!(stands(&shop.session, 3).await, "captured", "slower, and never refused");
    // Another payer is not concerned.
    let other = shop.world.wallet(1_000).await;
    let others = shop.world.open(&other, &shop.merchant.key(), 1_000).await;
    assert_eq!(stands(&others, 4).await, "held");
    shop.world.lets_pass(3_600);
    let again = shop.world.open(&shop.payer, &shop.merchant.key(), 1_000).await;
    assert_eq!(stands(&again, 5).await, "held");
    // The other session has expired, and what was promised in it was settled.
    shop.world.finish_holding(100).await;
}
