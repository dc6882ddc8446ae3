//! What a session's id alone tells of its payer's balance: nothing that depends on the amount that is named.

use super::super::{Shop, Trace, on_both_sides};
use super::{proves, watchful};
use crate::support::World;
use serde_json::{Value, json};
use sotto::domain::funding::FundingPolicy;

/// What the payer has, in base units; nobody else is to know.
const BALANCE: u64 = 734_219;

async fn shop() -> Shop {
    let world = World::with(watchful(FundingPolicy::Advisory)).await;
    let (payer, merchant) = (world.wallet(BALANCE).await, world.wallet(0).await);
    let session = world.open(&payer, &merchant.key(), 10_000_000).await;
    Shop { world, payer, merchant, session }
}

/// What `/verify` tells of the balance: whether the payment is valid, why not, and the level.
async fn told(shop: &Shop, amount: u64, extra: &Value) -> [Value; 3] {
    let mut body = shop.payment(amount, None);
    on_both_sides(&mut body, "extra", extra);
    let (_, verified) = shop.world.post("/verify", &body).await;
    let level = &verified["extensions"]["session"]["funding"];
    [&verified["isValid"], &verified["invalidReason"], level].map(Clone::clone)
}

/// Guard: `amount_to_judge`. With answers that differ by the amount, twenty of them are enough for the exact balance.
#[tokio::test]
async fn a08_nobody_searches_for_the_balance_with_amounts_that_are_only_verified() {
    let shop = shop().await;
    for extra in [json!({}), json!({ "funding": "required" })] {
        let unproven = told(&shop, 1, &extra).await;
        assert_eq!(told(&shop, BALANCE + 1, &extra).await, unproven, "{extra}");
    }
    proves(&shop).await;
    let before = Trace::of(&shop.world).await;
    for extra in [json!({}), json!({ "funding": "required" })] {
        for amount in [1, 2, BALANCE / 2, BALANCE, BALANCE + 1, 1_000_000] {
            let told = told(&shop, amount, &extra).await;
            assert_eq!(told, [json!(true), Value::Null, json!("proven")], "{amount} {extra}");
        }
    }
    assert_eq!(Trace::of(&shop.world).await, before);
    // Settling judges the amount itself: what is told there is of money that moves.
    let mut demanding = shop.payment(BALANCE + 1, None);
    on_both_sides(&mut demanding, "extra", &json!({ "funding": "required" }));
    let (_, refused) = shop.world.post("/settle", &demanding).await;
    assert_eq!(refused["errorReason"], "insufficient_funds", "{refused:#}");
    let paid = shop.pays(BALANCE, None).await;
    assert_eq!(paid["extensions"]["session"]["funding"], "proven", "{paid:#}");
    // An empty account is short for the smallest payment.
    let short = [json!(false), json!("insufficient_funds"), Value::Null];
    for amount in [1, 1_000_000] {
        assert_eq!(told(&shop, amount, &json!({ "funding": "required" })).await, short, "{amount}");
        assert_eq!(told(&shop, amount, &json!({})).await[2], "short", "{amount}");
    }
    assert_eq!(shop.world.units(&shop.merchant), BALANCE);
    shop.world.finish().await;
}
