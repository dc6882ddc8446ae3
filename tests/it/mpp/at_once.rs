//! Requests that come at once, at the routes: each verb has exactly one effect. Vouchers and closes are in [`super::channels`],
//! charges in [`super::repeats`].

use crate::support::{ChannelScene, DelegationScene, MppScene, PURSE, Sent, confirmation, offered, signed_by};
use futures_util::future::join_all;
use serde_json::{Value, json};
use sotto::{domain::mpp::siwx::Proof, facilitator::MppSettings};

const OPEN: &str = "/mpp/session/open";

/// So many requests at once is what is tested here, and not how many one wallet may have.
fn crowded(settings: &mut MppSettings) {
    settings.caps.concurrency.payer = 0;
}

fn statuses<'a>(answers: impl IntoIterator<Item = &'a (u16, Value)>) -> Vec<(u16, &'a str)> {
    let word = |answer: &'a Value| answer["status"].as_str().or_else(|| answer["error"].as_str()).unwrap_or_default();
    answers.into_iter().map(|(code, answer)| (*code, word(answer))).collect()
}

/// Guard: `mpp_proofs`. One proof, one channel, one anchor.
#[tokio::test]
async fn eight_equal_openings_are_one_channel() {
    let scene = ChannelScene::start().await;
    let fees = async || scene.world.ledger().totals(None).await.expect("reads").fees;
    let before = fees().await;
    let body = scene.open_body(&scene.buyer, &scene.seller, 100_000);
    let opened = join_all((0..8).map(|_| scene.opens_by(&body))).await;
    assert!(opened.windows(2).all(|pair| pair[0] == pair[1]), "{opened:#?}");
    scene.world.quiet().await;
    assert_eq!(fees().await - before, 5_001, "one anchor");
    assert_eq!(scene.delegation(&scene.buyer).await.used.live, 1);
    scene.closes(&opened[0]).await;
    scene.ends(0).await;
}

/// Guard: the sum of reservations that `open_channel` compares in its transaction.
#[tokio::test]
async fn openings_that_do_not_fit_together_are_not_both_opened() {
    let scene = ChannelScene::start().await;
    let bodies: Vec<Value> = (0..6).map(|_| scene.open_body(&scene.buyer, &scene.seller, 400_000)).collect();
    let answers = join_all(bodies.iter().map(|body| scene.world.post(OPEN, body))).await;
    let opened: Vec<&Value> =
        answers.iter().map(|(_, answer)| answer).filter(|it| it["success"] == json!(true)).collect();
    assert_eq!(opened.len(), 2, "of a million: {answers:#?}");
    let refused = answers.iter().filter(|(_, answer)| answer["error"] == json!("insufficient_balance")).count();
    assert_eq!(refused, 4, "{answers:#?}");
    for channel in opened {
        scene.closes(channel).await;
    }
    scene.ends(0).await;
}

/// Guard: `voids`, and the one message of a wallet that may be on its way. Each asks for itself and confirms what it was offered.
#[tokio::test]
async fn onboardings_at_once_grant_once() {
    let scene = DelegationScene::with(crowded).await;
    let body = json!({ "deposit_atomic": "1000000", "spend_limit_atomic": "2000000" });
    let whole = async || {
        let (code, answer) = scene.onboards(body.clone()).await;
        if answer["status"] == json!("transactions_required") {
            return scene.confirms(scene.signed(&answer)).await;
        }
        (code, answer)
    };
    let answers = join_all((0..8).map(|_| whole())).await;
    let told = statuses(&answers);
    assert!(told.contains(&(200, "ready")), "{told:?}");
    let known = ["ready", "temporarily_unavailable", "transaction_not_issued", "onboard_pending"];
    assert!(told.iter().all(|(_, word)| known.contains(word)), "{answers:#?}");
    scene.told(json!({}), "ready").await;
    let account = scene.session_account().expect("is there");
    assert_eq!((account.amount, account.delegated_amount), (1_000_000, 2_000_000), "one deposit, one grant");
    assert_eq!(scene.world.cash(&scene.buyer), PURSE - 1_000_000);
    scene.world.quiet().await;
    assert_eq!(scene.world.ledger().totals(None).await.unwrap().fees, 10_001, "one transaction");
    scene.world.finish().await;
}

