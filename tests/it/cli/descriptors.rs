//! FR-22. A service that may open fewer files than it promises connections.

use super::{
    directory, http_get,
    service::{Starting, network},
    stderr,
};
use std::{net::TcpStream, process::Command};

/// Guard: `cli::descriptors`. The soft limit is raised to the hard one, connections are kept to what is possible, and who fills
/// them keeps no probe out.
#[cfg(target_os = "linux")]
#[test]
fn few_descriptors_are_told_and_probes_are_answered_when_they_are_taken() {
    let (_outer, here) = directory();
    let network = network(&here);
    let mut command = Command::new("sh");
    let limited = "ulimit -S -n 160 && ulimit -H -n 300 && exec \"$0\" \"$@\"";
    command.args(["-c", limited, env!("CARGO_BIN_EXE_sotto"), "--set", "limits.connections_per_ip=0"]);
    let mut service = Starting::of(&mut command, &here);
    let told = service.until_it_logs("fewer connections are possible");
    for figure in ["configured=4096", "possible=172", "descriptors=300"] {
        assert!(told.contains(figure), "{figure} in {told}");
    }
    let address = service.announcement()["address"].as_str().expect("an address").to_owned();
    let idle: Vec<TcpStream> = (0..250).map(|_| TcpStream::connect(&address).expect("is taken")).collect();
    assert_eq!(http_get(&format!("http://{address}/health"))["ok"], true);
    assert_eq!(http_get(&format!("http://{address}/supported"))["kinds"][0]["scheme"], "session");
    drop(idle);
    assert_eq!(service.stop(), Some(0));
    assert_eq!(network.stop(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_limit_that_leaves_nothing_for_callers_is_refused_with_its_remedy() {
    let (_outer, here) = directory();
    let network = network(&here);
    let serve = ["serve", "--port", "0", "--bind", "127.0.0.1"];
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 100 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_sotto")]).args(serve);
    let refused = command.current_dir(&here).env_clear().output().expect("the binary runs");
    assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));
    for words in ["at most 100 file descriptors", "129 are the least", "LimitNOFILE"] {
        assert!(stderr(&refused).contains(words), "{words} in {}", stderr(&refused));
    }
    assert!(!here.join("sotto.db").exists(), "nothing was begun");
    assert_eq!(network.stop(), Some(0));
}
