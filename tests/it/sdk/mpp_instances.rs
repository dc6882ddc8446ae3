//! Two instances of a seller behind one facilitator, and one that starts again: each voucher and each charge is served for once.

use super::{
    mpp_channels::{PRICE, presents, sale, shop},
    mpp_charges::Market,
    mpp_refusals::challenge,
    paywall::text,
};
use crate::support::ChannelScene;
use axum::Router;
use futures_util::future::join_all;
use serde_json::Value;
use sotto::merchant::{
    FacilitatorClient,
    mpp::{
        FileStore, MemoryStore, SessionGate,
        session::{ChannelStore, Standing},
    },
};
use std::{path::Path, sync::Arc};

/// An instance that remembers in this store.
async fn instance(scene: &ChannelScene, store: Arc<dyn ChannelStore>) -> SessionGate {
    let keys = FacilitatorClient::new(&scene.world.running().url).unwrap().mpp_keys().await.unwrap();
    SessionGate::new(sale(scene).keys(&keys).unwrap(), store).unwrap()
}

async fn statuses(shops: &[Router], voucher: &Value) -> Vec<u16> {
    let answers = join_all((0..16).map(|at| presents(&shops[at % shops.len()], voucher))).await;
    answers.iter().map(|answer| answer.status().as_u16()).collect()
}

/// Guard: `ChannelStore::swap` of a store that both have.
#[tokio::test(flavor = "multi_thread")]
async fn a_voucher_that_two_instances_are_shown_at_once_is_served_for_once() {
    let scene = ChannelScene::start().await;
    let store = Arc::new(MemoryStore::new(10));
    let shops = [instance(&scene, store.clone()).await, instance(&scene, store).await].map(|gate| shop(&gate));
    let channel = scene.opens(100_000).await;
    for number in 1..=3 {
        let voucher = scene.draws(&channel, number * PRICE).await;
        let told = statuses(&shops, &voucher).await;
        assert_eq!(told.iter().filter(|status| **status == 200).count(), 1, "{told:?}");
        assert!(told.iter().all(|status| [200, 402].contains(status)), "{told:?}");
    }
    scene.closes(&channel).await;
    scene.ends(3 * PRICE).await;
}

/// Stores that are not shared serve for a voucher once each: the seller loses what they serve twice, and nobody else does.
#[tokio::test]
async fn instances_that_share_no_store_serve_once_each_and_are_paid_once() {
    let scene = ChannelScene::start().await;
    let mut shops = Vec::new();
    for _ in 0..2 {
        shops.push(shop(&instance(&scene, Arc::new(MemoryStore::new(10))).await));
    }
    let channel = scene.opens(100_000).await;
    let told = statuses(&shops, &scene.draws(&channel, PRICE).await).await;
    assert_eq!(told.iter().filter(|status| **status == 200).count(), 2, "{told:?}");
    scene.closes(&channel).await;
    scene.ends(PRICE).await;
}

/// Guard: the one success that a facilitator tells of a charge, whoever asks.
#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_two_instances_are_shown_at_once_is_served_for_once() {
    let market = Market::open(|_, seller| seller).await;
    let other = market.another_instance();
    let credential = market.pay(challenge(&market.ask("/cheap", None).await));
    let shops = [&market.shop, &other];
    let answers = join_all((0..8).map(|at| Market::ask_of(shops[at % 2], "/cheap", Some(&credential)))).await;
    let told: Vec<u16> = answers.iter().map(|answer| answer.status().as_u16()).collect();
    assert_eq!(told.iter().filter(|status| **status == 200).count(), 1, "{told:?}");
    assert!(told.iter().all(|status| [200, 402, 503].contains(status)), "{told:?}");
    for shop in shops {
        let late = Market::ask_of(shop, "/cheap", Some(&credential)).await;
        assert_eq!(late.status(), 402);
        assert!(text(late).await.contains("duplicate_settlement"));
    }
    market.scene.closes(10_000).await;
}

async fn over_file(scene: &ChannelScene, path: &Path) -> SessionGate {
    instance(scene, Arc::new(FileStore::open(path, 10).unwrap())).await
}

/// Guards: `FileStore`, `Shared::end`. Both sides start again, and a channel that has ended stays so.
#[tokio::test]
async fn a_seller_and_a_facilitator_that_start_again_know_what_was_paid() {
    let mut scene = ChannelScene::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("channels");
    let channel = scene.opens(100_000).await;
    let first = scene.draws(&channel, PRICE).await;
    let gate = over_file(&scene, &path).await;
    assert_eq!(presents(&shop(&gate), &first).await.status(), 200);
    drop(gate);
    scene.world.kill().await;
    scene.world.boot().await;

    let gate = over_file(&scene, &path).await;
    assert_eq!(presents(&shop(&gate), &first).await.status(), 402, "it was served for before");
    let [second, third] = [scene.draws(&channel, 2 * PRICE).await, scene.draws(&channel, 3 * PRICE).await];
    assert_eq!(presents(&shop(&gate), &second).await.status(), 200);
    scene.closes(&channel).await;
    gate.look().await;
    drop(gate);

    let gate = over_file(&scene, &path).await;
    let response = presents(&shop(&gate), &third).await;
    assert_eq!((response.status().as_u16(), &*text(response).await), (402, "{\"error\":\"channel_closed\"}"));
    let id = first["voucher"]["channelId"].as_str().unwrap();
    assert_eq!(gate.context(id).await.unwrap().unwrap().standing, Standing::Ended);
    scene.ends(3 * PRICE).await;
}
