//! Onboarding by a session account on the real SPL Token program: one round, whatever stands at its address.

use crate::support::{DelegationScene, ROOT, charged, confirmation, offered, signed_by};
use serde_json::json;
use solana_message::VersionedMessage;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_system_interface::instruction::transfer;
use sotto::{
    domain::{
        clock::DAY,
        mpp::{delegation::DelegationState, root::Root, timestamp},
    },
    facilitator::MppSettings,
    programs::spl_token::TokenProgram,
};

/// The rent of a token account, in lamports.
const RENT: u64 = 2_039_280;

fn delegate(scene: &DelegationScene, generation: u32) -> Pubkey {
    let chain_id = scene.world.network.canonical();
    Root::new(ROOT).delegate_key(chain_id, &scene.buyer.key(), generation).public()
}

#[tokio::test]
async fn one_round_makes_the_account_moves_the_deposit_and_grants() {
    let scene = DelegationScene::start().await;
    assert_eq!(scene.status().await["status"], "not_onboarded");
    let answer = scene.told(json!({}), "transactions_required").await;
    let transaction = offered(&answer);
    assert!(matches!(transaction.message, VersionedMessage::V0(_)));
    let keys = transaction.message.static_account_keys();
    assert_eq!(keys[0], scene.world.fee_payer(), "never the spender");
    assert!(transaction.signatures.iter().all(|signature| *signature == Signature::default()));
    assert_eq!(transaction.message.header().num_required_signatures, 2, "the buyer signs too");
    assert_eq!(answer["swig_address"], json!(scene.account().address().to_string()));
    let details = &answer["role_details"];
    assert_eq!((&details["spend_limit_atomic"], &details["ttl_seconds"]), (&json!("100000000"), &json!(86_400)));
    assert_eq!(details["dexter_session_pubkey"], json!(delegate(&scene, 0).to_string()));
    assert_eq!(details["programs"], json!([TokenProgram::Token.address().to_string()]));
    let ends = timestamp::read(answer["expires_at"].as_str().unwrap()).unwrap();
    assert!(ends <= (scene.world.now() + 60) * 1_000);
    assert_eq!(scene.status().await["status"], "pending");

    let landed = scene.landed(scene.signed(&answer), "ready").await;
    assert_eq!((&landed["role_id"], &landed["spend_limit_remaining"]), (&json!(1), &json!("100000000")));
    assert_eq!(landed["onboard_tx_signatures"].as_array().unwrap().len(), 1);
    let account = scene.session_account().unwrap();
    assert_eq!((account.owner, account.delegate), (scene.buyer.key(), Some(delegate(&scene, 0))));
    assert_eq!((account.amount, account.delegated_amount), (5_000_000, 100_000_000), "all that the wallet has");
    let rent_authority = Root::new(ROOT).rent_authority(scene.world.network.canonical()).public();
    assert_eq!(account.close_authority, Some(rent_authority));
    assert_eq!(scene.world.cash(&scene.buyer), 0);

    let ready = scene.told(json!({}), "ready").await;
    assert_eq!((&ready["role_id"], &ready["spend_limit_remaining"]), (&json!(1), &json!("100000000")));
    let status = scene.status().await;
    assert_eq!((&status["status"], &status["backend"]), (&json!("active"), &json!("spl-delegate")), "{status:#}");
    assert_eq!((&status["spend_limit_atomic"], &status["role_id"]), (&json!("100000000"), &json!(1)));
    let ends = timestamp::read(status["role_expires_at"].as_str().unwrap()).unwrap() / 1_000;
    assert!((scene.world.now() + DAY - 60..=scene.world.now() + DAY).contains(&ends), "{status:#}");
    scene.world.finish().await;
}

#[tokio::test]
async fn a_deposit_is_what_was_asked_for_or_the_limit() {
    let scene = DelegationScene::start().await;
    scene.onboarded(json!({ "spend_limit_atomic": "2000000", "ttl_seconds": 3_600 })).await;
    assert_eq!(scene.session_account().unwrap().amount, 2_000_000);
    // What is there already is added to only where that is asked for.
    let renewed = scene.next(json!({ "renew": true, "deposit_atomic": "1000000" }), "grant_role").await;
    scene.landed(renewed, "ready").await;
    let account = scene.session_account().unwrap();
    assert_eq!((account.amount, account.delegated_amount), (3_000_000, 100_000_000));
    assert_eq!(account.delegate, Some(delegate(&scene, 1)), "a generation of its own");
    let renewed = scene.next(json!({ "renew": true, "spend_limit_atomic": "1500000" }), "grant_role").await;
    scene.landed(renewed, "ready").await;
    let account = scene.session_account().unwrap();
    assert_eq!((account.amount, account.delegated_amount), (3_000_000, 1_500_000), "approving replaces");
    assert_eq!(scene.delegation().await.unwrap().grant.unwrap().terms.generation, 2);
    scene.world.finish().await;
}

