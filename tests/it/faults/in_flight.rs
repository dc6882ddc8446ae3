//! Ten transfers from one account in flight together, of which one is lost for good. That the nine others, and whoever else
//! moves the account meanwhile, explain its balance is enough to sign it anew: nothing is paid twice, nothing is held, and no
//! operator is asked. One voice is enough for it, and one of two may have a hole.

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

/// Everybody pays at once, one transfer is lost, and so many strangers send the payer nothing meanwhile. The chain is seen through
/// so many voices, of which the last may hide every transaction.
async fn one_of_ten_is_lost(strangers: u64, voices: usize, last: Last) {
    let log = Log::listen();
    let mut world = World::with(without_allowances()).await;
    let payer = world.wallet(PURSE).await;
    let shops = ten_sessions(&world, &payer).await;
    let lost = Lost::default();
    let mut endpoints = Vec::new();
    for _ in 0..voices {
        let endpoint = Proxy::start(world.net.rpc_url()).await;
        endpoint.loses(&lost);
        endpoints.push(endpoint);
    }
    if last == Last::Forgets {
        endpoints[voices - 1].hides_transactions();
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

    endpoints.iter().for_each(Proxy::is_honest);
    world.quiet().await;
    let lost = lost.signature().expect("one was lost");
    assert!(!told.iter().any(|transaction| transaction == lost), "it was carried by another");
    assert_eq!(signed(&world), SHOPS.cast_signed() + 1, "that one was signed anew, and no other");
    for (merchant, _) in &shops {
        assert_eq!(world.units(merchant), PRICE, "each merchant got it once");
    }
    assert_eq!(world.units(&payer), PURSE - SHOPS * PRICE);
    assert!(log.errors("a settlement is held").is_empty(), "nobody has to look: {}", log.text());
    assert!(last == Last::Forgets || log.errors("").is_empty(), "{}", log.text());
    let examined: Vec<&str> = log.text().leak().lines().filter(|line| line.contains("testimony=")).collect();
    let explained = format!("testimony=Explained entries={}", SHOPS - 1 + strangers);
    assert!(examined.iter().any(|line| line.contains(&explained)), "{examined:#?}");
    world.finish().await;
}

/// What the last of the voices does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    TellsAll,
    Forgets,
}

#[tokio::test]
async fn one_of_ten_transfers_from_one_account_is_lost_and_signed_anew_once() {
    one_of_ten_is_lost(0, 2, Last::TellsAll).await;
}

#[tokio::test]
async fn one_of_ten_transfers_is_lost_while_strangers_move_the_account() {
    one_of_ten_is_lost(5, 2, Last::TellsAll).await;
}

#[tokio::test]
async fn one_of_ten_transfers_is_lost_and_one_voice_alone_explains_the_others() {
    one_of_ten_is_lost(5, 1, Last::TellsAll).await;
}

/// The voices differ about nine of ten: what one shows explains what the other hides.
#[tokio::test]
async fn one_of_ten_transfers_is_lost_and_one_of_two_voices_forgets_them_all() {
    one_of_ten_is_lost(0, 2, Last::Forgets).await;
}
