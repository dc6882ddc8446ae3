//! The list and the close of all sessions of a wallet, asked for by somebody else.

use crate::deferred::{Tab, patient};
use serde_json::json;
use solana_pubkey::Pubkey;
use sotto::domain::signed;

/// Guard: `Facilitator::list_sessions`. Nobody is told a wallet's sessions but who holds its key now, and asks us.
#[tokio::test]
async fn nobody_else_is_told_a_wallets_sessions() {
    let tab = Tab::open(patient(|_| ())).await;
    let (world, user, now) = (&tab.world, tab.payer.key(), tab.world.now());
    let list = |spender: &Pubkey, at| signed::list_message(spender, &user, at);
    let ours = world.spender();
    let attempts = [
        (tab.merchant.clone(), list(&ours, now), now),
        (world.stranger(), list(&ours, now), now),
        // Signed for another facilitator, too long ago, for later, for another time, or something else altogether.
        (tab.payer.clone(), list(&tab.merchant.key(), now), now),
        (tab.payer.clone(), list(&ours, now - 301), now - 301),
        (tab.payer.clone(), list(&ours, now + 400), now + 400),
        (tab.payer.clone(), list(&ours, now - 1), now),
        (tab.payer.clone(), signed::read_message(&user.to_string(), now), now),
        (tab.payer.clone(), signed::close_all_message(&ours, &user, &world.faucet.mint(), now), now),
    ];
    for (signer, message, at) in attempts {
        let (status, refused) = world.lists(&user, "", &signer, &message, at).await;
        assert_eq!((status, &refused["error"]), (403, &json!("signature_required")), "{message}");
    }
    let good = bs58::encode(tab.payer.sign(list(&ours, now).as_bytes())).into_string();
    for (unsigned, why) in
        [(String::new(), "unsigned"), (format!("&at={now}&signature={good}"), "in a URL, which is logged")]
    {
        let (status, refused) = world.get(&format!("/sessions?user={user}{unsigned}")).await;
        assert_eq!((status, &refused["error"]), (403, &json!("signature_required")), "{why}");
    }
    for (query, error) in [
        ("", "missing_user"),
        ("?user=7", "invalid_user"),
        ("?user=11111111111111111111111111111111&user=11111111111111111111111111111111", "bad_request"),
        ("?user=11111111111111111111111111111111&asset=7", "asset_not_allowed"),
    ] {
        let (status, refused) = world.get(&format!("/sessions{query}")).await;
        assert_eq!((status, &refused["error"]), (400, &json!(error)), "{query}");
    }
    tab.closes().await;
}

/// Guard: `Sessions::close_all`. Neither a session key nor a merchant nor a stranger ends a wallet's sessions, and no
/// signature for another facilitator, wallet, asset or time does.
#[tokio::test]
async fn nobody_else_closes_a_wallets_sessions() {
    let tab = Tab::open(patient(|_| ())).await;
    let (world, now, ours) = (&tab.world, tab.world.now(), tab.world.spender());
    let mut bodies = vec![
        world.close_all_body(&tab.payer, &tab.merchant, &ours, now),
        world.close_all_body(&tab.payer, &world.stranger(), &ours, now),
        world.close_all_body(&tab.payer, &tab.payer, &tab.merchant.key(), now),
        world.close_all_body(&tab.payer, &tab.payer, &ours, now - 301),
        world.close_all_body(&tab.payer, &tab.payer, &ours, now + 400),
    ];
    let good = world.close_all_body(&tab.payer, &tab.payer, &ours, now);
    for (member, value) in
        [("at", json!(now - 1)), ("asset", json!(ours.to_string())), ("user", json!(ours.to_string()))]
    {
        bodies.push(good.clone());
        bodies.last_mut().unwrap()[member] = value;
    }
    for body in bodies {
        let (status, refused) = world.post("/sessions/close", &body).await;
        assert_eq!((status, &refused["error"]), (403, &json!("invalid_close_signature")), "{body}");
    }
    for (member, error) in
        [("user", "missing_user"), ("asset", "missing_asset"), ("at", "missing_at"), ("signature", "missing_signature")]
    {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(member);
        let (status, refused) = world.post("/sessions/close", &body).await;
        assert_eq!((status, &refused["error"]), (400, &json!(error)), "{body}");
    }
    let mut bent = good;
    bent["signature"] = json!("7");
    assert_eq!(world.post("/sessions/close", &bent).await.0, 400);
    let open = world.ledger().session(tab.session.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(open.state.word(), "open");
    tab.closes().await;
}
