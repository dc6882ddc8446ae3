//! What a wallet may ask about all its sessions without their keys: the list of them, and their end.

use crate::{
    deferred::{PRICE, PURSE, Tab, patient},
    ledger::build::{session_id, session_with},
    support::{Wallet, World},
};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use sotto::{
    api::{READ_AT, READ_SIGNATURE},
    domain::{reason::SessionReason, session::SessionId, signed},
};

impl World {
    /// Asks for a page of `user`'s sessions with a signature over `message`.
    pub async fn lists(&self, user: &Pubkey, more: &str, signer: &Wallet, message: &str, at: u64) -> (u16, Value) {
        let signature = bs58::encode(signer.sign(message.as_bytes())).into_string();
        let at = at.to_string();
        let signed = [(READ_AT, at.as_str()), (READ_SIGNATURE, signature.as_str())];
        self.get_with(&format!("/sessions?user={user}{more}"), &signed).await
    }

    /// A page of a wallet's sessions, as the wallet is told.
    async fn list(&self, wallet: &Wallet, more: &str) -> (u16, Value) {
        let at = self.now();
        let message = signed::list_message(&self.spender(), &wallet.key(), at);
        self.lists(&wallet.key(), more, wallet, &message, at).await
    }

    pub fn close_all_body(&self, user: &Wallet, signer: &Wallet, spender: &Pubkey, at: u64) -> Value {
        let asset = self.faucet.mint();
        let message = signed::close_all_message(spender, &user.key(), &asset, at);
        let signature = bs58::encode(signer.sign(message.as_bytes())).into_string();
        json!({ "user": user.key().to_string(), "asset": asset.to_string(), "at": at, "signature": signature })
    }

    async fn closes_all(&self, wallet: &Wallet) -> Value {
        let body = self.close_all_body(wallet, wallet, &self.spender(), self.now());
        let (status, answer) = self.post("/sessions/close", &body).await;
        assert_eq!(status, 200, "{answer:#}");
        answer["sessions"].clone()
    }
}

fn ids(page: &Value) -> Vec<String> {
    let sessions = page["sessions"].as_array().unwrap();
    sessions.iter().map(|session| session["sessionId"].as_str().unwrap().to_owned()).collect()
}

