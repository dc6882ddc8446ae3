//! Callers who send or read slowly, over real connections: they keep permits of their own address and nobody else's.

use super::rates::Served;
use crate::support::PATIENCE;
use serde_json::json;
use sotto::api::ServerSettings;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Begins a payment and does not send its body. The server says when it waits for that.
async fn begin_payment(served: &Served, forwarded_for: &str) -> TcpStream {
    let mut stream = served.connect().await;
    let head = format!(
        "POST /settle HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {forwarded_for}\r\ncontent-length: 2\r\n\
         expect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let told = told(&mut stream).await;
    assert!(told.starts_with("HTTP/1.1 100 "), "{told}");
    stream
}

async fn told(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 4_096];
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut bytes)).await.expect("something is told in time");
    String::from_utf8(bytes[..read.unwrap()].to_vec()).unwrap()
}

/// Guard: `guard::Guard::pass` reads the body before it takes a permit to work, and under a deadline.
#[tokio::test]
async fn a_caller_who_sends_a_body_slowly_keeps_nobody_else_waiting() {
    let served = Served::with(ServerSettings::default(), |edge| {
        edge.max_concurrent = 2;
        edge.body_deadline = Duration::from_secs(5);
    })
    .await;
    let mut unfinished = Vec::new();
    for _ in 0..6 {
        unfinished.push(begin_payment(&served, "").await);
    }
    assert_eq!(served.ask("GET", "/supported", None).await.status, 200);
    assert_eq!(served.ask("POST", "/verify", None).await.body["invalidReason"], "bad_request", "it is read and judged");
    // A caller who sends it after all is served.
    let mut last = unfinished.pop().unwrap();
    last.write_all(b"{}").await.unwrap();
    assert!(told(&mut last).await.starts_with("HTTP/1.1 400 "));
    for mut stream in unfinished {
        let told = told(&mut stream).await;
        assert!(told.starts_with("HTTP/1.1 408 ") && told.contains("bad_request"), "{told}");
        let end = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 1])).await.expect("and hung up on");
        assert!(matches!(end, Ok(0) | Err(_)));
    }
}

/// Guard: `guard::Guard::admit`.
#[tokio::test]
async fn one_address_has_its_share_of_the_requests_and_no_more() {
    let served = Served::with(ServerSettings::default(), |edge| {
        edge.max_concurrent_per_ip = Some(2);
        edge.rates.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let mine = [begin_payment(&served, "9.9.9.1").await, begin_payment(&served, "9.9.9.1").await];
    let refused = served.ask("POST", "/settle", Some("9.9.9.1")).await;
    assert_eq!((refused.status, refused.retry_after), (429, Some(1)));
    assert_eq!(refused.body["errorReason"], json!("too_many_requests"));
    assert_eq!(served.ask("POST", "/settle", Some("9.9.9.2")).await.status, 400, "another address has its own permits");
    assert_eq!(served.ask("GET", "/health", Some("9.9.9.1")).await.status, 200, "a supervisor may always ask");
    drop(mine);
    let again = async { while served.ask("GET", "/supported", Some("9.9.9.1")).await.status != 200 {} };
    tokio::time::timeout(PATIENCE, again).await.expect("its permits were given back");
}

/// Guard: `write_timeout::WriteTimeout`.
#[tokio::test]
async fn a_caller_who_never_reads_the_answer_is_hung_up_on() {
    let server = ServerSettings {
        connections: Some(1),
        write_timeout: Some(Duration::from_millis(300)),
        ..ServerSettings::default()
    };
    let served = Served::with(server, |_| {}).await;
    let mut unread = served.connect().await;
    let many = b"GET /supported HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100);
    let asks = async { while unread.write_all(&many).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, asks).await.expect("the connection was closed");
    assert_eq!(served.ask("GET", "/health", None).await.status, 200, "its permit was given back");
}
