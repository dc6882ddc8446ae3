//! The three rounds of a Swig on the local network's stand-in, and what others leave at its address.

use crate::support::{DelegationScene, PURSE, ROOT};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use sotto::{
    domain::mpp::root::{Root, swig_id},
    programs::{
        delegation::swig::{Authority, SwigAccount, SwigAddresses},
        spl_token::TokenProgram,
    },
};

fn plain(scene: &DelegationScene) -> SwigAddresses {
    SwigAddresses::of(swig_id(scene.world.network.canonical(), &scene.buyer.key()))
}

fn salted(scene: &DelegationScene) -> SwigAddresses {
    SwigAddresses::of(Root::new(ROOT).salted_swig_id(scene.world.network.canonical(), &scene.buyer.key()))
}

fn config(scene: &DelegationScene, addresses: &SwigAddresses) -> SwigAccount {
    SwigAccount::decode(&scene.world.net.network().account(&addresses.config.0).unwrap().data).unwrap()
}

fn inside(scene: &DelegationScene, addresses: &SwigAddresses) -> u64 {
    let mint = scene.world.net.cash().mint();
    scene.world.spl_account(&addresses.token_account(TokenProgram::Token, &mint)).map_or(0, |account| account.amount)
}

/// Goes through the rounds that are left, and gives the last answer.
async fn rounds(scene: &DelegationScene, body: Value, labels: &[&str]) -> Value {
    let mut last = json!(null);
    for (at, label) in labels.iter().enumerate() {
        let signed = scene.next(body.clone(), label).await;
        let status = if at + 1 == labels.len() { "ready" } else { "pending" };
        last = scene.landed(signed, status).await;
    }
    last
}

const ALL: [&str; 3] = ["create_swig", "grant_role", "activate_session_key"];

#[tokio::test]
async fn three_rounds_end_with_a_role_that_can_act() {
    let scene = DelegationScene::swig().await;
    let ready = rounds(&scene, json!({}), &ALL).await;
    let addresses = plain(&scene);
    assert_eq!(ready["swig_address"], json!(addresses.config.0.to_string()));
    assert_eq!((&ready["role_id"], &ready["spend_limit_remaining"]), (&json!(1), &json!("100000000")));
    assert_eq!((inside(&scene, &addresses), scene.world.cash(&scene.buyer)), (PURSE, 0));
    let role = config(&scene, &addresses).roles[1].clone();
    let Authority::Ed25519Session { root, session_key, expiry, max_length } = role.authority else {
        panic!("{role:?}")
    };
    let delegate = Root::new(ROOT).delegate_key(scene.world.network.canonical(), &scene.buyer.key(), 0).public();
    assert_eq!((root, session_key, max_length), (scene.buyer.key(), delegate, 216_000), "the buyer is its root");
    assert!(expiry >= 216_000);
    let told = scene.told(json!({}), "ready").await;
    assert_eq!(told["role_id"], 1);
    let status = scene.status().await;
    assert_eq!(
        (&status["status"], &status["backend"], &status["role_id"]),
        (&json!("active"), &json!("swig"), &json!(1))
    );
    scene.world.quiet().await;
    let rent: u64 = scene.world.ledger().spending(0).await.unwrap().iter().map(|row| row.spent.rent).sum();
    assert!(rent <= 5_825_520, "what was not spent is not booked: {rent}");
    scene.world.finish().await;
}

/// Guard: `TokenDestinationLimit` of the bound seller.
#[tokio::test]
async fn a_role_may_be_bound_to_one_seller() {
    let scene = DelegationScene::swig().await;
    let seller = scene.world.stranger();
    let body = json!({ "seller_wallet": seller.key().to_string(), "spend_limit_atomic": "2000000" });
    let ready = rounds(&scene, body, &ALL).await;
    assert_eq!(ready["spend_limit_remaining"], "2000000");
    assert_eq!(config(&scene, &plain(&scene)).roles[1].actions.len(), 3);
    scene.world.finish().await;
}

/// Guard: the terms that `judge_swig` compares: a grant of other terms is another role, never a mixture.
#[tokio::test]
async fn a_pending_role_of_other_terms_is_replaced() {
    let scene = DelegationScene::swig().await;
    let small = json!({ "spend_limit_atomic": "1000000" });
    let signed = scene.next(small.clone(), "create_swig").await;
    scene.landed(signed, "pending").await;
    let signed = scene.next(small, "grant_role").await;
    scene.landed(signed, "pending").await;
    let large = json!({ "spend_limit_atomic": "4000000" });
    let ready = rounds(&scene, large, &["grant_role", "activate_session_key"]).await;
    assert_eq!((&ready["role_id"], &ready["spend_limit_remaining"]), (&json!(2), &json!("4000000")));
    assert_eq!(config(&scene, &plain(&scene)).roles.len(), 2, "the first was taken out");
    scene.world.finish().await;
}

