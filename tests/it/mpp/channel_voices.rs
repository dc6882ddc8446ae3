//! What is written off where several providers of the chain are configured: one of them alone makes no seller lose anything
//! (`spec/mpp.md` §9, ADR 0066).

use crate::{
    chain::proxy::{Proxy, Reply},
    support::{ChannelScene, Log},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use sotto::{
    chain::EndpointUrls,
    programs::spl_token::{TokenAccount, TokenProgram},
};

/// The chain as the first of two providers tells it, whose answers can be changed.
async fn two_providers(scene: &mut ChannelScene) -> Proxy {
    let first = Proxy::start(scene.world.net.rpc_url()).await;
    // On one machine each port is a voice.
    let endpoints = vec![
        EndpointUrls { rpc: first.url.clone(), websocket: None },
        EndpointUrls { rpc: scene.world.net.rpc_url(), websocket: Some(scene.world.net.ws_url()) },
    ];
    scene.world.reboots_with_endpoints(endpoints).await;
    first
}

/// What is told of accounts, with these left out as if they were not there.
fn without(truth: &Value, is_hidden: impl Fn(&TokenAccount) -> bool) -> Reply {
    let mut told = truth.clone();
    for account in told["value"].as_array_mut().into_iter().flatten() {
        let bytes = account["data"][0].as_str().and_then(|data| BASE64_STANDARD.decode(data).ok());
        let read = bytes.and_then(|bytes| TokenAccount::decode(TokenProgram::Token, &bytes).ok());
        if read.is_some_and(|read| is_hidden(&read)) {
            *account = Value::Null;
        }
    }
    Reply::Result(told)
}

/// Guard: `ChannelMonitor::write_off_account`. It is asked first and says for as long as it takes that nothing is there.
#[tokio::test]
async fn one_endpoint_that_calls_an_account_empty_makes_nobody_lose_anything() {
    let log = Log::listen();
    let mut scene = ChannelScene::start().await;
    let liar = two_providers(&mut scene).await;
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 30_000).await;
    liar.change(|method, truth| {
        (method == "getMultipleAccounts").then(|| without(truth, |account| account.delegate.is_some()))
    });
    let ended = scene.becomes(&opened, "closed").await;
    assert_eq!((&ended["reason"], &ended["settled"]), (&json!("role_removed"), &json!("30000")), "{ended:#}");
    assert!(log.text().contains("an account can pay which another calls empty"), "an operator is told");
    assert_eq!(scene.closes(&opened).await["shortfall"], json!("0"));
    liar.is_honest();
    scene.ends(30_000).await;
}

/// Guard: `Consensus::Undecided`. What is true is written off when the second provider says so, and not before.
#[tokio::test]
async fn what_is_gone_is_written_off_when_as_many_say_so_as_it_takes() {
    let log = Log::listen();
    let mut scene = ChannelScene::start().await;
    let first = two_providers(&mut scene).await;
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 30_000).await;
    first.change(|method, truth| {
        // It lags behind what everybody has seen, so that its word does not count.
        (method == "getMultipleAccounts").then(|| {
            let mut told = truth.clone();
            told["context"]["slot"] = json!(1);
            Reply::Result(told)
        })
    });
    scene.revokes(&scene.buyer).await;
    let is_told = async || log.text().contains("too few RPC providers say that an account can pay nothing any more");
    scene.world.until("one of them is silent", is_told).await;
    assert_eq!(scene.shown(&opened).await["state"], json!("closing"));
    first.is_honest();
    scene.becomes(&opened, "closed").await;
    assert_eq!(scene.closes(&opened).await["shortfall"], json!("30000"));
    scene.ends(0).await;
}
