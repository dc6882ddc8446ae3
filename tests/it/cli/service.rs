//! `sotto serve` from its start to its end, and what it does when the chain is in trouble while it starts.

use super::{PATIENCE, Running, directory, http_get, json, rpc_call, setting, sotto, stderr, stdout};
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, ChildStderr, ChildStdout, Command, Stdio},
};

/// A service that may not have announced itself.
pub(super) struct Starting {
    pub(super) child: Child,
    log: BufReader<ChildStderr>,
    out: BufReader<ChildStdout>,
}

impl Starting {
    pub(super) fn begin(directory: &Path, args: &[&str]) -> Self {
        Self::of(Command::new(env!("CARGO_BIN_EXE_sotto")).args(args), directory)
    }

    /// A `sotto serve` by a command that ends with the binary or runs what it is given.
    pub(super) fn of(command: &mut Command, directory: &Path) -> Self {
        let mut child = command
            .args(["serve", "--port", "0", "--bind", "127.0.0.1", "--json"])
            .current_dir(directory)
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let (log, out) = (child.stderr.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        Self { child, log: BufReader::new(log), out: BufReader::new(out) }
    }

    /// Reads its log up to a line with these words.
    pub(super) fn until_it_logs(&mut self, words: &str) -> String {
        self.lines_until(words).pop().expect("the last one")
    }

    /// Like [`Self::until_it_logs`], with the lines before it.
    fn lines_until(&mut self, words: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            assert!(self.log.read_line(&mut line).expect("UTF-8") > 0, "the log ends without {words:?}");
            lines.push(line);
            if lines.last().is_some_and(|line| line.contains(words)) {
                return lines;
            }
        }
    }

    /// What it prints when it serves.
    pub(super) fn announcement(&mut self) -> Value {
        serde_json::Deserializer::from_reader(&mut self.out).into_iter().next().expect("an object").expect("JSON")
    }

    pub(super) fn stop(mut self) -> Option<i32> {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status().expect("kill runs");
        assert!(asked.success());
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A local network, and a directory whose `.env` leads to it.
pub(super) fn network(here: &Path) -> Running {
    network_with(here, &[])
}

/// Like [`network`], begun with further arguments.
pub(super) fn network_with(here: &Path, args: &[&str]) -> Running {
    let spender = json(&sotto(here, &["keygen", "--json"]))["publicKey"].as_str().expect("a key").to_owned();
    let free = ["--port", "0", "--covalidator-port", "0", "--slot-ms", "20", "--json"];
    let network = Running::start(here, &[&["localnet", "--fund", &format!("{spender}=0")], &free[..], args].concat());
    let settings: Vec<_> = network.1.as_object().expect("an object").iter().map(setting).collect();
    std::fs::write(here.join(".env"), settings.join("\n")).expect("a file");
    network
}

fn rpc(network: &Running) -> &str {
    network.1["network.rpc_urls"].as_str().expect("a URL")
}

pub(super) fn set_faults(network: &Running, plan: &Value) {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "localnet_setFaults", "params": [plan] });
    let answer = rpc_call(rpc(network), &body.to_string());
    assert!(answer.get("error").is_none(), "{answer:#}");
}

#[test]
fn the_service_runs_on_the_local_network_and_stops_when_asked() {
    let (_outer, here) = directory();
    let network = network(&here);
    let mut service = Starting::begin(&here, &[]);
    let announced = service.announcement();
    let spender = announced["spender"].as_str().expect("a key").to_owned();
    let base = format!("http://{}", announced["address"].as_str().expect("an address"));
    let health = http_get(&format!("{base}/health"));
    assert_eq!((&health["ok"], &health["address"]), (&true.into(), &spender.clone().into()));
    let kind = http_get(&format!("{base}/supported"))["kinds"][0].clone();
    assert_eq!((&kind["scheme"], &kind["x402Version"]), (&"session".into(), &2.into()));

    let seen = sotto(&here, &["doctor", "--json"]);
    assert!(seen.status.success(), "{}", stdout(&seen));
    assert!(stdout(&seen).contains("a service is running"), "{}", stdout(&seen));
    // A slow machine serves before the answer is there, and what it costs is booked by then.
    service.until_it_logs("the token program has been probed");
    let spent = json(&sotto(&here, &["spending", "--json"]));
    assert_eq!(spent["byPurpose"][0]["purpose"], "probe", "read beside the running service: {spent:#}");
    assert!(spent["all"]["rent"].as_u64().expect("lamports") > 0 && spent["byMerchant"][0]["merchant"] == "(none)");
    let table = stdout(&sotto(&here, &["spending", "--hours", "1"]));
    assert!(table.contains("probe") && table.contains("this hour"), "{table}");
    let second = sotto(&here, &["serve", "--port", "0", "--bind", "127.0.0.1"]);
    assert_eq!(second.status.code(), Some(1), "two processes on one ledger");
    assert!(stderr(&second).contains("ledger"), "{}", stderr(&second));
    assert_eq!(service.stop(), Some(0));
    assert!(here.join("sotto.db").is_file());

    let probed = sotto(&here, &["doctor", "--probe"]);
    assert!(probed.status.success(), "{}{}", stdout(&probed), stderr(&probed));
    for words in [
        "every log agrees",
        "moves money: yes",
        "refuses strangers: yes",
        "can be used",
        "name what made them: yes",
        "whoever copies one can decrypt its amount",
    ] {
        assert!(stdout(&probed).contains(words), "{words} in {}", stdout(&probed));
    }
    let wrong = ["--set", "asset.decimals=2", "--set", "covalidator.endpoint=http://127.0.0.1:9/x", "doctor", "--json"];
    let seen = sotto(&here, &wrong);
    assert_eq!(seen.status.code(), Some(1));
    let findings = json(&seen)["findings"].as_array().expect("a list").clone();
    let wrong: Vec<_> = findings.iter().filter(|f| f["ok"] == false).map(|f| f["subject"].clone()).collect();
    assert_eq!(wrong, ["mint", "Covalidator"], "{findings:?}");
    assert_eq!(network.stop(), Some(0));
}

