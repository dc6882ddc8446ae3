//! Charges: paid once a request, and only what the buyer's terms allow.

use super::{cash, key, sellers, units};
use crate::support::MppScene;
use serde_json::Value;
use sotto::{
    client::mpp::{BuyError, BuyerTerms, ChargeEvent, MppClient, OrderRefusal},
    domain::clock::ManualClock,
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

fn client(scene: &MppScene, limit: u64) -> MppClient {
    let terms = BuyerTerms::new(&scene.world.network, units(limit)).token(cash(scene));
    let clock = Arc::new(ManualClock::at(scene.world.now()));
    MppClient::new(key(&scene.buyer), terms, Duration::from_mins(1), clock).unwrap()
}

#[tokio::test]
async fn a_charge_is_paid_once_a_request_and_the_receipt_names_its_transaction() {
    let scene = MppScene::start().await;
    let seller = sellers::by_charge(&scene, 10_000).await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    let client = client(&scene, 10_000).on_event(move |event| log.lock().unwrap().push(event.clone()));
    let bought = client.get(seller.url.parse().unwrap()).await.unwrap();
    assert_eq!(bought.response.status(), 200);
    let receipt = bought.receipt.expect("a receipt");
    assert_eq!(receipt.status, "success");
    let landed = scene.world.net.network().outcome(&receipt.reference.parse().unwrap());
    assert_eq!(landed, Some(Ok(())), "it is on chain");
    let payment = bought.payment.expect("a payment");
    assert_eq!(
        (payment.amount, payment.recipient, payment.mint),
        (units(10_000), scene.seller.key(), cash(&scene).mint)
    );
    let body: Value = bought.response.json().await.unwrap();
    assert_eq!(body["weather"], "fine");
    let heard = heard.lock().unwrap().clone();
    assert!(matches!(
        heard.as_slice(),
        [ChargeEvent::Building { .. }, ChargeEvent::Signing, ChargeEvent::Signed { .. }]
    ));

    // Sent once more it is no second charge.
    let request = reqwest::Request::new(reqwest::Method::GET, seller.url.parse().unwrap());
    let again = client.repeat(request, payment).await;
    let Err(BuyError::Rejected { words, .. }) = again else { panic!("{again:?}") };
    assert!(words.contains("duplicate_settlement"), "{words}");
    scene.closes(10_000).await;
}

#[tokio::test]
async fn a_price_over_the_limit_and_a_token_of_others_are_not_paid() {
    let scene = MppScene::start().await;
    let seller = sellers::by_charge(&scene, 10_001).await;
    let refused = client(&scene, 10_000).get(seller.url.parse().unwrap()).await;
    assert!(matches!(refused, Err(BuyError::Refusal(OrderRefusal::OverLimit { .. }))), "{refused:?}");
    let terms = BuyerTerms::new(&scene.world.network, units(1_000_000));
    let clock = Arc::new(ManualClock::at(scene.world.now()));
    let client = MppClient::new(key(&scene.buyer), terms, Duration::from_mins(1), clock).unwrap();
    let refused = client.get(seller.url.parse().unwrap()).await;
    assert!(matches!(refused, Err(BuyError::Refusal(OrderRefusal::Token(_)))), "{refused:?}");
    scene.closes(0).await;
}
