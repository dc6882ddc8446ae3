//! Configurations that are refused or warned of.

use super::{directory, faults, gather, key_json, keys_of, layers, load, set, spender, work, write};
use sotto::{
    config::{self, DEFAULTS, NetworkConfig, NetworkName, ProgramsConfig},
    domain::{network::Network, signed_receipt::ReceiptKey},
};

#[test]
fn all_faults_are_told_at_once_each_with_key_source_and_remedy() {
    let directory = directory();
    write(
        &directory,
        "sotto.toml",
        "[server]\nprot = 1\nport = 70000\nbind = \"everywhere\"\n[weather]\nsun = 1\n\
         [limits]\nmax_per_call = \"a lot\"\nbody_bytes = \"big\"\n[settlement]\ndecrypt_allowance = \"often\"\n",
    );
    let variables = [
        ("TOKEN_MINT", "not-a-key"),
        ("SOTTO_SETTLEMENT__CAP_CHECK", "maybe"),
        ("SOTTO_SETTLEMENT__CREATE_RECIPIENT", "perhaps"),
        ("SOTTO_KEYS__SPENDER", "file:nowhere.json"),
        ("SOTTO_NON__SENSE", "1"),
        ("SOTTO_SERVER_PORT", "4021"),
    ];
    let told = faults(&layers(&directory, &variables));
    let mut keys = keys_of(&told);
    keys.sort_unstable();
    let mut expected = [
        "asset.mint",
        "keys.spender",
        "limits.body_bytes",
        "limits.max_per_call",
        "non.sense",
        "server.bind",
        "server.port",
        "server.prot",
        "server_port",
        "settlement.cap_check",
        "settlement.create_recipient",
        "settlement.decrypt_allowance",
        "weather.sun",
    ];
    expected.sort_unstable();
    assert_eq!(keys, expected, "{told}");
    for fault in &told.0 {
        assert!(fault.origin.is_some() && !fault.problem.is_empty() && !fault.remedy.is_empty(), "{fault:?}");
    }
    let text = told.to_string();
    for words in ["13 faults", "did you mean server.port?", "environment TOKEN_MINT", "sotto.toml", "\"every\""] {
        assert!(text.contains(words), "{words} in {text}");
    }
}

#[test]
fn another_network_needs_its_own_addresses() {
    let directory = directory();
    let told = faults(&layers(&directory, &[("NETWORK", "solana:mainnet")]));
    let expected = [
        "network.rpc_urls",
        "programs.inco_token",
        "programs.inco_lightning",
        "asset.mint",
        "covalidator.endpoint",
        "covalidator.attestation_key",
        "covalidator.encryption_key",
    ];
    assert_eq!(keys_of(&told), expected, "{told}");
    assert!(told.to_string().contains("SOTTO_ASSET__MINT or TOKEN_MINT"), "{told}");
    // What is set, even to the devnet's own address, is the operator's word.
    let set = [
        ("NETWORK", "solana:localnet"),
        ("SOLANA_RPC_URL", "http://127.0.0.1:8899"),
        ("INCO_TOKEN_PROGRAM_ID", "9Cir3JKBcQ1mzasrQNKWMiGVZvYu3dxvfkGeQ6mohWWi"),
        ("INCO_LIGHTNING_PROGRAM_ID", "5sjEbPiqgZrYwR31ahR6Uk9wf5awoX61YGg7jExQSwaj"),
    ];
    let layers = layers(&directory, &set);
    assert_eq!(keys_of(&faults(&layers)), &expected[3..]);
    // A command that needs only these two sections runs.
    let read = |reader: &mut config::Reader<'_>| {
        let network = NetworkConfig::read(reader);
        let programs = ProgramsConfig::read(reader);
        Some((network?, programs?))
    };
    let ((network, _), warnings) = layers.extract(read).unwrap();
    assert_eq!(network.ws_urls[0].expose(), "ws://127.0.0.1:8900/");
    assert!(warnings.is_empty(), "{warnings:?}");
}

/// Guard: `read_voices`. Which endpoints share a provider is the operator's word; a slip must not count one provider twice.
#[test]
fn providers_are_named_in_the_order_of_their_endpoints() {
    let directory = directory();
    let urls = ("SOTTO_NETWORK__RPC_URLS", "https://eu.a.example,https://us.a.example");
    let voices = |names: &'static str| [urls, ("SOTTO_NETWORK__VOICES", names)];
    let (config, _) = load(&directory, &voices("a,a"));
    assert_eq!(config.network.voices, ["a", "a"]);
    assert_eq!(load(&directory, &voices("a")).0.network.voices, ["a"], "the others go by their hosts");
    assert!(load(&directory, &[urls]).0.network.voices.is_empty());
    let long = "a".repeat(61).leak();
    for wrong in ["a,a,a", long] {
        let told = faults(&layers(&directory, &voices(wrong)));
        assert_eq!(keys_of(&told), ["network.voices"], "{told}");
        assert!(!told.to_string().contains("aaa"), "it may be a URL with a key: {told}");
    }
}

