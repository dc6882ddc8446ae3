//! Published packages of the Machine Payments Protocol and of Swig, held against a facilitator that serves the embedded
//! network and against our bytes: the calls of the published client, stock mppx in two lines, and Swig's coder.

use crate::support::{ChannelScene, MppScene, Options, Wallet, World, packages};
use serde_json::{Value, json};
use sotto::{
    domain::{
        amount::Amount,
        mpp::{choices::Backend, root::swig_id},
        network::Network,
    },
    facilitator::Settings,
    programs::{
        delegation::{
            Settled,
            swig::{RoleGrant, SwigAddresses},
        },
        spl_token::TokenProgram,
    },
};
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

pub(super) const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/mpp");
pub(super) const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/mpp.json");

/// The name of a network that the published client knows a chain of.
const NETWORK: &str = "devnet";

/// The folder of the scripts with their packages; `None`, said loudly, where they are missing.
pub(super) async fn folder_for(script: &'static str) -> Option<PathBuf> {
    let found = move || packages::found(script, packages::node(Path::new(SCRIPTS)));
    tokio::task::spawn_blocking(found).await.unwrap()
}

/// Runs a script to its end with what it is told, off the thread that serves it.
pub(super) async fn runs(script: &'static str, folder: PathBuf, mut told: Value) {
    told["vectors"] = json!(VECTORS);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), told.to_string()).unwrap();
    let run = move || {
        let mut command = Command::new("node");
        command.arg(script).arg(file.path()).current_dir(folder);
        packages::run_script(script, &mut command)
    };
    let said = tokio::task::spawn_blocking(run).await.unwrap().expect("with its packages it misses nothing");
    println!("{said}");
}

/// A local network by the name that the published client has for it.
pub(super) fn named(network: &Network) -> Network {
    Network::local(network.canonical().trim_start_matches("solana:"), &[NETWORK.to_owned()])
}

/// A scene that answers to the published client's name for its network, and to its own address.
pub(super) async fn scene(backend: Backend) -> MppScene {
    let settings = Box::new(move |settings: &mut Settings| {
        let served = &mut settings.served;
        served.network = named(&served.network);
        let mpp = served.mpp.as_mut().unwrap();
        mpp.delegations.backend = backend;
        mpp.delegations.hosts = vec!["127.0.0.1".to_owned()];
        mpp.channels.monitor = Duration::from_millis(200);
    });
    MppScene::of(World::with(Options { settings, ..Options::mpp() }).await).await
}

/// What a script is told of a scene.
pub(super) fn told(scene: &MppScene) -> Value {
    json!({
        "facilitator": scene.world.running().url,
        "network": NETWORK,
        "buyer": hex::encode(scene.buyer.seed()),
        "seller": scene.seller.key().to_string(),
    })
}

/// The calls of the published client pay a charge and a session, over so many rounds of onboarding.
async fn client(backend: Backend, rounds: &[&str]) {
    let Some(folder) = folder_for("client.mjs").await else { return };
    let scene = scene(backend).await;
    let mut told = told(&scene);
    told["rounds"] = json!(rounds);
    runs("client.mjs", folder, told).await;
    let MppScene { world, buyer, seller } = scene;
    ChannelScene { world, buyer, seller }.ends(10_000 + 50_000).await;
}

#[tokio::test]
async fn the_calls_of_the_published_client_pay_from_a_session_account() {
    client(Backend::SplDelegate, &["create_session_account"]).await;
}

#[tokio::test]
async fn the_calls_of_the_published_client_pay_from_a_swig_after_three_rounds() {
    client(Backend::Swig, &["create_swig", "grant_role", "activate_session_key"]).await;
}

#[tokio::test]
async fn stock_mppx_of_two_lines_reads_our_bytes_and_sells_and_buys_by_our_facilitator() {
    let Some(folder) = folder_for("mppx.mjs").await else { return };
    let scene = scene(Backend::SplDelegate).await;
    runs("mppx.mjs", folder, told(&scene)).await;
    // Each line sold to each.
    scene.closes(4 * 10_000).await;
}

/// Parts of Swig's instructions, and the data that our encoders make of them.
fn encoded(case: u8) -> Value {
    let key = |role: u8| Wallet::from_seed([case, role].repeat(16).try_into().unwrap()).key();
    let (payer, buyer, seller) = (key(0), key(1), key(2));
    let grant = RoleGrant {
        delegate: key(3),
        slots: 1 << (7 * case),
        program: TokenProgram::Token,
        mint: key(4),
        decimals: case,
        limit: u64::MAX >> (7 * case),
        seller: (case % 2 == 1).then_some(seller),
    };
    let role = u32::MAX >> (3 * case);
    let amount = Amount::new(i64::MAX.unsigned_abs() >> (5 * case)).unwrap();
    let channel = "ch_00112233445566778899aabbccddeeff".parse().unwrap();
    let addresses = SwigAddresses::of(swig_id(Network::devnet().canonical(), &buyer));
    let settlement = addresses.settle(role, &grant, &Settled { channel, seller, amount, sequence: 1 }).unwrap();
    json!({
        "parts": {
            "id": hex::encode(addresses.id), "bump": addresses.config.1, "walletBump": addresses.wallet.1, "role": role,
            "buyer": buyer.to_string(), "delegate": grant.delegate.to_string(), "mint": grant.mint.to_string(),
            "seller": grant.seller.map(|seller| seller.to_string()), "slots": grant.slots.to_string(),
            "limit": grant.limit.to_string(), "amount": amount.to_string(), "decimals": grant.decimals,
        },
        "data": {
            "create": hex::encode(addresses.create(&payer, &buyer).data),
            "grant": hex::encode(addresses.grant(&payer, &buyer, &grant).data),
            "activate": hex::encode(addresses.activate(&payer, &buyer, role, grant.slots, &grant.delegate).data),
            "settle": hex::encode(&settlement[2].data),
            "remove": hex::encode(addresses.remove(&payer, &buyer, role).data),
        },
    })
}

#[tokio::test]
async fn the_published_coder_writes_the_five_instructions_of_swig_as_our_encoders_do() {
    let Some(folder) = folder_for("swig.mjs").await else { return };
    let cases: Vec<_> = (0..8).map(encoded).collect();
    runs("swig.mjs", folder, json!({ "cases": cases })).await;
}
