//! Secrets are read in every accepted spelling and shown in none.

use super::*;

fn pair() -> KeyPair {
    KeyPair::from_secret(&[7; 32])
}

#[test]
fn both_spellings_of_the_deployed_service_are_the_same_key() {
    let bytes = pair().expose().to_vec();
    let json = serde_json::to_string(&bytes).unwrap();
    let base64 = base64::engine::general_purpose::STANDARD.encode(&bytes);
    let bare = base64.trim_end_matches('=').to_owned();
    let url_safe = base64.replace('+', "-").replace('/', "_");
    for text in [format!(" {json}\n"), base64, bare, url_safe] {
        let read = KeyPair::parse(&SecretText::new(text)).unwrap();
        assert_eq!(read.public(), pair().public());
        assert_eq!(read.expose(), pair().expose());
    }
}

#[test]
fn what_is_not_a_key_pair_is_refused_without_being_quoted() {
    for text in ["", "[1,2,3]", "[300]", "c2VjcmV0", "not base64 at all", "[\"hunter2\"]"] {
        let error = KeyPair::parse(&SecretText::new(text.to_owned())).unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
        assert!(matches!(error, SecretError::NotAKeyPair), "{text}");
    }
    let mut bent = pair().expose().to_vec();
    bent[40] ^= 1;
    let text = SecretText::new(serde_json::to_string(&bent).unwrap());
    assert!(matches!(KeyPair::parse(&text), Err(SecretError::HalvesDiffer)));
}

#[test]
fn debug_shows_the_public_key_and_nothing_else() {
    let shown = format!("{:?}", pair());
    assert!(shown.contains(&pair().public().to_string()));
    assert!(!shown.contains("7, 7"));
    assert_eq!(format!("{:?}", SecretText::new("hunter2".to_owned())), "SecretText(redacted)");
}

#[test]
fn endpoints_hide_what_may_be_a_key() {
    let keyed = Endpoint::parse("https://rpc.example.org/v2/s3cret?api-key=hunter2", &["https"]).unwrap();
    assert_eq!(keyed.to_string(), "https://rpc.example.org/...");
    assert!(!format!("{keyed:?}").contains("hunter2"));
    let user = Endpoint::parse("https://me:hunter2@rpc.example.org", &["https"]).unwrap();
    assert_eq!(user.to_string(), "https://rpc.example.org");
    assert!(Endpoint::parse("ftp://x", &["https", "http"]).is_none());
    assert!(Endpoint::parse("rpc.example.org", &["https", "http"]).is_none());
}

#[test]
fn the_websocket_is_found_where_every_client_looks_for_it() {
    let ws = |text: &str| Endpoint::parse(text, &["http", "https"]).unwrap().websocket().unwrap();
    assert_eq!(ws("http://127.0.0.1:8899").expose(), "ws://127.0.0.1:8900/");
    assert_eq!(ws("https://api.devnet.solana.com").expose(), "wss://api.devnet.solana.com/");
    assert_eq!(ws("https://rpc.example.org/?k=1").expose(), "wss://rpc.example.org/?k=1");
}

#[test]
fn a_reference_is_a_file_or_a_variable_and_never_the_secret() {
    assert_eq!(SecretReference::parse("file:a/b.json").unwrap().to_string(), "file:a/b.json");
    assert_eq!(SecretReference::parse("env:KEY").unwrap().to_string(), "env:KEY");
    for text in ["", "file:", "env:", "[1,2]", "hunter2", "https://x"] {
        assert!(!SecretReference::parse(text).unwrap_err().to_string().contains("hunter2"), "{text}");
    }
}