/// Guards: `Place::Funded`, both ways. A stranger's lamports make the plain creation fail for ever.
#[tokio::test]
async fn a_gift_of_lamports_shuts_no_wallet_out() {
    for (gift, lent) in [(890_880, RENT - 890_880), (RENT, 0)] {
        let scene = DelegationScene::start().await;
        let giver = scene.world.stranger();
        let gift = transfer(&giver.key(), &scene.account().address(), gift);
        scene.lands(&giver, &[gift], &[]).await;
        let before = scene.world.net.network().balance(&scene.world.fee_payer());
        scene.onboarded(json!({})).await;
        let paid = before - scene.world.net.network().balance(&scene.world.fee_payer());
        assert_eq!(paid, lent + 10_001, "the missing rent, two signatures and their compute");
        assert!(scene.session_account().unwrap().delegate.is_some());
        scene.world.finish().await;
    }
}

/// Guard: the ledger's `issued_messages`. What is signed is what was issued, byte for byte, and the last of it.
#[tokio::test]
async fn only_what_was_issued_last_is_taken_and_unchanged() {
    let scene = DelegationScene::start().await;
    let first = scene.next(json!({ "spend_limit_atomic": "1000000" }), "create_session_account").await;
    let answer = scene.told(json!({}), "transactions_required").await;
    let second = scene.signed(&answer);
    scene.refused(first, 400, "transaction_not_issued").await;
    // Ours by its fee payer and blockhash, and by nothing else.
    let steals = transfer(&scene.world.fee_payer(), &scene.buyer.key(), 1);
    let blockhash = *offered(&answer).message.recent_blockhash();
    let bent = charged(&scene.world.fee_payer(), &[steals], blockhash, &[&scene.buyer]);
    scene.refused(confirmation(&bent), 400, "transaction_not_issued").await;
    for transactions in [json!([]), json!(["%"]), json!(["AA==", "AA=="])] {
        scene.refused(json!({ "signed_transactions": transactions }), 400, "transaction_not_issued").await;
    }
    let unsigned = confirmation(&offered(&answer));
    scene.refused(unsigned, 400, "invalid_signature").await;
    let landed = scene.landed(second.clone(), "ready").await;
    assert_eq!(scene.landed(second, "ready").await["onboard_tx_signatures"], landed["onboard_tx_signatures"]);
    scene.world.finish().await;
}

/// Guard: `Delegations::issued`'s filter by the buyer.
#[tokio::test]
async fn nobody_confirms_for_another_wallet() {
    let scene = DelegationScene::start().await;
    let answer = scene.told(json!({}), "transactions_required").await;
    let other = scene.world.stranger();
    let theirs = DelegationScene { world: scene.world, buyer: other };
    let (code, answer) = theirs.confirms(confirmation(&signed_by(&scene.buyer, offered(&answer)))).await;
    assert_eq!((code, answer["error"].as_str()), (400, Some("transaction_not_issued")), "{answer:#}");
    theirs.world.finish().await;
}

/// Guards: `until` in `life` and in the record.
#[tokio::test]
async fn what_was_issued_too_long_ago_is_refused() {
    let scene = DelegationScene::start().await;
    let signed = scene.next(json!({}), "create_session_account").await;
    scene.world.lets_pass(61);
    scene.refused(signed, 400, "tx_expired").await;
    let signed = scene.next(json!({}), "create_session_account").await;
    scene.world.stands_still();
    scene.world.passes(140);
    scene.refused(signed, 400, "tx_expired").await;
    scene.world.moves_on();
    assert!(scene.session_account().is_none());
    scene.world.finish().await;
}

