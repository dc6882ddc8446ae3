//! Secrets are read where they are kept and shown nowhere.

use super::*;

#[test]
fn a_secret_text_does_not_show_itself() {
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
