//! What an earlier version kept on a developer's disk (`tests/fixtures`) is taken up by this one.

use super::{Running, directory, json, sotto, stderr, stdout};
use crate::ledger::former;
use serde_json::Value;
use sotto::client::OpenSession;
use std::{fs, path::Path};

const SESSION: &str = include_str!("../../fixtures/v1/session.json");

#[test]
fn a_session_file_of_the_first_version_is_read() {
    let session = OpenSession::from_json(SESSION).expect("is read");
    assert_eq!(session.id.to_string(), "cc76e3c2-6f15-4ad3-b8ad-b12424cbb09b");
    assert!(session.authority.is_some(), "with its session key");
    let written: Value = serde_json::from_str(&session.to_json().expect("is written")).expect("JSON");
    assert_eq!(written, serde_json::from_str::<Value>(SESSION).expect("JSON"), "nothing of it is lost");
}

/// Copies the state directory, and makes a database of its ledger's text.
fn unpack(to: &Path) {
    fs::create_dir(to).expect("a directory");
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1/dev");
    for file in fs::read_dir(from).expect("reads") {
        let file = file.expect("reads").path();
        let to = to.join(file.file_name().expect("a name"));
        if file.extension().is_some_and(|extension| extension == "sql") {
            former::write(&to.with_extension("db"), &fs::read_to_string(file).expect("a text"));
        } else {
            fs::copy(file, to).expect("copies");
        }
    }
}

#[test]
fn a_dev_state_of_the_first_version_goes_on_where_it_stopped() {
    let (_outer, here) = directory();
    unpack(&here.join("state"));
    let ports =
        ["--port", "0", "--merchant-port", "0", "--rpc-port", "0", "--covalidator-port", "0", "--slot-ms", "40"];
    let running = Running::start(&here, &[&["dev", "--json", "--state", "state"], &ports[..]].concat());
    let told = |name: &str| running.1[name].as_str().expect("a text").to_owned();
    // The facilitator answers on another port now.
    let mut session: Value = serde_json::from_str(SESSION).expect("JSON");
    session["facilitator"] = told("facilitator").into();
    fs::write(here.join("session.json"), session.to_string()).expect("a file");
    assert_eq!(
        (&session["spender"], &session["asset"]),
        (&running.1["spender"], &running.1["mint"]),
        "the same network"
    );
    let show = ["--config", &told("config"), "session", "show", "--session", "session.json", "--json"];
    let shown = sotto(&here, &show);
    assert!(shown.status.success(), "{}{}", stdout(&shown), stderr(&shown));
    let view = json(&shown);
    assert_eq!((&view["sessionId"], &view["captured"]), (&session["sessionId"], &"30000".into()), "{view:#}");
    assert_eq!(running.stop(), Some(0));
}
