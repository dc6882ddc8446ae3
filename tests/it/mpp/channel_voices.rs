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
    domain::{amount::Amount, mpp::money::Role},
    programs::spl_token::{TokenAccount, TokenProgram},
};
use std::time::Duration;

/// The chain as the first of two providers tells it, whose answers can be changed.
async fn two_providers(scene: &mut ChannelScene) -> Proxy {
    with_endpoints_of_the_first(scene, 1).await
}

/// Two providers, of which the first has so many endpoints.
async fn with_endpoints_of_the_first(scene: &mut ChannelScene, count: usize) -> Proxy {
    let first = Proxy::start(scene.world.net.rpc_url()).await;
    // On one machine each port is a voice.
    let mut endpoints = vec![EndpointUrls { rpc: first.url.clone(), websocket: None }; count];
    endpoints.push(EndpointUrls { rpc: scene.world.net.rpc_url(), websocket: Some(scene.world.net.ws_url()) });
    scene.world.reboots_with_endpoints(endpoints).await;
    first
}

/// What is told of accounts, where those that a key is delegated are told otherwise.
fn otherwise(truth: &Value, change: impl Fn(&mut Value, Vec<u8>)) -> Value {
    let mut told = truth.clone();
    for account in told["value"].as_array_mut().into_iter().flatten() {
        let data = account["data"][0].as_str().and_then(|data| BASE64_STANDARD.decode(data).ok());
        let Some(bytes) = data else { continue };
        let read = TokenAccount::decode(TokenProgram::Token, &bytes);
        if read.is_ok_and(|read| read.delegate.is_some()) {
            change(account, bytes);
        }
    }
    told
}

/// With these left out as if they were not there.
fn without(truth: &Value) -> Value {
    otherwise(truth, |account, _| *account = Value::Null)
}

/// With so many units in them.
fn with_units(truth: &Value, units: u64) -> Value {
    otherwise(truth, |account, mut bytes| {
        bytes[64..72].copy_from_slice(&units.to_le_bytes());
        account["data"][0] = json!(BASE64_STANDARD.encode(bytes));
    })
}

/// Guard: `ChannelMonitor::look`, which asks the endpoints in turn. What one says twice the other denies in between.
#[tokio::test]
async fn one_endpoint_that_calls_a_grant_gone_ends_no_channel() {
    let mut scene = ChannelScene::start().await;
    let liar = two_providers(&mut scene).await;
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 30_000).await;
    liar.change(|method, truth| (method == "getMultipleAccounts").then(|| Reply::Result(without(truth))));
    for role in [Role::Gone, Role::Live, Role::Gone, Role::Live, Role::Gone, Role::Live] {
        let is_told = async || {
            let reading = scene.delegation(&scene.buyer).await.reading;
            reading.is_some_and(|seen| seen.reading.role == role)
        };
        scene.world.until("each has its turn", is_told).await;
    }
    assert_eq!(scene.shown(&opened).await["state"], json!("open"));
    liar.is_honest();
    scene.closes(&opened).await;
    scene.ends(30_000).await;
}

/// Guard: `ChannelMonitor::write_off_account`. It has many endpoints, and they say for as long as it takes that nothing is there.
#[tokio::test]
async fn one_provider_that_calls_an_account_empty_makes_nobody_lose_anything() {
    let log = Log::listen();
    let mut scene = ChannelScene::start().await;
    let liar = with_endpoints_of_the_first(&mut scene, 7).await;
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 30_000).await;
    liar.change(|method, truth| (method == "getMultipleAccounts").then(|| Reply::Result(with_units(truth, 999_999))));
    // The turn of the other is just over.
    scene.sees(&scene.buyer, 999_999).await;
    scene.sees(&scene.buyer, 1_000_000).await;
    liar.change(|method, truth| (method == "getMultipleAccounts").then(|| Reply::Result(without(truth))));
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

/// Guard: `ChannelMonitor::look`, which asks the endpoints in turn. The one that is asked first says that the money is there.
#[tokio::test]
async fn one_endpoint_that_calls_a_drained_account_full_hides_it_for_no_two_rounds() {
    let mut scene = ChannelScene::start().await;
    let liar = two_providers(&mut scene).await;
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 30_000).await;
    liar.change(|method, truth| (method == "getMultipleAccounts").then(|| Reply::Result(with_units(truth, 1_000_000))));
    scene.drains(&scene.buyer, 1_000_000 - 99_999).await;
    let ended = scene.becomes(&opened, "closed").await;
    assert_eq!((&ended["reason"], &ended["settled"]), (&json!("balance"), &json!("30000")));
    liar.is_honest();
    scene.ends(30_000).await;
}

/// Guard: `Channels::by_two_voices`. A small channel is opened by the word of the one that is asked first, a large one is not.
#[tokio::test]
async fn a_large_channel_opens_by_no_single_endpoint() {
    let mut scene = ChannelScene::start().await;
    scene.drains(&scene.buyer, 1_000_000 - 50_000).await;
    scene.world.configure(|settings| {
        settings.transfers.one_voice_exposure = Amount::new(60_000).expect("fits");
        let channels = &mut settings.served.mpp.as_mut().expect("is served").channels;
        (channels.monitor, channels.min_deposit) = (Duration::from_hours(1), Amount::ONE);
    });
    let liar = two_providers(&mut scene).await;
    liar.change(|method, truth| (method == "getMultipleAccounts").then(|| Reply::Result(with_units(truth, 1_000_000))));
    let large = scene.open_body(&scene.buyer, &scene.seller, 60_001);
    scene.refused("/mpp/session/open", &large, "insufficient_balance").await;
    scene.opens(60_000).await;
    liar.is_honest();
    scene.ends(0).await;
}

/// Guard: `ChannelMonitor::judged_by`. The only provider tells, for as long as it likes, what was before the last landing.
#[tokio::test]
async fn what_was_read_before_the_last_landing_judges_nothing() {
    let log = Log::listen();
    let mut scene = ChannelScene::start().await;
    let first = scene.opens(10_000).await;
    scene.draws(&first, 1_000).await;
    scene.closes(&first).await;
    let opened = scene.opens(100_000).await;
    scene.draws(&opened, 30_000).await;
    let lags = Proxy::start(scene.world.net.rpc_url()).await;
    lags.change(|method, truth| {
        (method == "getMultipleAccounts").then(|| {
            let mut told = without(truth);
            let slot = told["context"]["slot"].as_u64().expect("a slot");
            told["context"]["slot"] = json!(slot.saturating_sub(4_000));
            Reply::Result(told)
        })
    });
    let endpoint = EndpointUrls { rpc: lags.url.clone(), websocket: Some(scene.world.net.ws_url()) };
    scene.world.reboots_with_endpoints(vec![endpoint]).await;
    let is_told = async || log.text().matches("nothing is judged by that").count() >= 5;
    scene.world.until("it is looked at again and again", is_told).await;
    assert_eq!(scene.shown(&opened).await["state"], json!("open"));
    lags.is_honest();
    let closed = scene.closes(&opened).await;
    assert_eq!((&closed["reason"], &closed["shortfall"]), (&json!("buyer"), &json!("0")));
    scene.ends(31_000).await;
}
