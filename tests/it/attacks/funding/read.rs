//! What is believed of a proof when it is read.

use super::super::{PURSE, Shop, view};
use super::{proves, sends_proof, source, watchful};
use crate::support::{Options, World, in_time, proof_body as proof};
use serde_json::{Value, json};
use sotto::{
    covalidator::AttestedValue,
    domain::{
        funding::FundingPolicy,
        settlement::{Purpose, State},
    },
};
use std::time::Duration;

async fn is_not_proved(shop: &Shop, body: &Value, status: u16, error: &str) {
    let (seen, answer) = sends_proof(shop, body).await;
    assert_eq!((seen, answer["error"].as_str()), (status, Some(error)), "{answer:#}");
}

/// Guard: `Readings::may_read`. Whoever has seen a proof can post it, and each reading costs requests.
#[tokio::test]
async fn a_proof_that_is_sent_again_and_again_is_read_once_a_second() {
    let options = Options::settings(|settings| {
        settings.deferred.age_seconds = 100_000;
        settings.funding.interval = Duration::from_hours(1);
    });
    let shop = Shop::open(options, 100_000).await;
    let (path, body) = (format!("/sessions/{}/funding", shop.session), proof(&shop.world.attested(&shop.payer).await));
    // Something is claimed from the balance, so that reading it anew could tell something new.
    let mut promised = shop.payment(1_000, Some("promised-and-not-settled"));
    promised["paymentRequirements"]["extra"] = json!({ "settlement": "deferred" });
    let (_, held) = shop.world.post("/settle", &promised).await;
    assert_eq!(held["success"], true, "{held:#}");
    let begun = std::time::Instant::now();
    let histories = || shop.world.net.network().request_counts().get("getSignaturesForAddress").copied().unwrap_or(0);
    let before = histories();
    let (mut taken, mut busy) = (0, 0);
    for _ in 0..20 {
        match shop.world.post(&path, &body).await {
            (200, answer) if answer["funding"] == "proven" => taken += 1,
            (503, answer) if answer["error"] == "session_busy" => busy += 1,
            other => panic!("{other:#?}"),
        }
    }
    let seconds = begun.elapsed().as_secs() + 1;
    assert!((1..=seconds).contains(&taken) && taken + busy == 20, "{taken} in {seconds} seconds");
    assert_eq!(histories() - before, taken, "nothing is read for the others");
    // A stranger's attestation keeps the payer from nothing.
    let foreign = proof(&shop.world.attested(&shop.merchant).await);
    assert_eq!(sends_proof(&shop, &foreign).await.0, 409);
    proves(&shop).await;
    shop.world.finish_holding(1_000).await;
}

/// Guards: `check_proof`, and the handle read from the chain.
#[tokio::test]
async fn a_proof_is_believed_only_of_the_current_balance_of_that_account() {
    let shop = Shop::open(watchful(FundingPolicy::Advisory), 100_000).await;
    let mine = shop.world.attested(&shop.payer).await;
    let forged = AttestedValue { plaintext: mine.plaintext + 1, ..mine.clone() };
    is_not_proved(&shop, &proof(&forged), 400, "invalid_funding_proof").await;
    let moved = AttestedValue { handle: mine.handle + 1, ..mine.clone() };
    is_not_proved(&shop, &proof(&moved), 400, "invalid_funding_proof").await;
    let foreign = shop.world.attested(&shop.merchant).await;
    is_not_proved(&shop, &proof(&foreign), 409, "stale_funding_proof").await;
    is_not_proved(&shop, &json!({}), 400, "missing_fundingProof").await;
    is_not_proved(&shop, &json!({ "fundingProof": { "handle": "x" } }), 400, "invalid_funding_proof").await;
    assert_eq!(view(&shop.world, &shop.session).await["funding"], "unproven");
    let unknown = format!("/sessions/{}/funding", uuid::Uuid::from_u128(7));
    let (status, answer) = shop.world.post(&unknown, &proof(&mine)).await;
    assert_eq!((status, &answer["error"]), (404, &json!("session_not_found")));
    proves(&shop).await;
    shop.pays(1_000, None).await;
    is_not_proved(&shop, &proof(&mine), 409, "stale_funding_proof").await;
    assert_eq!(
        source(&shop).await.bound.unwrap().claimed.get(),
        1_000,
        "the older proof still counts, and what it paid"
    );
    assert_eq!(view(&shop.world, &shop.session).await["funding"], "proven");
    shop.closes().await;
}

