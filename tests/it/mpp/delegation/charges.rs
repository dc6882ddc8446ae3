//! Charges beside delegations: no stranger's transaction names a key that buyers delegate to.

use crate::support::{DelegationScene, MppScene};
use solana_instruction::AccountMeta;
use sotto::programs::memo::memo;

/// Guard: `delegates_among` in the charge's policy.
#[tokio::test]
async fn a_charge_that_names_a_delegate_is_refused() {
    let scene = DelegationScene::start().await;
    scene.onboarded(serde_json::json!({ "deposit_atomic": "1000000" })).await;
    let delegate = scene.session_account().unwrap().delegate.unwrap();
    let DelegationScene { world, buyer } = scene;
    let seller = world.stranger();
    world.gives_cash(&seller, 0).await;
    let charges = MppScene { world, buyer, seller };
    let mut names = memo("hello");
    names.accounts.push(AccountMeta::new_readonly(delegate, false));
    let transaction = charges.signed(&[charges.transfer(10_000).instruction(), names]).await;
    charges.refused(&charges.body(&transaction, 10_000), "policy:fee_payer_not_isolated").await;
    let transaction = charges.signed(&[charges.transfer(10_000).instruction(), memo("hello")]).await;
    charges.paid(&charges.body(&transaction, 10_000)).await;
    charges.world.finish().await;
}