/// Guard: `cli::trust`. Whose word is believed alone stops nothing, and nobody can say that they were not told.
#[test]
fn the_start_and_the_doctor_say_whom_a_lone_provider_is_trusted_with() {
    let (_outer, here) = directory();
    let network = network(&here);
    let own = rpc(&network).to_owned();
    let (alone, twice) = (format!("network.rpc_urls={own}"), format!("network.rpc_urls={own},{own}?again"));
    for (urls, warnings) in
        [(&alone, vec!["trusted with all money"]), (&twice, vec!["has the host of", "trusted with all money"])]
    {
        let seen = sotto(&here, &["--set", urls, "doctor", "--json"]);
        assert!(seen.status.success(), "it is a choice: {}", stdout(&seen));
        let mut service = Starting::begin(&here, &["--set", urls]);
        let told = service.lines_until("serving");
        for words in warnings {
            assert!(stdout(&seen).contains(words), "{words} in {}", stdout(&seen));
            let is_told = |line: &String| line.contains("WARN") && line.contains(words);
            assert_eq!(told.iter().filter(|line| is_told(line)).count(), 1, "{words} in {told:?}");
        }
        assert_eq!(service.stop(), Some(0));
    }
    assert_eq!(network.stop(), Some(0));
}

#[test]
fn a_service_that_starts_while_its_rpc_refuses_says_so_and_serves_when_it_answers_again() {
    let (_outer, here) = directory();
    let network = network(&here);
    set_faults(&network, &json!({ "tooManyRequests": { "next": 1_000_000 } }));
    let mut service = Starting::begin(&here, &[]);
    let why = service.until_it_logs("the start waits for the Solana RPC");
    assert!(why.contains("429") && why.contains("wait_ms"), "{why}");
    let listening = service.until_it_logs("GET /ready tells what the start waits for");
    let address =
        listening.split("address=").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("an address");
    let base = format!("http://{address}");
    // A client that keeps its connections is not kept from the service by the start that answered before.
    let (runtime, client) = (
        tokio::runtime::Runtime::new().expect("a runtime"),
        reqwest::Client::builder().timeout(PATIENCE).build().expect("a client"),
    );
    let ask = |method: reqwest::Method, path: &str| {
        let request = client.request(method, format!("{base}{path}"));
        runtime.block_on(async {
            let answer = request.send().await.expect("an answer");
            let (status, again) = (answer.status().as_u16(), answer.headers().get("retry-after").cloned());
            (status, again.is_some(), answer.json::<Value>().await.expect("JSON"))
        })
    };
    let (status, _, alive) = ask(reqwest::Method::GET, "/health");
    assert_eq!((status, &alive["ok"], &alive["network"]), (200, &true.into(), &"solana:localnet".into()));
    let (status, _, ready) = ask(reqwest::Method::GET, "/ready");
    let check = &ready["checks"][0];
    assert_eq!(
        (status, &ready["ok"], &check["name"], &check["ok"]),
        (503, &false.into(), &"start".into(), &false.into())
    );
    // The newest failure: on a busy machine that may be a question which took too long.
    let waits = "it waits for the Solana RPC: the Solana RPC is unavailable";
    assert!(check["detail"].as_str().is_some_and(|detail| detail.starts_with(waits)), "{ready:#}");
    for (method, path, member, told) in [
        (reqwest::Method::GET, "/supported", "error", "overloaded"),
        (reqwest::Method::POST, "/sessions", "error", "overloaded"),
        (reqwest::Method::POST, "/verify", "invalidReason", "overloaded"),
        (reqwest::Method::POST, "/settle", "errorReason", "overloaded"),
    ] {
        let (status, again, body) = ask(method, path);
        assert_eq!((status, again, &body[member]), (503, true, &told.into()), "{path}: {body:#}");
    }
    let (status, _, body) = ask(reqwest::Method::GET, "/nosuch");
    assert_eq!((status, &body["error"]), (404, &"not_found".into()));
    service.until_it_logs("the start waits for the Solana RPC");
    set_faults(&network, &json!({}));
    assert_eq!(service.announcement()["address"], address);
    let (status, _, supported) = ask(reqwest::Method::GET, "/supported");
    assert_eq!((status, supported["kinds"].is_array()), (200, true), "the same caller is served: {supported:#}");
    assert_eq!(ask(reqwest::Method::GET, "/health").2, alive, "the same process");
    assert_eq!(service.stop(), Some(0));
    assert_eq!(network.stop(), Some(0));
}

