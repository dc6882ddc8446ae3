//! CR-15. A configuration that names devnet is rehearsed on a local network that answers to its names.

use super::{
    directory, http_get,
    service::{Starting, network_with},
    sotto, stderr, stdout,
};

#[test]
fn a_network_that_is_called_devnet_serves_a_configuration_that_names_it() {
    let (_outer, here) = directory();
    let network = network_with(&here, &["--as-devnet", "--state", "net.json"]);
    assert_eq!(network.1["network.name"], "solana:devnet");
    assert!(network.1["network.genesis_hash"].is_null() && network.1["network.spellings"].is_null());
    let mut service = Starting::of(&mut std::process::Command::new(env!("CARGO_BIN_EXE_sotto")), &here);
    let announced = service.announcement();
    assert_eq!(announced["network"], "solana:devnet");
    let base = format!("http://{}", announced["address"].as_str().expect("an address"));
    let kinds = http_get(&format!("{base}/supported"))["kinds"].clone();
    let named = |version: u64, network: &str| {
        let mut kinds = kinds.as_array().expect("a list").iter();
        kinds.any(|kind| kind["x402Version"] == version && kind["network"] == network)
    };
    assert!(named(2, "solana:devnet") && named(1, "solana-devnet"), "{kinds:#}");
    assert_eq!(service.stop(), Some(0));
    assert_eq!(network.stop(), Some(0));
}

#[test]
fn a_network_keeps_the_name_that_it_began_with() {
    let (_outer, here) = directory();
    let own = network_with(&here, &["--state", "net.json"]);
    assert_eq!(own.1["network.spellings"], "solana:devnet,solana-devnet,devnet");
    assert_eq!(own.stop(), Some(0));
    let free = ["localnet", "--port", "0", "--covalidator-port", "0", "--state", "net.json", "--json"];
    let refused = sotto(&here, &[&free[..], &["--as-devnet"]].concat());
    assert_eq!(refused.status.code(), Some(1), "{}", stdout(&refused));
    assert!(stderr(&refused).contains("began without devnet's name"), "{}", stderr(&refused));
}
