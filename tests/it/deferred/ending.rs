//! Closing a session, and asking later what became of a payment.

use super::{PRICE, Tab, patient, patient_with};
use crate::support::{Options, PATIENCE, Wallet, in_time};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use serde_json::{Value, json};
use sotto::domain::{
    intent::{Intent, IntentHash},
    session::SessionId,
    signed,
};
use std::time::Duration;

impl Tab {
    fn intent_hash(intent: &Intent) -> IntentHash {
        IntentHash::of(&intent.to_bytes())
    }

    fn close_body(&self, hash: &IntentHash, nonce: &str, signer: &Wallet) -> Value {
        let id: SessionId = self.session.parse().unwrap();
        let message = signed::close_message(hash, id, nonce);
        json!({ "nonce": nonce, "signature": bs58::encode(signer.sign(message.as_bytes())).into_string() })
    }

    async fn close(&self, body: &Value) -> (u16, Value) {
        self.world.post(&format!("/sessions/{}/close", self.session), body).await
    }

    async fn read(&self, path: &str, signer: &Wallet) -> (u16, Value) {
        let at = self.world.now();
        let signature = signer.sign(signed::read_message(&self.session, at).as_bytes());
        let signature = bs58::encode(signature).into_string();
        self.world.get(&format!("/sessions/{}{path}?at={at}&signature={signature}", self.session)).await
    }
}

/// A tab whose session was opened with a session key, and the intent that opened it.
async fn keyed(options: Options) -> (Tab, Intent, Wallet) {
    let mut tab = Tab::open(options).await;
    let key = tab.world.stranger();
    let mut opening = tab.world.opening(&tab.payer, &tab.merchant.key(), 10_000);
    opening.intent.session_key = Some(key.key());
    let (status, session) = tab.world.post("/sessions", &tab.world.opening_body(&opening).await).await;
    assert_eq!(status, 201, "{session:#}");
    session["sessionId"].as_str().unwrap().clone_into(&mut tab.session);
    (tab, opening.intent, key)
}

impl Tab {
    /// A deferred payment with the session key's signature.
    fn signed_payment(&self, intent: &Intent, key: &Wallet, nonce: &str) -> Value {
        let mut body = self.payment(PRICE, Some(nonce));
        let (id, expires_at) = (self.session.parse().unwrap(), self.world.now() + 60);
        let amount = sotto::domain::amount::Amount::new(PRICE).unwrap();
        let hash = Tab::intent_hash(intent);
        let message = signed::payment_message(&hash, id, amount, &self.merchant.key(), nonce, expires_at, None);
        let payload = &mut body["paymentPayload"]["payload"];
        payload["authorization"] = json!({ "nonce": nonce, "expiresAt": expires_at });
        payload["signature"] = json!(bs58::encode(key.sign(message.as_bytes())).into_string());
        body
    }
}

#[tokio::test]
async fn a_closed_session_is_settled_and_tells_its_final_totals() {
    let (tab, intent, key) = keyed(patient(|_| ())).await;
    for nonce in ["one", "two"] {
        let (_, answer) = tab.world.post("/settle", &tab.signed_payment(&intent, &key, nonce)).await;
        assert_eq!(answer["extensions"]["session"]["settlement"], "held", "{answer:#}");
    }
    tab.rests(2 * PRICE).await;
    let hash = Tab::intent_hash(&intent);
    let (status, mut closed) = tab.close(&tab.close_body(&hash, "n-1", &key)).await;
    assert_eq!((status, &closed["state"]), (200, &json!("closed")), "{closed:#}");
    // What is left to do on chain is offered once in a while only.
    assert!(closed.as_object_mut().unwrap().remove("revoke").is_some(), "{closed:#}");
    assert_eq!((&closed["captured"], &closed["held"], &closed["lost"]), (&json!("1400"), &json!("0"), &json!("0")));
    let (_, refused) = tab.world.post("/settle", &tab.signed_payment(&intent, &key, "three")).await;
    assert_eq!(refused["errorReason"], "session_not_open", "{refused:#}");
    // Asked again, by the user this time.
    let (status, again) = tab.close(&tab.close_body(&hash, "n-2", &tab.payer)).await;
    assert_eq!((status, again), (200, closed));
    tab.closes().await;
}