/// Guard: `read_listed`. A slip in one of them must not create accounts for nobody, or leave the others out.
#[test]
fn a_listed_recipient_is_a_public_key() {
    let directory = directory();
    let lists = |text: &str| faults(&layers(&directory, &[("SOTTO_SETTLEMENT__RECIPIENTS", text)]));
    let told = lists("9Cir3JKBcQ1mzasrQNKWMiGVZvYu3dxvfkGeQ6mohWWi,somebody");
    assert_eq!(keys_of(&told), ["settlement.recipients"]);
    assert!(told.to_string().contains("somebody"), "{told}");
    let both = "9Cir3JKBcQ1mzasrQNKWMiGVZvYu3dxvfkGeQ6mohWWi,5sjEbPiqgZrYwR31ahR6Uk9wf5awoX61YGg7jExQSwaj";
    let (config, _) = load(&directory, &[("SOTTO_SETTLEMENT__RECIPIENTS", both)]);
    assert_eq!(config.settlement.recipients.listed.len(), 2);
}

/// Guard: `read_receipt` and `read_retired`: what signs receipts signs nothing else, and a slip retires no key.
/// CR-1. Guard: `warn_of_doubles`.
#[test]
fn a_pool_in_which_published_clients_cannot_open_is_told() {
    let directory = directory();
    write(&directory, ".keys/fee-payer.json", &key_json(2));
    let told = |pool: &str| -> Vec<String> {
        let variables = [("SOTTO_KEYS__FEE_PAYER", pool)];
        let (_, warnings) = load(&directory, &variables[..usize::from(!pool.is_empty())]);
        warnings.into_iter().filter(|warning| warning.key == "keys.fee_payer").map(|warning| warning.text).collect()
    };
    let (spender, other) = ("file:.keys/facilitator.json", "file:.keys/fee-payer.json");
    for pool in [other.to_owned(), format!("{other},{spender}")] {
        let told = told(&pool);
        assert!(told.iter().any(|text| text.contains("cannot open sessions here")), "{pool}: {told:?}");
    }
    let first = told(&format!("{spender},{other}"));
    assert!(!first.iter().any(|text| text.contains("published clients")), "{first:?}");
    assert!(first.iter().any(|text| text.contains("the spender is a fee payer too")), "{first:?}");
    assert_eq!(told(""), [""; 0], "the spender pays its own fees by default");
}

#[test]
fn a_receipt_key_is_a_key_of_its_own() {
    let directory = directory();
    write(&directory, ".keys/fee-payer.json", &key_json(2));
    write(&directory, ".keys/receipts.json", &key_json(3));
    let with = |receipt: &'static str| {
        [("SOTTO_KEYS__FEE_PAYER", "file:.keys/fee-payer.json"), ("SOTTO_KEYS__RECEIPT", receipt)]
    };
    for file in ["file:.keys/facilitator.json", "file:.keys/fee-payer.json", "file:.keys/nowhere.json", "secret"] {
        let told = faults(&layers(&directory, &with(file)));
        assert_eq!(keys_of(&told), ["keys.receipt"], "{told}");
    }
    let (config, _) = load(&directory, &with("file:.keys/receipts.json"));
    assert_eq!(config.keys.receipt.map(|pair| pair.public()), Some(spender(3)));
    assert!(load(&directory, &[]).0.keys.receipt.is_none());

    let retire = |texts: &str| {
        let [fee_payer, receipt] = with("file:.keys/receipts.json");
        layers(&directory, &[fee_payer, receipt, ("SOTTO_KEYS__RETIRED_RECEIPTS", texts)])
    };
    let retired = spender(4);
    let texts =
        [format!("{retired}"), format!("{retired}@soon"), "7@1790000000".to_owned(), format!("{}@9", spender(3))];
    for text in texts.iter().chain([&format!("{}@9", spender(1))]) {
        let told = faults(&retire(text));
        assert_eq!(keys_of(&told), ["keys.retired_receipts"], "{told}");
    }
    let (config, _) = retire(&format!("{retired}@1790000000")).config().unwrap();
    assert_eq!(config.keys.retired_receipts, [ReceiptKey { key: retired, until: Some(1_790_000_000) }]);
}

#[test]
fn a_network_is_what_its_genesis_hash_says() {
    let devnet = NetworkName::Public(Network::devnet());
    assert_eq!(devnet.resolve("EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG"), Ok(Network::devnet()));
    let wrong = devnet.resolve("5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d").unwrap_err();
    assert!(wrong.to_string().contains("solana:devnet"), "{wrong}");
    let directory = directory();
    let hash = "9sHcv6xwn9YkB8nxTUGKDwPwNnmqVp5oAXxU8Fdkm4J6";
    let flags =
        [("network.name", "solana:localnet"), ("network.genesis_hash", hash), ("network.rpc_urls", "http://[::1]:1")];
    let mut flags = set(&flags);
    flags.values.push(("--set".into(), "network.spellings".into(), "solana:devnet, solana:test".into()));
    let (network, _) = gather(&directory, &[], &flags).extract(NetworkConfig::read).unwrap();
    let resolved = network.name.resolve(hash).unwrap();
    assert!(resolved.is("solana:devnet") && resolved.is("solana:test") && resolved.is("solana:localnet"));
    assert!(network.name.resolve("EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG").is_err());
}

