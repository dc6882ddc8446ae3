//! Ten transfers from one account in flight together, of which one is lost for good. Two endpoints that both say that it
//! never landed are enough to sign it anew: nothing is paid twice, nothing is held, and no operator is asked, whoever else
//! moves the account meanwhile.

use super::{PRICE, PURSE, without_allowances};
use crate::{
    chain::proxy::{Lost, Proxy},
    support::{Log, Opening, Wallet, World},
};
use rusqlite::Connection;
use serde_json::json;
use sotto::{chain::EndpointUrls, domain::settlement::State};

const SHOPS: u64 = 10;
const CAP: u64 = 10_000;

/// One payer with a session at each of ten merchants, under one approve that covers them all.
async fn ten_sessions(world: &World, payer: &Wallet) -> Vec<(Wallet, String)> {
    let mut shops = Vec::new();
    for number in 1..=SHOPS {
        let merchant = world.wallet(0).await;
        let opening = Opening { approved: number * CAP, ..world.opening(payer, &merchant.key(), CAP) };
        let (status, session) = world.post("/sessions", &world.opening_body(&opening).await).await;
        assert_eq!(status, 201, "{session:#}");
        shops.push((merchant, session["sessionId"].as_str().unwrap().to_owned()));
    }
    world.quiet().await;
    shops
}

async fn in_flight(world: &World) -> usize {
    let unfinished = world.ledger().unfinished().await.unwrap();
    unfinished.iter().filter(|work| work.settlement.state == State::InFlight).count()
}

/// How many transfers of payments were signed, as the file itself says.
fn signed(world: &World) -> i64 {
    let ledger = Connection::open(world.directory().join("sotto.db")).unwrap();
    let count = "SELECT count(*) FROM attempts a JOIN settlements s ON s.id = a.settlement WHERE s.purpose = 'capture'";
    ledger.query_row(count, [], |row| row.get(0)).unwrap()
}

/// Everybody pays at once, one transfer is lost, and so many strangers send the payer nothing meanwhile.
async fn one_of_ten_is_lost(strangers: u64) {
    let log = Log::listen();
    let mut world = World::with(without_allowances()).await;
    let payer = world.wallet(PURSE).await;
    let shops = ten_sessions(&world, &payer).await;
    let lost = Lost::default();
    let endpoints = [Proxy::start(world.net.rpc_url()).await, Proxy::start(world.net.rpc_url()).await];
    for endpoint in &endpoints {
        endpoint.loses(&lost);
    }
    let urls = endpoints.iter().map(|endpoint| EndpointUrls { rpc: endpoint.url.clone(), websocket: None });
    world.reboots_with_endpoints(urls.collect()).await;

    // A node that stands still takes transactions and executes none.
    world.net.faults().change(|plan| plan.frozen = true);
    let pays = async |(merchant, session): &(Wallet, String)| {
        let (_, answer) = world.post("/settle", &world.payment(session, &merchant.key(), PRICE, Some("once"))).await;
        assert_eq!(answer["success"], json!(true), "{answer:#}");
        answer["transaction"].as_str().unwrap().to_owned()
    };
    let meanwhile = async {
        world.until("ten are in flight", async || in_flight(&world).await as u64 == SHOPS).await;
        world.net.faults().clear();
        for _ in 0..strangers {
            world.lands(world.transfer_by_stranger(&payer.key(), 0));
            world.confirmed().await;
        }
    };
    let (told, ()) = tokio::join!(futures_util::future::join_all(shops.iter().map(pays)), meanwhile);

    world.quiet().await;
    let lost = lost.signature().expect("one was lost");
    assert!(!told.iter().any(|transaction| transaction == lost), "it was carried by another");
    assert_eq!(signed(&world), SHOPS.cast_signed() + 1, "that one was signed anew, and no other");
    for (merchant, _) in &shops {
        assert_eq!(world.units(merchant), PRICE, "each merchant got it once");
    }
    assert_eq!(world.units(&payer), PURSE - SHOPS * PRICE);
    assert!(log.errors("").is_empty(), "nobody has to look: {}", log.text());
    world.finish().await;
}

#[tokio::test]
async fn one_of_ten_transfers_from_one_account_is_lost_and_signed_anew_once() {
    one_of_ten_is_lost(0).await;
}

#[tokio::test]
async fn one_of_ten_transfers_is_lost_while_strangers_move_the_account() {
    one_of_ten_is_lost(5).await;
}
