//! The command line as people and programs meet it: help texts, exit codes, what goes to which stream.

mod descriptors;
mod devnets_name;
mod doctor;
mod former_state;
mod full_disk;
mod probing;
mod receipts;
mod service;
mod session_file;
mod settlement;
mod voices;

use crate::support::PATIENCE;
use serde_json::Value;
use std::{
    path::Path,
    process::{Command, Output},
};

/// `sotto` in `directory`, with nothing of this process's environment.
fn sotto(directory: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sotto"))
        .args(args)
        .current_dir(directory)
        .env_clear()
        .output()
        .expect("the binary runs")
}

/// A directory whose parent is ours too, because `../.env` is read.
fn directory() -> (tempfile::TempDir, std::path::PathBuf) {
    let outer = tempfile::tempdir().expect("a temporary directory");
    let inner = outer.path().join("work");
    std::fs::create_dir(&inner).expect("a directory");
    (outer, inner)
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("one JSON object on standard output")
}

#[test]
fn help_texts_are_a_contract() {
    // A changed text is read as a difference and accepted with `just accept-help`.
    let cases = trycmd::TestCases::new();
    cases.register_bin("sotto", Path::new(env!("CARGO_BIN_EXE_sotto"))).case("tests/it/cmd/*.trycmd");
}

#[test]
fn a_wrong_call_is_2_and_a_failed_one_is_1() {
    let (_outer, here) = directory();
    assert_eq!(sotto(&here, &["no-such-command"]).status.code(), Some(2));
    assert_eq!(sotto(&here, &["--set", "port", "config", "check"]).status.code(), Some(2));
    assert_eq!(sotto(&here, &[]).status.code(), Some(2));
    assert_eq!(sotto(&here, &["--version"]).status.code(), Some(0));
    let failed = sotto(&here, &["config", "check"]);
    assert_eq!(failed.status.code(), Some(1), "there is no key");
    assert!(stdout(&failed).is_empty());
    assert!(stderr(&failed).contains("keys.spender") && stderr(&failed).contains("remedy:"), "{}", stderr(&failed));
}

#[test]
fn a_new_key_is_where_the_service_looks_for_it_and_only_its_owner_reads_it() {
    let (_outer, here) = directory();
    let made = sotto(&here, &["keygen", "--json"]);
    assert!(made.status.success(), "{}", stderr(&made));
    let public = json(&made)["publicKey"].as_str().expect("a public key").to_owned();
    let path = here.join(".keys/facilitator.json");
    let secret = std::fs::read_to_string(&path).expect("the key file");
    let pair = sotto::domain::key_pair::KeyPair::parse(&secret).expect("a key pair");
    assert_eq!(pair.public().to_string(), public);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&here.join(".keys"))), (0o600, 0o700));
    }
    let checked = sotto(&here, &["config", "check", "--json"]);
    assert!(checked.status.success() && json(&checked)["valid"] == true, "{}", stdout(&checked));
    let shown = sotto(&here, &["config", "show", "--json"]);
    assert!(!stdout(&shown).contains(secret.trim_matches(['[', ']'])));
}

