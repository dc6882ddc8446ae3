//! Published JavaScript clients against the local network, unchanged and installed by name.
//!
//! They need Node, npm and, once, a package registry. Without them these tests are skipped, loudly; with
//! `SOTTO_REQUIRE_NODE=1` that is a failure.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
    time::Duration,
};

use sha2::{Digest as _, Sha256};
use sotto::localnet::{Localnet, LocalnetConfig, Slots};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/node");

/// Short, so that a test of many confirmations is short.
const SLOT: Duration = Duration::from_millis(50);

fn run(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(|fault| format!("{command:?}: {fault}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    Err(format!("{command:?}: {}\n{stdout}\n{stderr}", output.status))
}

/// The folder with the installed packages, made once and kept as long as the versions stay the same.
fn installed() -> Result<PathBuf, String> {
    static INSTALLED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let install = || {
        run(Command::new("node").arg("--version"))?;
        let manifest = Path::new(SOURCES).join("package.json");
        let wanted = std::fs::read(&manifest).map_err(|fault| fault.to_string())?;
        let name = format!("node-{}", hex::encode(&Sha256::digest(&wanted)[..8]));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if !folder.exists() {
            let text = |fault: std::io::Error| fault.to_string();
            // Beside it, and then moved in one go: another process may be at it too.
            let draft = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).map_err(text)?;
            std::fs::write(draft.path().join("package.json"), wanted).map_err(text)?;
            let quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock"];
            run(Command::new("npm").arg("install").args(quiet).current_dir(draft.path()))?;
            match std::fs::rename(draft.path(), &folder) {
                Err(fault) if !folder.exists() => return Err(text(fault)),
                // Or another one has moved its own there before.
                Ok(()) | Err(_) => {}
            }
        }
        Ok(folder)
    };
    INSTALLED.get_or_init(install).clone()
}

#[expect(clippy::disallowed_methods, reason = "a test's switch, and a test has no configuration to read it from")]
fn node_is_required() -> bool {
    std::env::var("SOTTO_REQUIRE_NODE").is_ok_and(|value| value == "1")
}

/// Runs a script of `tests/node` against a fresh network.
async fn script(name: &'static str) {
    let folder = match tokio::task::spawn_blocking(installed).await.unwrap() {
        Ok(folder) => folder,
        Err(why) if node_is_required() => panic!("Node is required: {why}"),
        Err(why) => return eprintln!("SKIPPED: {name} did not run, for want of Node or its packages: {why}"),
    };
    let net = Localnet::start(LocalnetConfig { slots: Slots::Every(SLOT), ..LocalnetConfig::default() }).await.unwrap();
    // Modules are looked up from where the script is, so it goes beside the packages.
    std::fs::copy(Path::new(SOURCES).join(name), folder.join(name)).unwrap();
    let url = net.rpc_url();
    let ran = tokio::task::spawn_blocking(move || run(Command::new("node").arg(name).arg(url).current_dir(folder)));
    let output = ran.await.unwrap().unwrap_or_else(|fault| panic!("{fault}"));
    println!("{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn web3_js_works_unchanged() {
    script("web3.mjs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn incos_published_client_encrypts_for_and_decrypts_with_the_stand_ins() {
    script("inco.mjs").await;
}
