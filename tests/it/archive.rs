//! What has ended long ago moves to the archive by itself, and its callers notice nothing.

use crate::support::{Options, World};
use rusqlite::Connection;
use serde_json::{Value, json};
use sotto::domain::{intent::IntentHash, session::SessionId, signed};

const PRICE: u64 = 700;
/// Seconds after the last payment.
const AFTER: u64 = 60;

/// A payment by a merchant who deduplicates.
fn idempotent(body: &Value) -> Value {
    let mut body = body.clone();
    body["paymentRequirements"]["extra"] = json!({ "idempotent": true });
    body["paymentPayload"]["accepted"]["extra"] = json!({ "idempotent": true });
    body
}

/// How many sessions have moved, as the file itself says.
fn archived(world: &World) -> i64 {
    let files = std::fs::read_dir(world.directory()).unwrap().map(|file| file.unwrap().path());
    let Some(archive) = files.into_iter().find(|path| path.extension().is_some_and(|it| it == "archive")) else {
        return 0;
    };
    let ledger = Connection::open(archive.with_extension("")).unwrap();
    ledger.query_row("SELECT count(*) FROM sessions WHERE archived = 2", [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn an_ended_session_moves_to_the_archive_and_a_payment_that_comes_again_is_answered_as_before() {
    let world = World::with(Options::settings(|settings| settings.background.archive_after = Some(AFTER))).await;
    let (payer, merchant) = (world.wallet(50_000).await, world.wallet(0).await);
    let opening = world.opening(&payer, &merchant.key(), 10_000);
    let (status, session) = world.post("/sessions", &world.opening_body(&opening).await).await;
    assert_eq!(status, 201, "{session:#}");
    let session = session["sessionId"].as_str().unwrap().to_owned();
    let body = world.payment(&session, &merchant.key(), PRICE, Some("paid-long-ago"));
    let (_, paid) = world.post("/settle", &body).await;
    assert_eq!(paid["success"], true, "{paid:#}");
    let asked = idempotent(&world.payment(&session, &merchant.key(), PRICE, Some("told-again")));
    let recorded = world.post("/settle", &asked).await;
    assert_eq!(recorded.1["success"], true, "{recorded:#?}");
    let nonce = "closes-long-ago";
    let id: SessionId = session.parse().unwrap();
    let message = signed::close_message(&IntentHash::of(&opening.intent.to_bytes()), id, nonce);
    let signature = bs58::encode(payer.sign(message.as_bytes())).into_string();
    let closing = json!({ "nonce": nonce, "signature": signature });
    let (status, closed) = world.post(&format!("/sessions/{session}/close"), &closing).await;
    assert_eq!((status, &closed["state"]), (200, &json!("closed")), "{closed:#}");
    let status_of = format!("/sessions/{session}/payments/paid-long-ago");
    let (before, again) = (world.get(&status_of).await, world.post("/settle", &body).await);
    assert_eq!(again.1["errorReason"], "duplicate_settlement", "{again:#?}");

    // The newest payment of all stays: another payer goes on.
    let (other, shop) = (world.wallet(50_000).await, world.wallet(0).await);
    let open = world.open(&other, &shop.key(), 10_000).await;
    let (_, paid) = world.post("/settle", &world.payment(&open, &shop.key(), PRICE, Some("paid-today"))).await;
    assert_eq!(paid["success"], true, "{paid:#}");
    world.lets_pass(2 * AFTER);
    world.until("it is archived", async || archived(&world) == 1).await;

    assert_eq!(world.get(&status_of).await, before);
    assert_eq!(world.post("/settle", &body).await, again);
    assert_eq!(world.post("/settle", &idempotent(&body)).await, again, "told to somebody who did not ask for it");
    assert_eq!(world.post("/settle", &asked).await, recorded, "byte for byte");
    world.lets_pass(asked["paymentRequirements"]["maxTimeoutSeconds"].as_u64().unwrap());
    let (_, ended) = world.post("/settle", &asked).await;
    assert_eq!(ended["errorReason"], "duplicate_settlement", "{ended:#}");
    let new = world.payment(&session, &merchant.key(), PRICE, Some("a-new-one"));
    assert_eq!(world.post("/settle", &new).await.1["errorReason"], "session_not_open");
    world.finish().await;
}
