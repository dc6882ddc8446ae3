//! What a proof of the payer's balance must not be made to cover: caps that nobody knows, transfers that a fork moved past
//! it, and transfers that took off while it counted.

use super::{
    PURSE, Shop,
    funding::{is_told, proves, sends_proof, source, watchful},
    is_refused_everywhere, on_both_sides, view,
};
use crate::support::{Options, World, proof_body as proof};
use serde_json::{Value, json};
use solana_signature::Signature;
use sotto::{
    domain::{
        amount::Amount,
        funding::{Examined, FundingPolicy, Look, Lost},
        settlement::State,
    },
    facilitator::{AllowancePolicy, Settings},
    localnet::{ALL, FaultPlan, standins::Delegation},
};
use std::{collections::BTreeMap, time::Duration};

/// The Covalidator is away while a session is opened with a proof, and `approved` of a cap of 10,000 is approved.
async fn opened_without_covalidator(delegation: Delegation, approved: u64) -> (Shop, Value) {
    let options = Options::settings(|settings| {
        settings.funding.policy = FundingPolicy::Advisory;
        settings.openings.cap_check_deadline = Duration::from_millis(300);
    });
    let world = World::with(Options { delegation, ..options }).await;
    let (payer, merchant) = (world.wallet(PURSE).await, world.wallet(0).await);
    let mut opening = world.opening(&payer, &merchant.key(), 10_000);
    opening.approved = approved;
    let mut body = world.opening_body(&opening).await;
    body["fundingProof"] = proof(&world.attested(&payer).await)["fundingProof"].clone();
    world.covalidator.faults().change(|plan| plan.fail_next = u32::MAX);
    let (status, answer) = world.post("/sessions", &body).await;
    assert_eq!((status, &answer["capVerified"]), (201, &json!(false)), "{answer:#}");
    let session = answer["sessionId"].as_str().unwrap().to_owned();
    (Shop { world, payer, merchant, session }, answer)
}

/// Guards: `Source::level` in the hold verb and in the view. What is beyond the approved amount moves zero there.
#[tokio::test]
async fn r02_a_balance_proves_nothing_while_the_cap_is_unknown_and_binds() {
    let (shop, answer) = opened_without_covalidator(Delegation::Documented, 20).await;
    assert_eq!(answer["funding"], "unproven", "{answer:#}");
    let mut demanding = shop.payment(1_000, None);
    on_both_sides(&mut demanding, "extra", &json!({ "funding": "required" }));
    is_refused_everywhere(&shop.world, &demanding, "funding_unproven").await;
    assert_eq!(shop.world.units(&shop.merchant), 0);
    shop.closes().await;
}

#[tokio::test]
async fn a_proof_counts_when_the_cap_becomes_known_and_where_it_does_not_bind() {
    let (shop, answer) = opened_without_covalidator(Delegation::Documented, 10_000).await;
    assert_eq!(answer["funding"], "unproven", "{answer:#}");
    shop.world.covalidator.faults().change(|plan| plan.fail_next = 0);
    is_told(&shop, "funding", &json!("proven")).await;
    assert_eq!(view(&shop.world, &shop.session).await["capVerified"], true);
    shop.closes().await;

    let (shop, answer) = opened_without_covalidator(Delegation::Public, 10_000).await;
    assert_eq!(answer["funding"], "proven", "there the amount is not compared: {answer:#}");
    shop.closes().await;
}