#[test]
fn a_key_is_never_overwritten_by_accident() {
    let (_outer, here) = directory();
    let path = here.join("key.json");
    let first = json(&sotto(&here, &["keygen", "key.json", "--json"]));
    let before = std::fs::read_to_string(&path).expect("the key file");
    let refused = sotto(&here, &["keygen", "key.json"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("--force"));
    assert_eq!(std::fs::read_to_string(&path).expect("the key file"), before);
    let second = json(&sotto(&here, &["keygen", "key.json", "--force", "--json"]));
    assert_ne!(first["publicKey"], second["publicKey"]);
    assert_ne!(std::fs::read_to_string(&path).expect("the key file"), before);
    assert_eq!(std::fs::read_dir(&here).expect("a directory").count(), 1, "no draft is left behind");
}

#[test]
fn all_faults_come_as_one_object_for_programs() {
    let (_outer, here) = directory();
    std::fs::write(here.join("sotto.toml"), "[server]\nprot = 1\n").expect("a file");
    let checked = sotto(&here, &["--set", "limits.body_bytes=1", "config", "check", "--json"]);
    assert_eq!(checked.status.code(), Some(1));
    let told = json(&checked);
    let keys: Vec<_> = told["faults"].as_array().expect("a list").iter().map(|fault| &fault["key"]).collect();
    assert_eq!(keys, ["server.prot", "keys.spender", "limits.body_bytes"]);
    assert_eq!(told["faults"][2]["origin"], "flag --set");
}

#[test]
fn the_table_shows_every_key_with_its_origin() {
    let (_outer, here) = directory();
    let shown = sotto(&here, &["--set", "server.port=8080", "config", "show"]);
    let text = stdout(&shown);
    assert!(shown.status.success());
    for key in sotto::config::keys() {
        assert!(text.contains(&key.path()), "{}", key.path());
    }
    let port = text.lines().find(|line| line.contains("server.port")).expect("a line");
    assert!(port.contains("8080") && port.contains("flag --set"), "{port}");
}

/// A command that runs until it is told to stop, and the object it printed first.
struct Running(std::process::Child, Value);

impl Running {
    fn start(directory: &Path, args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sotto"))
            .args(args)
            .current_dir(directory)
            .env_clear()
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("the binary runs");
        let stdout = child.stdout.take().expect("a pipe");
        let first = serde_json::Deserializer::from_reader(stdout).into_iter().next().expect("an object").expect("JSON");
        Self(child, first)
    }

    /// Asks it to stop as a service manager does.
    fn stop(mut self) -> Option<i32> {
        let asked = Command::new("kill").arg(self.0.id().to_string()).status().expect("kill runs");
        assert!(asked.success());
        self.0.wait().expect("it ends").code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // For a test that failed half-way; after `stop` there is nothing left to end.
        drop(self.0.kill());
    }
}

#[test]
fn a_local_network_tells_what_a_facilitator_needs_and_stops_when_asked() {
    let (_outer, here) = directory();
    assert!(sotto(&here, &["keygen"]).status.success());
    let wallet = "7crFMbJN7hxVhUPNcRRxTGr9nD3TnvpZ8pNZepA19wuB";
    let args = ["localnet", "--port", "0", "--covalidator-port", "0", "--seed", "7", "--fund", wallet, "--json"];
    let running = Running::start(&here, &args);
    let told = running.1.as_object().expect("an object").clone();
    let mut check = vec!["config".to_owned(), "check".to_owned(), "--json".to_owned()];
    for (key, value) in &told {
        check.extend(["--set".to_owned(), format!("{key}={}", value.as_str().expect("a text"))]);
    }
    let checked = sotto(&here, &check.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(checked.status.success(), "{}", stdout(&checked));

    let rpc = told["network.rpc_urls"].as_str().expect("a URL");
    let request = serde_json::json!({
        "jsonrpc": "2.0", "id": 1, "method": "getBalance", "params": [wallet, { "commitment": "processed" }],
    });
    let balance = rpc_call(rpc, &request.to_string());
    assert_eq!(balance["result"]["value"], 10_000_000_000_u64);
    assert_eq!(running.stop(), Some(0));

    let again = Running::start(&here, &args);
    for key in ["asset.mint", "covalidator.attestation_key", "covalidator.encryption_key", "network.genesis_hash"] {
        assert_eq!(again.1[key], told[key], "{key} repeats itself with a seed");
    }
    assert_eq!(again.stop(), Some(0));
}

/// A line of a `.env` file, from what `sotto localnet --json` printed.
fn setting((key, value): (&String, &Value)) -> String {
    let key = sotto::config::keys().find(|known| known.path() == *key).expect("a known key");
    format!("{}='{}'", key.variable(), value.as_str().expect("a text"))
}

fn http_get(url: &str) -> Value {
    let client = reqwest::Client::builder().timeout(PATIENCE).build().expect("a client");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async { client.get(url).send().await.expect("an answer").json().await.expect("JSON") })
}

fn rpc_call(url: &str, body: &str) -> Value {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let client = reqwest::Client::builder().timeout(PATIENCE).build().expect("a client");
        let request = client.post(url).header("content-type", "application/json").body(body.to_owned());
        request.send().await.expect("an answer").json().await.expect("JSON")
    })
}

#[test]
fn spending_makes_no_ledger_where_there_is_none() {
    let (_outer, here) = directory();
    let none = sotto(&here, &["spending", "--ledger", "nowhere.db"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(!here.join("nowhere.db").exists(), "looking makes no file");
}
