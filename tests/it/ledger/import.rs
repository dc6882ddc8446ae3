//! The deployed service's file is recognised and its live sessions are taken over, once.

use super::build::{CAP, NOW, amount, held, hold_id, in_flight, key, landed, payment, recorded, session};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer as _, SigningKey};
use rusqlite::{Connection, params};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use sotto::{
    domain::{
        amount::Amount,
        intent::Intent,
        network::Network,
        session::{CapCheck, SessionId, SessionState},
    },
    ledger::{ImportReport, ImportTerms, Ledger, LedgerOptions, OpenLedgerError, Skipped, SqliteLedger, Upkeep as _},
};
use std::{collections::BTreeMap, path::PathBuf};

/// The table as the deployed service makes it.
const TABLE: &str = "CREATE TABLE sessions (id TEXT PRIMARY KEY, user TEXT NOT NULL, spender TEXT NOT NULL,
    asset TEXT NOT NULL, recipient TEXT NOT NULL, cap TEXT NOT NULL, spent TEXT NOT NULL DEFAULT '0',
    expiration_unix INTEGER NOT NULL, network TEXT NOT NULL, approve_tx_signature TEXT NOT NULL,
    auth_message TEXT NOT NULL, auth_signature TEXT NOT NULL, created_at INTEGER NOT NULL);
    CREATE INDEX idx_sessions_user ON sessions(user);";

struct Row {
    id: String,
    intent: Intent,
    cap: String,
    spent: String,
    expires_at: i64,
    network: String,
    message: Vec<u8>,
    signature: [u8; 64],
}

/// A row that fits: what a payer signed, half spent.
fn row(number: u8) -> Row {
    let signer = SigningKey::from_bytes(&[number; 32]);
    let mut intent = session(number.into()).intent;
    intent.user = Pubkey::new_from_array(signer.verifying_key().to_bytes());
    signed_row(number, &signer, intent)
}

fn signed_row(number: u8, signer: &SigningKey, intent: Intent) -> Row {
    let message = intent.to_bytes();
    Row {
        id: SessionId::from_random_bytes([number; 16]).to_string(),
        cap: intent.cap.to_string(),
        spent: (CAP / 2).to_string(),
        expires_at: i64::try_from(intent.expires_at).expect("fits"),
        network: intent.network.clone(),
        signature: signer.sign(&message).to_bytes(),
        message,
        intent,
    }
}

struct File {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

impl File {
    fn with(table: &str, rows: &[Row]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("sessions.db");
        let conn = Connection::open(&path).expect("opens");
        conn.execute_batch(table).expect("makes the table");
        for row in rows {
            conn.execute(
                "INSERT INTO sessions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 400)",
                params![
                    row.id,
                    row.intent.user.to_string(),
                    row.intent.spender.to_string(),
                    row.intent.asset.to_string(),
                    row.intent.recipient.to_string(),
                    row.cap,
                    row.spent,
                    row.expires_at,
                    row.network,
                    Signature::from([5; 64]).to_string(),
                    STANDARD.encode(&row.message),
                    STANDARD.encode(row.signature),
                ],
            )
            .expect("writes");
        }
        Self { _dir: dir, path }
    }

    async fn open(&self) -> Result<SqliteLedger, OpenLedgerError> {
        let import = ImportTerms { now: NOW, network: Network::devnet(), spender: key(22, 0) };
        SqliteLedger::open(&self.path, &LedgerOptions { import: Some(import), ..LedgerOptions::default() }).await
    }

    fn count(&self, table: &str) -> i64 {
        let conn = Connection::open(&self.path).expect("opens");
        conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).expect("counts")
    }
}

#[tokio::test]
async fn a_live_session_goes_on_where_it_stood() {
    let row = row(1);
    let file = File::with(TABLE, std::slice::from_ref(&row));
    let ledger = file.open().await.expect("opens");
    assert_eq!(ledger.imported(), Some(&ImportReport { imported: 1, ..ImportReport::default() }));
    let session = ledger.session(row.id.parse().expect("an id")).await.expect("reads").expect("is there");
    assert_eq!((session.state, session.cap_check), (SessionState::Open, CapCheck::Unverified));
    assert_eq!((session.captured, session.held), (amount(CAP / 2), Amount::ZERO));
    assert_eq!((&session.intent, &session.signed.bytes), (&row.intent, &row.message));
    assert_eq!((session.signed.signature, session.approve), (Some(row.signature), Some(Signature::from([5; 64]))));
    assert_eq!((session.network.as_str(), session.created_at), (Network::devnet().canonical(), 400));
    ledger.audit().await.expect("consistent");

    // Its payments count from what was spent, and only ours are in the sums.
    ledger.verify_cap(session.id).await.expect("verifies");
    let hold = held(&ledger, &payment(session.id, 1, 10)).await;
    assert_eq!(hold.spent_after, amount(CAP / 2 + 10));
    recorded(&ledger, &in_flight(&ledger, session.id, 1).await, landed()).await;
    assert_eq!(ledger.totals(None).await.ok().map(|totals| totals.captured), Some(amount(10)));
    assert_eq!(ledger.claim_success(hold_id(1), None).await.ok(), Some(true));
    ledger.audit().await.expect("consistent");
}

