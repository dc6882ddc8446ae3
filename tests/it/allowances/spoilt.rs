//! A stranger moves an account first.

use super::{Shop, TWO, idle, never_at_rest};
use crate::support::Options;
use sotto::facilitator::{AllowancePolicy, AllowanceSettings};
use std::time::Duration;

#[tokio::test]
async fn a_payment_whose_allowances_a_stranger_spoilt_is_made_without_them_once() {
    let always = AllowanceSettings { max_age: Duration::ZERO, min_interval: Duration::ZERO, ..never_at_rest() };
    for (policy, allowances) in [(AllowancePolicy::Every, never_at_rest()), (AllowancePolicy::Idle, always)] {
        let options = Options::settings(move |settings| {
            settings.transfers.decrypt_allowance = policy;
            settings.allowances = allowances;
        });
        let shop = Shop::open(options).await;
        shop.pays().await;
        let before = shop.spent().await;
        shop.is_ambushed().await;
        shop.pays().await;
        assert!(!shop.world.net.network().has_ambushes(), "{policy:?}: the stranger came first");
        let after = shop.spent().await;
        assert_eq!((after.0 - before.0, after.1 - before.1), (20_000, 0), "{policy:?}: the failed fee is booked");
        shop.pays().await;
        assert_eq!(shop.spent().await.1 - after.1, TWO, "{policy:?}: the next one buys again");
        shop.closes(3).await;
    }
}

#[tokio::test]
async fn a_refresh_that_a_stranger_spoilt_costs_a_fee_and_is_made_from_our_own_account() {
    let shop = Shop::open(idle(never_at_rest())).await;
    shop.pays().await;
    shop.is_ambushed().await;
    let (status, answer) = shop.asks("merchant", &shop.merchant).await;
    assert_eq!(status, 200, "{answer:#}");
    assert!(!shop.world.net.network().has_ambushes());
    assert!(shop.is_readable(&shop.merchant) && !shop.is_readable(&shop.payer));
    let (fees, rent) = shop.spent().await;
    assert_eq!(fees, 10_000 + 3 * 5_000, "the spoilt one, our own account, the refresh");
    assert!((TWO + 2_000_000..TWO + 3_000_000).contains(&rent), "the two allowances and our own account: {rent}");
    shop.closes(1).await;
}
