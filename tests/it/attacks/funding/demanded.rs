//! Where a proof is demanded, and where none is taken.

use super::super::{PURSE, Shop, is_refused_everywhere, on_both_sides, transfers};
use super::{proves, sends_proof, watchful};
use crate::support::{World, proof_body as proof};
use serde_json::{Value, json};
use sotto::domain::funding::FundingPolicy;

/// Guard: `funding::admit` in the hold verb.
#[tokio::test]
async fn r02_where_proof_is_required_an_empty_payer_never_settles() {
    let world = World::with(watchful(FundingPolicy::Required)).await;
    let (payer, merchant) = (world.wallet(0).await, world.wallet(0).await);
    let session = world.open(&payer, &merchant.key(), 10_000).await;
    let shop = Shop { world, payer, merchant, session };
    shop.is_refused(1_000, None, "funding_unproven").await;
    proves(&shop).await;
    shop.is_refused(1_000, None, "insufficient_funds").await;
    shop.is_refused(1, Some("empty-nonce-00001"), "insufficient_funds").await;
    assert!(transfers(&shop.world, &shop.payer).await.is_empty(), "nothing was sent");
    assert_eq!(shop.world.ledger().totals(None).await.unwrap().captured.get(), 0);
    shop.world.finish().await;
}

/// Guard: the same, where only the merchant demands it; and all payments together never pass what is there.
#[tokio::test]
async fn r02_a_merchant_who_demands_proof_gets_no_more_than_there_is() {
    let world = World::with(watchful(FundingPolicy::Advisory)).await;
    let (payer, merchant) = (world.wallet(2_500).await, world.wallet(0).await);
    let session = world.open(&payer, &merchant.key(), 10_000).await;
    let shop = Shop { world, payer, merchant, session };
    let demanding = |amount: u64| {
        let mut body = shop.payment(amount, None);
        on_both_sides(&mut body, "extra", &json!({ "funding": "required" }));
        body
    };
    is_refused_everywhere(&shop.world, &demanding(1_000), "funding_unproven").await;
    proves(&shop).await;
    let bodies: Vec<Value> = (0..6).map(|_| demanding(1_000)).collect();
    let answers = futures_util::future::join_all(bodies.iter().map(|body| shop.world.post("/settle", body))).await;
    let paid: Vec<_> = answers.iter().filter(|(_, answer)| answer["success"] == json!(true)).collect();
    let refused = answers.iter().filter(|(_, answer)| answer["errorReason"] == "insufficient_funds").count();
    assert_eq!((paid.len(), refused), (2, 4), "{answers:#?}");
    assert!(paid.iter().all(|(_, answer)| answer["extensions"]["session"]["funding"] == "proven"), "{paid:#?}");
    assert_eq!(shop.world.units(&shop.merchant), 2_000, "everything that was told as paid has moved");
    // Without the demand it is accepted, and told to be short.
    let (_, answer) = shop.settle(1_000, None).await;
    assert_eq!(answer["extensions"]["session"]["funding"], "short", "{answer:#}");
    assert_eq!(shop.world.units(&shop.merchant), 2_000, "it moved zero");
    shop.world.finish().await;
}

/// Guards: `accept_proof`, `backing` and `demand` where the operator takes no proofs.
#[tokio::test]
async fn where_no_proofs_are_taken_nothing_is_proven_and_a_demand_for_it_is_refused() {
    let world = World::with(watchful(FundingPolicy::Off)).await;
    let (payer, merchant) = (world.wallet(PURSE).await, world.wallet(0).await);
    let value = world.attested(&payer).await;
    let mut body = world.opening_body(&world.opening(&payer, &merchant.key(), 100_000)).await;
    body["fundingProof"] = proof(&value)["fundingProof"].clone();
    let (status, opened) = world.post("/sessions", &body).await;
    assert_eq!((status, &opened["funding"]), (201, &json!("unproven")), "{opened:#}");
    let session = opened["sessionId"].as_str().unwrap().to_owned();
    let shop = Shop { world, payer, merchant, session };
    let (status, answer) = sends_proof(&shop, &proof(&value)).await;
    assert_eq!((status, &answer["funding"]), (200, &json!("unproven")), "{answer:#}");
    let known = shop.world.ledger().source(&shop.payer.key(), &shop.world.faucet.mint()).await.unwrap();
    assert!(known.is_none_or(|source| source.bound.is_none()), "nothing is kept of it");
    let answer = shop.pays(1_000, None).await;
    assert_eq!(answer["extensions"]["session"]["funding"], "unproven", "{answer:#}");
    let mut demanding = shop.payment(1_000, None);
    on_both_sides(&mut demanding, "extra", &json!({ "funding": "required" }));
    is_refused_everywhere(&shop.world, &demanding, "funding_unproven").await;
    shop.closes().await;
}
