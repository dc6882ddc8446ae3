//! An operator swaps the deployed service's binary for ours and nothing else.

use super::*;
use sotto::{config::NetworkName, domain::network::Network};

#[test]
fn each_variable_of_the_deployed_service_keeps_its_meaning() {
    let directory = directory();
    write(&directory, "other.json", &key_json(2));
    let mint = spender(9).to_string();
    let token = spender(8).to_string();
    let lightning = spender(7).to_string();
    let variables = [
        ("FACILITATOR_KEYPAIR_PATH", "other.json"),
        ("TOKEN_MINT", mint.as_str()),
        ("SOLANA_RPC_URL", "https://rpc.example.org/?a=1,2"),
        ("FACILITATOR_PORT", "5000"),
        ("NETWORK", "solana-devnet"),
        ("INCO_TOKEN_PROGRAM_ID", token.as_str()),
        ("INCO_LIGHTNING_PROGRAM_ID", lightning.as_str()),
        ("ASSET_DECIMALS", "2"),
        ("MAX_PER_CALL", "0.50"),
        ("DB_PATH", "./money.db"),
    ];
    let (config, _) = load(&directory, &variables);
    assert_eq!(config.keys.spender.public(), spender(2));
    assert_eq!(config.asset.mint.to_string(), mint);
    assert_eq!(config.network.rpc_urls.len(), 1, "one URL, commas and all");
    assert_eq!(config.network.rpc_urls[0].expose(), "https://rpc.example.org/?a=1,2");
    assert_eq!(config.server.address.to_string(), "0.0.0.0:5000");
    assert_eq!(config.network.name, NetworkName::Public(Network::devnet()));
    assert_eq!(config.programs.inco_token.to_string(), token);
    assert_eq!(config.programs.inco_lightning.to_string(), lightning);
    assert_eq!(config.limits.max_per_call.get(), 50);
    assert_eq!(config.ledger.path, work(&directory).join("./money.db"));

    let both = [("PORT", "6000"), ("FACILITATOR_PORT", "5000")];
    assert_eq!(load(&directory, &both).0.server.address.port(), 6000, "PORT first");
    assert_eq!(load(&directory, &[("PORT", ""), ("TOKEN_MINT", "")]).0.server.address.port(), 4021, "empty is not set");
    let own = [("PORT", "6000"), ("SOTTO_SERVER__PORT", "7000")];
    let (config, warnings) = load(&directory, &own);
    assert_eq!(config.server.address.port(), 7000, "our own spelling is the more explicit one");
    assert!(warnings.iter().any(|warning| warning.key == "PORT"), "{warnings:?}");
}

#[test]
fn the_key_is_looked_up_as_the_deployed_service_does() {
    let directory = directory();
    write(&directory, "other.json", &key_json(2));
    let inline = key_json(3);
    let base64 = base64(KeyPair::from_secret(&[4; 32]).expose());
    let path = ("FACILITATOR_KEYPAIR_PATH", "other.json");
    let key = |variables: &[(&str, &str)]| load(&directory, variables).0.keys.spender.public();
    assert_eq!(key(&[]), spender(1), ".keys/facilitator.json");
    assert_eq!(key(&[path]), spender(2));
    assert_eq!(key(&[path, ("FACILITATOR_KEYPAIR", &inline)]), spender(3), "the key itself comes first");
    assert_eq!(key(&[path, ("FACILITATOR_KEYPAIR", &base64)]), spender(4));
    // From the parent directory, where a repository's root keeps it.
    std::fs::remove_file(work(&directory).join(".keys/facilitator.json")).unwrap();
    std::fs::create_dir_all(directory.path().join(".keys")).unwrap();
    std::fs::write(directory.path().join(".keys/facilitator.json"), key_json(5)).unwrap();
    assert_eq!(key(&[]), spender(5));
    std::fs::remove_file(directory.path().join(".keys/facilitator.json")).unwrap();
    let told = faults(&layers(&directory, &[]));
    assert_eq!(keys_of(&told), ["keys.spender"]);
    assert!(told.to_string().contains("FACILITATOR_KEYPAIR_PATH"), "{told}");
}

#[test]
fn dotenv_files_count_as_they_did_for_the_deployed_service() {
    let directory = directory();
    std::fs::write(directory.path().join(".env"), "PORT=1\nDB_PATH=parent.db\nASSET_DECIMALS=1\n").unwrap();
    write(&directory, ".env", "PORT=2\n# a comment\nDB_PATH='here.db'\n");
    let (config, warnings) = load(&directory, &[("PORT", "3"), ("ASSET_DECIMALS", "4")]);
    assert_eq!(config.server.address.port(), 2, "./.env wins over the process there");
    assert_eq!(config.ledger.path, work(&directory).join("here.db"), "./.env wins over ../.env");
    assert_eq!(config.asset.decimals, 4, "../.env only fills gaps");
    assert!(warnings.iter().any(|w| w.key == "PORT" && w.text.contains("overrides")), "{warnings:?}");
    write(&directory, ".env", "FACILITATOR_KEYPAIR hunter2\n");
    let told = faults(&layers(&directory, &[])).to_string();
    assert!(told.contains(".env") && !told.contains("hunter2"), "{told}");
}

/// FR-6. A value is what stands there, as the deployed service read it.
#[test]
fn a_dollar_in_a_dotenv_file_stands_for_itself() {
    let directory = directory();
    write(&directory, ".env", "DB_PATH=./a$prod.db\n");
    assert_eq!(load(&directory, &[]).0.ledger.path, work(&directory).join("a$prod.db"));
    write(&directory, ".env", "DB_PATH=\"./${HOME}.db\"\n");
    assert_eq!(load(&directory, &[("HOME", "root")]).0.ledger.path, work(&directory).join("${HOME}.db"));
}