/// Guards: a landing counts by its slot; what is in flight is held.
#[tokio::test]
async fn a_proof_read_while_a_transfer_is_in_flight_counts_it_once() {
    let shop = Shop::open(watchful(FundingPolicy::Advisory), 100_000).await;
    let before = shop.world.attested(&shop.payer).await;
    // A node that stands still takes the transfer and does not execute it.
    shop.world.net.faults().change(|plan| plan.frozen = true);
    let body = shop.payment(1_000, None);
    let proves_meanwhile = async {
        let flies = async || {
            let unfinished = shop.world.ledger().unfinished().await.unwrap();
            unfinished
                .iter()
                .any(|work| work.settlement.purpose == Purpose::Capture && work.settlement.state == State::InFlight)
        };
        shop.world.until("a transfer flies", flies).await;
        let (status, answer) = sends_proof(&shop, &proof(&before)).await;
        assert_eq!((status, &answer["funding"]), (200, &json!("proven")), "{answer:#}");
        let bound = source(&shop).await.bound.unwrap();
        assert_eq!((bound.amount.get(), bound.claimed.get()), (PURSE, 1_000), "what is in flight is claimed");
        shop.world.net.faults().clear();
    };
    let both = async { tokio::join!(shop.world.post("/settle", &body), proves_meanwhile) };
    let (answer, ()) = in_time("a payment beside a proof", both).await;
    assert_eq!(answer.1["success"], true, "{:#}", answer.1);
    let bound = source(&shop).await.bound.unwrap();
    let left = bound.amount.get() - bound.claimed.get();
    assert_eq!(left, shop.world.units(&shop.payer), "it landed after the proof and counts once");
    proves(&shop).await;
    assert_eq!(source(&shop).await.bound.unwrap().claimed.get(), 0);
    shop.closes().await;
}

#[tokio::test]
async fn an_opening_with_a_proof_is_proven_at_once_and_a_stale_one_opens_all_the_same() {
    let world = World::with(watchful(FundingPolicy::Advisory)).await;
    let (payer, merchant) = (world.wallet(5_000).await, world.wallet(0).await);
    let good = world.attested(&payer).await;
    let mut body = world.opening_body(&world.opening(&payer, &merchant.key(), 2_000)).await;
    body["fundingProof"] = proof(&AttestedValue { plaintext: 9_999_999, ..good.clone() })["fundingProof"].clone();
    let (status, answer) = world.post("/sessions", &body).await;
    assert_eq!((status, &answer["error"]), (400, &json!("invalid_funding_proof")), "a forged one leaves no trace");
    body["fundingProof"] = proof(&good)["fundingProof"].clone();
    let (status, answer) = world.post("/sessions", &body).await;
    assert_eq!((status, &answer["funding"]), (201, &json!("proven")), "{answer:#}");
    let mut body = world.opening_body(&world.opening(&payer, &merchant.key(), 1_000)).await;
    world.faucet.fund(&payer.key(), 1).unwrap();
    world.confirmed().await;
    let other = world.wallet(1).await;
    body["fundingProof"] = proof(&world.attested(&other).await)["fundingProof"].clone();
    let (status, answer) = world.post("/sessions", &body).await;
    assert_eq!((status, &answer["funding"]), (201, &json!("proven")), "the first proof counts still: {answer:#}");
    world.finish().await;
}
