//! FR-27. Why an endpoint gives no answer is told in a sentence that says what to look at, to whoever asks.

use super::{
    proxy::{Proxy, Reply},
    scene::{by_hand, several},
};
use crate::support::{Log, PATIENCE, until};
use axum::{body::Body, response::Response};
use sotto::{
    chain::{Chain as _, ChainError, endpoint, rpc::SolanaChain},
    client::SolanaRpc,
    localnet::Localnet,
    merchant::FacilitatorClient,
};
use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread::JoinHandle,
    time::Duration,
};

/// How somebody listens who speaks no HTTP.
#[derive(Clone, Copy)]
enum Listener {
    /// It has gone.
    Nobody,
    /// It closes each connection when it has heard something.
    Closes,
    /// It tells a fault in TLS, as a server does that is asked in plain HTTP.
    TellsInTls,
    /// It answers in plain HTTP, whatever it is asked.
    TellsInHttp,
    /// It says nothing.
    IsSilent,
}

impl Listener {
    /// Listens for two connections; gives the port.
    fn begin(self) -> (u16, JoinHandle<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let listens = std::thread::spawn(move || {
            if matches!(self, Self::Nobody) {
                return drop(listener);
            }
            let mut kept = Vec::new();
            for _ in 0..2 {
                let Ok((stream, _)) = listener.accept() else { return };
                kept.extend(self.meets(stream));
            }
        });
        (port, listens)
    }

    /// Gives the connection back where it has to stay open.
    fn meets(self, mut stream: TcpStream) -> Option<TcpStream> {
        let mut heard = [0; 16];
        drop(stream.read(&mut heard));
        let told: &[u8] = match self {
            Self::Nobody | Self::Closes => b"",
            Self::TellsInTls => &[0x15, 3, 3, 0, 2, 2, 0x0a],
            Self::TellsInHttp => b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n",
            Self::IsSilent => return Some(stream),
        };
        drop(stream.write_all(told));
        None
    }
}

async fn asked(url: String) -> ChainError {
    let client = endpoint::connect(url, Duration::from_millis(500), 1_000).expect("a client");
    endpoint::chain_error("asking", client.get_genesis_hash().await.expect_err("nobody answers"))
}

/// Guard: `domain::unreachable`.
#[tokio::test]
async fn each_cause_has_its_own_sentence() {
    for (listener, scheme, sentence) in [
        (Listener::Nobody, "http", "nothing listens at its address and port"),
        (Listener::Closes, "http", "closed the connection without an answer"),
        (Listener::TellsInTls, "http", "does not speak plain HTTP at this port"),
        (Listener::TellsInHttp, "https", "does not speak TLS at this port"),
        (Listener::IsSilent, "http", "did not answer in time"),
    ] {
        let (port, listens) = listener.begin();
        if matches!(listener, Listener::Nobody) {
            listens.join().expect("it ends");
        }
        let told = asked(format!("{scheme}://127.0.0.1:{port}/?api-key=secret")).await.with_cause();
        assert!(told.contains(sentence) && !told.contains("secret"), "{sentence} in {told}");
    }
    let told = asked("http://no-such-name.invalid:1/".to_owned()).await.with_cause();
    assert!(told.contains("its name cannot be resolved"), "{told}");
}

#[tokio::test]
async fn merchants_and_payers_are_told_too() {
    let gone = || {
        let (port, listens) = Listener::Nobody.begin();
        listens.join().expect("it ends");
        format!("http://127.0.0.1:{port}")
    };
    let sentence = "nothing listens at its address and port";
    let fault = FacilitatorClient::new(&gone()).expect("a client").supported().await.expect_err("nobody answers");
    assert_eq!(fault.to_string(), format!("the facilitator did not answer: {sentence}"));
    let rpc = SolanaRpc::new(gone(), PATIENCE);
    let error = rpc.genesis_hash().await.expect_err("nobody answers");
    assert!(error.to_string().ends_with(sentence), "{error}");
}

/// CR-6. Guard: `Pool::trouble`. A log line about all endpoints tells the last error of each, and no URL.
#[tokio::test]
async fn a_blockhash_that_nobody_tells_is_logged_with_the_cause_at_each_endpoint() {
    let log = Log::listen();
    let net = Localnet::start(by_hand()).await.expect("a network");
    let (fails, refuses) = (Proxy::start(net.rpc_url()).await, Proxy::start(net.rpc_url()).await);
    fails
        .change(|_, _| Some(Reply::Raw(Response::builder().status(500).body(Body::from("oops")).expect("a response"))));
    let no = r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32603,"message":"out of order"}}"#;
    refuses.change(move |_, _| Some(Reply::Raw(Response::new(Body::from(no)))));
    let (port, listens) = Listener::Nobody.begin();
    listens.join().expect("it ends");
    let gone = format!("http://127.0.0.1:{port}/?api-key=secret");
    let chain = SolanaChain::start(several(&[&gone, &fails.url, &refuses.url])).expect("a chain");
    drop(chain.latest_blockhash().await.expect_err("nobody answers"));
    let line = |text: &str| text.lines().rfind(|line| line.contains("no fresh blockhash")).map(str::to_owned);
    let all_asked = |line: &str| {
        ["endpoint 1: failing (", "endpoint 2: failing (", "endpoint 3: failing ("].iter().all(|one| line.contains(one))
    };
    until("it is logged", async || line(&log.text()).is_some_and(|line| all_asked(&line))).await;
    let told = line(&log.text()).expect("the line");
    for cause in [
        "endpoint 1: failing (nothing listens at its address and port)",
        "endpoint 2: failing (HTTP status 500 Internal Server Error)",
        "endpoint 3: failing (JSON-RPC error -32603: out of order)",
    ] {
        assert!(told.contains(cause), "{cause} in {told}");
    }
    assert!(!log.text().contains("api-key"), "{}", log.text());
}
