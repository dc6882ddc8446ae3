//! A channel from onboarding to leave, by either program; between any two steps the buyer's process may die.

use super::{Disk, facilitator, grant, sellers, units};
use crate::support::MppScene;
use reqwest::{Method, Request};
use sotto::{
    client::mpp::{MppSessionError, OnboardOptions, Spending},
    domain::{amount::Amount, mpp::choices::Backend},
};

fn spending(most: u64) -> Spending {
    Spending { max_price: units(most), units: 1, channel: None }
}

/// Onboards, opens, buys three times, closes and leaves; each step by a client of its own. Gives how many transactions were signed.
async fn journey(scene: &MppScene, rounds: usize) {
    let (url, disk) = (facilitator(scene), Disk::default());
    let seller = sellers::by_voucher(scene, 10_000).await;
    let client = || disk.client(scene, &url);
    let asked = || Request::new(Method::GET, seller.url.parse().unwrap());

    assert_eq!(client().status().await.unwrap().status, "not_onboarded");
    let onboarded = client().onboard(&grant()).await.unwrap();
    assert_eq!(onboarded.transactions.len(), rounds);
    assert_eq!(onboarded.remaining.as_deref(), Some("2000000"));
    let again = client().onboard(&grant()).await.unwrap();
    assert!(again.transactions.is_empty(), "it is ready");
    assert_eq!(client().status().await.unwrap().status, "active");

    let unopened = client().fetch(asked(), &spending(10_000)).await;
    assert!(matches!(unopened, Err(MppSessionError::NoChannel { .. })), "{unopened:?}");
    let opened = client().open(scene.seller.key(), units(100_000), None).await.unwrap();
    for bought in 1..=3 {
        let served = client().fetch(asked(), &spending(10_000)).await.unwrap();
        assert_eq!(served.response.status(), 200);
        let drawn = served.drawn.unwrap();
        assert_eq!((drawn.paid, drawn.voucher.cumulative_amount), (units(10_000), units(bought * 10_000)));
        assert_eq!(drawn.voucher.sequence, bought);
    }
    let dear = client().fetch(asked(), &spending(9_999)).await;
    assert!(matches!(dear, Err(MppSessionError::OverLimit { .. })), "{dear:?}");
    let over = client().pay(&opened.id, units(100_001), "n").await;
    assert!(matches!(over, Err(MppSessionError::DepositExceeded)), "{over:?}");

    let kept = client().sessions().await;
    assert_eq!((kept.len(), kept[0].id(), kept[0].cumulative), (1, opened.id, units(30_000)));
    let refused = client().leave().await;
    assert!(matches!(&refused, Err(error) if error.word() == Some("channels_open")), "{refused:?}");
    let closed = client().close(&opened.id).await.unwrap();
    assert_eq!((closed.settled, closed.refunded, closed.shortfall), (units(30_000), units(70_000), Amount::ZERO));
    assert_eq!((closed.vouchers, closed.transaction.is_some()), (3, true));
    assert_eq!(client().close(&opened.id).await.unwrap(), closed, "asked again it tells the same");
    assert!(client().sessions().await.is_empty() && client().ended().await == [closed]);

    scene.world.quiet().await;
    assert_eq!(client().leave().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_channel_on_a_session_account_from_onboarding_to_leave() {
    let scene = MppScene::start().await;
    journey(&scene, 1).await;
    scene.closes(30_000).await;
}

#[tokio::test]
async fn a_channel_on_a_swig_from_onboarding_to_leave() {
    let scene = MppScene::with(|settings| {
        settings.delegations.backend = Backend::Swig;
        settings.delegations.limits.swig_rent_per_day = 100_000_000_000;
    })
    .await;
    journey(&scene, 3).await;
    scene.closes(30_000).await;
}

#[tokio::test]
async fn a_wallet_that_is_not_served_is_told_what_to_do() {
    let scene = MppScene::with(|settings| settings.delegations.min_balance = Amount::MAX).await;
    let client = Disk::default().client(&scene, &facilitator(&scene));
    let refused = client.onboard(&OnboardOptions::default()).await;
    let Err(MppSessionError::OnboardRejected { status, next_step }) = refused else { panic!("{refused:?}") };
    assert_eq!(status, "not_eligible");
    assert!(next_step.contains("fund it"), "{next_step}");
    scene.closes(0).await;
}
