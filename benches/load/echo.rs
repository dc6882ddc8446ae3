//! "Echo", what every rate is a share of: a bare axum handler that parses the same body into the types one would write
//! by hand and answers the same bytes. A process of its own, as the server is.

use crate::{Outcome, process::Process};
use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
    routing::post,
};
use serde::Deserialize;
use std::{fs, hint::black_box, net::Ipv4Addr, path::Path, process::Command};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "parsed, as a handler would, and not looked at")]
struct Body {
    x402_version: u64,
    payment_payload: Payment,
    payment_requirements: Requirements,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "as above")]
struct Payment {
    x402_version: u64,
    accepted: Requirements,
    payload: Payload,
    resource: Resource,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "as above")]
struct Requirements {
    scheme: String,
    network: String,
    amount: String,
    asset: String,
    pay_to: String,
    max_timeout_seconds: u64,
    extra: Extra,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "as above")]
struct Extra {
    settlement: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "as above")]
struct Payload {
    session_id: String,
    amount: String,
    nonce: String,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "as above")]
struct Resource {
    url: String,
}

/// Of a voucher.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "as above")]
struct VoucherBody {
    #[serde(rename = "channel_id")]
    channel_id: String,
    amount: String,
    server_nonce: String,
}

/// Of a preparation.
#[derive(Deserialize)]
#[expect(dead_code, reason = "as above")]
struct PrepareBody {
    network: Option<String>,
}

async fn echo<B>(State(answer): State<Bytes>, Json(body): Json<B>) -> Response {
    black_box(body);
    ([(CONTENT_TYPE, "application/json")], answer).into_response()
}

/// Serves `answer` on a free port until it is killed; prints where.
pub fn serve(answer: &Path) -> Outcome<()> {
    let answer = Bytes::from(fs::read(answer)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("{}", serde_json::json!({ "address": listener.local_addr()?.to_string() }));
        let router = Router::new()
            .route("/verify", post(echo::<Body>))
            .route("/settle", post(echo::<Body>))
            .route("/mpp/session/voucher", post(echo::<VoucherBody>))
            .route("/mpp/prepare", post(echo::<PrepareBody>))
            .with_state(answer);
        Ok(axum::serve(listener, router).await?)
    })
}

/// Starts a process that answers `answer`.
pub fn start(answer: &[u8], directory: &Path) -> Outcome<Process> {
    let file = directory.join("answer.json");
    fs::write(&file, answer)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--echo").arg(&file);
    Process::start(command, fs::File::create(directory.join("echo.log"))?)
}
