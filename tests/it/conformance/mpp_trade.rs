//! Our seller and our buyer of the Machine Payments Protocol, and stock mppx on the other side.

use super::mpp::{VECTORS, folder_for, named, runs, scene, told};
use crate::support::{ChannelScene, MppScene};
use axum::{Router, routing::get};
use serde_json::json;
use sotto::{
    client::{
        LocalKey,
        mpp::{BuyerTerms, BuyerToken, MppClient},
    },
    domain::{amount::Amount, clock::ManualClock, mpp::choices::Backend},
    merchant::{
        FacilitatorClient, Gate, Offer, Price,
        mpp::{ChargeSeller, MemoryStore, MppWall, SecretKey, SessionGate, SessionSale, SessionWall},
    },
    programs::spl_token::TokenProgram,
};
use std::{
    io::{BufRead as _, BufReader},
    net::Ipv4Addr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

/// What everything costs.
const PRICE: u64 = 10_000;

fn price() -> Price {
    Price::base_units(Amount::new(PRICE).unwrap()).unwrap()
}

/// A shop of ours that sells the weather by charges and a stream by vouchers, and its address.
async fn shop(scene: &MppScene) -> String {
    let client = FacilitatorClient::new(&scene.world.running().url).unwrap();
    let keys = client.mpp_keys().await.unwrap();
    let secret = SecretKey::new("a secret of this test alone, of more than 32 bytes").unwrap();
    let seller = ChargeSeller::new(client.clone(), "shop.example", secret).unwrap();
    let offer = Offer::new(&keys.network, scene.world.net.cash().mint(), scene.seller.key(), price());
    let charges = MppWall::new(seller, Gate::new("GET /weather", offer).unwrap());
    charges.check().await.unwrap();
    let sale = SessionSale::new(scene.seller.key(), price()).keys(&keys).unwrap().facilitator(client);
    let gate = SessionGate::new(sale, Arc::new(MemoryStore::new(8))).unwrap();
    let vouchers = SessionWall::new(gate, "GET /stream").unwrap();
    let weather = Router::new().route("/weather", get(|| async { "sunny" })).layer(charges);
    let routes = weather.merge(Router::new().route("/stream", get(|| async { "a part" })).layer(vouchers));
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    url
}

#[tokio::test]
async fn stock_mppx_of_two_lines_and_the_published_clients_sessions_buy_from_our_seller() {
    let Some(folder) = folder_for("our_seller.mjs").await else { return };
    let scene = scene(Backend::SplDelegate).await;
    let mut told = told(&scene);
    let shop = shop(&scene).await;
    told["charged"] = json!({ "url": format!("{shop}/weather"), "price": PRICE });
    told["streamed"] = json!({ "url": format!("{shop}/stream"), "price": PRICE });
    runs("our_seller.mjs", folder, told).await;
    let MppScene { world, buyer, seller } = scene;
    // A charge by each line, and five vouchers.
    ChannelScene { world, buyer, seller }.ends(7 * PRICE).await;
}

/// Stock sellers in a process of their own.
struct Shops {
    process: Child,
    urls: Vec<String>,
}

impl Shops {
    fn open(folder: PathBuf, scene: &MppScene) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut told = told(scene);
        told["vectors"] = json!(VECTORS);
        std::fs::write(file.path(), told.to_string()).unwrap();
        let mut command = Command::new("node");
        command.arg("shops.mjs").arg(file.path()).current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { urls: serde_json::from_str(&line).unwrap(), process }
    }
}

impl Drop for Shops {
    fn drop(&mut self) {
        // The shops close when their input ends.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn our_buyer_pays_stock_mppx_of_two_lines() {
    let Some(folder) = folder_for("shops.mjs").await else { return };
    let scene = scene(Backend::SplDelegate).await;
    let shops = Shops::open(folder, &scene);
    assert_eq!(shops.urls.len(), 2);
    let cash = BuyerToken { mint: scene.world.net.cash().mint(), program: TokenProgram::Token, decimals: 6 };
    let terms = BuyerTerms::new(&named(&scene.world.network), Amount::new(PRICE).unwrap()).token(cash);
    let key = Arc::new(LocalKey::from_bytes(&scene.buyer.seed()).unwrap());
    let clock = Arc::new(ManualClock::at(scene.world.now()));
    let buyer = MppClient::new(key, terms, Duration::from_mins(1), clock).unwrap();
    for url in &shops.urls {
        let bought = buyer.get(url.parse().unwrap()).await.unwrap();
        assert_eq!(bought.response.status(), 200, "{url}");
        let receipt = bought.receipt.expect("a receipt");
        let landed = scene.world.net.network().outcome(&receipt.reference.parse().unwrap());
        assert_eq!(landed, Some(Ok(())), "it is on chain");
    }
    drop(shops);
    scene.closes(2 * PRICE).await;
}
