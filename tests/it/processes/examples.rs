//! The programs of `examples/`, run as their first lines say.

use super::{Desk, Process, text};
use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// The binary of an example, which `cargo test` builds.
fn example(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_sotto")).with_file_name("examples").join(name);
    assert!(path.is_file(), "{} is not built: run `cargo build --examples` first", path.display());
    path
}

/// A running merchant, killed when dropped.
struct Merchant(Child);

impl Drop for Merchant {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Merchant {
    /// One that sells, and its origin.
    fn open(selling: &mut Command) -> (Self, String) {
        let mut merchant = Self(selling.stdout(Stdio::piped()).spawn().unwrap());
        let mut shop = String::new();
        BufReader::new(merchant.0.stdout.take().unwrap()).read_line(&mut shop).unwrap();
        (merchant, shop.trim().to_owned())
    }
}

/// `sotto dev` on free ports.
fn dev(desk: &Desk) -> Process {
    let free = ["--port", "0", "--merchant-port", "0", "--rpc-port", "0", "--covalidator-port", "0", "--slot-ms", "40"];
    desk.start(&[&["dev", "--json"], &free[..]].concat())
}

#[test]
fn the_merchant_of_mpp_sells_to_the_command_line() {
    let desk = Desk::new();
    let sandbox = dev(&desk);
    let told = |name| text(&sandbox.1, name);
    let (facilitator, mint, to) = (told("facilitator"), told("mppMint"), told("recipient"));
    let mut selling = Command::new(example("mpp_merchant"));
    // It remembers channels in a file of the temporary directory.
    let (merchant, shop) = Merchant::open(selling.args([&facilitator, &mint, &to, "0"]).env("TMPDIR", &desk.path));
    let (config, key) = (told("config"), told("payerKey"));
    let sotto = |args: &[&str]| {
        let who = ["--key", &key, "--mint", &mint, "--json"];
        desk.json(&[&["--config", &config, "mpp"], args, &who[..]].concat())
    };
    let weather = sotto(&["charge", &format!("{shop}/weather/Bern"), "--max-price", "0.01"]);
    assert_eq!(weather["body"], "It is sunny in Bern, for 10000 base units.");
    sotto(&["onboard", "--facilitator", &facilitator, "--limit", "5", "--deposit", "2"]);
    sotto(&["open", &to, "1"]);
    let part = |part: u8| {
        sotto(&["pay", &format!("{shop}/story/{part}"), "--max-price", "0.001"])["body"].as_str().unwrap().to_owned()
    };
    assert_eq!([part(0), part(1)].concat(), "Once upon a time an agent read ");
    let channel = text(&sotto(&["sessions"])["open"][0], "channel");
    let closed = sotto(&["close", &channel]);
    assert_eq!((&closed["settled"], &closed["vouchers"]), (&"0.002".into(), &2.into()), "{closed:#}");
    drop(merchant);
    sandbox.stop();
}

#[test]
fn the_examples_sell_and_pay() {
    let desk = Desk::new();
    let sandbox = dev(&desk);
    let told = |name| text(&sandbox.1, name);
    let mut selling = Command::new(example("merchant"));
    selling.args([&told("facilitator"), "solana:localnet", &told("mint"), &told("recipient"), "0"]);
    let (merchant, shop) = Merchant::open(&mut selling);

    let (config, facilitator, spender) = (told("config"), told("facilitator"), told("spender"));
    let (key, to) = (told("payerKey"), told("recipient"));
    let whom = ["--facilitator", &facilitator, "--facilitator-address", &spender, "--key", &key];
    let what = ["--recipient", &to, "--cap", "1", "--origin", &shop, "--out", "session.json", "--json"];
    desk.json(&[&["--config", &config, "session", "open"], &whom[..], &what[..]].concat());

    let run = |name: &str, args: &[&str]| {
        let output = Command::new(example(name)).args(args).current_dir(&desk.path).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let weather = format!("{shop}/weather/Bern");
    assert_eq!(run("payer", &["session.json", &weather]), "It is sunny in Bern, for 10000 base units.\n");
    let story = format!("{shop}/story/");
    assert_eq!(run("stream", &["session.json", &story, "3"]), "Once upon a time an agent read a story, \n");
    let show = ["--config", &config, "session", "show", "--session", "session.json", "--json"];
    assert_eq!(desk.json(&show)["captured"], "13000", "each part is a payment of its own");
    drop(merchant);
    sandbox.stop();
}