#[tokio::test]
async fn a_renewal_is_a_new_role_in_place_of_the_old() {
    let scene = DelegationScene::swig().await;
    rounds(&scene, json!({}), &ALL).await;
    let renew = json!({ "renew": true, "spend_limit_atomic": "3000000" });
    let signed = scene.next(renew, "grant_role").await;
    scene.landed(signed, "pending").await;
    assert_eq!(scene.status().await["status"], "pending", "the old role is gone");
    let ready = rounds(&scene, json!({ "spend_limit_atomic": "3000000" }), &["activate_session_key"]).await;
    assert_eq!((&ready["role_id"], &ready["spend_limit_remaining"]), (&json!(2), &json!("3000000")));
    scene.world.finish().await;
}

/// Anybody can make the Swig at the id that everybody can derive, with themselves as its root.
async fn squats(scene: &DelegationScene, addresses: &SwigAddresses) -> Pubkey {
    let squatter = scene.world.stranger();
    scene.lands(&squatter, &[addresses.create(&squatter.key(), &squatter.key())], &[]).await;
    squatter.key()
}

/// Guards: `Existing::Foreign`, the salted id.
#[tokio::test]
async fn a_squatted_id_is_left_alone() {
    let scene = DelegationScene::swig().await;
    squats(&scene, &plain(&scene)).await;
    let ready = rounds(&scene, json!({}), &ALL).await;
    assert_eq!(ready["swig_address"], json!(salted(&scene).config.0.to_string()));
    assert_eq!((inside(&scene, &plain(&scene)), inside(&scene, &salted(&scene))), (0, PURSE));
    assert!(scene.delegation().await.unwrap().is_salted);
    scene.told(json!({}), "ready").await;
    scene.world.finish().await;
}

/// The squatter comes between the offer and its confirmation: nothing is sent, and the next round goes elsewhere.
#[tokio::test]
async fn who_squats_after_the_offer_gains_nothing() {
    let scene = DelegationScene::swig().await;
    let signed = scene.next(json!({}), "create_swig").await;
    squats(&scene, &plain(&scene)).await;
    scene.refused(signed, 400, "simulation_failed").await;
    assert_eq!(scene.world.cash(&scene.buyer), PURSE);
    rounds(&scene, json!({}), &ALL).await;
    assert_eq!(inside(&scene, &salted(&scene)), PURSE);
    scene.world.finish().await;
}

/// Guard: an existing Swig of the buyer's own skips its round, and gets no deposit.
#[tokio::test]
async fn a_swig_of_the_buyers_own_is_used() {
    let scene = DelegationScene::swig().await;
    let payer = scene.world.stranger();
    scene.lands(&payer, &[plain(&scene).create(&payer.key(), &scene.buyer.key())], &[]).await;
    rounds(&scene, json!({}), &ALL[1..]).await;
    assert_eq!((inside(&scene, &plain(&scene)), scene.world.cash(&scene.buyer)), (0, PURSE));
    scene.world.finish().await;
}

#[tokio::test]
async fn leaving_a_swig_takes_the_role_out_and_the_money_back() {
    let scene = DelegationScene::swig().await;
    rounds(&scene, json!({}), &ALL).await;
    let (code, offered) = scene.leaves().await;
    assert_eq!(code, 200, "{offered:#}");
    scene.landed(scene.signed(&offered), "left").await;
    assert_eq!(config(&scene, &plain(&scene)).roles.len(), 1, "the buyer's own is left");
    assert_eq!(scene.world.cash(&scene.buyer), PURSE);
    assert_eq!(scene.status().await["status"], "revoked");
    rounds(&scene, json!({}), &ALL[1..]).await;
    scene.world.finish().await;
}

/// A role that the buyer removes is gone, and another is offered.
#[tokio::test]
async fn a_role_that_its_buyer_removes_is_gone() {
    let scene = DelegationScene::swig().await;
    rounds(&scene, json!({}), &ALL).await;
    let payer = scene.world.stranger();
    scene.lands(&payer, &[plain(&scene).remove(&payer.key(), &scene.buyer.key(), 1)], &[&scene.buyer]).await;
    scene.next(json!({}), "grant_role").await;
    assert_eq!(scene.status().await["status"], "revoked");
    scene.world.finish().await;
}