#[tokio::test]
async fn only_the_session_key_or_the_user_closes() {
    let (tab, intent, key) = keyed(Options::default()).await;
    let hash = Tab::intent_hash(&intent);
    for stranger in [tab.merchant.clone(), tab.world.stranger()] {
        let (status, refused) = tab.close(&tab.close_body(&hash, "n-1", &stranger)).await;
        assert_eq!((status, &refused["error"]), (403, &json!("invalid_close_signature")), "{refused:#}");
    }
    // A signature for another nonce, or for another intent, closes nothing.
    let mut bent = tab.close_body(&hash, "n-1", &key);
    bent["nonce"] = json!("n-2");
    assert_eq!(tab.close(&bent).await.0, 403);
    assert_eq!(tab.close(&tab.close_body(&IntentHash::of(b"another"), "n-1", &key)).await.0, 403);
    for body in [json!({}), json!({ "nonce": "n" }), json!({ "nonce": "n", "signature": "7" }), json!([])] {
        assert_eq!(tab.close(&body).await.0, 400, "{body}");
    }
    let (status, _) = tab.world.post("/sessions/00000000-0000-4000-8000-000000000000/close", &bent).await;
    assert_eq!(status, 404);
    let (_, open) = tab.read("", &key).await;
    assert_eq!(open["state"], "open", "{open:#}");
    tab.closes().await;
}

/// A tab with one promise that cannot be settled while its payer's account is frozen, and what closes it. Who closes waits
/// for at most so long.
async fn stuck(deadline: Duration) -> (Tab, Wallet, Value) {
    let (tab, intent, key) = keyed(patient_with(move |settings| settings.answer_deadline = deadline)).await;
    let (_, held) = tab.world.post("/settle", &tab.signed_payment(&intent, &key, "one")).await;
    assert_eq!(held["success"], true, "{held:#}");
    tab.freezes(true).await;
    let body = tab.close_body(&Tab::intent_hash(&intent), "n-1", &key);
    (tab, key, body)
}

#[tokio::test]
async fn a_close_that_takes_long_is_answered_in_time_and_ends_by_itself() {
    let (tab, key, body) = stuck(Duration::from_secs(5)).await;
    let (status, closing) = tab.close(&body).await;
    assert_eq!((status, &closing["state"]), (200, &json!("closing")), "{closing:#}");
    assert_eq!(closing["held"], PRICE.to_string(), "{closing:#}");
    tab.freezes(false).await;
    tab.settles_down_to(0).await;
    tab.world.until("it closes by itself", async || tab.read("", &key).await.1["state"] == "closed").await;
    tab.closes().await;
}

/// Guard: `close_session` answers when there is no more news to wait for. Without it a worker goes round for ever, so the
/// runtime is left behind instead of waited for.
#[test]
fn a_close_under_way_does_not_keep_the_process_from_leaving() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let runtime = std::mem::ManuallyDrop::new(runtime);
    runtime.block_on(async {
        let (tab, _, body) = stuck(2 * PATIENCE).await;
        let leaving = async {
            // The settlement has come to nothing: the close waits for news that do not come.
            tab.comes_back().await;
            tab.world.running().facilitator.end_streams();
        };
        let both = async { tokio::join!(tab.close(&body), leaving) };
        let ((status, closing), ()) = in_time("it is answered how it stands", both).await;
        assert_eq!((status, &closing["state"]), (200, &json!("closing")), "{closing:#}");
        assert_eq!(closing["held"], PRICE.to_string(), "{closing:#}");
        tab.freezes(false).await;
        tab.settles_down_to(0).await;
        tab.closes().await;
    });
}

