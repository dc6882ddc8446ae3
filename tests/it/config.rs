//! What an operator may rely on: where values come from, that every fault is told, and that secrets are not.

mod deployed;

#[cfg(feature = "server")]
use sotto::{
    api::ApiSettings,
    domain::{chance::SeededChance, hold::Exposure},
    facilitator::{AllowanceSettings, DeferredPolicy, DispatchSettings, FundingSettings, ReadPolicy},
};
use sotto::{
    config::{
        self, CapCheckPolicy, Config, CorsOrigins, DEFAULTS, DecryptAllowance, Environment, Faults, Flags, Layers,
        NetworkConfig, NetworkName, ProgramsConfig, SettleInstruction, Warning,
    },
    domain::{key_pair::KeyPair, network::Network},
};
use std::path::Path;
#[cfg(feature = "server")]
use std::sync::Arc;
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
fn the_compiled_in_defaults_are_a_whole_devnet_configuration() {
    let (config, _) = load(&directory(), &[]);
    assert_eq!(config.network.name, NetworkName::Public(Network::devnet()));
    assert_eq!(config.network.rpc_urls[0].expose(), "https://api.devnet.solana.com/");
    assert_eq!(config.network.ws_urls[0].expose(), "wss://api.devnet.solana.com/");
    assert_eq!(config.programs.inco_token.to_string(), "9Cir3JKBcQ1mzasrQNKWMiGVZvYu3dxvfkGeQ6mohWWi");
    assert_eq!(config.programs.inco_lightning.to_string(), "5sjEbPiqgZrYwR31ahR6Uk9wf5awoX61YGg7jExQSwaj");
    assert_eq!(config.asset.mint.to_string(), "7crFMbJN7hxVhUPNcRRxTGr9nD3TnvpZ8pNZepA19wuB");
    assert_eq!(config.asset.decimals, 6);
    assert_eq!(config.covalidator.attestation_key.to_string(), "81owXEbskUpiLv3oNJN4cZxGr93U9MGH7Tt9AvYH2U4r");
    assert!(config.covalidator.encryption_key.starts_with("0486ca2bbf34"));
    assert_eq!(config.keys.spender.public(), spender(1));
    assert!(config.keys.fee_payers.is_empty());
    assert_eq!(config.budgets.limits.0.len(), 8, "every budget but the session's is set");
    assert_eq!(config.limits.max_per_call.get(), 1_000_000);
    assert_eq!(config.limits.max_grant_lamports, 2_000_000);
    assert_eq!(config.settlement.settle_instruction, SettleInstruction::TransferWithAuthorization);
    assert_eq!(config.settlement.decrypt_allowance, DecryptAllowance::Idle);
    assert_eq!(config.settlement.cap_check, CapCheckPolicy::BestEffort);
    assert_eq!(config.server.address.to_string(), "0.0.0.0:4021");
    assert_eq!(config.server.cors_origins, CorsOrigins::Any);
}

