//! The main job over real HTTP, a real SVM and real encryption: open, pay, settle, decrypt.

use crate::support::{Options, World};
use sotto::localnet::standins::Delegation;

async fn pay_twenty_times(delegation: Delegation) {
    let world = World::with(Options { delegation, ..Options::default() }).await;
    let (payer, merchant) = (world.wallet(50_000_000).await, world.wallet(0).await);
    let session = world.open(&payer, &merchant.key(), 10_000_000).await;
    for call in 0..20 {
        let body = world.payment(&session, &merchant.key(), 10_000, Some(&format!("call-{call:04}-nonce-0000")));
        let (status, answer) = world.post("/settle", &body).await;
        assert_eq!((status, &answer["success"]), (200, &serde_json::json!(true)), "{answer:#}");
    }
    assert_eq!(world.balance(&merchant).await, 200_000);
    assert_eq!(world.balance(&payer).await, 50_000_000 - 200_000);
    world.finish().await;
}

#[tokio::test]
async fn twenty_payments_land_where_only_the_delegate_is_compared() {
    pay_twenty_times(Delegation::Public).await;
}

#[tokio::test]
async fn twenty_payments_land_where_the_delegated_amount_is_lowered() {
    pay_twenty_times(Delegation::Documented).await;
}