#[test]
fn a_service_that_waits_for_its_rpc_stops_when_asked() {
    let (_outer, here) = directory();
    let network = network(&here);
    // Nobody listens there, and no other test is given that port.
    let mut service = Starting::begin(&here, &["--set", "network.rpc_urls=http://127.0.0.1:1"]);
    service.until_it_logs("the start waits for the Solana RPC");
    assert_eq!(service.stop(), Some(0));
    assert_eq!(network.stop(), Some(0));
}

/// FR-30. Who reads JSON from the log finds nothing else there, and finds there why there is no service.
#[test]
fn a_service_whose_log_is_json_writes_nothing_else() {
    let (_outer, here) = directory();
    let network = network(&here);
    let serve = ["--set", "telemetry.log_format=json", "serve", "--port", "0", "--bind", "127.0.0.1"];
    let lines = |text: &str| -> Vec<Value> {
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
    };
    for (wrong, message) in [
        (&["--set", "limits.max_per_call=x"][..], "the configuration is wrong"),
        (&["--set", "network.genesis_hash=4uhcVJyU9pJkvQyS88uRDiswHXSCkY3zQawwpjk2NsNY"], "the service ends"),
    ] {
        let ended = sotto(&here, &[wrong, &serve[..]].concat());
        assert_eq!((ended.status.code(), stdout(&ended).as_str()), (Some(1), ""));
        let told = lines(&stderr(&ended));
        let last = told.last().expect("a line");
        assert_eq!((&last["level"], &last["message"]), (&"ERROR".into(), &message.into()), "{told:#?}");
        assert!(last["fault"].is_string() || last["cause"].is_string(), "{last:#}");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_sotto"));
    let mut service = command
        .args(serve)
        .current_dir(&here)
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut log = BufReader::new(service.stderr.take().expect("a pipe"));
    loop {
        let mut line = String::new();
        assert!(log.read_line(&mut line).expect("UTF-8") > 0, "it never served");
        if lines(&line)[0]["message"] == "serving" {
            break;
        }
    }
    assert!(Command::new("kill").arg(service.id().to_string()).status().expect("kill runs").success());
    let output = service.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
    assert_eq!(network.stop(), Some(0));
}

#[test]
fn another_network_than_the_configured_one_is_no_trouble_that_passes() {
    let (_outer, here) = directory();
    let network = network(&here);
    let other = "4uhcVJyU9pJkvQyS88uRDiswHXSCkY3zQawwpjk2NsNY";
    let pinned = format!("network.genesis_hash={other}");
    let refused = sotto(&here, &["--set", &pinned, "serve", "--port", "0", "--bind", "127.0.0.1"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains(other), "{}", stderr(&refused));
    assert_eq!(network.stop(), Some(0));
}

#[test]
fn the_doctor_tells_trouble_instead_of_waiting_for_its_end() {
    let (_outer, here) = directory();
    let network = network(&here);
    set_faults(&network, &json!({ "tooManyRequests": { "next": 1_000_000 } }));
    let seen = sotto(&here, &["doctor", "--probe", "--json"]);
    assert_eq!(seen.status.code(), Some(1));
    let findings = json(&seen)["findings"].as_array().expect("a list").clone();
    assert!(findings.iter().any(|f| f["subject"] == "probe" && f["ok"] == false), "{}", stdout(&seen));
    assert_eq!(network.stop(), Some(0));
}
