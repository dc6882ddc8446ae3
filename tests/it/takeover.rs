//! A ledger of the deployed service is taken over while its sessions are half spent, on a network that lowers what was delegated
//! with each transfer: the handle that the account shows then is one that nobody lets us decrypt (CR-3).

use crate::support::{Log, Options, Wallet, World};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use sotto::{
    domain::{amount::Amount, session::Session},
    ledger::{ImportTerms, LedgerOptions, SqliteLedger},
    localnet::standins::Delegation,
};
use std::sync::Arc;

/// What the session may spend, more than is let pay unverified.
const CAP: u64 = 2_000_000;
/// What it has spent before, more than is let pay unverified.
const SPENT: u64 = 1_400_000;

/// The table as the deployed service makes it.
const TABLE: &str = "CREATE TABLE sessions (id TEXT PRIMARY KEY, user TEXT NOT NULL, spender TEXT NOT NULL,
    asset TEXT NOT NULL, recipient TEXT NOT NULL, cap TEXT NOT NULL, spent TEXT NOT NULL DEFAULT '0',
    expiration_unix INTEGER NOT NULL, network TEXT NOT NULL, approve_tx_signature TEXT NOT NULL,
    auth_message TEXT NOT NULL, auth_signature TEXT NOT NULL, created_at INTEGER NOT NULL)";

/// A payer who has spent most of a session, a merchant, and the session as it was.
struct Scene {
    world: World,
    payer: Wallet,
    merchant: Wallet,
    session: Session,
}

impl Scene {
    async fn begin() -> Self {
        Self::under(Delegation::Documented).await
    }

    async fn under(delegation: Delegation) -> Self {
        let world = World::with(Options { delegation, ..Options::default() }).await;
        let (payer, merchant) = (world.wallet(10_000_000).await, world.wallet(0).await);
        let id = world.open(&payer, &merchant.key(), CAP).await;
        for _ in 0..2 {
            let (_, paid) = world.post("/settle", &world.payment(&id, &merchant.key(), SPENT / 2, None)).await;
            assert_eq!(paid["success"], json!(true), "{paid:#}");
        }
        world.quiet().await;
        let session = world.ledger().session(id.parse().unwrap()).await.unwrap().unwrap();
        Self { world, payer, merchant, session }
    }

    /// The deployed service had the session, and `others` beside it; its ledger is taken over.
    async fn is_taken_over(&mut self, others: &[(&str, &Session)]) {
        self.world.kill().await;
        let path = self.world.directory().join("deployed.db");
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch(TABLE).unwrap();
        let own = self.session.id.to_string();
        for (id, session) in [(own.as_str(), &self.session)].iter().chain(others) {
            write(&conn, id, session);
        }
        drop(conn);
        let terms =
            ImportTerms { now: self.world.now(), network: self.world.network.clone(), spender: self.world.spender() };
        let options = LedgerOptions { import: Some(terms), ..LedgerOptions::default() };
        let ledger = SqliteLedger::open(&path, &options).await.unwrap();
        assert_eq!(ledger.imported().map(|report| report.imported), Some(1));
        self.world.boot_over(Arc::new(ledger)).await;
        assert_eq!(self.view().await["capVerified"], json!(false));
    }

    async fn view(&self) -> Value {
        let (status, view) = self.world.get(&format!("/sessions/{}", self.session.id)).await;
        assert_eq!(status, 200, "{view:#}");
        view
    }

    async fn settle(&self, amount: u64) -> Value {
        let payment = self.world.payment(&self.session.id.to_string(), &self.merchant.key(), amount, None);
        self.world.post("/settle", &payment).await.1
    }

    /// The operator is told why, and the session pays no more than any that nobody verified.
    async fn stays_bounded(self, log: &Log, reason: &str) {
        let line = async || {
            let text = log.text();
            text.lines().any(|line| line.contains("cannot be proved") && line.contains(reason))
        };
        self.world.until("the operator is told", line).await;
        let refused = self.settle(1).await;
        assert_eq!(refused["errorReason"], "cap_unverified", "{refused:#}");
        let view = self.view().await;
        assert_eq!((&view["state"], &view["capVerified"]), (&json!("open"), &json!(false)), "{view:#}");
        assert_eq!(log.text().matches("cannot be proved").count(), 1, "it is told once");
        self.world.finish().await;
    }
}

