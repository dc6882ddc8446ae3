//! What an operator may rely on: where values come from, that every fault is told, and that secrets are not.

mod defaults;
mod deployed;
mod faulty;
mod mpp;

use sotto::{
    config::{CapCheckPolicy, Config, Environment, Faults, Flags, Layers, Warning},
    domain::key_pair::KeyPair,
};
use std::path::Path;
use tempfile::TempDir;

/// A directory for one test, with a spender's key in the deployed service's place.
fn directory() -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    // Its own `work`, so that `..` is ours as well.
    std::fs::create_dir_all(directory.path().join("work/.keys")).expect("a directory");
    write(&directory, ".keys/facilitator.json", &key_json(1));
    directory
}

fn work(directory: &TempDir) -> std::path::PathBuf {
    directory.path().join("work")
}

fn write(directory: &TempDir, name: &str, content: &str) {
    std::fs::write(work(directory).join(name), content).expect("a file");
}

fn key_json(seed: u8) -> String {
    serde_json::to_string(&KeyPair::from_secret(&[seed; 32]).expose().to_vec()).expect("numbers")
}

fn spender(seed: u8) -> solana_pubkey::Pubkey {
    KeyPair::from_secret(&[seed; 32]).public()
}

fn layers(directory: &TempDir, variables: &[(&str, &str)]) -> Layers {
    gather(directory, variables, &Flags::default())
}

fn gather(directory: &TempDir, variables: &[(&str, &str)], flags: &Flags) -> Layers {
    Layers::gather(Environment::of(&work(directory), variables.iter().copied()), flags)
}

fn load(directory: &TempDir, variables: &[(&str, &str)]) -> (Config, Vec<Warning>) {
    layers(directory, variables).config().expect("a valid configuration")
}

fn faults(layers: &Layers) -> Faults {
    layers.config().expect_err("faults")
}

fn keys_of(faults: &Faults) -> Vec<&str> {
    faults.0.iter().map(|fault| fault.key.as_str()).collect()
}

fn set(pairs: &[(&str, &str)]) -> Flags {
    let own = |&(key, value): &(&str, &str)| ("--set".to_owned(), key.to_owned(), value.to_owned());
    Flags { file: None, values: pairs.iter().map(own).collect() }
}

#[test]
fn later_layers_win_key_by_key_and_each_value_tells_its_origin() {
    let directory = directory();
    write(&directory, "sotto.toml", "[server]\nport = 1\nbind = \"127.0.0.1\"\n[limits]\nbody_bytes = 5000\n");
    write(&directory, ".env", "SOTTO_SERVER__PORT=2\nSOTTO_LIMITS__BODY_BYTES=6000\nSOTTO_ASSET__DECIMALS=2\n");
    let variables = [("SOTTO_LIMITS__BODY_BYTES", "7000"), ("SOTTO_SETTLEMENT__CAP_CHECK", "off")];
    let layers = gather(&directory, &variables, &set(&[("settlement.cap_check", "required")]));
    let (config, _) = layers.config().unwrap();
    assert_eq!(config.server.address.to_string(), "127.0.0.1:2", "the file's bind, the .env's port");
    assert_eq!(config.limits.body_bytes, 7000, "the environment wins over .env");
    assert_eq!(config.settlement.cap_check, CapCheckPolicy::Required, "flags win");
    assert_eq!(config.limits.max_per_call.get(), 100, "amounts follow the asset's decimals");
    let rows = layers.rows();
    let origin = |key: &str| rows.iter().find(|row| row.key == key).and_then(|row| row.origin.clone()).unwrap();
    assert_eq!(origin("server.bind"), format!("file {}", work(&directory).join("sotto.toml").display()));
    assert_eq!(origin("server.port"), format!("SOTTO_SERVER__PORT in {}", work(&directory).join(".env").display()));
    assert_eq!(origin("limits.body_bytes"), "environment SOTTO_LIMITS__BODY_BYTES");
    assert_eq!(origin("settlement.cap_check"), "flag --set");
    assert_eq!(origin("asset.mint"), "defaults");
}

/// Each layer of its own: where one names a section twice, its present name wins.
#[test]
fn a_section_by_its_former_name_is_read_with_a_warning_and_yields_to_its_present_one() {
    let directory = directory();
    write(&directory, "sotto.toml", "[lanes]\nin_flight = 7\ngather_ms = 8\n[dispatch]\nin_flight = 9\n");
    let (config, warnings) = load(&directory, &[]);
    assert_eq!((config.dispatch.in_flight, config.dispatch.gather.as_millis()), (9, 8));
    let told: Vec<_> = warnings.iter().filter(|warning| warning.key == "lanes").collect();
    assert!(told.len() == 1 && told[0].text.contains("[dispatch]"), "{warnings:?}");
    let variables =
        [("SOTTO_LANES__IN_FLIGHT", "11"), ("SOTTO_DISPATCH__IN_FLIGHT", "12"), ("SOTTO_LANES__GATHER_MS", "13")];
    let (config, _) = load(&directory, &variables);
    assert_eq!((config.dispatch.in_flight, config.dispatch.gather.as_millis()), (12, 13));
}

#[test]
fn a_named_file_is_read_in_place_of_the_usual_one() {
    let directory = directory();
    write(&directory, "sotto.toml", "[server]\nport = 1\n");
    write(&directory, "a.toml", "[server]\nport = 2\n");
    write(&directory, "b.toml", "[server]\nport = 3\n");
    assert_eq!(load(&directory, &[("SOTTO_CONFIG", "a.toml")]).0.server.address.port(), 2);
    let flags = Flags { file: Some("b.toml".into()), values: Vec::new() };
    let layers = gather(&directory, &[("SOTTO_CONFIG", "a.toml")], &flags);
    assert_eq!(layers.config().unwrap().0.server.address.port(), 3);
    let missing = faults(&self::layers(&directory, &[("SOTTO_CONFIG", "none.toml")]));
    assert!(missing.to_string().contains("none.toml"), "{missing}");
}

#[test]
fn an_empty_directory_name_does_not_matter() {
    let environment = Environment::of(Path::new(""), [("FACILITATOR_KEYPAIR", key_json(1).as_str())]);
    assert!(Layers::gather(environment, &set(&[("ledger.path", "sotto.db")])).config().is_ok());
}
