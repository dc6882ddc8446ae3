//! The Machine Payments Protocol: nothing of it is served by chance, and what is served is told whole.

use super::{directory, faults, gather, key_json, keys_of, layers, load, set, work, write};
use sotto::domain::mpp::{
    caps::Caps,
    charge::DEFAULT_MIN_AMOUNT,
    choices::{Backend, Emergency, OpenAuth, StatsShown},
};
use tempfile::TempDir;

/// Somebody else's address.
const OTHER: &str = "Bow1CGKGDB9mNxeWdw85E2aCthQ1oZX4oFEe7fYT17ew";
const MINT: &str = "4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU";

/// A configuration that serves it.
fn served() -> TempDir {
    let directory = directory();
    write(&directory, ".keys/fees.json", &key_json(2));
    write(&directory, ".keys/mpp.root", &format!("{}\n", "5a".repeat(32)));
    let toml = format!(
        "[keys]\nfee_payer = [\"file:.keys/fees.json\"]\n[mpp]\nenabled = true\nmint = \"{MINT}\"\nroot = \"file:.keys/mpp.root\"\n"
    );
    write(&directory, "sotto.toml", &toml);
    for key in [".keys/mpp.root", ".keys/fees.json"] {
        only_ours(&directory, key);
    }
    directory
}

#[cfg(unix)]
fn only_ours(directory: &TempDir, name: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(work(directory).join(name), mode).expect("a mode");
}

#[test]
fn it_is_off_unless_it_is_switched_on() {
    assert!(load(&directory(), &[]).0.mpp.is_none());
    let off = load(&served(), &[("SOTTO_MPP__ENABLED", "false")]);
    assert!(off.0.mpp.is_none(), "and what else is set stays unused");
}

#[test]
fn its_defaults_are_the_published_ones() {
    let (config, _) = load(&served(), &[]);
    let mpp = config.mpp.expect("is served");
    assert_eq!((mpp.mint.to_string(), mpp.caps), (MINT.to_owned(), Caps::DEFAULT));
    assert_eq!((mpp.min_amount.get(), mpp.stats), (DEFAULT_MIN_AMOUNT, StatsShown::Totals));
    assert_eq!((mpp.delegations.backend, mpp.channels.open_auth), (Backend::SplDelegate, OpenAuth::Window));
    assert_eq!((mpp.channels.emergency, mpp.channels.credit_line.get()), (Emergency::Reserve, 0));
    assert!(mpp.further_mints.is_empty() && mpp.roots.previous.is_empty() && mpp.known_wallets.is_empty());
    assert_eq!(format!("{:?}", mpp.roots.current), "Root(redacted)");
}

#[test]
fn what_it_needs_is_asked_for_together() {
    let on = faults(&layers(&directory(), &[("SOTTO_MPP__ENABLED", "true")]));
    assert_eq!(keys_of(&on), ["mpp.mint", "mpp.root"], "{on}");
}

/// Guard: `check_fee_payers`.
#[test]
fn the_spender_alone_pays_for_no_charge() {
    let served = served();
    let alone = faults(&layers(&served, &[("SOTTO_KEYS__FEE_PAYER", "file:.keys/facilitator.json")]));
    assert_eq!(keys_of(&alone), ["mpp.enabled"], "{alone}");
    assert!(alone.to_string().contains("keys.fee_payer"), "{alone}");
}

/// Guard: `roots::fetch`.
#[cfg(unix)]
#[test]
fn a_root_that_others_may_read_is_refused_and_never_quoted() {
    use std::os::unix::fs::PermissionsExt as _;
    let served = served();
    let open = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(work(&served).join(".keys/mpp.root"), open).expect("a mode");
    let told = faults(&layers(&served, &[]));
    assert_eq!(keys_of(&told), ["mpp.root"]);
    assert!(told.to_string().contains("chmod 600"), "{told}");
    for (value, secret) in [("5a".repeat(31), "5a5a"), ("not hex at all".to_owned(), "not hex")] {
        let told = faults(&layers(&served, &[("SOTTO_MPP__ROOT", "env:ROOT_TEXT"), ("ROOT_TEXT", &value)]));
        assert_eq!(keys_of(&told), ["mpp.root"]);
        assert!(told.to_string().contains("64 hex digits") && !told.to_string().contains(secret), "{told}");
    }
    let hex = "5b".repeat(32);
    assert!(load(&served, &[("SOTTO_MPP__ROOT", "env:ROOT_TEXT"), ("ROOT_TEXT", &hex)]).0.mpp.is_some());
}

#[test]
fn strangers_are_bounded_on_a_local_network_only_if_the_operator_says_so() {
    let served = served();
    let (defaults, _) = load(&directory(), &[]);
    let encryption_key = defaults.covalidator.encryption_key;
    let local = [
        ("network.name", "solana:localnet"),
        ("network.rpc_urls", "http://127.0.0.1:8899"),
        ("programs.inco_token", MINT),
        ("programs.inco_lightning", OTHER),
        ("asset.mint", MINT),
        ("covalidator.endpoint", "http://127.0.0.1:9"),
        ("covalidator.attestation_key", MINT),
        ("covalidator.encryption_key", &encryption_key),
    ];
    let lamports = |more: &[(&str, &str)]| {
        let flags = set(&[&local[..], more].concat());
        let (config, _) = gather(&served, &[], &flags).config().expect("a configuration");
        config.mpp.expect("is served").caps.stranger_day_lamports
    };
    assert_eq!(lamports(&[]), 0);
    assert_eq!(lamports(&[("mpp.stranger_day_lamports", "7")]), 7);
}

#[test]
fn on_mainnet_the_back_end_is_chosen() {
    let served = served();
    let mainnet = |backend: Option<&str>| {
        let mut set_keys = vec![
            ("network.name", "solana:mainnet"),
            ("network.rpc_urls", "https://rpc.example"),
            ("programs.inco_token", MINT),
            ("programs.inco_lightning", OTHER),
            ("asset.mint", MINT),
            ("covalidator.endpoint", "https://covalidator.example"),
            ("covalidator.attestation_key", MINT),
        ];
        set_keys.extend(backend.map(|backend| ("mpp.backend", backend)));
        gather(&served, &[], &set(&set_keys)).config()
    };
    let told = mainnet(None).expect_err("a fault");
    assert!(keys_of(&told).contains(&"mpp.backend"), "{told}");
    let chosen = mainnet(Some("spl-delegate"));
    assert!(!chosen.as_ref().err().is_some_and(|told| keys_of(told).contains(&"mpp.backend")), "{chosen:?}");
}

#[test]
fn values_that_cannot_be_meant_are_told() {
    let served = served();
    for (key, value) in [
        ("mpp.stats", "everything"),
        ("mpp.min_amount", "0"),
        ("mpp.payer_concurrency", "-1"),
        ("mpp.known_wallets", "x"),
        ("mpp.public_hosts", "https://pay.example.com/"),
        ("mpp.max_deposit", "1"),
        ("mpp.open_auth", "maybe"),
    ] {
        let told = gather(&served, &[], &set(&[(key, value)])).config().expect_err("a fault");
        assert_eq!(keys_of(&told), [key], "{told}");
    }
}