/// Guard: `record_issued`. The same bytes are one transaction, and everybody who sent them is answered for it.
#[tokio::test]
async fn eight_equal_confirmations_are_one_transaction() {
    let scene = DelegationScene::with(crowded).await;
    let signed = scene.next(json!({ "deposit_atomic": "1000000" }), "create_session_account").await;
    let answers = join_all((0..8).map(|_| scene.confirms(signed.clone()))).await;
    assert!(statuses(&answers).iter().all(|told| *told == (200, "ready")), "{answers:#?}");
    let signatures = |answer: &Value| answer["onboard_tx_signatures"].clone();
    assert!(answers.windows(2).all(|pair| signatures(&pair[0].1) == signatures(&pair[1].1)), "{answers:#?}");
    scene.world.quiet().await;
    assert_eq!(scene.world.ledger().totals(None).await.unwrap().fees, 10_001, "one transaction");
    assert_eq!(scene.world.cash(&scene.buyer), PURSE - 1_000_000);
    scene.world.finish().await;
}

/// Guards: `mpp_proofs`, `record_issued`. One proof offers one leave, and it is carried out once.
#[tokio::test]
async fn leaves_at_once_give_everything_back_once() {
    let scene = DelegationScene::with(crowded).await;
    scene.onboarded(json!({ "deposit_atomic": "3000000" })).await;
    scene.world.quiet().await;
    let before = scene.world.net.network().balance(&scene.world.fee_payer());
    let proof = scene.proof(&scene.buyer, &Proof::Leave);
    let sent = Sent { sign_in: Some(proof), ..scene.asked("/api/sessions/leave", json!({})) };
    let offers = join_all((0..8).map(|_| scene.world.sends(&sent))).await;
    assert!(statuses(&offers).iter().all(|told| *told == (200, "transactions_required")), "{offers:#?}");
    assert!(offers.windows(2).all(|pair| pair[0].1["transactions"] == pair[1].1["transactions"]), "{offers:#?}");
    let signed = confirmation(&signed_by(&scene.buyer, offered(&offers[0].1)));
    let answers = join_all((0..8).map(|_| scene.confirms(signed.clone()))).await;
    assert!(statuses(&answers).iter().all(|told| *told == (200, "left")), "{answers:#?}");
    assert_eq!(scene.world.cash(&scene.buyer), PURSE);
    let after = scene.world.net.network().balance(&scene.world.fee_payer());
    assert_eq!(after - before, 2_039_280 - 15_001, "one rent came back for one fee");
    scene.world.finish().await;
}

/// Guard: the refusal of a leave while channels hold something, in the verb that records. Whichever is first, the other one is
/// refused.
#[tokio::test]
async fn a_leave_and_an_opening_at_once_are_never_both() {
    let scene = ChannelScene::start().await;
    let purse = scene.world.cash(&scene.buyer) + scene.deposited(&scene.buyer);
    let body = scene.open_body(&scene.buyer, &scene.seller, 100_000);
    let leaves = async {
        let (_, offer) = scene.leaves(&scene.buyer).await;
        if offer["status"] != json!("transactions_required") {
            return offer;
        }
        let signed = confirmation(&signed_by(&scene.buyer, offered(&offer)));
        scene.asks(&scene.buyer, "/api/sessions/onboard/confirm", signed).await.1
    };
    let (left, (_, opened)) = tokio::join!(leaves, scene.world.post(OPEN, &body));
    let (has_left, is_open) = (left["status"] == json!("left"), opened["success"] == json!(true));
    assert!(has_left != is_open, "{left:#} {opened:#}");
    if is_open {
        scene.draws(&opened, 10_000).await;
        scene.closes(&opened).await;
        scene.ends(10_000).await;
    } else {
        assert_eq!(scene.world.cash(&scene.buyer), purse);
        scene.ends(0).await;
    }
}

/// The chain decides which of two charges the buyer can pay; both sellers hear it rightly.
#[tokio::test]
async fn charges_at_once_of_more_than_the_buyer_has_are_not_both_paid() {
    let scene = MppScene::start().await;
    let mut bodies = Vec::new();
    for units in [2_000_000, 2_500_000, 3_000_000] {
        bodies.push(scene.body(&scene.charge(units).await, units));
    }
    let answers = join_all(bodies.iter().map(|body| scene.settles(body))).await;
    let paid = |(body, answer): (&Value, &Value)| {
        let units: u64 = body["amount"].as_str().unwrap().parse().unwrap();
        (answer["success"] == json!(true)).then_some(units)
    };
    let moved: u64 = bodies.iter().zip(&answers).filter_map(paid).sum();
    assert!((2_000_000..=5_000_000).contains(&moved), "{answers:#?}");
    scene.closes(moved).await;
}
