//! What a caller never hears, and what a process leaves behind that dies: the next one knows.

use crate::support::{DelegationScene, until};
use serde_json::json;
use sotto::{domain::mpp::delegation::DelegationState, ledger::DelegationKey, localnet::Odds};

/// No send arrives.
const ALL_SENDS: Odds = Odds { next: u32::MAX, per_mille: 0 };

async fn is_on_its_way(scene: &DelegationScene) {
    let id = scene.delegation().await.unwrap().id;
    let ledger = scene.world.ledger();
    until("it is recorded", async || ledger.issued_on_its_way(id).await.unwrap().is_some()).await;
}

/// The caller hangs up between send and answer; onboard waits for what is on its way and says ready.
#[tokio::test]
async fn onboard_knows_what_a_lost_answer_came_to() {
    let scene = DelegationScene::start().await;
    let signed = scene.next(json!({}), "create_session_account").await;
    scene.world.stands_still();
    {
        let confirms = scene.confirms(signed.clone());
        tokio::pin!(confirms);
        let recorded = is_on_its_way(&scene);
        tokio::select! {
            answer = &mut confirms => panic!("answered while nothing is confirmed: {answer:?}"),
            () = recorded => {}
        }
    }
    scene.world.moves_on();
    let ready = scene.told(json!({}), "ready").await;
    assert_eq!(ready["role_id"], 1);
    // Sent once more, the bytes are answered from the record.
    scene.landed(signed, "ready").await;
    scene.world.finish().await;
}

/// The process dies after the record, before anything was sent; the next one sends the same bytes.
#[tokio::test]
async fn a_process_that_dies_between_record_and_send_leaves_it_to_the_next() {
    let mut scene = DelegationScene::start().await;
    let signed = scene.next(json!({}), "create_session_account").await;
    scene.world.net.faults().change(|faults| faults.drop_sends = ALL_SENDS);
    {
        let confirms = scene.confirms(signed.clone());
        tokio::pin!(confirms);
        tokio::select! {
            answer = &mut confirms => panic!("answered while nothing arrives: {answer:?}"),
            () = is_on_its_way(&scene) => {}
        }
    }
    scene.world.kill().await;
    assert!(scene.session_account().is_none());
    scene.world.net.faults().change(|faults| faults.drop_sends = Odds::default());
    scene.world.boot().await;
    scene.world.quiet().await;
    assert!(scene.session_account().unwrap().delegate.is_some());
    scene.landed(signed, "ready").await;
    scene.told(json!({}), "ready").await;
    scene.world.finish().await;
}

/// Nothing arrives until the blockhash is dead: it is proved absent, and another round is offered.
#[tokio::test]
async fn what_never_lands_is_over_with_its_blockhash() {
    let scene = DelegationScene::start().await;
    let signed = scene.next(json!({}), "create_session_account").await;
    scene.world.net.faults().change(|faults| faults.drop_sends = ALL_SENDS);
    let dies = async {
        is_on_its_way(&scene).await;
        scene.world.passes(200);
    };
    let (told, ()) = tokio::join!(scene.confirms(signed.clone()), dies);
    assert!(matches!(told.1["error"].as_str(), Some("settlement_failed" | "onboard_pending")), "{told:?}");
    scene.world.net.faults().change(|faults| faults.drop_sends = Odds::default());
    scene.world.quiet().await;
    scene.refused(signed, 400, "settlement_failed").await;
    assert_eq!(scene.delegation().await.unwrap().state, DelegationState::Pending);
    scene.onboarded(json!({})).await;
    assert_eq!(scene.delegation().await.unwrap().grant.unwrap().terms.generation, 1);
    scene.world.finish().await;
}

/// Sixteen equal confirmations are one transaction.
#[tokio::test]
async fn equal_confirmations_are_one_transaction() {
    let scene = DelegationScene::start().await;
    let signed = scene.next(json!({}), "create_session_account").await;
    let all = (0..16).map(|_| scene.landed(signed.clone(), "ready"));
    let answers = futures_util::future::join_all(all).await;
    assert!(answers.iter().all(|answer| answer["onboard_tx_signatures"] == answers[0]["onboard_tx_signatures"]));
    scene.world.quiet().await;
    let spent = scene.world.ledger().spending(0).await.unwrap();
    let [row] = spent.as_slice() else { panic!("{spent:?}") };
    assert_eq!((row.landed, row.spent.fee, row.spent.rent), (1, 10_001, 2_039_280));
    let key = DelegationKey::Buyer(scene.buyer.key(), scene.world.net.cash().mint());
    assert!(scene.world.ledger().delegation(&key).await.unwrap().is_some());
    scene.world.finish().await;
}
