//! The place that `sotto session open` takes for a session's file: what a killed process left in it is taken over.

use super::{directory, sotto, stderr};
use crate::support::PATIENCE;
use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
};

/// A port at which nobody listens.
const NOBODY: &str = "network.rpc_urls=http://127.0.0.1:9";

/// A session without a key, as its file holds it.
#[cfg(unix)]
const OPEN_SESSION: &str = r#"{"form": 1, "sessionId": "96e2c5ee-ab8f-4b88-b437-55c6d368c3da", "facilitator": "http://127.0.0.1:9",
"user": "2uvZn5LyYsXmRK9ag3qCw6PUxzzkeCNWXtEkc2fgt7PY", "spender": "J7KorQhdeZKLzQUDSerh6eukcNgXp5BYZXVUVUPXFeHp",
"asset": "GNWFDGfGxwwHcwAEaz6TJZn5RyzFSvaZyFpvRU2djcY5", "recipient": "39VTk4onZMMGmycPMsfu2JmJ9jBttG4yXWjYZYruR4GB",
"expirationUnix": 1795292182, "networks": ["solana:devnet"], "origins": []}"#;

fn open(rpc: &str) -> Vec<&str> {
    let to = "7crFMbJN7hxVhUPNcRRxTGr9nD3TnvpZ8pNZepA19wuB";
    let open = ["--set", rpc, "session", "open", "--facilitator", "http://127.0.0.1:9", "--trust-on-first-use"];
    let file = ["--key", "payer.json", "--recipient", to, "--cap", "1", "--out", "s.json"];
    [&open[..], &file].concat()
}

/// Opens a session where there is no chain, and gives what is told: it gets as far as the chain if its place is free.
fn opens(here: &Path) -> String {
    let output = sotto(here, &open(NOBODY));
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    stderr(&output)
}

fn is_free(told: &str) -> bool {
    told.contains("the Solana RPC cannot be used")
}

/// An opening that has taken its place, asked its RPC, and stands still.
fn standing(here: &Path) -> Child {
    let rpc = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let url = format!("network.rpc_urls=http://{}", rpc.local_addr().expect("an address"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_sotto"));
    command.args(open(&url)).current_dir(here).env_clear().stderr(Stdio::null());
    let child = command.spawn().expect("the binary runs");
    let (tell, asked) = mpsc::channel();
    std::thread::spawn(move || tell.send(rpc.accept()));
    let _connection = asked.recv_timeout(PATIENCE).expect("it asks").expect("a connection");
    // It would not wait for its answer for ever.
    let stopped = Command::new("kill").args(["-STOP", &child.id().to_string()]).status().expect("kill runs");
    assert!(stopped.success());
    child
}

/// Guard: `take_over`, and the lock in `SessionFile::reserve`.
#[test]
fn a20_what_a_killed_opening_left_is_taken_over_and_a_living_ones_place_is_not() {
    let (_outer, here) = directory();
    assert!(sotto(&here, &["keygen", "payer.json"]).status.success());
    let draft = here.join("s.json.new");
    let mut child = standing(&here);
    assert_eq!(fs::metadata(&draft).expect("its place").len(), 0);
    let told = opens(&here);
    assert!(told.contains("another process is opening a session into the same file"), "{told}");
    assert!(draft.exists(), "it keeps its place");

    child.kill().expect("it is killed");
    child.wait().expect("it is dead");
    assert!(draft.exists(), "who is killed cleans nothing up");
    let told = opens(&here);
    assert!(is_free(&told), "{told}");
    assert!(!draft.exists() && !here.join("s.json").exists(), "nothing is left behind");
}

/// Guard: `take_over`. Whatever stands there may be the only copy of a key that can spend.
#[cfg(unix)]
#[test]
fn what_may_hold_a_key_is_never_removed() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_outer, here) = directory();
    assert!(sotto(&here, &["keygen", "payer.json"]).status.success());
    let draft = here.join("s.json.new");
    for (text, mode, why) in [
        ("{\"form\": 1,", 0o600, "may hold the key of a session that is open"),
        (OPEN_SESSION, 0o600, "it holds a session that is open"),
        (OPEN_SESSION, 0o644, "others can read it"),
    ] {
        fs::write(&draft, text).expect("a file");
        fs::set_permissions(&draft, fs::Permissions::from_mode(mode)).expect("a file of ours");
        let told = opens(&here);
        assert!(told.contains("is in the way") && told.contains(why), "{told}");
        let old = fs::File::options().write(true).open(&draft).expect("it is there");
        old.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("a file of ours");
        assert!(opens(&here).contains(why), "however old it is");
        assert_eq!(fs::read_to_string(&draft).expect("it is there"), text);
    }
}

/// Guard: `symlink_metadata` in `take_over`.
#[cfg(unix)]
#[test]
fn a20_what_is_no_file_is_neither_followed_nor_removed() {
    let (_outer, here) = directory();
    assert!(sotto(&here, &["keygen", "payer.json"]).status.success());
    let (draft, victim) = (here.join("s.json.new"), here.join("victim"));
    fs::write(&victim, "").expect("a file");
    std::os::unix::fs::symlink(&victim, &draft).expect("a link");
    let told = opens(&here);
    assert!(told.contains("it is no file"), "{told}");
    assert!(draft.is_symlink() && victim.exists());
}
