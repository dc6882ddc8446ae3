//! What others have published, as it is, against a running `sotto dev`: the x402 packages for JavaScript and Python read
//! our answers and are paid with our sessions, a browser pays from a page of another origin, and schemathesis holds
//! `docs/openapi.json` against the server. The scripts are in `tests/conformance`; each has a process of its own.

mod mpp;
mod mpp_dev;
mod mpp_trade;

use crate::{
    processes::{Desk, Process, text},
    support::packages,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

const NODE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/node");
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/python");

/// Under these a package may run beside ours; none asks that what uses it be published alike.
const LICENCES: [&str; 6] = ["MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Unlicense"];

/// Short slots, so that a suite of many payments is short.
const FAST: [&str; 2] = ["--slot-ms", "40"];

/// Requests for each route and phase: enough for every member of every body to be broken once, in about a minute.
const EXAMPLES: &str = "15";

/// `sotto dev`, and two sessions of its payer with its merchant.
struct Suite {
    desk: Desk,
    dev: Process,
}

/// `sotto dev` on free ports.
fn start_dev(desk: &Desk, more: &[&str]) -> Process {
    let ports = ["--port", "0", "--merchant-port", "0", "--rpc-port", "0", "--covalidator-port", "0"];
    desk.start(&[&["dev", "--json"], &ports[..], more].concat())
}

impl Suite {
    fn start(more: &[&str]) -> Self {
        let desk = Desk::new();
        let dev = start_dev(&desk, more);
        let suite = Self { desk, dev };
        suite.open("signed.json", &[]);
        // An account has one delegate: this approve has to cover both sessions, else it ends the first.
        suite.open("bare.json", &["--approve-total", "10", "--no-session-key"]);
        suite
    }

    fn open(&self, file: &str, more: &[&str]) {
        let told = |name| text(&self.dev.1, name);
        let (config, facilitator, spender) = (told("config"), told("facilitator"), told("spender"));
        let (key, recipient, origin) = (told("payerKey"), told("recipient"), told("merchant"));
        let whom = ["--facilitator", &facilitator, "--facilitator-address", &spender, "--key", &key];
        let what = ["--recipient", &recipient, "--cap", "5", "--origin", &origin, "--out", file, "--json"];
        self.desk.json(&[&["--config", &config, "session", "open"], &whom[..], &what[..], more].concat());
    }

    /// Grants, and opens two channels of the payer to the merchant; gives their secrets.
    fn channels(&self) -> Vec<Value> {
        let told = |name| text(&self.dev.1, name);
        let (config, facilitator, key, mint) = (told("config"), told("facilitator"), told("payerKey"), told("mppMint"));
        let who = ["--facilitator", &facilitator, "--key", &key, "--mint", &mint, "--state", "mpp.json", "--json"];
        let sotto = |args: &[&str]| self.desk.json(&[&["--config", &config, "mpp"], args, &who[..]].concat());
        sotto(&["onboard", "--limit", "5"]);
        (0..2).for_each(|_| drop(sotto(&["open", &told("recipient"), "1"])));
        let state: Value = serde_json::from_slice(&std::fs::read(self.desk.path.join("mpp.json")).unwrap()).unwrap();
        state["channels"].as_array().unwrap().iter().map(|channel| channel["secret"].clone()).collect()
    }

    /// A file that tells a script of it all.
    fn world(&self) -> PathBuf {
        let read = |file: &str| -> Value {
            serde_json::from_slice(&std::fs::read(self.desk.path.join(file)).unwrap()).unwrap()
        };
        let (signed, bare) = (read("signed.json"), read("bare.json"));
        let world = json!({ "dev": self.dev.1, "signed": signed, "bare": bare, "channels": self.channels() });
        let path = self.desk.path.join("world.json");
        std::fs::write(&path, world.to_string()).unwrap();
        path
    }

    fn end(self) {
        self.dev.stop();
    }
}

fn node(script: &str, more: &[&str]) {
    let Some(folder) = packages::found(script, packages::node(Path::new(NODE))) else { return };
    let suite = Suite::start(more);
    let mut command = Command::new("node");
    command.arg(script).arg(suite.world()).current_dir(folder);
    let Some(told) = packages::run_script(script, &mut command) else { return };
    println!("{told}");
    suite.end();
}

/// The interpreter with the packages, and the suite that a script of it is told of.
fn python(what: &str) -> Option<(PathBuf, Command, Suite)> {
    let folder = packages::found(what, packages::python(Path::new(PYTHON)))?;
    let suite = Suite::start(&FAST);
    let mut command = Command::new(folder.join("venv/bin/python"));
    command.current_dir(&suite.desk.path).env("SOTTO_WORLD", suite.world());
    Some((folder, command, suite))
}

#[test]
fn the_facilitator_clients_of_x402_core_and_mppx_read_every_answer() {
    // Few, so that a crowd of requests is soon one too many.
    let few = ["verify_per_session_per_second=20", "requests_per_ip_per_second=50", "request_burst_per_ip=300"];
    let limits = few.map(|limit| format!("limits.{limit}"));
    let settings = limits.iter().flat_map(|limit| ["--set", limit]);
    node("facilitator.mjs", &FAST.into_iter().chain(settings).collect::<Vec<_>>());
}

#[test]
fn merchants_behind_x402_express_are_paid_by_x402_fetch() {
    // A signature that waits for eight seconds has to stay good meanwhile: 150 slots.
    node("merchants.mjs", &["--slot-ms", "100"]);
}

#[test]
fn a_page_of_another_origin_pays_in_a_browser() {
    node("browser.mjs", &FAST);
}

#[test]
fn the_python_client_reads_our_answers() {
    let Some((folder, mut command, suite)) = python("client.py") else { return };
    command.arg(folder.join("client.py")).arg(suite.world());
    println!("{}", packages::run_script("client.py", &mut command).unwrap_or_default());
    suite.end();
}

#[test]
fn schemathesis_finds_no_difference_between_the_document_and_the_server() {
    let Some((folder, mut command, suite)) = python("schemathesis") else { return };
    let server = text(&suite.dev.1, "facilitator");
    for file in ["hooks.py", "schemathesis.toml"] {
        std::fs::copy(folder.join(file), suite.desk.path.join(file)).unwrap();
    }
    let document = format!("{server}/openapi.json");
    command.args(["-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run", &document, "--url", &server]);
    command.args(["--checks", "all", "--max-examples", EXAMPLES, "--no-color"]);
    println!("{}", packages::run_script("schemathesis", &mut command).unwrap_or_default());
    suite.end();
}

#[test]
fn the_packages_of_the_suites_are_pinned_and_under_permissive_licences() {
    let read = |file: &str| std::fs::read_to_string(Path::new(file)).unwrap();
    for folder in [NODE, mpp::SCRIPTS] {
        let lock: Value = serde_json::from_str(&read(&format!("{folder}/package-lock.json"))).unwrap();
        let listed: Value = serde_json::from_str(&read(&format!("{folder}/package.json"))).unwrap();
        let packages = lock["packages"].as_object().unwrap();
        for (name, package) in packages.iter().filter(|(name, _)| !name.is_empty()) {
            let licence = package["license"].as_str().unwrap_or_default();
            assert!(LICENCES.contains(&licence), "{name}: {licence:?}");
            assert!(package["integrity"].is_string(), "{name} is not pinned by its sum");
        }
        for (name, version) in listed["dependencies"].as_object().unwrap() {
            // A second line of a package is listed as `npm:<package>@<version>`.
            let exact = version.as_str().unwrap().rsplit('@').next();
            assert_eq!(packages[&format!("node_modules/{name}")]["version"].as_str(), exact, "{name}");
        }
    }
    let requirements = read(&format!("{PYTHON}/requirements.txt"));
    let lines: Vec<_> = requirements.lines().filter(|line| !line.starts_with('#')).collect();
    let names: BTreeSet<_> = lines.iter().map(|line| line.split_once("==").expect("pinned").0).collect();
    assert!(names.len() == lines.len() && names.contains("x402") && names.contains("schemathesis"), "{names:?}");
}
