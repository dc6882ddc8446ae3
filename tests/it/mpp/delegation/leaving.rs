//! Leaving: the sponsored revoke of a wallet without SOL.

use crate::support::{DelegationScene, PURSE, Sent, look_again};
use serde_json::json;
use sotto::{
    domain::mpp::siwx::Proof,
    ledger::DelegationKey,
    programs::spl_token::{TokenProgram, TransferChecked},
};

#[tokio::test]
async fn everything_goes_back_and_our_rent_too() {
    let scene = DelegationScene::start().await;
    scene.onboarded(json!({ "deposit_atomic": "3000000" })).await;
    scene.world.quiet().await;
    let before = scene.world.net.network().balance(&scene.world.fee_payer());
    let (code, offered) = scene.leaves().await;
    assert_eq!((code, offered["status"].as_str()), (200, Some("transactions_required")), "{offered:#}");
    assert_eq!(offered["transactions"][0]["type"], "leave");
    let left = scene.landed(scene.signed(&offered), "left").await;
    assert_eq!(left["onboard_tx_signatures"].as_array().unwrap().len(), 1);
    assert!(scene.session_account().is_none());
    assert_eq!(scene.world.cash(&scene.buyer), PURSE);
    let after = scene.world.net.network().balance(&scene.world.fee_payer());
    assert_eq!(after - before, 2_039_280 - 15_001, "three signatures and their compute");
    assert_eq!(scene.status().await["status"], "revoked");
    let (code, answer) = scene.leaves().await;
    assert_eq!((code, answer["error"].as_str()), (404, Some("swig_role_not_found")), "{answer:#}");
    // And comes back.
    scene.onboarded(json!({})).await;
    assert_eq!(scene.status().await["status"], "active");
    scene.world.finish().await;
}

/// Guards: `check_proof`, `mpp_proofs`. A sign-in alone takes nothing back, and a proof asks once.
#[tokio::test]
async fn only_a_proof_asks_for_a_leave_and_for_the_same_one_again() {
    let scene = DelegationScene::start().await;
    scene.onboarded(json!({})).await;
    let plain = scene.asked("/api/sessions/leave", json!({}));
    let (code, answer) = scene.world.sends(&plain).await;
    assert_eq!((code, answer["error"].as_str()), (401, Some("siwx_malformed")), "{answer:#}");
    let proof = scene.proof(&scene.buyer, &Proof::Leave);
    let sent = Sent { sign_in: Some(proof), ..plain };
    let (code, first) = scene.world.sends(&sent).await;
    assert_eq!(code, 200, "{first:#}");
    let (code, again) = scene.world.sends(&sent).await;
    assert_eq!((code, &again["transactions"]), (200, &first["transactions"]), "{again:#}");
    // A proof is no sign-in for other routes.
    let elsewhere = Sent { path: "/api/sessions/onboard", ..sent.clone() };
    assert_eq!(scene.world.sends(&elsewhere).await.0, 401);
    // A newer offer voids it, once a blockhash has passed: until then it is the very same transaction.
    let second = loop {
        let (code, second) = scene.leaves().await;
        assert_eq!(code, 200, "{second:#}");
        if second["transactions"] != first["transactions"] {
            break second;
        }
        look_again().await;
    };
    scene.refused(scene.signed(&first), 400, "transaction_not_issued").await;
    scene.landed(scene.signed(&second), "left").await;
    scene.world.finish().await;
}

#[tokio::test]
async fn who_never_granted_has_nothing_to_take_back() {
    let scene = DelegationScene::start().await;
    let (code, answer) = scene.leaves().await;
    assert_eq!((code, answer["error"].as_str()), (404, Some("swig_role_not_found")), "{answer:#}");
    // Begun, and nothing on chain yet.
    scene.next(json!({}), "create_session_account").await;
    let (code, answer) = scene.leaves().await;
    assert_eq!((code, answer["error"].as_str()), (404, Some("swig_role_not_found")), "{answer:#}");
    scene.world.finish().await;
}

/// Guard: `leave_session_account`. Asked for again and again it would be a transaction of ours each time, for nothing.
#[tokio::test]
async fn a_leave_at_our_cost_takes_back_what_is_ours_to_take() {
    let scene = DelegationScene::start().await;
    scene.next(json!({}), "create_session_account").await;
    let (account, buyer) = (scene.account(), scene.buyer.key());
    scene.lands(&scene.buyer, &[account.create(&buyer), account.initialize()], &[]).await;
    assert_eq!(scene.session_account().unwrap().owner, buyer, "made by the wallet itself, at its own cost");
    let (code, answer) = scene.leaves().await;
    assert_eq!((code, answer["error"].as_str()), (404, Some("swig_role_not_found")), "{answer:#}");
    scene.world.finish().await;
}

/// Guards: `FailedLeaves`. A stranger's dust makes the close fail; the next leave goes without it.
#[tokio::test]
async fn dust_that_comes_in_between_keeps_nobody_in() {
    let scene = DelegationScene::start().await;
    scene.onboarded(json!({})).await;
    let (_, offered) = scene.leaves().await;
    let signed = scene.signed(&offered);
    let dust = scene.world.stranger();
    scene.world.gives_cash(&dust, 5).await;
    let transfer = TransferChecked {
        program: TokenProgram::Token,
        source: scene.world.net.cash().account_of(&dust.key()),
        mint: scene.world.net.cash().mint(),
        destination: scene.account().address(),
        authority: dust.key(),
        amount: 1,
        decimals: 6,
    };
    scene.lands(&dust, &[transfer.instruction()], &[]).await;
    scene.refused(signed, 400, "simulation_failed").await;
    let (_, offered) = scene.leaves().await;
    scene.landed(scene.signed(&offered), "left").await;
    let account = scene.session_account().unwrap();
    assert_eq!((account.amount, account.delegate), (0, None), "open, and nobody's but the buyer's");
    assert_eq!(scene.world.cash(&scene.buyer), PURSE + 1);
    // The next leave closes it.
    let signed = scene.next(json!({}), "grant_role").await;
    scene.landed(signed, "ready").await;
    let (_, offered) = scene.leaves().await;
    scene.landed(scene.signed(&offered), "left").await;
    assert!(scene.session_account().is_none());
    scene.world.finish().await;
}

/// Guard: `is_leaving`. From the issue of a leave to its end nothing opens.
#[tokio::test]
async fn whoever_leaves_opens_nothing() {
    let scene = DelegationScene::start().await;
    scene.onboarded(json!({})).await;
    let id = scene.delegation().await.unwrap().id;
    let ledger = scene.world.ledger();
    assert!(!ledger.is_leaving(id, scene.world.now()).await.unwrap());
    scene.leaves().await;
    assert!(ledger.is_leaving(id, scene.world.now()).await.unwrap());
    assert!(!ledger.is_leaving(id, scene.world.now() + 61).await.unwrap());
    let key = DelegationKey::Id(id);
    assert!(ledger.delegation(&key).await.unwrap().unwrap().used.is_free());
    scene.world.finish().await;
}