/// Opens another session of the tab's payer beside the first, with a session key that nobody keeps.
async fn second_session(tab: &Tab) -> (Wallet, String) {
    let merchant = tab.world.wallet(0).await;
    let mut opening = tab.world.opening(&tab.payer, &merchant.key(), 10_000);
    opening.approved = 10_010_000;
    opening.intent.session_key = Some(tab.world.stranger().key());
    let (status, session) = tab.world.post("/sessions", &tab.world.opening_body(&opening).await).await;
    assert_eq!(status, 201, "{session:#}");
    (merchant, session["sessionId"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_wallet_is_told_its_sessions_newest_first_with_what_a_close_needs() {
    let tab = Tab::open(patient(|_| ())).await;
    let (_, second) = second_session(&tab).await;
    let (status, page) = tab.world.list(&tab.payer, "").await;
    assert_eq!(status, 200, "{page:#}");
    assert_eq!(ids(&page), [second.clone(), tab.session.clone()]);
    assert_eq!(page.get("next"), None);
    let keyed = &page["sessions"][0];
    assert_eq!(
        (&keyed["cap"], &keyed["state"]),
        (&json!("10000"), &json!("open")),
        "amounts, though it has a session key"
    );
    let known = tab.world.ledger().session(second.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(keyed["intentHash"], known.signed.hash().hex());
    let asset = tab.world.faucet.mint();
    assert_eq!(ids(&tab.world.list(&tab.payer, &format!("&asset={asset}")).await.1).len(), 2);
    assert_eq!(ids(&tab.world.list(&tab.payer, &format!("&asset={}", tab.merchant.key())).await.1), [""; 0]);
    assert_eq!(ids(&tab.world.list(&tab.merchant, "").await.1), [""; 0], "who is paid has no sessions");
    tab.closes().await;
}

#[tokio::test]
async fn a_long_list_goes_on_after_its_cursor_which_is_its_wallets_alone() {
    let tab = Tab::open(patient(|_| ())).await;
    let ledger = tab.world.ledger();
    for number in 1..=60 {
        let session = session_with(number, |session| session.intent.user = tab.payer.key());
        ledger.open_session(&session).await.unwrap();
        ledger.reject_session(session.id, SessionReason::CapMismatch).await.unwrap();
    }
    let (_, first) = tab.world.list(&tab.payer, "").await;
    let newest: Vec<String> = (11..=60).rev().map(|number| session_id(number).to_string()).collect();
    assert_eq!(ids(&first), newest);
    let next = first["next"].as_str().unwrap();
    let (_, second) = tab.world.list(&tab.payer, &format!("&after={next}")).await;
    assert_eq!((ids(&second).len(), second.get("next")), (11, None));
    assert_eq!(ids(&second).last(), Some(&tab.session));
    for (wallet, cursor) in [(&tab.merchant, next), (&tab.payer, "0-0"), (&tab.payer, &next[1..])] {
        let (status, refused) = tab.world.list(wallet, &format!("&after={cursor}")).await;
        assert_eq!((status, &refused["error"]), (400, &json!("bad_request")), "{cursor}");
    }
    tab.closes().await;
}

#[tokio::test]
async fn a_wallet_closes_all_its_sessions_without_their_keys() {
    let tab = Tab::open(patient(|_| ())).await;
    let (merchant, second) = second_session(&tab).await;
    let (other, shop) = (tab.world.wallet(PURSE).await, tab.world.wallet(0).await);
    let theirs = tab.world.open(&other, &shop.key(), 10_000).await;
    tab.holds(PRICE, "held").await;
    tab.rests(PRICE).await;
    let closed = tab.world.closes_all(&tab.payer).await;
    let told: Vec<_> =
        closed.as_array().unwrap().iter().map(|closed| (&closed["sessionId"], &closed["state"])).collect();
    assert_eq!(told, [(&json!(tab.session), &json!("closed")), (&json!(second), &json!("closed"))], "{closed:#}");
    assert_eq!(
        (&closed[0]["captured"], &closed[0]["held"], &closed[0]["lost"]),
        (&json!("700"), &json!("0"), &json!("0"))
    );
    assert_eq!(tab.world.units(&tab.merchant), PRICE, "what was promised is paid");
    let refused = tab.settle(PRICE, "late").await;
    assert_eq!(refused["errorReason"], "session_not_open", "{refused:#}");
    let id: SessionId = theirs.parse().unwrap();
    let untouched = tab.world.ledger().session(id).await.unwrap().unwrap();
    assert_eq!(untouched.state.word(), "open", "another wallet's session");
    assert_eq!(tab.world.closes_all(&tab.payer).await, json!([]), "nothing is left");
    // The wallet goes on as before.
    let again = tab.world.open(&tab.payer, &merchant.key(), 10_000).await;
    assert_eq!(tab.world.closes_all(&tab.payer).await[0]["sessionId"], json!(again));
    tab.closes().await;
}

/// Guard: the sweep before the lock in `Sessions::close_all`. What a thief may pay from stops at once, also while an approve of the
/// wallet is on its way, for which the opening lock is held.
#[tokio::test]
async fn a_close_of_all_stops_what_is_open_whatever_else_is_under_way() {
    let tab = Tab::open(patient(|_| ())).await;
    let (world, merchant) = (&tab.world, tab.world.wallet(0).await);
    let opening = world.opening(&tab.payer, &merchant.key(), 10_000);
    let stolen = world.payment(&tab.session, &tab.merchant.key(), PRICE, Some("thief"));
    let (body, close) = (
        world.opening_body(&opening).await,
        world.close_all_body(&tab.payer, &tab.payer, &world.spender(), world.now()),
    );
    world.net.faults().change(|plan| plan.frozen = true);
    let closing = async {
        world
            .until("an opening is under way", async || !world.ledger().opening_sessions().await.unwrap().is_empty())
            .await;
        let closes = world.post("/sessions/close", &close);
        let is_closed = world.until("what is open is closed", async || {
            let session = world.ledger().session(tab.session.parse().unwrap()).await.unwrap().unwrap();
            session.state.word() == "closed"
        });
        let ((), answer) = tokio::join!(
            async {
                is_closed.await;
                let (_, told) = world.post("/verify", &stolen).await;
                assert_eq!(told["invalidReason"], "session_not_open", "{told:#}");
                world.net.faults().clear();
            },
            closes
        );
        answer
    };
    let ((status, opened), (_, closed)) = tokio::join!(world.post("/sessions", &body), closing);
    assert!(status == 201 || opened["error"].is_string(), "{opened:#}");
    assert!(closed["sessions"].is_array() || closed["error"] == "session_busy", "{closed:#}");
    let (_, told) = world.post("/settle", &stolen).await;
    assert_eq!(told["errorReason"], "session_not_open", "{told:#}");
    tab.world.finish().await;
}