/// Writes a session as the deployed service kept it.
fn write(conn: &Connection, id: &str, session: &Session) {
    let intent = &session.intent;
    let approve = session.approve.map(|signature| signature.to_string()).unwrap_or_default();
    conn.execute(
        "INSERT INTO sessions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        params![
            id,
            intent.user.to_string(),
            intent.spender.to_string(),
            intent.asset.to_string(),
            intent.recipient.to_string(),
            intent.cap.to_string(),
            session.captured.to_string(),
            i64::try_from(intent.expires_at).unwrap(),
            intent.network,
            approve,
            BASE64_STANDARD.encode(&session.signed.bytes),
            BASE64_STANDARD.encode(session.signed.signature.unwrap()),
            i64::try_from(session.created_at).unwrap(),
        ],
    )
    .unwrap();
}

/// Guard: `is_covered_by_name`.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_half_spent_session_pays_to_its_cap() {
    let mut scene = Scene::begin().await;
    // A stranger who pays the payer changes nothing of what was approved.
    let transfer = scene.world.transfer_by_stranger(&scene.payer.key(), 5);
    scene.world.lands(transfer);
    scene.is_taken_over(&[]).await;
    scene.world.until("the cap is verified", async || scene.view().await["capVerified"] == json!(true)).await;
    let paid = scene.settle(CAP - SPENT).await;
    assert_eq!(paid["success"], json!(true), "{paid:#}");
    assert_eq!(scene.world.units(&scene.merchant), CAP, "every unit moved");
    let refused = scene.settle(1).await;
    assert_eq!(refused["errorReason"], "cap_exceeded", "{refused:#}");
    scene.world.finish().await;
}

/// Guard: `is_harmless`. What the transaction that a session names has delegated may be gone since.
#[tokio::test]
async fn an_approve_that_was_lowered_since_proves_nothing() {
    let log = Log::listen();
    let mut scene = Scene::begin().await;
    let lower = scene.world.approve_by_owner(&scene.payer, 1);
    scene.world.lands(lower);
    scene.world.confirmed().await;
    scene.is_taken_over(&[]).await;
    scene.stays_bounded(&log, "replaced").await;
}

/// Guard: `taken_beside`. The deployed service let several sessions name one approve, and each spent from it.
#[tokio::test]
async fn an_approve_that_another_session_named_proves_nothing() {
    let log = Log::listen();
    let mut scene = Scene::begin().await;
    let mut other = scene.session.clone();
    // It ended before the takeover, and what it spent is gone from the approve all the same.
    other.intent.expires_at = scene.world.now() - 1;
    scene.is_taken_over(&[("96e2c5ee-ab8f-4b88-b437-55c6d368c3da", &other)]).await;
    scene.stays_bounded(&log, "other sessions").await;
}

/// Guard: the search in the account's history. A caller of the deployed service could name any transaction.
#[tokio::test]
async fn a_name_that_is_not_of_an_approve_of_this_account_proves_nothing() {
    let log = Log::listen();
    let mut scene = Scene::begin().await;
    let (stranger, merchant) = (scene.world.wallet(5).await, scene.merchant.key());
    scene.session.approve = Some(scene.world.lands(scene.world.transfer_by_owner(&stranger, &merchant, 5)));
    scene.is_taken_over(&[]).await;
    scene.stays_bounded(&log, "history").await;
}

/// Guard: `may_have_been_used`. What an imported session captured before is in nobody's sum, so its approve is not taken up again.
#[tokio::test]
async fn a_session_that_was_taken_over_has_its_approve_to_itself() {
    for delegation in [Delegation::Public, Delegation::Documented] {
        let mut scene = Scene::under(delegation).await;
        scene.is_taken_over(&[]).await;
        let approve = scene.session.approve.unwrap();
        for total in [None, Amount::new(CAP)] {
            let mut opening = scene.world.opening(&scene.payer, &scene.merchant.key(), CAP - SPENT);
            opening.intent.approved = total;
            let body = scene.world.opening_body_landed(&opening, &approve);
            let (status, refused) = scene.world.post("/sessions", &body).await;
            assert_eq!((status, &refused["error"]), (409, &json!("approve_used")), "{delegation:?}: {refused:#}");
        }
        assert_eq!(scene.view().await["state"], "open");
        scene.world.finish().await;
    }
}