/// What an embedder gets without a configuration is what an operator gets: no default has two values.
#[cfg(feature = "server")]
#[test]
fn the_compiled_in_defaults_are_those_of_the_code() {
    let (config, _) = load(&directory(), &[]);
    let (dispatch, allowances, funding) = (&config.dispatch, &config.allowances, &config.funding);
    let configured = DispatchSettings {
        in_flight: dispatch.in_flight,
        per_payer: dispatch.in_flight_per_payer,
        per_merchant: dispatch.in_flight_per_merchant,
        gather: dispatch.gather,
        overtake_after: dispatch.overtake_after,
    };
    assert_eq!(configured, DispatchSettings::default());
    let configured = AllowanceSettings {
        idle_after: allowances.idle_after,
        min_interval: allowances.min_interval,
        max_age: allowances.max_age,
        request_interval: allowances.request_interval,
    };
    assert_eq!(configured, AllowanceSettings::default());
    let configured = FundingSettings {
        policy: funding.policy,
        max_age: funding.max_age_seconds,
        interval: funding.monitor,
        requests_per_round: funding.monitor_requests,
    };
    assert_eq!(configured, FundingSettings::default());
    let deferred = &config.deferred;
    let configured = DeferredPolicy {
        amount: deferred.amount,
        count: deferred.count,
        age_seconds: deferred.age_seconds,
        exposure: Exposure { per_session: deferred.session_exposure, per_merchant: deferred.merchant_exposure },
        give_up_returns: deferred.give_up_attempts,
        give_up_seconds: deferred.give_up_seconds,
        leave_within: deferred.leave_within,
    };
    assert_eq!(configured, DeferredPolicy::default());
    let server = &config.server;
    let configured = ReadPolicy {
        signed: server.signed_reads,
        streams: server.event_streams,
        streams_per_user: server.event_streams_per_user,
        streams_per_ip: server.event_streams_per_ip,
    };
    assert_eq!(configured, ReadPolicy::default());

    let (limits, edge) = (&config.limits, ApiSettings::new(Arc::new(SeededChance::new(1))));
    assert_eq!(
        (limits.body_bytes, limits.body_timeout, limits.concurrent_requests, limits.request_timeout),
        (edge.max_body, edge.body_deadline, edge.max_concurrent, edge.deadline)
    );
    assert!(edge.origins.is_none() && server.cors_origins == CorsOrigins::Any);
    // Limits per address are the operator's: what embeds the router may stand behind something that has its own.
    assert_eq!((edge.rates.requests, edge.rates.openings), (None, None));
}

#[test]
fn every_key_is_documented_in_the_default_file_and_nothing_else_is() {
    let mut section = String::new();
    let mut documented = Vec::new();
    let mut commented = false;
    for line in DEFAULTS.lines() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
        } else if let Some((name, _)) = bare.split_once(" = ").filter(|(name, _)| !name.contains([' ', '(', '"'])) {
            assert!(commented, "{section}.{name} has no comment above it");
            documented.push(format!("{section}.{name}"));
        }
        commented = line.starts_with("# ");
    }
    let keys: Vec<_> = config::keys().map(config::Key::path).collect();
    assert_eq!(documented, keys);
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
        ("SOTTO_NONSENSE", "1"),
    ];
    let told = faults(&layers(&directory, &variables));
    let mut keys = keys_of(&told);
    keys.sort_unstable();
    let mut expected = [
        "asset.mint",
        "keys.spender",
        "limits.body_bytes",
        "limits.max_per_call",
        "nonsense",
        "server.bind",
        "server.port",
        "server.prot",
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
    for words in ["12 faults", "did you mean server.port?", "environment TOKEN_MINT", "sotto.toml", "\"every\""] {
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

#[test]
fn an_empty_directory_name_does_not_matter() {
    let environment = Environment::of(Path::new(""), [("FACILITATOR_KEYPAIR", key_json(1).as_str())]);
    assert!(Layers::gather(environment, &set(&[("ledger.path", "sotto.db")])).config().is_ok());
}

#[test]
fn what_is_shipped_beside_the_binary_names_real_keys() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let known = |name: &str| config::keys().any(|key| key.path() == name || key.variable() == name);
    let sections: Vec<_> = config::keys().map(|key| key.section).collect();
    let mut named = 0;
    for file in ["deploy/Dockerfile", "deploy/compose.yaml", "deploy/sotto.service", "deploy/RUNBOOK.md"] {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        for word in text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')) {
            let word = word.trim_matches('.');
            let is_key = word.split_once('.').is_some_and(|(section, _)| sections.contains(&section));
            if is_key || (word.starts_with("SOTTO_") && word.contains("__")) {
                assert!(known(word), "{file} names {word}");
                named += 1;
            }
        }
    }
    assert!(named > 10, "only {named} names found");
}

#[test]
fn every_decision_is_in_the_index() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/adr");
    let index = std::fs::read_to_string(directory.join("README.md")).unwrap();
    for entry in std::fs::read_dir(&directory).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "README.md" || index.contains(&format!("({name})")), "{name} is not in the index");
    }
}
