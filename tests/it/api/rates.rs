//! How often one address may ask, over real connections.

use super::bench::ApiBench;
use crate::support::PATIENCE;
use serde_json::{Value, json};
use sotto::api::{self, ApiSettings, Rate, RateSettings, ServerSettings};
use std::{net::Ipv4Addr, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The bench behind a real server.
pub(super) struct Served {
    _bench: ApiBench,
    pub(super) address: std::net::SocketAddr,
    http: reqwest::Client,
    _stop: DropGuard,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<u64>,
    pub(super) body: Value,
}

impl Served {
    async fn start(rates: RateSettings, server: ServerSettings) -> Self {
        Self::with(server, |edge| edge.rates = rates).await
    }

    pub(super) async fn with(server: ServerSettings, change: impl FnOnce(&mut ApiSettings)) -> Self {
        let bench = ApiBench::with(change).await;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(api::serve(listener, bench.router.clone(), server, stop.clone()));
        let http = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        Self { _bench: bench, address, http, _stop: stop.drop_guard() }
    }

    pub(super) async fn ask(&self, method: &str, path: &str, forwarded_for: Option<&str>) -> Answer {
        let url = format!("http://{}{path}", self.address);
        let mut request = self.http.request(method.parse().unwrap(), url);
        if method == "POST" {
            request = request.header("content-type", "application/json").body("{}");
        }
        if let Some(forwarded) = forwarded_for {
            request = request.header("x-forwarded-for", forwarded);
        }
        let response = request.send().await.unwrap();
        let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
        Answer { status: response.status().as_u16(), retry_after, body: response.json().await.unwrap() }
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

fn rare(burst: u32) -> Option<Rate> {
    Rate::per(1, Duration::from_hours(1)).map(|rate| rate.bursting(burst))
}

/// Guard: the layer in `router`.
#[tokio::test]
async fn r27_who_asks_too_often_is_told_so_in_each_surface_s_own_words() {
    let rates = RateSettings { requests: rare(2), ..RateSettings::default() };
    let served = Served::start(rates, ServerSettings::default()).await;
    for _ in 0..2 {
        assert_eq!(served.ask("GET", "/supported", None).await.status, 200);
    }
    let answers = [
        ("GET", "/supported", "error"),
        ("POST", "/sessions", "error"),
        ("GET", "/sessions/00000000-0000-4000-8000-000000000000", "error"),
        ("POST", "/verify", "invalidReason"),
        ("POST", "/settle", "errorReason"),
    ];
    for (method, path, member) in answers {
        let answer = served.ask(method, path, None).await;
        assert_eq!((answer.status, &answer.body[member]), (429, &json!("too_many_requests")), "{method} {path}");
        assert!(answer.retry_after.is_some_and(|seconds| (1_000..=3_600).contains(&seconds)), "{path}");
    }
    for probe in ["/health", "/ready"] {
        assert_eq!(
            served.ask("GET", probe, None).await.status,
            200,
            "{probe}: whoever keeps it alive may always ask (FR-21)"
        );
    }
}

/// Guard: the bucket of openings.
#[tokio::test]
async fn r18_one_address_opens_so_many_sessions_and_no_more() {
    let rates = RateSettings { openings: rare(2), ..RateSettings::default() };
    let served = Served::start(rates, ServerSettings::default()).await;
    for expected in [400, 400, 429, 429] {
        let answer = served.ask("POST", "/sessions", None).await;
        assert_eq!(answer.status, expected, "what is refused counts too: {}", answer.body);
    }
    assert_eq!(served.ask("GET", "/supported", None).await.status, 200, "other requests are not openings");
    let path = "/sessions/00000000-0000-4000-8000-000000000000";
    assert_eq!(served.ask("GET", path, None).await.status, 404);
}

/// Guard: the bucket of approves that are prepared.
#[tokio::test]
async fn approves_are_prepared_so_often_and_no_more() {
    let rates = RateSettings { prepares: rare(2), ..RateSettings::default() };
    let served = Served::start(rates, ServerSettings::default()).await;
    for expected in [400, 400, 429] {
        let answer = served.ask("POST", "/sessions/prepare", None).await;
        assert_eq!(answer.status, expected, "{}", answer.body);
        assert_eq!(answer.retry_after.is_some(), expected == 429);
    }
    assert_eq!(served.ask("POST", "/sessions", None).await.status, 400, "an opening is counted by itself");
}

/// Guard: `counted`, for the routes of single payments.
#[tokio::test]
async fn r27_one_address_asks_for_single_payments_so_often_and_no_more() {
    let routes = [("/pay/getAmount", "error"), ("/pay/verify", "invalidReason"), ("/pay/settle", "errorReason")];
    for (path, member) in routes {
        let rates = RateSettings { single_payments: rare(2), ..RateSettings::default() };
        let served = Served::start(rates, ServerSettings::default()).await;
        for _ in 0..2 {
            let answer = served.ask("POST", path, None).await;
            assert_eq!(answer.status, 400, "{path}: what is refused counts too: {}", answer.body);
        }
        for (path, member) in [(path, member)].into_iter().chain(routes) {
            let answer = served.ask("POST", path, None).await;
            assert_eq!((answer.status, &answer.body[member]), (429, &json!("too_many_requests")), "{path}");
            assert!(answer.retry_after.is_some(), "{path}");
        }
        assert_eq!(served.ask("POST", "/settle", None).await.status, 400, "payments of sessions are others");
    }
}

/// Guard: `OPENINGS`, for the routes of revokes, which cost the chain and the sponsor what an opening does.
#[tokio::test]
async fn r27_revokes_are_counted_with_the_openings_of_an_address() {
    let revoke = "/sessions/00000000-0000-4000-8000-000000000000/revoke";
    for path in ["/sessions/revoke-offer", "/sessions/revoke", revoke] {
        let rates = RateSettings { openings: rare(2), ..RateSettings::default() };
        let served = Served::start(rates, ServerSettings::default()).await;
        for _ in 0..2 {
            let answer = served.ask("POST", path, None).await;
            assert_eq!(answer.status, 400, "{path}: {}", answer.body);
        }
        for path in [path, "/sessions"] {
            let answer = served.ask("POST", path, None).await;
            assert_eq!((answer.status, &answer.body["error"]), (429, &json!("too_many_requests")), "{path}");
        }
        assert_eq!(served.ask("POST", "/sessions/close", None).await.status, 400, "to close is never an opening");
    }
}

/// Guard: `RateLimits::take_verification`. Whoever has a session's id can watch by it what others take.
#[tokio::test]
async fn payments_of_one_session_are_verified_so_often_and_no_more() {
    let bench = ApiBench::with(|edge| edge.rates.verifications = rare(2)).await;
    let payment = |session: u128| bench.payment(&uuid::Uuid::from_u128(session).to_string(), 1_000, None);
    for (status, reason) in [(200, "session_not_found"), (200, "session_not_found"), (429, "too_many_requests")] {
        let answer = bench.post("/verify", &payment(1)).await;
        assert_eq!((answer.status.as_u16(), &answer.body["invalidReason"]), (status, &json!(reason)));
        assert_eq!(answer.headers.contains_key("retry-after"), status == 429);
    }
    assert_eq!(bench.post("/verify", &payment(2)).await.status, 200, "another session has a bucket of its own");
    assert_eq!(bench.post("/settle", &payment(1)).await.status, 200, "to pay is no verification");
}

/// Guard: `RateLimits::caller`.
#[tokio::test]
async fn a_stranger_cannot_borrow_addresses_and_a_trusted_proxy_lends_them() {
    let rates = RateSettings { requests: rare(1), ..RateSettings::default() };
    let alone = Served::start(rates.clone(), ServerSettings::default()).await;
    assert_eq!(alone.ask("GET", "/supported", Some("9.9.9.1")).await.status, 200);
    assert_eq!(alone.ask("GET", "/supported", Some("9.9.9.2")).await.status, 429);

    let rates = RateSettings { trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()], ..rates };
    let proxied = Served::start(rates, ServerSettings::default()).await;
    assert_eq!(proxied.ask("GET", "/supported", Some("9.9.9.1")).await.status, 200);
    assert_eq!(proxied.ask("GET", "/supported", Some("9.9.9.2")).await.status, 200);
    assert_eq!(proxied.ask("GET", "/supported", Some("1.2.3.4, 9.9.9.1")).await.status, 429);
}

/// Guard: `header_read_timeout` in `api/http/server.rs`.
#[tokio::test]
async fn a_caller_who_sends_headers_slowly_is_hung_up_on() {
    let server = ServerSettings { header_timeout: Some(Duration::from_secs(1)), ..ServerSettings::default() };
    let served = Served::start(RateSettings::default(), server).await;
    let mut slow = served.connect().await;
    slow.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nx-slow: ").await.unwrap();
    let mut told = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, slow.read_to_end(&mut told)).await;
    assert!(ended.is_ok(), "the connection was closed");
    let mut silent = served.connect().await;
    assert_eq!(tokio::time::timeout(PATIENCE, silent.read(&mut [0; 1])).await.unwrap().unwrap(), 0, "silence ends too");
    assert_eq!(served.ask("GET", "/health", None).await.status, 200);
}

/// Guard: `Held::has_place`. A connection that rests between two requests is closed for one that comes.
#[tokio::test]
async fn more_connections_than_there_are_places_close_the_one_that_is_idle_longest() {
    let server = ServerSettings { connections: Some(1), ..ServerSettings::default() };
    let served = Served::start(RateSettings::default(), server).await;
    let mut first = served.connect().await;
    first.write_all(b"GET /supported HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(first.read(&mut [0; 4_096]).await.unwrap() > 0, "it is served");
    let mut second = served.connect().await;
    second.write_all(b"GET /supported HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let served_now = tokio::time::timeout(PATIENCE, second.read(&mut [0; 4_096])).await;
    assert!(served_now.unwrap().unwrap() > 0);
    let ended = tokio::time::timeout(PATIENCE, first.read_to_end(&mut Vec::new())).await;
    assert!(ended.is_ok(), "the first was closed");
    drop(second);
}

/// Guard: `Connections::admit`. Idle connections by the thousand cost their owner nothing; a supervisor that gets no answer
/// for them restarts us.
#[tokio::test]
async fn a09_idle_connections_keep_nobody_out() {
    let server = ServerSettings { connections: Some(16), ..ServerSettings::default() };
    let served = Served::start(RateSettings::default(), server).await;
    let mut idle = Vec::new();
    for _ in 0..64 {
        idle.push(served.connect().await);
    }
    for path in ["/supported", "/health", "/ready"] {
        let asks = served.ask("GET", path, None);
        assert_eq!(tokio::time::timeout(PATIENCE, asks).await.expect("is answered").status, 200, "{path}");
    }
    drop(idle);
}

/// Guards: the places of probes, and `only_probes`.
#[tokio::test]
async fn a09_probes_are_answered_while_every_connection_is_being_answered() {
    let server = ServerSettings { connections: Some(1), ..ServerSettings::default() };
    let served = Served::with(server, |edge| edge.body_deadline = PATIENCE).await;
    let mut busy = served.connect().await;
    busy.write_all(b"POST /settle HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n")
        .await
        .unwrap();
    assert!(busy.read(&mut [0; 512]).await.unwrap() > 0, "its body is waited for");
    for path in ["/health", "/ready"] {
        assert_eq!(served.ask("GET", path, None).await.status, 200, "{path}");
    }
    let other = served.ask("POST", "/settle", None).await;
    assert_eq!((other.status, &other.body["error"]), (503, &json!("overloaded")), "the place is for probes alone");
    let mut other = served.connect().await;
    other.write_all(b"GET /supported HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let ended = tokio::time::timeout(PATIENCE, other.read_to_end(&mut Vec::new())).await;
    assert!(ended.is_ok(), "and nobody stays in it");
    busy.write_all(b"{}").await.unwrap();
    let mut told = vec![0; 4_096];
    let read = busy.read(&mut told).await.unwrap();
    assert!(told[..read].starts_with(b"HTTP/1.1 400 "), "what was being answered is answered");
}

/// Guard: `asks_nothing`.
#[tokio::test]
async fn a09_a_connection_that_asks_for_nothing_is_closed_sooner_than_one_that_has_asked() {
    let server = ServerSettings { first_header_timeout: Some(Duration::from_secs(1)), ..ServerSettings::default() };
    let served = Served::start(RateSettings::default(), server).await;
    let (mut silent, mut slow, mut asks) = (served.connect().await, served.connect().await, served.connect().await);
    slow.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nx-slow: ").await.unwrap();
    asks.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(asks.read(&mut [0; 512]).await.unwrap() > 0);
    for stream in [&mut silent, &mut slow] {
        let ended = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 1])).await.expect("it is closed");
        assert!(matches!(ended, Ok(0) | Err(_)));
    }
    // Both have been closed, so its time for the first headers is over too.
    asks.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(asks.read(&mut [0; 512]).await.unwrap() > 0, "it may rest between two requests");
}

/// Guard: `Callers::admit`.
#[tokio::test]
async fn one_address_does_not_take_all_places() {
    let server = ServerSettings { connections_per_ip: Some(1), ..ServerSettings::default() };
    let served = Served::start(RateSettings::default(), server).await;
    let mut first = served.connect().await;
    first.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(first.read(&mut [0; 512]).await.unwrap() > 0);
    let mut second = served.connect().await;
    let told = tokio::time::timeout(PATIENCE, second.read(&mut [0; 1])).await.unwrap();
    assert!(matches!(told, Ok(0) | Err(_)), "closed at once");
    drop(first);
    let again = async {
        loop {
            let mut third = served.connect().await;
            let _ = third.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await;
            if third.read(&mut [0; 512]).await.is_ok_and(|read| read > 0) {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, again).await.expect("the place was given back");
}

/// Guard: `ReadyCache`.
#[tokio::test]
async fn probes_share_one_answer_of_ready() {
    let bench = ApiBench::with(|edge| edge.ready_for = Duration::from_hours(1)).await;
    assert_eq!(bench.get("/ready").await.status, 200);
    let network = bench.localnet.network();
    network.reset_request_counts();
    for _ in 0..20 {
        assert_eq!(bench.get("/ready").await.status, 200);
    }
    assert_eq!(network.request_counts().get("getGenesisHash"), None, "{:?}", network.request_counts());
}
