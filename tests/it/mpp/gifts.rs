//! Gifts of strangers: whatever they give to an account behind a channel, or to a seller's, nobody owes anything else for it.

use crate::support::ChannelScene;
use serde_json::json;
use sotto::domain::amount::Amount;

fn units(units: u64) -> Amount {
    Amount::new(units).expect("fits")
}

/// Guard: what is owed follows from vouchers and from settlements of ours, and from no balance.
#[tokio::test]
async fn a_strangers_gift_changes_nothing_that_is_owed() {
    let scene = ChannelScene::start().await;
    let stranger = scene.world.stranger();
    scene.world.gives_cash(&stranger, 10_000).await;
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 30_000).await;
    let account = scene.session_account(&scene.buyer).address();
    let mut gift = scene.world.cash_transfer(&stranger, &scene.seller.key(), 700);
    scene.past_us(&stranger, gift.instruction()).await;
    (gift.destination, gift.amount) = (account, 500);
    scene.past_us(&stranger, gift.instruction()).await;
    scene.world.net.network().airdrop(&account, 5_000_000).expect("the faucet gives");
    scene.sees(&scene.buyer, 1_000_500).await;
    let used = scene.delegation(&scene.buyer).await.used;
    assert_eq!((used.live, used.reserved, used.owed), (1, units(100_000), units(30_000)));
    let shown = scene.shown(&opened).await;
    assert_eq!((&shown["state"], &shown["settled"]), (&json!("open"), &json!("0")), "a gift settles nothing");
    scene.is_not_drawn(&opened, 100_001, "deposit_exceeded").await;
    scene.draws(&opened, 40_000).await;
    let closed = scene.closes(&opened).await;
    let settlement = &closed["settlement"];
    assert_eq!(
        [&settlement["amount_settled"], &settlement["buyer_refund"], &closed["shortfall"]],
        [&json!("40000"), &json!("60000"), &json!("0")],
        "{closed:#}"
    );
    assert_eq!(scene.deposited(&scene.buyer), 1_000_500 - 40_000, "what was given is the buyer's");
    scene.ends(40_000 + 700).await;
}

/// A gift after a drain brings no ended channel back; what it brings is the sellers' as far as they are owed.
#[tokio::test]
async fn a_gift_to_a_drained_account_revives_nothing() {
    let scene = ChannelScene::start().await;
    let stranger = scene.world.stranger();
    scene.world.gives_cash(&stranger, 200_000).await;
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 30_000).await;
    scene.drains(&scene.buyer, 1_000_000 - 40_000).await;
    let ended = scene.becomes(&opened, "closed").await;
    assert_eq!((&ended["reason"], &ended["settled"]), (&json!("balance"), &json!("30000")));
    let mut gift = scene.world.cash_transfer(&stranger, &scene.seller.key(), 200_000);
    gift.destination = scene.session_account(&scene.buyer).address();
    scene.past_us(&stranger, gift.instruction()).await;
    scene.is_not_drawn(&opened, 30_001, "session_not_open").await;
    assert_eq!(scene.delegation(&scene.buyer).await.used.owed, Amount::ZERO);
    scene.ends(30_000).await;
}
