//! Streams of events as a place that strangers can fill (A19).

use super::{PURSE, has_paid_for_days};
use crate::support::{Options, Wallet, World, in_time};
use serde_json::json;
use sotto::facilitator::AllowancePolicy;
use std::net::Ipv4Addr;

/// Who listens from an address of their own; all of 127.0.0.0/8 is this machine.
fn from(last: u8) -> reqwest::Client {
    let address = Ipv4Addr::new(127, 0, 0, last);
    reqwest::Client::builder().local_address(std::net::IpAddr::from(address)).build().unwrap()
}

/// A stream of the session's events; none when it is refused.
async fn listens(world: &World, client: &reqwest::Client, session: &str) -> Option<reqwest::Response> {
    let url = format!("{}/sessions/{session}/events", world.running().url);
    let response = client.get(url).send().await.unwrap();
    (response.status() == 200).then_some(response)
}

/// Reads until the event of this name; false when the stream ends before.
async fn hears(stream: &mut reqwest::Response, event: &str) -> bool {
    let (mut heard, name) = (String::new(), format!("event: {event}"));
    while !heard.contains(&name) {
        match in_time("something is told", stream.chunk()).await.unwrap() {
            Some(bytes) => heard.push_str(&String::from_utf8_lossy(&bytes)),
            None => return false,
        }
    }
    true
}

async fn pays(world: &World, session: &str, merchant: &Wallet) {
    let (_, answer) = world.post("/settle", &world.payment(session, &merchant.key(), 10, None)).await;
    assert_eq!(answer["success"], json!(true), "{answer:#}");
}

/// Guards: `makes_place`, and credit as what the reserve is for: without them whoever came first kept everybody else out, and what
/// empty wallets had "paid" opened the reserve to them.
#[tokio::test]
async fn a19_strangers_fill_the_streams_and_an_honest_payer_still_listens() {
    let world = World::with(Options::settings(|settings| {
        settings.reads.streams = 12;
        settings.transfers.decrypt_allowance = AllowancePolicy::Never;
    }))
    .await;
    let (honest, merchant) = (world.wallet(PURSE).await, world.wallet(0).await);
    has_paid_for_days(&world, &honest.key());
    let session = world.open(&honest, &merchant.key(), 1_000).await;
    let addresses = [from(2), from(3)];
    let (mut sessions, mut crowd) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        // Of an empty wallet: what is captured moves nothing.
        let stranger = world.open(&world.wallet(0).await, &merchant.key(), 10).await;
        pays(&world, &stranger, &merchant).await;
        sessions.push(stranger);
    }
    let attempts = sessions.iter().flat_map(|session| addresses.iter().map(move |address| (session, address)));
    let attempts: Vec<_> = attempts.collect();
    for (session, address) in attempts.iter().cycle().take(24) {
        crowd.extend(listens(&world, address, session).await);
    }
    assert_eq!(crowd.len(), 9, "strangers fill what they may have, and no more");

    let mut stream = listens(&world, &from(4), &session).await.expect("who holds less finds a place");
    for (session, address) in attempts.iter().cycle().take(24) {
        crowd.extend(listens(&world, address, session).await);
    }
    pays(&world, &session, &merchant).await;
    assert!(hears(&mut stream, "captured").await, "nobody takes it away again");
    // Strangers never hold what is kept for payers.
    let second = listens(&world, &from(5), &session).await;
    assert!(second.is_some());
    drop((crowd, stream, second));
    world.finish().await;
}