/// Guard: the seats that `close_session` takes. All who wait for one close are told the same, so a few are enough.
#[tokio::test]
async fn a_few_wait_for_a_close_and_the_others_are_told_how_it_stands() {
    let (tab, _, body) = stuck(2 * PATIENCE).await;
    let mut closes: FuturesUnordered<_> = (0..10).map(|_| tab.close(&body)).collect();
    for _ in 0..6 {
        let (status, closing) = in_time("it is told without waiting for the close", closes.next()).await.unwrap();
        assert_eq!((status, &closing["state"]), (200, &json!("closing")), "{closing:#}");
    }
    tab.comes_back().await;
    tab.freezes(false).await;
    let rest: Vec<_> = closes.collect().await;
    assert_eq!(rest.len(), 4);
    assert!(rest.iter().all(|(_, closed)| closed["state"] == "closed"), "{rest:#?}");
    tab.closes().await;
}

#[tokio::test]
async fn what_became_of_a_payment_can_be_asked_later() {
    let (tab, intent, key) = keyed(patient(|_| ())).await;
    let (_, answer) = tab.world.post("/settle", &tab.signed_payment(&intent, &key, "nonce-0001")).await;
    let id = answer["extensions"]["session"]["payment"].as_str().unwrap().to_owned();
    let path = format!("/payments/{id}");

    // A caller that was told the id, as the merchant was, learns what became of it but no amount.
    let (status, seen) = tab.world.get(&format!("/sessions/{}{path}", tab.session)).await;
    assert_eq!((status, &seen["state"], &seen["transaction"]), (200, &json!("held"), &json!("")), "{seen:#}");
    assert!(seen.get("amount").is_none() && seen.get("nonce").is_none(), "{seen:#}");
    let (_, told) = tab.read(&path, &key).await;
    assert_eq!((&told["amount"], &told["nonce"]), (&json!("700"), &json!("nonce-0001")), "{told:#}");
    assert!(told["acceptedAt"].as_u64().unwrap() <= tab.world.now());
    // By its nonce only who may read the session.
    assert_eq!(tab.read("/payments/nonce-0001", &tab.payer).await.1, told);
    let (status, refused) = tab.world.get(&format!("/sessions/{}/payments/nonce-0001", tab.session)).await;
    assert_eq!((status, &refused["error"]), (403, &json!("signature_required")), "{refused:#}");
    let (status, none) = tab.read("/payments/nonce-0002", &key).await;
    assert_eq!((status, &none["error"]), (404, &json!("payment_not_found")), "{none:#}");
    assert_eq!(tab.read(&path, &tab.merchant).await.0, 403, "a signature that is not good helps nobody");

    let (_, closed) = tab.close(&tab.close_body(&Tab::intent_hash(&intent), "n-1", &key)).await;
    assert_eq!(closed["state"], "closed", "{closed:#}");
    let (_, settled) = tab.read(&path, &key).await;
    assert_eq!(settled["state"], "captured", "{settled:#}");
    assert!(!settled["transaction"].as_str().unwrap().is_empty(), "{settled:#}");
    assert!(settled["capturedAt"].is_u64() && settled["settledAt"].is_u64(), "{settled:#}");
    tab.closes().await;
}

#[tokio::test]
async fn an_operator_may_want_every_read_signed() {
    let tab = Tab::open(Options::settings(|settings| settings.reads.signed = true)).await;
    let (_, seen) = tab.world.get(&format!("/sessions/{}", tab.session)).await;
    assert!(seen.get("cap").is_none(), "{seen:#}");
    let (_, told) = tab.read("", &tab.payer).await;
    assert_eq!(told["cap"], "10000000", "{told:#}");
    let (status, _) = tab.world.get(&format!("/sessions/{}/events", tab.session)).await;
    assert_eq!(status, 403);
    tab.closes().await;
}