#[test]
fn secrets_are_in_no_output() {
    let directory = directory();
    let inline = key_json(3);
    let url = ("SOLANA_RPC_URL", "https://rpc.example.org/v2/s3cret?api-key=hunter2");
    let layers = self::layers(&directory, &[("FACILITATOR_KEYPAIR", &inline), url]);
    let (config, warnings) = layers.config().unwrap();
    let rows = layers.rows();
    let json = serde_json::to_string(&rows).unwrap();
    let everything = format!("{layers:?} {config:?} {warnings:?} {rows:?} {json}");
    for secret in ["hunter2", "s3cret", "3,3,3", "3, 3, 3"] {
        assert!(!everything.contains(secret), "{secret}");
    }
    assert!(json.contains("env:FACILITATOR_KEYPAIR") && json.contains("https://rpc.example.org/..."), "{json}");

    // A key pasted where a reference belongs is refused, and neither the fault nor the table repeats it.
    write(&directory, "sotto.toml", "[keys]\nspender = \"hunter2\"\n[network]\nrpc_urls = \"hunter2\"\n");
    let layers = self::layers(&directory, &[]);
    let told = faults(&layers).to_string();
    assert!(told.contains("keys.spender") && told.contains("network.rpc_urls"), "{told}");
    let table = serde_json::to_string(&layers.rows()).unwrap();
    assert!(!told.contains("hunter2") && !table.contains("hunter2"), "{told} {table}");

    // Nor does a file that is not TOML.
    write(&directory, "sotto.toml", "[keys]\nspender = hunter2 hunter2\n");
    let told = faults(&self::layers(&directory, &[])).to_string();
    assert!(told.contains("line 2") && !told.contains("hunter2"), "{told}");
}

#[test]
#[cfg(unix)]
fn a_key_file_that_others_can_read_is_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = directory();
    let path = work(&directory).join(".keys/facilitator.json");
    let told = |mode: u32| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        load(&directory, &[]).1.iter().any(|warning| warning.key == "keys.spender")
    };
    assert!(told(0o644));
    assert!(!told(0o600));
}

#[test]
fn r29_a_ledger_that_a_redeploy_loses_is_refused_or_told() {
    let directory = directory();
    for nowhere in [":memory:", "file::memory:?cache=shared", "no/such/directory/sotto.db", "."] {
        let told = faults(&layers(&directory, &[("DB_PATH", nowhere)]));
        assert_eq!(keys_of(&told), ["ledger.path"], "{nowhere}");
    }
    let (_, warnings) = load(&directory, &[("DB_PATH", "/tmp/sotto.db")]);
    assert!(warnings.iter().any(|warning| warning.key == "ledger.path"), "{warnings:?}");
    assert!(DEFAULTS.contains("Not on an ephemeral disk"));
}

#[test]
fn a_request_must_outlive_the_answer_it_waits_for() {
    let variables =
        [("SOTTO_LIMITS__REQUEST_TIMEOUT_SECONDS", "30"), ("SOTTO_SETTLEMENT__ANSWER_DEADLINE_SECONDS", "30")];
    let told = faults(&layers(&directory(), &variables));
    assert_eq!(keys_of(&told), ["settlement.answer_deadline_seconds"], "{told}");
}

#[test]
fn hostile_values_are_faults_and_never_panics() {
    let directory = directory();
    let long = "9".repeat(10_000);
    for key in config::keys() {
        for text in ["", " ", "-1", "0x10", "1e9", "NaN", "\u{feff}", "💸", "a,b", "[]", "..", "file:", long.as_str()]
        {
            let layers = gather(&directory, &[], &set(&[(&key.path(), text)]));
            // Some are valid (a path may be almost anything); what counts is that each ends in one of the two ways.
            match layers.config() {
                Ok(_) => {}
                Err(told) => assert!(told.0.iter().all(|fault| !fault.remedy.is_empty())),
            }
        }
    }
}

/// Guards: the checks of `[revokes]`. Places that strangers may fill are none for wallets with credit.
#[test]
fn limits_of_revokes_that_contradict_each_other_are_refused() {
    let directory = directory();
    for (variable, value, key) in [
        ("SOTTO_REVOKES__CONCURRENT", "2", "revokes.concurrent_of_newcomers"),
        ("SOTTO_REVOKES__PER_USER_PER_DAY", "4", "revokes.recorded_per_user_per_day"),
        ("SOTTO_REVOKES__NEWCOMERS_PER_HOUR", "-1", "revokes.newcomers_per_hour"),
    ] {
        assert_eq!(keys_of(&faults(&layers(&directory, &[(variable, value)]))), [key]);
    }
    let none = [("SOTTO_REVOKES__PER_USER_PER_DAY", "0"), ("SOTTO_REVOKES__CONCURRENT_OF_NEWCOMERS", "0")];
    let (config, _) = load(&directory, &none);
    assert_eq!((config.revokes.limits.of_user_per_day, config.revokes.limits.of_newcomers_in_flight), (0, 0));
}
