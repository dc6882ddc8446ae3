//! Published JavaScript clients against the local network, unchanged and installed by name (`support::packages`).

use crate::support::packages;
use sotto::localnet::{Localnet, LocalnetConfig, Slots};
use std::{path::Path, process::Command, time::Duration};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/node");

/// Short, so that a test of many confirmations is short.
const SLOT: Duration = Duration::from_millis(50);

/// Runs a script of `tests/node` against a fresh network.
async fn script(name: &'static str) {
    let installed = tokio::task::spawn_blocking(|| packages::node(Path::new(SOURCES))).await.unwrap();
    let Some(folder) = packages::found(name, installed) else { return };
    let net = Localnet::start(LocalnetConfig { slots: Slots::Every(SLOT), ..LocalnetConfig::default() }).await.unwrap();
    let url = net.rpc_url();
    let ran = move || packages::run(Command::new("node").arg(name).arg(url).current_dir(folder));
    let output = tokio::task::spawn_blocking(ran).await.unwrap().unwrap_or_else(|fault| panic!("{fault}"));
    println!("{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn web3_js_works_unchanged() {
    script("web3.mjs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn incos_published_client_encrypts_for_and_decrypts_with_the_stand_ins() {
    script("inco.mjs").await;
}
