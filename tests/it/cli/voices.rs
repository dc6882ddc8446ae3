//! How many providers everybody who works on a ledger has to ask.

use super::{
    directory, json,
    service::{Starting, network},
    sotto, stderr, stdout,
};
use std::process::Command;

/// Guard: `agree_on_voices`. A second provider changes what every service on the ledger has to ask for, so it is said once, with
/// all of them stopped; two hosts of one provider change nothing.
#[test]
fn a_service_that_asks_another_number_of_providers_does_not_start() {
    let (_outer, here) = directory();
    let network = network(&here);
    let mut service = Starting::of(&mut Command::new(env!("CARGO_BIN_EXE_sotto")), &here);
    service.until_it_logs("serving");
    assert_eq!(service.stop(), Some(0));
    // Nobody listens there, and it is not asked before this is known.
    let two = format!("network.rpc_urls={},http://127.0.0.1:9", network.1["network.rpc_urls"].as_str().expect("a URL"));
    let serve = ["--set", &two, "serve", "--port", "0", "--bind", "127.0.0.1"];
    let refused = sotto(&here, &serve);
    assert_eq!(refused.status.code(), Some(1), "{}", stdout(&refused));
    assert!(stderr(&refused).contains("sotto settlement voices 2"), "{}", stderr(&refused));
    let ledger = |more: &[&str]| {
        let seen = json(&sotto(&here, &[&["--set", &two], more, &["doctor", "--json"]].concat()));
        let found = seen["findings"].as_array().expect("a list").iter().find(|found| found["subject"] == "ledger");
        found.expect("the ledger is looked at")["ok"] == true
    };
    assert!(!ledger(&[]) && ledger(&["--set", "network.voices=one,one"]));
    for wrong in ["0", "3", "two"] {
        assert_eq!(sotto(&here, &["settlement", "voices", wrong]).status.code(), Some(2), "{wrong}");
    }
    let changed = sotto(&here, &["settlement", "voices", "2"]);
    assert!(changed.status.success(), "{}", stderr(&changed));
    assert!(ledger(&[]) && !ledger(&["--set", "network.voices=one,one"]));
    let refused = sotto(&here, &["serve", "--port", "0", "--bind", "127.0.0.1"]);
    assert!(stderr(&refused).contains("sotto settlement voices 1"), "{}", stderr(&refused));
    assert_eq!(network.stop(), Some(0));
}
