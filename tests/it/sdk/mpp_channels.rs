//! Channels from the first voucher to the end: a seller's layer, a facilitator that serves, and a real chain.

use super::paywall::text;
use crate::support::ChannelScene;
use axum::{Extension, Router, body::Body, routing::get};
use http::{Request, Response};
use serde_json::Value;
use sotto::{
    domain::amount::Amount,
    merchant::{
        FacilitatorClient, Price,
        mpp::{MemoryStore, SessionGate, SessionSale, SessionWall, session::Paid},
    },
};
use std::sync::Arc;
use tower::ServiceExt as _;

/// What a part of the story costs.
pub(super) const PRICE: u64 = 1_000;

pub(super) fn sale(scene: &ChannelScene) -> SessionSale {
    let price = Price::base_units(Amount::new(PRICE).unwrap()).unwrap();
    SessionSale::new(scene.seller.key(), price).facilitator(FacilitatorClient::new(&scene.world.running().url).unwrap())
}

fn selling(sale: SessionSale) -> SessionGate {
    SessionGate::new(sale, Arc::new(MemoryStore::new(10))).unwrap()
}

pub(super) fn shop(gate: &SessionGate) -> Router {
    let part = |Extension(paid): Extension<Paid>| async move { paid.amount.to_string() };
    let wall = SessionWall::new(gate.clone(), "GET /story").unwrap().units(1);
    Router::new().route("/story", get(part)).layer(wall)
}

pub(super) async fn presents(shop: &Router, voucher: &Value) -> Response<Body> {
    let request = Request::get("/story").header("x-mpp-voucher", voucher.to_string()).body(Body::empty());
    shop.clone().oneshot(request.unwrap()).await.unwrap()
}

#[tokio::test]
async fn vouchers_of_a_facilitator_are_served_until_their_channel_is_closed() {
    let scene = ChannelScene::start().await;
    let keys = FacilitatorClient::new(&scene.world.running().url).unwrap().mpp_keys().await.unwrap();
    let pinned = selling(sale(&scene).keys(&keys).unwrap());
    let asking = selling(sale(&scene).network(&keys.network).chain_id(&keys.chain_id));
    let channel = scene.opens(100_000).await;
    let drawn = [PRICE, 3 * PRICE, 4 * PRICE];
    let mut vouchers = Vec::new();
    for amount in drawn {
        vouchers.push(scene.draws(&channel, amount).await);
    }
    for (voucher, paid) in vouchers.iter().zip([PRICE, 2 * PRICE]) {
        let response = presents(&shop(&pinned), voucher).await;
        assert_eq!((response.status().as_u16(), text(response).await), (200, paid.to_string()));
    }
    assert_eq!(presents(&shop(&pinned), &vouchers[1]).await.status(), 402, "each pays once");
    let mut bare = vouchers[0].clone();
    for member in ["issuer", "certificate", "terms"] {
        bare.as_object_mut().unwrap().remove(member);
    }
    assert_eq!(presents(&shop(&asking), &bare).await.status(), 200, "the facilitator's own word is as good");

    pinned.look().await;
    scene.closes(&channel).await;
    pinned.look().await;
    let response = presents(&shop(&pinned), &vouchers[2]).await;
    assert_eq!((response.status().as_u16(), &*text(response).await), (402, "{\"error\":\"channel_closed\"}"));
    scene.ends(4 * PRICE).await;
}