/// Guard: `Delegations::run`. The wallet has spent what it was about to move.
#[tokio::test]
async fn what_the_chain_would_refuse_is_not_sent() {
    let scene = DelegationScene::start().await;
    let signed = scene.next(json!({}), "create_session_account").await;
    let (payer, thief) = (scene.world.stranger(), scene.world.stranger());
    scene.world.gives_cash(&thief, 0).await;
    let spent = scene.world.cash_transfer(&scene.buyer, &thief.key(), 1).instruction();
    scene.lands(&payer, &[spent], &[&scene.buyer]).await;
    let refused = scene.refused(signed, 400, "simulation_failed").await;
    assert!(refused["detail"].as_str().unwrap().contains("refuse"), "{refused:#}");
    let spent = scene.world.ledger().spending(0).await.unwrap();
    assert!(spent.is_empty(), "nothing was recorded: {spent:?}");
    scene.onboarded(json!({})).await;
    scene.world.finish().await;
}

/// Guards: `is_over`, `has_time`. After its time a generation is of no use, and shortly before it a renewal is offered.
#[tokio::test]
async fn a_grant_ends_when_it_was_said_to() {
    let scene = DelegationScene::start().await;
    scene.onboarded(json!({ "ttl_seconds": 900 })).await;
    scene.told(json!({}), "ready").await;
    scene.world.lets_pass(601);
    scene.next(json!({}), "grant_role").await;
    assert_eq!(scene.status().await["status"], "active");
    scene.world.lets_pass(300);
    assert_eq!(scene.status().await["status"], "expired");
    let signed = scene.next(json!({}), "grant_role").await;
    scene.landed(signed, "ready").await;
    assert_eq!(scene.status().await["status"], "active");
    scene.world.finish().await;
}

/// Guards: `is_live`, `note_reading`. The buyer needs nobody to take the delegation back.
#[tokio::test]
async fn a_revoke_of_the_buyers_own_is_seen_and_another_grant_offered() {
    let scene = DelegationScene::start().await;
    scene.onboarded(json!({})).await;
    let payer = scene.world.stranger();
    scene.lands(&payer, &[scene.account().revoke()], &[&scene.buyer]).await;
    let signed = scene.next(json!({}), "grant_role").await;
    assert_eq!(scene.status().await["status"], "revoked");
    scene.landed(signed, "ready").await;
    assert_eq!(scene.status().await["status"], "active");
    scene.world.finish().await;
}

/// A fork takes the grant back, and the same bytes land again.
#[tokio::test]
async fn what_a_fork_takes_back_lands_again() {
    let scene = DelegationScene::start().await;
    let landed = scene.onboarded(json!({})).await;
    scene.world.net.network().fork(3).unwrap();
    scene.world.quiet().await;
    let delegation = scene.delegation().await.unwrap();
    assert_eq!(delegation.state, DelegationState::Active);
    assert!(scene.session_account().unwrap().delegate.is_some());
    assert_eq!(landed["status"], "ready");
    scene.world.finish().await;
}

/// Guard: the order of roots in `delegate_key`, `rent_authority`: what another root granted is still known.
#[tokio::test]
async fn a_wallet_of_the_root_before_goes_on() {
    let mut scene = DelegationScene::start().await;
    scene.onboarded(json!({})).await;
    scene.world.quiet().await;
    scene.world.kill().await;
    scene.world.configure(|settings| {
        let mpp: &mut MppSettings = settings.served.mpp.as_mut().unwrap();
        mpp.roots.previous = vec![Root::new(ROOT)];
        mpp.roots.current = Root::new([0x5b; 32]);
    });
    scene.world.boot().await;
    let signed = scene.next(json!({}), "grant_role").await;
    scene.landed(signed, "ready").await;
    let chain_id = scene.world.network.canonical();
    let new = Root::new([0x5b; 32]).delegate_key(chain_id, &scene.buyer.key(), 1).public();
    assert_eq!(scene.session_account().unwrap().delegate, Some(new), "nothing new stands on the old root");
    let (code, left) = scene.leaves().await;
    assert_eq!(code, 200, "{left:#}");
    scene.landed(scene.signed(&left), "left").await;
    assert!(scene.session_account().is_none(), "the old root's key closes it");
    scene.world.finish().await;
}

/// Two rounds are offered at once: one of them is.
#[tokio::test]
async fn two_requests_at_once_leave_one_offer() {
    let scene = DelegationScene::start().await;
    let (one, other) = tokio::join!(scene.onboards(json!({})), scene.onboards(json!({})));
    let mut landed = 0;
    for (code, answer) in [one, other] {
        assert_eq!(code, 200, "{answer:#}");
        if answer["status"] == "transactions_required" {
            let (code, _) = scene.confirms(scene.signed(&answer)).await;
            landed += usize::from(code == 200);
        }
    }
    assert_eq!(landed, 1, "the other was voided");
    scene.world.finish().await;
}
