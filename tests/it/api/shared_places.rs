//! Places that all addresses share: strangers take what they can get of them, and an honest caller is answered, or how long they
//! may be kept out is stated.

use super::rates::Served;
use crate::support::{PATIENCE, in_time};
use serde_json::{Value, json};
use sotto::api::ServerSettings;
use std::{net::Ipv4Addr, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

/// A number of the default configuration.
fn by_default(key: &str) -> usize {
    let line = sotto::config::DEFAULTS.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
    line.unwrap().parse().unwrap()
}

/// A connection from another address; all of 127.0.0.0/8 is this machine.
async fn connects(served: &Served, last: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, last), 0).into()).unwrap();
    socket.connect(served.address).await.unwrap()
}

/// A payment of which only the headers come: its body is waited for.
async fn begins_to_pay(served: &Served, last: u8) -> TcpStream {
    let mut stream = connects(served, last).await;
    let head = b"POST /settle HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let read = in_time("its body is waited for", stream.read(&mut [0; 512])).await.unwrap();
    assert!(read > 0);
    stream
}

/// The status and the body of a whole request from this address.
async fn asks(served: &Served, last: u8) -> (u16, Value) {
    let address = std::net::IpAddr::from(Ipv4Addr::new(127, 0, 0, last));
    let client = reqwest::Client::builder().timeout(PATIENCE).local_address(address).build().unwrap();
    let request = client.post(format!("http://{}/settle", served.address)).header("content-type", "application/json");
    let response = request.body("{}").send().await.unwrap();
    let status = response.status().as_u16();
    if status == 429 || status == 503 {
        assert!(response.headers().contains_key("retry-after"), "when to come back");
    }
    (status, response.json().await.unwrap())
}

/// Guards: the order in `Guard::pass` and `CallerConcurrency`. Two addresses take all that their permits allow with bodies that do
/// not come; an address with all of its own is refused, and nobody else is.
#[tokio::test]
async fn a09_bodies_that_do_not_come_take_the_places_of_their_addresses_alone() {
    let served = Served::with(ServerSettings::default(), |edge| {
        (edge.max_concurrent, edge.max_concurrent_per_ip) = (2, Some(2));
        edge.body_deadline = PATIENCE;
    })
    .await;
    let mut strangers = Vec::new();
    for last in [2, 2, 3, 3] {
        strangers.push(begins_to_pay(&served, last).await);
    }
    let (status, told) = asks(&served, 2).await;
    assert_eq!((status, &told["errorReason"]), (429, &json!("too_many_requests")), "{told:#}");
    let (status, told) = asks(&served, 4).await;
    assert_eq!((status, &told["errorReason"]), (400, &json!("bad_request")), "it is read and answered: {told:#}");
    drop(strangers);
}

/// What is left when two addresses have all their permits at work: payments that wait for transfers have three quarters of the
/// places at most, and those without credit three quarters of that.
#[test]
fn a05_two_addresses_whose_payments_wait_leave_places_for_requests_that_do_not() {
    let (all, per_address) = (by_default("concurrent_requests"), by_default("concurrent_requests_per_ip"));
    assert_eq!(all, 2 * per_address, "two addresses have permits for all places");
    let settings = sotto::facilitator::WaitingSettings::default();
    assert_eq!((settings.in_all, settings.newcomers_in_all), (1_536, 1_152));
    assert_eq!(all - settings.in_all, 512, "for openings, proofs and questions, whoever waits");
    assert_eq!(settings.in_all - settings.newcomers_in_all, 384, "for payers with credit, whichever strangers wait");
}

/// Guard: `body_deadline`. Where strangers have every connection busy, an honest caller is told to come back, for as long as a body
/// may take to come and no longer; it takes sixteen addresses.
#[tokio::test]
async fn a09_strangers_with_every_connection_keep_a_payer_out_for_one_body_and_no_longer() {
    assert_eq!(
        (by_default("connections") / by_default("connections_per_ip"), by_default("body_timeout_seconds")),
        (16, 5)
    );
    let server = ServerSettings { connections: Some(2), connections_per_ip: Some(1), ..ServerSettings::default() };
    let within = Duration::from_secs(2);
    let served = Served::with(server, |edge| edge.body_deadline = within).await;
    let begun = tokio::time::Instant::now();
    let _strangers = [begins_to_pay(&served, 2).await, begins_to_pay(&served, 3).await];
    // This machine's own addresses have the places of probes, and nothing else is answered there.
    let (status, told) = asks(&served, 4).await;
    assert_eq!((status, &told["error"]), (503, &json!("overloaded")), "the stated loss: {told:#}");
    let answered = async {
        loop {
            let (status, told) = asks(&served, 4).await;
            if status != 503 {
                return (status, told);
            }
        }
    };
    let (status, told) = in_time("a connection is free", answered).await;
    assert_eq!((status, &told["errorReason"]), (400, &json!("bad_request")), "{told:#}");
    assert!(begun.elapsed() >= within, "the strangers had their time");
}
