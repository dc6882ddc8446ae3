//! The main job across real processes: a network, a facilitator that is killed in the middle of a payment, and a payer
//! and a merchant that outlive it.

mod examples;
mod printed;
mod relay;

use crate::support::{PATIENCE, until};
use axum::{Router, routing::get};
use relay::Relay;
use reqwest::{Request, Url};
use serde_json::{Value, json};
use sotto::{
    client::{Fetched, OpenSession, PayError, Payer, Payment},
    domain::{amount::Amount, chance::OsChance, clock::SystemClock},
    merchant::{FacilitatorClient, Gate, Offer, Paywall, Price},
};
use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

const PRICE: u64 = 10_000;

/// A directory in which people run `sotto`.
pub struct Desk {
    _outer: tempfile::TempDir,
    pub path: PathBuf,
}

/// A running `sotto`, and the object it printed first. Killed when dropped.
pub struct Process(Child, pub Value);

impl Desk {
    pub fn new() -> Self {
        let outer = tempfile::tempdir().unwrap();
        // One deeper, because `../.env` is read.
        let path = outer.path().join("work");
        std::fs::create_dir(&path).unwrap();
        Self { _outer: outer, path }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sotto"));
        command.args(args).current_dir(&self.path).env_clear();
        command
    }

    pub fn json(&self, args: &[&str]) -> Value {
        let output = self.command(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Makes a key; gives its address.
    fn key(&self, file: &str) -> String {
        text(&self.json(&["keygen", file, "--json"]), "publicKey")
    }

    pub fn start(&self, args: &[&str]) -> Process {
        let mut child = self.command(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let first = serde_json::Deserializer::from_reader(stdout).into_iter().next();
        let first = first.unwrap_or_else(|| panic!("{args:?} printed nothing")).unwrap();
        Process(child, first)
    }

    fn balance(&self, key: &str) -> Value {
        let refresh = ["--refresh", "--session", "session.json"];
        let asked = [&["--config", "net.toml", "balance", "--key", key][..], &refresh, &["--json"]].concat();
        self.json(&asked)["balances"][0]["amount"].clone()
    }
}

impl Process {
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Process {
    /// Asks it to stop, as service managers do, and waits for it.
    pub fn stop(self) {
        self.ends_by("-TERM");
    }

    /// Closes its terminal, and waits for it.
    fn hang_up(self) {
        self.ends_by("-HUP");
    }

    fn ends_by(mut self, signal: &str) {
        let asked = Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap();
        assert!(asked.success());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

pub fn text(object: &Value, name: &str) -> String {
    object[name].as_str().unwrap_or_else(|| panic!("{name}: {object:#}")).to_owned()
}

/// The local network's RPC.
struct Node {
    http: reqwest::Client,
    url: String,
}

impl Node {
    async fn call(&self, method: &str, params: Value) -> Value {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer: Value = self.http.post(&self.url).json(&body).send().await.unwrap().json().await.unwrap();
        assert!(answer.get("error").is_none(), "{method}: {answer:#}");
        answer["result"].clone()
    }

    async fn sends(&self) -> u64 {
        self.call("localnet_requestCounts", json!([])).await["sendTransaction"].as_u64().unwrap_or(0)
    }

    /// Waits until the node was sent more than `before`; another process sends, so there is only looking.
    async fn until_more_than(&self, before: u64) {
        until("a transaction is sent", async || self.sends().await > before).await;
    }
}

/// A merchant in this process; gives its paid route.
async fn merchant(facilitator: &str, mint: &str, to: &str) -> Url {
    let price = Price::base_units(Amount::new(PRICE).unwrap()).unwrap();
    let offer = Offer::new("solana:localnet", mint.parse().unwrap(), to.parse().unwrap(), price);
    let paywall = Paywall::new(FacilitatorClient::new(facilitator).unwrap(), Gate::new("GET /weather", offer).unwrap());
    let router = Router::new().route("/weather", get(|| async { "sunny" })).layer(paywall);
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/weather", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url.parse().unwrap()
}

fn payer(session: &Path) -> Payer {
    let session = OpenSession::from_json(&std::fs::read_to_string(session).unwrap()).unwrap();
    let most = Amount::new(PRICE).unwrap();
    Payer::new(session, most, Duration::from_mins(1), Arc::new(SystemClock), Arc::new(OsChance)).unwrap()
}

/// Pays a call, and kills the facilitator once the payment's transaction is sent. The merchant cannot tell what became
/// of it, so nothing is served.
async fn pay_and_kill(node: &Node, payer: &Payer, route: &Url, facilitator: &mut Process) -> Payment {
    let before = node.sends().await;
    let (fetched, ()) = tokio::join!(payer.get(route.clone()), async {
        node.until_more_than(before).await;
        facilitator.kill();
    });
    let Fetched { response, payment, .. } = fetched.unwrap();
    assert_eq!(response.status(), 503, "the facilitator is gone");
    payment.expect("a payment was sent")
}

async fn served(payer: &Payer, route: &Url, payment: &Payment) -> String {
    let fetched = payer.repeat(Request::new(reqwest::Method::GET, route.clone()), payment.clone()).await.unwrap();
    assert_eq!(fetched.response.status(), 200);
    fetched.receipt.unwrap().transaction
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_facilitator_goes_on_where_it_stopped() {
    let desk = Desk::new();
    let (spender, to) = (desk.key(".keys/facilitator.json"), desk.key("merchant.json"));
    let wallet = desk.key("payer.json");
    let fund = format!("{spender}=0");
    let local =
        ["localnet", "--port", "0", "--covalidator-port", "0", "--slot-ms", "40", "--write", "net.toml", "--json"];
    let network = desk.start(&[&local[..], &["--fund", &fund]].concat());
    let http = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
    let node = Node { http, url: text(&network.1, "network.rpc_urls") };
    node.call("localnet_fund", json!([wallet, 1_000_000])).await;

    let serve = ["--config", "net.toml", "serve", "--bind", "127.0.0.1", "--json", "--port", "0"];
    let mut facilitator = desk.start(&serve);
    let relay = Relay::to(&text(&facilitator.1, "address")).await;
    let url = relay.url.clone();
    let route = merchant(&url, &text(&network.1, "asset.mint"), &to).await;
    let origin = route.origin().ascii_serialization();
    let open = ["--config", "net.toml", "session", "open", "--key", "payer.json", "--out", "session.json", "--json"];
    let terms = ["--facilitator-address", &spender, "--recipient", &to, "--cap", "0.5", "--origin", &origin];
    desk.json(&[&open[..], &["--facilitator", &url], &terms].concat());
    let pay =
        ["--config", "net.toml", "session", "pay", route.as_str(), "--session", "session.json", "--max-price", "0.01"];
    let paid = desk.json(&[&pay[..], &["--json"]].concat());
    assert_eq!((&paid["status"], &paid["receipt"]["success"]), (&json!(200), &json!(true)));

    // Killed with the transfer on its way; it lands while nobody looks.
    let payer = payer(&desk.path.join("session.json"));
    node.call("localnet_setFaults", json!([{ "missingConfirmation": ["*"] }])).await;
    let landed = pay_and_kill(&node, &payer, &route, &mut facilitator).await;
    node.call("localnet_setFaults", json!([])).await;
    drop(facilitator);
    let mut facilitator = desk.start(&serve);
    relay.leads_to(&text(&facilitator.1, "address"));
    let first = served(&payer, &route, &landed).await;
    assert_ne!(first, text(&paid["receipt"], "transaction"));

    // Killed with a transfer that the node took and lost: the same bytes are sent again.
    node.call("localnet_setFaults", json!([{ "dropSends": { "next": 1 } }])).await;
    let lost = pay_and_kill(&node, &payer, &route, &mut facilitator).await;
    drop(facilitator);
    let facilitator = desk.start(&serve);
    relay.leads_to(&text(&facilitator.1, "address"));
    served(&payer, &route, &lost).await;

    // The nonces survived too: neither payment is made or served again.
    for (payment, transaction) in [(&landed, Some(&first)), (&lost, None)] {
        let again = Request::new(reqwest::Method::GET, route.clone());
        let Err(PayError::NotSettled { answer, .. }) = payer.repeat(again, payment.clone()).await else {
            panic!("a payment was served twice");
        };
        assert_eq!(answer.error_reason.as_deref(), Some("duplicate_settlement"));
        assert!(transaction.is_none_or(|transaction| answer.transaction == *transaction));
    }
    let shown = desk.json(&["--config", "net.toml", "session", "show", "--session", "session.json", "--json"]);
    assert_eq!((&shown["state"], &shown["captured"], &shown["held"]), (&json!("open"), &json!("30000"), &json!("0")));
    assert_eq!((desk.balance("payer.json"), desk.balance("merchant.json")), (json!("0.97"), json!("0.03")));
    drop((facilitator, network));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_developers_sandbox_serves_other_processes_and_goes_on_where_it_stopped() {
    let desk = Desk::new();
    let free = ["--port", "0", "--merchant-port", "0", "--rpc-port", "0", "--covalidator-port", "0", "--slot-ms", "40"];
    let dev = [&["dev", "--json"], &free[..]].concat();
    let sandbox = desk.start(&dev);
    let before = sandbox.1.clone();
    let told = |name| text(&before, name);
    let route: Url = told("paidRoute").parse().unwrap();
    assert_eq!(route.host_str(), Some("127.0.0.1"));
    let http = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
    let asked = http.get(route.clone()).send().await.unwrap();
    assert_eq!(asked.status(), 402);
    assert!(asked.headers().contains_key("payment-required"));
    let (config, origin) = (told("config"), route.origin().ascii_serialization());
    let sotto = |args: &[&str]| desk.json(&[&["--config", &config], args, &["--json"]].concat());
    sotto(&[
        "session",
        "open",
        "--facilitator",
        &told("facilitator"),
        "--facilitator-address",
        &told("spender"),
        "--key",
        &told("payerKey"),
        "--recipient",
        &told("recipient"),
        "--cap",
        "1",
        "--origin",
        &origin,
    ]);
    assert_eq!(sotto(&["session", "pay", route.as_str(), "--max-price", "0.01"])["paid"], "0.01");
    assert_eq!(sotto(&["balance", "--refresh", "--key", &told("payerKey")])["balances"][0]["amount"], "999.99");
    sandbox.stop();
    let again = desk.start(&dev);
    for key in ["spender", "recipient", "payer", "mint", "config"] {
        assert_eq!(again.1[key], before[key], "{key} is kept");
    }
    assert_eq!(
        sotto(&["balance", "--refresh", "--key", &told("payerKey")])["balances"][0]["amount"],
        "999.99",
        "and what is left"
    );
    again.stop();
    let fresh = desk.start(&[&dev[..], &["--fresh"]].concat());
    assert_eq!(fresh.1["payer"], before["payer"]);
    assert_ne!(fresh.1["mint"], before["mint"], "a new network was asked for");
    fresh.stop();
    // CR-11: limits by address hold as they do in `serve`.
    let limits = ["limits.requests_per_ip_per_second=1", "limits.request_burst_per_ip=1"];
    let limited = desk.start(&[&dev[..], &["--set", limits[0], "--set", limits[1]]].concat());
    let supported = format!("{}/supported", text(&limited.1, "facilitator"));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(http.get(&supported).send().await.unwrap().status().as_u16());
    }
    assert!(statuses.contains(&429), "{statuses:?}");
    limited.stop();
}

/// FR-28. A terminal that is closed loses nothing. A network that was killed before it was written knows less than the ledger,
/// and a start says so, in place of payments that fail without a reason.
/// What a command says that ends by itself; one that does not within a minute is ended, and has said what it said.
fn ends_by_itself(mut command: Command) -> std::process::Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > Duration::from_mins(1) {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

#[test]
fn a_sandbox_goes_on_after_its_terminal_and_says_when_its_network_forgot() {
    let desk = Desk::new();
    let free = ["--port", "0", "--merchant-port", "0", "--rpc-port", "0", "--covalidator-port", "0", "--slot-ms", "40"];
    let dev = [&["dev", "--json"], &free[..]].concat();
    let opens_and_pays = |sandbox: &Process| {
        let told = |name| text(&sandbox.1, name);
        let (config, route) = (told("config"), told("paidRoute"));
        let origin = route.parse::<Url>().unwrap().origin().ascii_serialization();
        let sotto = |args: &[&str]| desk.json(&[&["--config", &config], args, &["--json"]].concat());
        let (facilitator, spender, key, to) =
            (told("facilitator"), told("spender"), told("payerKey"), told("recipient"));
        let whom = ["--facilitator", &facilitator, "--facilitator-address", &spender, "--key", &key];
        let what = ["--recipient", &to, "--cap", "1", "--origin", &origin, "--force"];
        sotto(&[&["session", "open"], &whom[..], &what[..]].concat());
        assert_eq!(sotto(&["session", "pay", &route, "--max-price", "0.01"])["state"], "captured");
    };
    let sandbox = desk.start(&dev);
    opens_and_pays(&sandbox);
    let network = Path::new(&text(&sandbox.1, "config")).with_file_name("network.json");
    sandbox.hang_up();
    let older = std::fs::read(&network).unwrap();
    let again = desk.start(&dev);
    opens_and_pays(&again);
    again.stop();

    std::fs::write(&network, older).unwrap();
    let refused = ends_by_itself(desk.command(&dev));
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{told}");
    assert!(told.contains("the local network does not have") && told.contains("--fresh"), "{told}");
    let fresh = desk.start(&[&dev[..], &["--fresh"]].concat());
    opens_and_pays(&fresh);
    fresh.stop();
}
