//! A payer's client takes its delegation back at the facilitator's cost: with an honest facilitator, and with one that gives
//! something else to sign.

use super::{
    command_line::Desk,
    journey::{client, client_at, key},
    stand_in::{StandIn, json as answer},
};
use crate::support::{Options, RevokeScene, legacy, wire};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_instruction::Instruction;
use solana_message::{VersionedMessage, legacy::Message};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use sotto::client::{Delegation, SessionClientError};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_mins(1);

fn at<'a>(command: &'a str, facilitator: &'a str) -> [&'a str; 5] {
    ["session", command, "--facilitator", facilitator, "--trust-on-first-use"]
}

fn as_json<'a>(command: &'a str, facilitator: &'a str) -> Vec<&'a str> {
    [&at(command, facilitator)[..], &["--json"]].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_revokes_from_the_command_line() {
    let scene = RevokeScene::open(Options::default()).await;
    let (desk, url) = (Desk::of(&scene.world, &scene.payer), scene.world.running().url.clone());
    let listed = desk.json(&as_json("list", &url)).await;
    assert_eq!((&listed["delegation"], &listed["sessions"][0]["state"]), (&json!("facilitator"), &json!("open")));
    let busy = desk.failing(&at("revoke", &url)).await;
    assert!(busy.contains("session_busy"), "{busy}");
    let closed = desk.sotto(&at("close-all", &url)).await;
    let told = String::from_utf8_lossy(&closed.stderr).into_owned();
    assert!(closed.status.success() && told.contains("sotto session revoke"), "what stands is told: {told}");
    let listed = desk.sotto(&at("list", &url)).await;
    let told = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(told.contains("this facilitator may spend from this wallet's account"), "{told}");
    assert!(told.contains("no session takes from it"), "an approve that stands without sessions is named: {told}");
    let listed = desk.json(&as_json("list", &url)).await;
    assert_eq!(listed["approvals"][0]["sessions"], json!(0), "{listed:#}");

    let revoked = desk.json(&as_json("revoke", &url)).await;
    assert_eq!(revoked["user"], json!(scene.payer.key().to_string()), "{revoked:#}");
    assert!(revoked["transaction"].as_str().unwrap().parse::<Signature>().is_ok());
    assert!(!scene.is_delegated());
    scene.world.confirmed().await;
    let listed = desk.sotto(&at("list", &url)).await;
    let told = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(told.contains("nobody may spend from this wallet's account"), "{told}");
    assert!(!told.contains("takes it back") && !told.contains("approve  "), "nothing is left to take back: {told}");
    let listed = desk.json(&as_json("list", &url)).await;
    assert_eq!((&listed["approvals"], &listed["delegation"]), (&json!([]), &json!("nobody")));
    let again = desk.failing(&at("revoke", &url)).await;
    assert!(again.contains("quota_exceeded") && again.contains("a wallet with SOL"), "{again}");
    scene.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_takes_its_delegation_back_and_knows_who_may_spend() {
    let scene = RevokeScene::over().await;
    let (client, wallet) = (client(&scene.world), key(&scene.payer));
    let delegation = async |user: &Pubkey| client.delegation(user).await.unwrap();
    assert_eq!(delegation(&scene.payer.key()).await, Delegation::Facilitator);
    assert_eq!(delegation(&scene.world.stranger().key()).await, Delegation::Nobody);
    let signed = client.prepare_revoke(&wallet).await.unwrap();
    assert!(scene.is_delegated(), "nothing has changed yet");
    let revoked = client.finish_revoke(&signed, PATIENCE).await.unwrap();
    assert_eq!(client.finish_revoke(&signed, PATIENCE).await.unwrap(), revoked, "it is one transaction");
    scene.world.confirmed().await;
    assert_eq!(delegation(&scene.payer.key()).await, Delegation::Nobody);
    let refused = client.revoke(&wallet, PATIENCE).await.unwrap_err();
    assert!(matches!(refused, SessionClientError::Refused(body) if body.error == "quota_exceeded"));
    scene.world.finish().await;
}

fn unsigned(message: Message) -> VersionedTransaction {
    let signatures = vec![Signature::default(); usize::from(message.header.num_required_signatures)];
    VersionedTransaction { signatures, message: VersionedMessage::Legacy(message) }
}

/// What a facilitator that lies gives to be signed in place of the revoke.
fn lies(scene: &RevokeScene, honest: &VersionedTransaction) -> Vec<(&'static str, VersionedTransaction)> {
    let (payer, fee_payer) = (scene.payer.key(), scene.world.fee_payer());
    let made = |instructions: &[Instruction], pays: &Pubkey| {
        unsigned(Message::new_with_blockhash(instructions, Some(pays), &legacy(honest).recent_blockhash))
    };
    let taken = solana_system_interface::instruction::transfer(&payer, &fee_payer, 1);
    let close = scene.world.programs.close_account(&scene.world.account_of(&payer), &fee_payer, &payer);
    let mut filled = honest.clone();
    filled.signatures[0] = Signature::from([1; 64]);
    vec![
        ("a transfer of the wallet's SOL beside it", made(&[scene.revoke(), taken.clone()], &fee_payer)),
        ("a transfer in its place", made(&[taken], &fee_payer)),
        ("the account's close", made(&[close], &fee_payer)),
        ("a fee that the wallet pays", made(&[scene.revoke()], &payer)),
        ("a signature that is there", filled),
    ]
}

/// R-01, the payer's side: whatever else the transaction does, the wallet is not asked.
#[tokio::test(flavor = "multi_thread")]
async fn r01_a_wallet_signs_no_transaction_but_its_own_revoke() {
    let scene = RevokeScene::over().await;
    let base = &scene.world.running().url;
    let supported: Value =
        scene.world.http.get(format!("{base}/supported")).send().await.unwrap().json().await.unwrap();
    let honest = scene.signed().await;
    for (what, lie) in lies(&scene, &unsigned(legacy(&honest))) {
        let offer = json!({ "transaction": BASE64_STANDARD.encode(wire(&lie)) });
        let stand_in = StandIn::answering(vec![answer(200, &supported), answer(200, &offer)]).await;
        let error = client_at(&scene.world, &stand_in.url).prepare_revoke(&key(&scene.payer)).await.expect_err(what);
        assert!(matches!(error, SessionClientError::Foreign(_)), "{what}: {error:?}");
        stand_in.stop().await;
    }
    assert!(scene.is_delegated());
    scene.world.finish().await;
}
