//! What `sotto doctor` finds of the Machine Payments Protocol, against a network of its own.

use super::{
    Running, directory, json,
    service::{Starting, network, set_faults},
    sotto, stderr, stdout,
};
use serde_json::{Value, json as value};
use std::{fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path, process::Command};

/// What serves the protocol here, and these settings.
fn settings(here: &Path, set: &[&str]) -> Vec<String> {
    let mint = format!("mpp.mint={}", fs::read_to_string(here.join("mint")).expect("a file"));
    let common = ["mpp.enabled=true", "mpp.root=file:root", "keys.fee_payer=file:fees.json", mint.as_str()];
    common.into_iter().chain(set.iter().copied()).flat_map(|set| ["--set".to_owned(), set.to_owned()]).collect()
}

fn doctor(here: &Path, set: &[&str], how: &[&str]) -> std::process::Output {
    let settings = settings(here, set);
    sotto(here, &settings.iter().map(String::as_str).chain(["doctor"]).chain(how.iter().copied()).collect::<Vec<_>>())
}

/// Every finding about the protocol: its subject, whether it is as it should be, and why.
fn findings(here: &Path, set: &[&str]) -> Vec<(String, bool, String)> {
    let seen = doctor(here, set, &["--json"]);
    assert!(!stdout(&seen).is_empty(), "{}", stderr(&seen));
    let found = json(&seen)["findings"].as_array().expect("a list").clone();
    let told = |finding: &Value| {
        let text = |name: &str| finding[name].as_str().expect("a text").to_owned();
        (text("subject"), finding["ok"] == true, text("detail"))
    };
    found.iter().map(told).filter(|(subject, ..)| subject.starts_with("MPP")).collect()
}

/// Whether the finding about a subject is so, with these words.
fn is(found: &[(String, bool, String)], subject: &str, ok: bool, words: &str) {
    let of = found.iter().find(|(told, ..)| told == subject).unwrap_or_else(|| panic!("{subject} in {found:?}"));
    assert!(of.1 == ok && of.2.contains(words), "{words} in {of:?}");
}

/// A secret of 32 bytes that only we can read.
fn root(here: &Path, name: &str, byte: &str) {
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(here.join(name)).expect("a file");
    file.write_all(byte.repeat(32).as_bytes()).expect("writes");
}

/// What the protocol needs beside a network: the name of its mint, a fee payer and a root.
fn prepare(here: &Path, network: &Running) {
    let ask = r#"{ "jsonrpc": "2.0", "id": 1, "method": "localnet_describe" }"#;
    let described = super::rpc_call(network.1["network.rpc_urls"].as_str().expect("a URL"), ask);
    fs::write(here.join("mint"), described["result"]["mppMint"].as_str().expect("a mint")).expect("a file");
    assert!(sotto(here, &["keygen", "fees.json"]).status.success());
    root(here, "root", "ab");
}

#[test]
fn the_doctor_says_what_the_protocol_needs_and_what_stands() {
    let (_outer, here) = directory();
    let network = network(&here);
    prepare(&here, &network);
    root(&here, "other", "cd");

    let found = findings(&here, &[]);
    for (subject, words) in [
        ("MPP mint", "has 6 decimals"),
        ("MPP back end", "spl-delegate"),
        ("MPP clock", "local network"),
        ("MPP unproven", "only a real network"),
        ("MPP root", "certifies channels"),
    ] {
        is(&found, subject, true, words);
    }
    is(&findings(&here, &["mpp.backend=swig"]), "MPP back end", true, "is there");
    let other = format!("mpp.mint={}", network.1["asset.mint"].as_str().expect("a mint"));
    is(&findings(&here, &[&other]), "MPP mint", false, "no initialised mint");
    let table = stdout(&doctor(&here, &[], &[]));
    assert!(table.contains("MPP back end") && table.contains("MPP root"), "{table}");

    let own = settings(&here, &[]);
    let mut service = Starting::of(Command::new(env!("CARGO_BIN_EXE_sotto")).args(&own), &here);
    service.announcement();
    let found = findings(&here, &[]);
    is(&found, "MPP channels", true, "0 live");
    is(&found, "MPP grants", true, "none of a buyer");
    is(&found, "MPP credit line", true, "off");
    is(&findings(&here, &["mpp.credit_line=500"]), "MPP credit line", true, "is 0 of 500");
    is(&findings(&here, &["mpp.root=file:other"]), "MPP root", false, "mpp.previous_roots");
    assert_eq!(service.stop(), Some(0));
    assert_eq!(network.stop(), Some(0));
}

/// Guard: `answered`. The network tells which one it is, and then nothing of the mints.
#[test]
fn a_service_whose_rpc_does_not_tell_the_mints_waits_for_it() {
    let (_outer, here) = directory();
    let network = network(&here);
    prepare(&here, &network);
    let refused = |next: u32| value!({ "tooManyRequests": { "next": next, "method": "getMultipleAccounts" } });
    set_faults(&network, &refused(1_000_000));
    let own = settings(&here, &[]);
    let mut service = Starting::of(Command::new(env!("CARGO_BIN_EXE_sotto")).args(&own), &here);
    let why = service.until_it_logs("the start waits for the Solana RPC");
    assert!(why.contains("reading accounts") && why.contains("429"), "{why}");
    set_faults(&network, &refused(0));
    service.announcement();
    assert_eq!(service.stop(), Some(0));
    assert_eq!(network.stop(), Some(0));
}