/// FR-7. What others write into such a file is no fault of ours, and takes nothing of ours with it; a line of ours that
/// cannot be read is told by line and name, never by its value.
#[test]
fn only_lines_of_ours_can_be_faults() {
    let directory = directory();
    std::fs::write(directory.path().join(".env"), "APP_NAME=My paid API\nsome prose\nASSET_DECIMALS=3\n").unwrap();
    let key = key_json(3).replace(',', ", ");
    write(
        &directory,
        ".env",
        &format!("\u{feff}PORT=5000\r\nGREETING=it's me\r\nFACILITATOR_KEYPAIR={key}\r\nOTHER=a#b\r\n"),
    );
    let (config, _) = load(&directory, &[]);
    assert_eq!((config.asset.decimals, config.server.address.port()), (3, 5000));
    assert_eq!(config.keys.spender.public(), spender(3), "a key array with spaces");

    write(&directory, ".env", "PORT=5000\n\nDB_PATH='hunter2\n");
    let told = faults(&layers(&directory, &[])).to_string();
    for words in ["DB_PATH", "line 3", ".env", "quote"] {
        assert!(told.contains(words), "{words} in {told}");
    }
    assert!(!told.contains("hunter2") && told.contains("1 fault"), "{told}");

    write(&directory, ".env", "SPENDER_KEY 'hunter2'\n");
    let told = faults(&layers(&directory, &[("SOTTO_KEYS__SPENDER", "env:SPENDER_KEY")])).to_string();
    assert!(told.contains("SPENDER_KEY") && told.contains("line 1") && !told.contains("hunter2"), "{told}");

    let utf16: Vec<u8> = "\u{feff}PORT=5000\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(work(&directory).join(".env"), utf16).unwrap();
    let told = faults(&layers(&directory, &[])).to_string();
    assert!(told.contains("UTF-16") && told.contains("UTF-8"), "{told}");
}

/// FR-5. An orchestrator tells every service where the others are, in variables that begin with their names.
#[test]
fn what_an_orchestrator_injects_is_passed_over() {
    let variables = [
        ("SOTTO_PORT", "tcp://10.0.0.9:4021"),
        ("SOTTO_SERVICE_HOST", "10.0.0.9"),
        ("SOTTO_SERVICE_PORT", "4021"),
        ("SOTTO_PORT_4021_TCP", "tcp://10.0.0.9:4021"),
        ("SOTTO_PORT_4021_TCP_PROTO", "tcp"),
        ("SOTTO_PORT_4021_TCP_PORT", "4021"),
        ("SOTTO_PORT_4021_TCP_ADDR", "10.0.0.9"),
        // Of services that are called `sotto-server` and `facilitator`.
        ("SOTTO_SERVER_PORT", "tcp://10.0.0.9:4021"),
        ("SOTTO_SERVER_SERVICE_HOST", "10.0.0.9"),
        ("FACILITATOR_PORT", "tcp://10.0.0.9:4021"),
        ("FACILITATOR_SERVICE_HOST", "10.0.0.9"),
    ];
    let (config, warnings) = load(&directory(), &variables);
    assert_eq!(config.server.address.port(), 4021);
    let is_told = |warning: &Warning| variables.iter().any(|(name, _)| warning.key == *name);
    assert!(!warnings.iter().any(is_told), "{warnings:?}");
}

/// FR-27. A list in a variable may be written as JSON, and what is wrong with one is one fault.
#[test]
fn a_list_in_a_variable_may_be_json() {
    let urls = |text: &str| load(&directory(), &[("SOTTO_NETWORK__RPC_URLS", text)]).0.network.rpc_urls.len();
    assert_eq!(urls("https://a.example, https://b.example"), 2);
    assert_eq!(urls(r#"["https://a.example", "https://b.example/?a=1,2"]"#), 2);
    let told = faults(&layers(&directory(), &[("SOTTO_NETWORK__RPC_URLS", r#"["https://a.example""#)]));
    assert_eq!(keys_of(&told), ["network.rpc_urls"], "{told}");
}

/// FR-27. One slip of the pen is one fault.
#[test]
fn a_network_that_is_none_is_one_fault() {
    let told = faults(&layers(&directory(), &[("NETWORK", "solana:devnett")]));
    assert_eq!(keys_of(&told), ["network.name"], "{told}");
}

#[test]
fn r27_kora_variables_are_ignored_with_a_warning() {
    let variables = [("KORA_RPC_URL", "http://localhost:8080/"), ("KORA_API_KEY", "hunter2")];
    let (_, warnings) = load(&directory(), &variables);
    for name in ["KORA_RPC_URL", "KORA_API_KEY"] {
        assert!(warnings.iter().any(|warning| warning.key == name), "{warnings:?}");
    }
    assert!(!format!("{warnings:?}").contains("hunter2"));
}

#[test]
fn the_deployed_services_ledger_is_found_where_it_left_it() {
    let directory = directory();
    let path = |variables: &[(&str, &str)]| load(&directory, variables).0.ledger.path;
    assert!(path(&[]).ends_with("sotto.db"));
    write(&directory, "sessions.db", "");
    assert!(path(&[]).ends_with("sessions.db"));
    assert!(path(&[("SOTTO_LEDGER__PATH", "./sotto.db")]).ends_with("sotto.db"), "the operator's word counts");
    write(&directory, "sotto.db", "");
    assert!(path(&[]).ends_with("sotto.db"), "a ledger of ours is not left for it");
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
