//! How many providers everybody who works on a ledger has to ask.

use super::{
    PATIENCE, directory, json,
    service::{Starting, network},
    sotto, stderr, stdout,
};
use std::{
    path::Path,
    process::{Command, Output, Stdio},
    sync::mpsc,
};

/// What a `sotto serve` says that has to end by itself: one that serves is stopped, and is no answer.
fn refused_start(here: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sotto"));
    command.args(args).args(["serve", "--port", "0", "--bind", "127.0.0.1"]).current_dir(here).env_clear();
    let service = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let id = service.id().to_string();
    let (told, ends) = mpsc::channel();
    std::thread::spawn(move || told.send(service.wait_with_output()));
    let ended = ends.recv_timeout(PATIENCE);
    if ended.is_err() {
        drop(Command::new("kill").arg(id).status());
    }
    ended.expect("it does not serve").expect("what it says")
}

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
    let refused = refused_start(&here, &["--set", &two]);
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
    let refused = refused_start(&here, &[]);
    assert!(stderr(&refused).contains("sotto settlement voices 1"), "{}", stderr(&refused));
    assert_eq!(network.stop(), Some(0));
}