#[tokio::test]
async fn the_import_happens_once_and_the_old_rows_are_kept() {
    let file = File::with(TABLE, &[row(1), row(2)]);
    drop(file.open().await.expect("opens"));
    assert_eq!((file.count("deployed_sessions_imported"), file.count("sessions")), (2, 2));
    let again = file.open().await.expect("opens again");
    assert_eq!(again.imported(), None);
    assert_eq!(again.was_taken_over().await.ok(), Some(true), "which its merchants may rely on for good");
    let opened = again.opened_since(&key(1, 1), &key(1, 1), 0, NOW).await.expect("counts");
    assert_eq!((opened.by_user.count, opened.by_all.count), (0, 0), "no opening of theirs cost us anything");
    drop(again);
    let without_terms = SqliteLedger::open(&file.path, &LedgerOptions::default()).await;
    assert!(without_terms.is_ok(), "it is an ordinary ledger now");
}

#[tokio::test]
async fn an_import_that_was_interrupted_is_finished() {
    let file = File::with(TABLE, &[row(1)]);
    // As a crash right after the table was set aside leaves it.
    let conn = Connection::open(&file.path).expect("opens");
    conn.execute_batch("ALTER TABLE sessions RENAME TO deployed_sessions").expect("renames");
    drop(conn);
    let ledger = file.open().await.expect("opens");
    assert_eq!(ledger.imported().map(|report| report.imported), Some(1));
}

#[tokio::test]
async fn every_other_session_is_counted_with_its_reason() {
    let mut rows = vec![row(1)];
    let mut add = |number: u8, change: &dyn Fn(&mut Row)| {
        let mut bad = row(number);
        change(&mut bad);
        rows.push(bad);
    };
    add(2, &|row| row.expires_at = i64::try_from(NOW).expect("fits"));
    add(3, &|row| row.network = "solana:mainnet".to_owned());
    add(4, &|row| row.intent.spender = key(60, 0));
    add(5, &|row| row.id = "7".to_owned());
    add(6, &|row| row.message = b"{\"nonce\":\"short\"}".to_vec());
    add(7, &|row| row.signature[3] ^= 1);
    add(8, &|row| row.cap = "999999".to_owned());
    add(9, &|row| row.spent = (CAP + 1).to_string());
    add(10, &|row| row.spent = "-5".to_owned());
    add(11, &|row| row.intent.recipient = key(61, 0));
    // One signed message that opened two sessions: neither can be told to be the one that was meant.
    for number in [12, 13] {
        add(number, &|row| {
            let id = row.id.clone();
            *row = self::row(12);
            row.id = id;
        });
    }
    let file = File::with(TABLE, &rows);
    let ledger = file.open().await.expect("opens");
    let skipped = BTreeMap::from([
        (Skipped::Expired, 1),
        (Skipped::OtherNetwork, 1),
        (Skipped::OtherSpender, 1),
        (Skipped::Malformed, 1),
        (Skipped::NotAnIntent, 1),
        (Skipped::BadSignature, 1),
        (Skipped::NotWhatWasSigned, 2),
        (Skipped::Overspent, 2),
        (Skipped::Replayed, 2),
    ]);
    let report = ledger.imported().expect("a report");
    let counted: BTreeMap<Skipped, usize> = report.skipped.iter().map(|(reason, ids)| (*reason, ids.len())).collect();
    assert_eq!((report.imported, counted), (1, skipped));
    let ids: Vec<_> = report.skipped.values().flatten().collect();
    let told = |id: &&String| id.len() == 8 || ["unreadable", "no session id"].contains(&id.as_str());
    assert!(ids.iter().all(told), "an id is told by its hash: {ids:?}");
    ledger.audit().await.expect("consistent");
}

#[tokio::test]
async fn columns_are_known_in_either_spelling() {
    let camel = TABLE
        .replace("expiration_unix", "expirationUnix")
        .replace("approve_tx_signature", "approveTxSignature")
        .replace("auth_message", "authMessage")
        .replace("auth_signature", "authSignature")
        .replace("created_at", "createdAt");
    assert_ne!(camel, TABLE);
    let file = File::with(&camel, &[row(1)]);
    let ledger = file.open().await.expect("opens");
    assert_eq!(ledger.imported().map(|report| report.imported), Some(1));
}

#[tokio::test]
async fn without_terms_the_deployed_file_is_left_alone() {
    let file = File::with(TABLE, &[row(1)]);
    let refused = SqliteLedger::open(&file.path, &LedgerOptions::default()).await;
    assert!(matches!(refused, Err(OpenLedgerError::Deployed)));
    assert_eq!(file.count("sessions"), 1);
    assert_eq!(file.count("sqlite_schema WHERE type = 'table'"), 1, "nothing was added");
}
