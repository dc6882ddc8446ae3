//! Failures that no endpoint tells of, and what they leave out of the books.

use super::{
    Shop,
    liars::{TRANSFER, endpoint, liar, plain},
};
use sotto::domain::settlement::MOST_ATTEMPTS;

/// What no number of voices can tell (`docs/TRUST.md`): every one of them denies a transfer that landed with an error, so it is
/// proved absent, and its fee is in no book. It moved nothing, so nothing is paid twice for it, and what is missing in the books
/// is one fee for each attempt.
#[tokio::test]
async fn a01_a_failed_transfer_that_every_voice_denies_leaves_its_fee_out_of_the_books_and_nothing_else() {
    let mut shop = Shop::open(plain(), 10_000).await;
    shop.world.quiet().await;
    let liars = [liar(&shop.world).await, liar(&shop.world).await];
    shop.world.reboots_with_endpoints(liars.iter().map(|liar| endpoint(&liar.url, None)).collect()).await;
    let purse = || shop.world.net.network().balance(&shop.world.fee_payer());
    let booked =
        async || -> u64 { shop.world.ledger().spending(0).await.unwrap().iter().map(|row| row.spent.total()).sum() };
    let before = (purse(), booked().await);
    let source = shop.world.account_of(&shop.payer.key());
    shop.world.net.network().ambush(source, shop.world.revoke_by_owner(&shop.payer));
    let (_, refused) = shop.world.post("/settle", &shop.hasty_payment(200, Some("fails"))).await;
    assert_eq!(refused["success"], false, "{refused:#}");
    assert!(!shop.world.net.network().has_ambushes(), "it landed, and failed");
    shop.world.quiet().await;
    let (lost, in_books) = (before.0 - purse(), booked().await - before.1);
    let attempts = (lost - in_books) / TRANSFER;
    assert_eq!((lost - in_books) % TRANSFER, 0, "whole fees are missing: {lost} lost, {in_books} booked");
    assert!((1..=u64::from(MOST_ATTEMPTS)).contains(&attempts), "{attempts}");
    let totals = shop.world.ledger().totals(None).await.unwrap();
    assert_eq!((totals.captured.get(), totals.held.get(), shop.world.units(&shop.merchant)), (0, 0, 0));
    shop.world.finish().await;
}
