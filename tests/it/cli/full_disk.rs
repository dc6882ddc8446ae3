//! FR-4. A service whose ledger can be read and not written, as on a full disk.

use super::{
    PATIENCE, directory,
    service::{Starting, network},
};
use serde_json::{Value, json};
use std::process::Command;
use tokio::runtime::Runtime;

/// Asks for a path, with a body where there is one.
fn ask(runtime: &Runtime, url: &str, body: Option<&Value>) -> (u16, Value) {
    let client = reqwest::Client::builder().timeout(PATIENCE).build().expect("a client");
    let request = body.map_or_else(|| client.get(url), |body| client.post(url).json(body));
    runtime.block_on(async {
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    })
}

/// A payment of a session that nobody opened; it is well formed.
fn payment() -> Value {
    let offer = json!({
        "scheme": "session", "network": "solana:localnet", "amount": "1", "maxTimeoutSeconds": 20,
        "asset": "GNWFDGfGxwwHcwAEaz6TJZn5RyzFSvaZyFpvRU2djcY5", "payTo": "39VTk4onZMMGmycPMsfu2JmJ9jBttG4yXWjYZYruR4GB",
    });
    let payload = json!({ "sessionId": "96e2c5ee-ab8f-4b88-b437-55c6d368c3da", "amount": "1" });
    json!({
        "x402Version": 2, "paymentRequirements": offer,
        "paymentPayload": { "x402Version": 2, "accepted": offer, "payload": payload, "resource": {} },
    })
}

/// How many bytes any file of a process may have: writing more fails, as on a disk that is full.
fn limit_files(process: u32, most: &str) {
    let limits = ["--pid".to_owned(), process.to_string(), format!("--fsize={most}:unlimited")];
    assert!(Command::new("prlimit").args(limits).status().expect("prlimit runs").success());
}

/// Waits until `/ready` says so of the ledger, and gives what it says.
fn until_the_ledger_is(ok: bool, runtime: &Runtime, base: &str) -> String {
    let began = std::time::Instant::now();
    loop {
        let (_, ready) = ask(runtime, &format!("{base}/ready"), None);
        let checks = ready["checks"].as_array().expect("a list");
        let ledger = checks.iter().find(|check| check["name"] == "ledger").expect("it is looked at");
        if ledger["ok"] == ok {
            return ledger["detail"].as_str().expect("words").to_owned();
        }
        // The answer is given again for a second, and a write proves the next one for five.
        assert!(began.elapsed() < PATIENCE, "{ready:#}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_ledger_that_cannot_be_written_is_told_and_everything_that_reads_goes_on() {
    let (_outer, here) = directory();
    let network = network(&here);
    // The signal that comes with a file that is too large would end it.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_sotto")]);
    let mut service = Starting::of(&mut command, &here);
    let base = format!("http://{}", service.announcement()["address"].as_str().expect("an address"));
    let runtime = Runtime::new().expect("a runtime");
    let session = format!("{base}/sessions/96e2c5ee-ab8f-4b88-b437-55c6d368c3da");
    let verify = || ask(&runtime, &format!("{base}/verify"), Some(&payment()));
    assert_eq!(verify().1["invalidReason"], "session_not_found");

    limit_files(service.child.id(), "1");
    let detail = until_the_ledger_is(false, &runtime, &base);
    assert!(detail.contains("cannot be written"), "{detail}");
    let (status, refused) = verify();
    assert_eq!(
        (status, &refused["isValid"]),
        (503, &false.into()),
        "what cannot be settled is not payable: {refused:#}"
    );
    let (status, unknown) = ask(&runtime, &session, None);
    assert_eq!((status, &unknown["error"]), (404, &"session_not_found".into()), "reading goes on");
    service.until_it_logs("the ledger cannot be written");

    limit_files(service.child.id(), "unlimited");
    until_the_ledger_is(true, &runtime, &base);
    service.until_it_logs("the ledger can be written again");
    assert_eq!(verify().1["invalidReason"], "session_not_found");
    assert_eq!(service.stop(), Some(0));
    assert_eq!(network.stop(), Some(0));
}
