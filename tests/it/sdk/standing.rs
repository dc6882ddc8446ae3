//! One approve and several merchants, from the payer's side: what the wallet is asked for, and what is told of it.

use super::{
    counting::Counting,
    journey::{Shop, amount, client, payer},
};
use crate::support::World;
use solana_pubkey::Pubkey;
use sotto::client::{ApprovalChoice, Authorization, OpenOptions, Opening, SessionClientError};
use std::time::Duration;

fn options(shop: &Shop, recipient: &Pubkey, cap: u64, approval: ApprovalChoice) -> OpenOptions {
    let mut options = OpenOptions::new(*recipient, amount(cap), Duration::from_mins(10));
    (options.origins, options.approval) = (vec![shop.url.clone()], approval);
    options
}

#[tokio::test]
async fn a_further_session_is_one_message_or_two_and_no_transaction() {
    let world = World::start().await;
    let (payer_wallet, merchants) = (world.wallet(5_000_000).await, [world.wallet(0).await, world.wallet(0).await]);
    let wallet = Counting::of(&payer_wallet);
    let shops = [Shop::start(&world, &merchants[0].key()).await, Shop::start(&world, &merchants[1].key()).await];
    let client = client(&world);
    assert_eq!(client.standing_approval(&wallet).await.unwrap(), None);
    assert_eq!(wallet.asked(), [1, 0]);

    let total = amount(100_000);
    let first = options(&shops[0], &merchants[0].key(), 40_000, ApprovalChoice::Total(total));
    let first = client.open(&wallet, &first).await.unwrap();
    assert_eq!(wallet.asked(), [2, 1]);
    let told = client.standing_approval(&wallet).await.unwrap().unwrap();
    assert_eq!(
        (told.approval.approved.as_deref(), told.approval.free.as_str(), told.sessions),
        (Some("100000"), "60000", 1)
    );
    assert_eq!(wallet.asked(), [1, 0]);

    let standing = ApprovalChoice::Standing { signature: told.approval.signature.parse().unwrap(), total };
    let second = options(&shops[1], &merchants[1].key(), 50_000, standing);
    // What is kept until its outcome is known comes back whole.
    let opening = client.prepare(&wallet, &second).await.unwrap();
    assert_eq!(wallet.asked(), [2, 0], "the intent and the short text");
    let opening = Opening::from_json(&opening.to_json().unwrap()).unwrap();
    assert_eq!(opening.approved(), Some(total));
    let second = client.finish(opening, Duration::from_mins(1)).await.unwrap();
    let third = OpenOptions {
        authorization: Authorization::Readable,
        ..options(&shops[0], &merchants[0].key(), 10_000, standing)
    };
    client.open(&wallet, &third).await.unwrap();
    assert_eq!(wallet.asked(), [1, 0], "the intent alone");
    let fourth = options(&shops[0], &merchants[0].key(), 1, standing);
    let refused = client.open(&wallet, &fourth).await.expect_err("nothing is left");
    assert!(matches!(&refused, SessionClientError::Refused(body) if body.error == "approval_exhausted"), "{refused}");

    for (session, shop) in [(&first, &shops[0]), (&second, &shops[1])] {
        let fetched = payer(&world, session).get(shop.weather()).await.unwrap();
        assert!(fetched.receipt.unwrap().success);
    }
    let list = client.list(&wallet).await.unwrap();
    assert_eq!((list.sessions.len(), list.approvals.len()), (3, 1));
    assert!(list.sessions.iter().all(|listed| listed.session.approval.is_some()), "each with what it takes from");
    world.finish().await;
}

#[tokio::test]
async fn totals_that_contradict_each_other_are_not_asked_for() {
    let world = World::start().await;
    let (payer_wallet, merchant) = (world.wallet(0).await, world.wallet(0).await);
    let shop = Shop::start(&world, &merchant.key()).await;
    let wallet = Counting::of(&payer_wallet);
    let small = options(&shop, &merchant.key(), 10, ApprovalChoice::Total(amount(9)));
    let twice = OpenOptions {
        approve_total: Some(amount(20)),
        ..options(&shop, &merchant.key(), 10, ApprovalChoice::Total(amount(20)))
    };
    for options in [small, twice] {
        let refused = client(&world).open(&wallet, &options).await.expect_err("is refused here");
        assert!(matches!(refused, SessionClientError::Options(_)), "{refused}");
    }
    assert_eq!(wallet.asked(), [0, 0]);
    world.finish().await;
}
