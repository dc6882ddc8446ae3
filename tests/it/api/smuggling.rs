//! Requests whose end two servers in a row could see in different places, over raw connections: whoever answers them answers one
//! request, and closes. A proxy before us is the operator's, so nothing here may depend on what it lets through.

use super::rates::Served;
use crate::support::PATIENCE;
use sotto::api::ServerSettings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// What somebody would like to have answered in another caller's place.
const HIDDEN: &str = "GET /health HTTP/1.1\r\nhost: x\r\n\r\n";

/// Everything that is answered on one connection until the server closes it.
async fn answers(served: &Served, bytes: &[u8]) -> String {
    let mut stream = served.connect().await;
    stream.write_all(bytes).await.unwrap();
    // Nothing more comes, so a server that waits for the next request may go.
    stream.shutdown().await.unwrap();
    let mut told = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut told)).await.expect("it is answered and closed").unwrap();
    String::from_utf8_lossy(&told).into_owned()
}

fn post(headers: &str, body: &str) -> Vec<u8> {
    format!("POST /verify HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{headers}\r\n{body}").into_bytes()
}

/// Guard: the server's own parser (hyper), which refuses what has two ends. The test tells when another server would not.
#[tokio::test]
async fn a_request_with_two_ends_is_one_request_or_none() {
    let served = Served::with(ServerSettings::default(), |_| ()).await;
    let hidden = HIDDEN.len();
    let bent = [
        post(&format!("content-length: {hidden}\r\ncontent-length: 2\r\n"), HIDDEN),
        post(&format!("content-length: 2, {hidden}\r\n"), HIDDEN),
        post(&format!("content-length: +{hidden}\r\n"), HIDDEN),
        post(&format!("content-length : {hidden}\r\n"), HIDDEN),
        post("transfer-encoding: chunked, identity\r\n", &format!("0\r\n\r\n{HIDDEN}")),
        post("transfer-encoding: xchunked\r\n", &format!("0\r\n\r\n{HIDDEN}")),
        post(" folded: onto the line before\r\ncontent-length: 0\r\n", HIDDEN),
        post("transfer-encoding: chunked\r\n", &format!("-1\r\n\r\n{HIDDEN}")),
    ];
    for request in bent {
        let shown = String::from_utf8_lossy(&request).into_owned();
        let told = answers(&served, &request).await;
        assert!(told.starts_with("HTTP/1.1 400 "), "{shown}\n{told}");
        assert!(!told.contains("HTTP/1.1 200 "), "the hidden request is answered: {shown}\n{told}");
    }
}

/// Both lengths at once: RFC 9112 §6.3 lets a server take the chunks if it forgets the length and closes. What is hidden behind the
/// last chunk is never answered to the next caller of a kept connection.
#[tokio::test]
async fn a_length_beside_chunks_hides_no_second_request() {
    let served = Served::with(ServerSettings::default(), |_| ()).await;
    let body = format!("2\r\n{{}}\r\n0\r\n\r\n{HIDDEN}");
    let headers = format!("content-length: {}\r\ntransfer-encoding: chunked\r\n", body.len());
    let told = answers(&served, &post(&headers, &body)).await;
    assert_eq!(told.matches("HTTP/1.1 ").count(), 1, "{told}");
    assert!(told.starts_with("HTTP/1.1 400 "), "{told}");
}
