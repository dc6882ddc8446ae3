//! What an address of a ledger means.

use super::{OpenLedgerError, file_of, open};
use std::{ffi::OsStr, path::PathBuf};

#[test]
fn a_path_is_a_sqlite_file_with_or_without_its_scheme() {
    for (url, path) in [
        ("/var/lib/ledger.db", "/var/lib/ledger.db"),
        ("ledger.db", "ledger.db"),
        ("sqlite:/var/lib/ledger.db", "/var/lib/ledger.db"),
        ("sqlite:///var/lib/ledger.db", "/var/lib/ledger.db"),
        ("sqlite:ledger.db", "ledger.db"),
        ("/srv/a:b/ledger.db", "/srv/a:b/ledger.db"),
    ] {
        assert_eq!(file_of(OsStr::new(url)).ok(), Some(PathBuf::from(path)), "{url}");
    }
}

#[tokio::test]
async fn another_engine_is_refused_by_its_name_and_makes_no_file() {
    let directory = tempfile::tempdir().expect("a directory");
    for (url, name) in [
        ("postgres://user@host/ledger".to_owned(), "postgres"),
        ("postgresql:ledger".to_owned(), "postgresql"),
        (format!("mysql://{}/ledger", directory.path().display()), "mysql"),
    ] {
        let refused = open(&url).await;
        assert!(matches!(&refused, Err(OpenLedgerError::NoSuchEngine { scheme }) if scheme == name), "{url}");
        let told = refused.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(told.contains(&format!("`{name}:`")) && !told.contains("host"), "{told}");
    }
    assert_eq!(std::fs::read_dir(directory.path()).expect("reads").count(), 0);
}

#[tokio::test]
async fn a_ledger_is_opened_by_its_address() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("ledger.db");
    let ledger = open(format!("sqlite:{}", path.display())).await.expect("opens");
    ledger.audit().await.expect("is consistent");
    assert!(matches!(open(&path).await, Err(OpenLedgerError::InUse { path: told }) if told == path));
}