/// Guard: `Settlement::stands_at`. The proof was read between the landing that was told and the one that stands.
#[tokio::test]
async fn a_fork_that_moves_a_transfer_past_a_proof_voids_the_proof() {
    let advisory = |settings: &mut Settings| {
        settings.funding.policy = FundingPolicy::Advisory;
        settings.transfers.decrypt_allowance = AllowancePolicy::Never;
    };
    let options = Options::settings(move |settings| {
        advisory(settings);
        // This process never looks at what has landed; the next one does.
        settings.transfers.finality_after = Duration::from_hours(1);
    });
    let mut shop = Shop::open(Options { finalized_after: 40, ..options }, 100_000).await;
    let before = shop.world.attested(&shop.payer).await;
    let answer = shop.world.lands_and_stands_still(&shop.merchant, shop.pays(1_000, None)).await;
    let signature: Signature = answer["transaction"].as_str().unwrap().parse().unwrap();
    let taken = shop.world.net.network().fork_away(&signature).unwrap();
    shop.world.passes(6);
    let (status, told) = sends_proof(&shop, &proof(&before)).await;
    assert_eq!((status, &told["funding"]), (200, &json!("proven")), "{told:#}");
    assert_eq!(source(&shop).await.bound.unwrap().claimed.get(), 0, "it is believed to have been paid before");
    shop.world.passes(2);
    let moved = taken.transactions.into_iter().find(|tx| tx.signatures[0] == signature).unwrap();
    shop.world.net.network().send(moved).unwrap();
    shop.world.kill().await;
    shop.world.configure(advisory);
    shop.world.boot().await;
    shop.world.moves_on();
    let is_lost = async || source(&shop).await.bound.unwrap().lost.is_some();
    shop.world.until("the proof, which counts 1,000 that are paid, is lost", is_lost).await;
    shop.world.quiet().await;
    let bound = source(&shop).await.bound.unwrap();
    assert_eq!((bound.lost.map(|(lost, _)| lost), bound.claimed.get()), (Some(Lost::Fork), 1_000));
    let totals = shop.world.ledger().totals(None).await.unwrap();
    assert_eq!(totals.transfers, 1, "nothing was signed anew");
    shop.closes().await;
}

/// How many transfers are on their way together, at most, while two payments come one after the other; the proof is lost
/// between them, or not.
async fn fly_together(loses: bool) -> usize {
    let policy = watchful(FundingPolicy::Advisory).settings;
    let options = Options::settings(move |settings| {
        policy(settings);
        settings.transfers.decrypt_allowance = AllowancePolicy::Never;
        settings.dispatch.overtake_after = Duration::from_millis(100);
    });
    let shop = Shop::open(options, 100_000).await;
    proves(&shop).await;
    // The first of its kind is simulated.
    shop.pays(1_000, None).await;
    let late = FaultPlan { late_confirmation: BTreeMap::from([(ALL.to_owned(), 100)]), ..FaultPlan::default() };
    shop.world.net.faults().set(late);
    let most = most_together(&shop, loses).await;
    shop.world.net.faults().clear();
    shop.closes().await;
    most
}

async fn most_together(shop: &Shop, loses: bool) -> usize {
    let on_the_way = async || {
        let unfinished = shop.world.ledger().unfinished().await.unwrap();
        unfinished.iter().filter(|work| matches!(work.settlement.state, State::Reserved | State::InFlight)).count()
    };
    let second = async {
        shop.world.until("the first is on its way", async || on_the_way().await > 0).await;
        if loses {
            let (user, asset, of) =
                (shop.payer.key(), shop.world.faucet.mint(), source(shop).await.bound.unwrap().slot);
            let lost = Some((Lost::OwnerSigned, of + 1));
            let (clean, handle, ridden) = (of, None, Amount::ZERO);
            let examined = Some(Examined { of, up_to: of, is_final: false, lost, clean, handle, ridden });
            let look = Look { user, asset, frozen: None, examined };
            shop.world.ledger().record_looks(&[look], shop.world.now()).await.unwrap();
        }
        shop.pays(1_000, None).await;
    };
    let first = async { drop(shop.pays(1_000, None).await) };
    let paid = async { tokio::join!(first, second) };
    tokio::pin!(paid);
    let mut most = 0;
    loop {
        tokio::select! {
            _ = &mut paid => break,
            together = on_the_way() => most = most.max(together),
        }
    }
    most
}

/// Guard: the window is asked again after the limit is known.
#[tokio::test]
async fn nothing_unproven_takes_off_beside_what_took_off_proven() {
    assert_eq!(fly_together(false).await, 2, "proven ones overtake those that are late");
    assert_eq!(fly_together(true).await, 1);
}
