//! Burning our SOL: whatever is tried, the fee payer loses no more than the budgets allow, and every lamport is booked.

use crate::support::{Options, Wallet, World};
use serde_json::{Value, json};
use sotto::{
    domain::{
        budget::{Budgets, Part, Scope},
        settlement::{Allowances, Attempt, Cost, Event, Moves, Purpose, SettlementId, Subject},
    },
    facilitator::{AllowancePolicy, AllowanceSettings, Settings},
};
use std::time::Duration;

/// An opening of the tests' client: two signatures, and the grant.
const OPENING: u64 = 10_000 + 2_000_000;
/// A transfer with the user's signature verified on chain.
const TRANSFER: u64 = 10_000;
/// The rent of two decrypt allowances.
const PAIR: u64 = 2 * 960_480;

fn bounded(scope: Scope, part: Part, lamports: u64) -> Options {
    Options::settings(move |settings: &mut Settings| {
        settings.transfers.decrypt_allowance = AllowancePolicy::Never;
        settings.budgets = Budgets::default().with(scope, part, lamports);
    })
}

struct Told {
    status: u16,
    retry_after: Option<u64>,
    body: Value,
}

async fn ask(world: &World, path: &str, body: &Value) -> Told {
    let url = format!("{}{path}", world.running().url);
    let request = world.http.post(url).header("content-type", "application/json").body(body.to_string());
    let response = request.send().await.unwrap();
    let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
    Told { status: response.status().as_u16(), retry_after, body: response.json().await.unwrap() }
}

fn purse(world: &World) -> u64 {
    world.net.network().balance(&world.fee_payer())
}

/// What the ledger says was spent and may yet be.
async fn booked(world: &World) -> (u64, u64) {
    let rows = world.ledger().spending(0).await.unwrap();
    let sum = |cost: fn(&sotto::domain::budget::Spending) -> Cost| rows.iter().map(|row| cost(row).total()).sum();
    (sum(|row| row.spent), sum(|row| row.reserved))
}

async fn pay(world: &World, session: &str, merchant: &Wallet, nonce: &str) -> Told {
    ask(world, "/settle", &world.payment(session, &merchant.key(), 1, Some(nonce))).await
}

/// Guards: `judge_settlement` in `record_signed`; without it all of these are paid for. R-02: each of these transfers
/// moves zero, and costs us a fee all the same.
#[tokio::test]
async fn r17_a_penniless_attacker_burns_no_more_than_their_budget() {
    let limit = OPENING + 3_000_000 + 3 * TRANSFER;
    let world = World::with(bounded(Scope::UserHour, Part::Total, limit)).await;
    let (pauper, merchant) = (world.wallet(0).await, world.wallet(0).await);
    let before = purse(&world);
    let session = world.open(&pauper, &merchant.key(), 10_000).await;
    let (mut paid, mut refused) = (0, 0);
    for number in 0..400 {
        let told = pay(&world, &session, &merchant, &format!("nonce-of-a-penniless-one-{number}")).await;
        if told.body["success"] == json!(true) {
            paid += 1;
            continue;
        }
        assert_eq!(
            (told.status, &told.body["errorReason"]),
            (429, &json!("payer_settle_cap_exceeded")),
            "{}",
            told.body
        );
        assert!(told.retry_after.is_some_and(|seconds| seconds > 3_000), "{:?}", told.retry_after);
        refused += 1;
        if refused == 5 {
            break;
        }
    }
    assert!(paid >= 3 && refused == 5, "{paid} {refused}");
    world.quiet().await;
    let lost = before - purse(&world);
    assert!(lost <= limit, "{lost} of {limit}");
    assert_eq!(booked(&world).await, (lost, 0), "every lamport is booked, and nothing else");
    let honest = world.wallet(100).await;
    let session = world.open(&honest, &merchant.key(), 10).await;
    assert_eq!(pay(&world, &session, &merchant, "an-honest-nonce-0001").await.body["success"], json!(true));
    world.finish().await;
}

/// Guard: `min_per_call` in `check_terms`.
#[tokio::test]
async fn an_operator_may_refuse_dust() {
    let world = World::with(Options::settings(|settings| {
        settings.transfers.decrypt_allowance = AllowancePolicy::Never;
        settings.payments.min_per_call = sotto::domain::amount::Amount::new(5).unwrap();
    }))
    .await;
    let (payer, merchant) = (world.wallet(100).await, world.wallet(0).await);
    let session = world.open(&payer, &merchant.key(), 100).await;
    let dust = world.payment(&session, &merchant.key(), 4, None);
    super::is_refused_everywhere(&world, &dust, "invalid_amount").await;
    let told = ask(&world, "/settle", &world.payment(&session, &merchant.key(), 5, None)).await;
    assert_eq!(told.body["success"], json!(true), "{}", told.body);
    world.finish().await;
}

/// Guard: the scope of a merchant's limit.
#[tokio::test]
async fn r17_a_merchants_budget_stops_their_payers_and_nobody_elses() {
    let world = World::with(bounded(Scope::MerchantHour, Part::Fee, 2 * 10_000 + 2 * TRANSFER)).await;
    let (payer, busy, quiet_one) = (world.wallet(100).await, world.wallet(0).await, world.wallet(0).await);
    let session = world.open(&payer, &busy.key(), 10).await;
    let mut reasons = Vec::new();
    for number in 0..5 {
        let told = pay(&world, &session, &busy, &format!("nonce-to-a-busy-one-{number}")).await;
        reasons.push(told.body["errorReason"].clone());
    }
    let stopped = json!("seller_settle_cap_exceeded");
    assert_eq!(reasons.iter().filter(|reason| **reason == stopped).count(), 2, "{reasons:?}");
    let other = world.wallet(100).await;
    let session = world.open(&other, &quiet_one.key(), 10).await;
    assert_eq!(pay(&world, &session, &quiet_one, "a-nonce-to-another-one").await.body["success"], json!(true));
    world.quiet().await;
    world.finish().await;
}

/// Guard: `budget_refusal` before the hold: a nonce that was refused for the budget is not burnt.
#[tokio::test]
async fn r17_what_is_refused_for_a_resting_budget_leaves_no_trace() {
    let mut world = World::with(bounded(Scope::Hour, Part::Fee, 10_000 + TRANSFER)).await;
    let (payer, merchant) = (world.wallet(100).await, world.wallet(0).await);
    let session = world.open(&payer, &merchant.key(), 10).await;
    assert_eq!(pay(&world, &session, &merchant, "the-one-that-still-fits").await.body["success"], json!(true));
    let first = pay(&world, &session, &merchant, "the-one-that-finds-out-").await;
    assert_eq!(first.body["errorReason"], json!("global_settle_cap_exceeded"));
    let (second, again) =
        (pay(&world, &session, &merchant, "the-one-that-comes-late").await, "the-one-that-still-fits");
    assert_eq!((second.status, &second.body["errorReason"]), (429, &json!("global_settle_cap_exceeded")));
    let repeat = pay(&world, &session, &merchant, again).await;
    assert_eq!(repeat.body["errorReason"], json!("duplicate_settlement"), "a repeat is told its own outcome");
    let id = session.parse().unwrap();
    assert_eq!(world.ledger().find_payment(id, "the-one-that-comes-late").await.unwrap(), None);
    // A restart forgets what rests, and the ledger does not forget what was spent.
    world.kill().await;
    world.boot().await;
    let told = pay(&world, &session, &merchant, "the-one-after-a-restart").await;
    assert_eq!(told.body["errorReason"], json!("global_settle_cap_exceeded"));
    world.finish().await;
}

/// Guard: `check_opening_budget`, and `record_signed` where openings come together.
#[tokio::test]
async fn r18_sybils_share_the_budget_for_grants_whether_they_come_together_or_not() {
    let limit = 2 * 2_000_000;
    let world = World::with(bounded(Scope::Hour, Part::Grant, limit)).await;
    let merchant = world.wallet(0).await;
    let mut bodies = Vec::new();
    for _ in 0..5 {
        let sybil = world.wallet(0).await;
        bodies.push(world.opening_body(&world.opening(&sybil, &merchant.key(), 10)).await);
    }
    let before = purse(&world);
    let together = futures_util::future::join_all(bodies.iter().map(|body| ask(&world, "/sessions", body))).await;
    let opened = together.iter().filter(|told| told.status == 201).count();
    assert_eq!(opened, 2, "{:#?}", together.iter().map(|told| &told.body).collect::<Vec<_>>());
    let late = world.wallet(0).await;
    let late = world.opening_body(&world.opening(&late, &merchant.key(), 10)).await;
    let told = ask(&world, "/sessions", &late).await;
    assert_eq!((told.status, &told.body["error"]), (429, &json!("quota_exceeded")));
    assert!(told.retry_after.is_some_and(|seconds| seconds > 3_000));
    assert_eq!(told.body.get("sessionId"), None, "it left no trace");
    world.quiet().await;
    let lost = before - purse(&world);
    assert!(lost <= limit + 2 * 10_000, "{lost}");
    assert_eq!(booked(&world).await, (lost, 0));
    world.finish().await;
}

/// Guard: the budget in `forbids_creation`, and `opening_cost` counts a listed recipient's account.
#[tokio::test]
async fn r18_a_recipients_account_is_not_created_past_the_budget_for_rent() {
    let listed = Wallet::from_seed([78; 32]);
    let key = listed.key();
    let world = World::with(Options::settings(move |settings| {
        settings.budgets = Budgets::default().with(Scope::Hour, Part::Rent, 1_000_000);
        settings.recipients.listed = vec![key];
    }))
    .await;
    let (payer, stranger) = (world.wallet(100).await, world.stranger());
    let before = purse(&world);
    for recipient in [key, stranger.key()] {
        let mut opening = world.opening(&payer, &recipient, 10);
        opening.grant = 0;
        let told = ask(&world, "/sessions", &world.opening_body(&opening).await).await;
        assert_eq!((told.status, &told.body["error"]), (429, &json!("quota_exceeded")), "{}", told.body);
        assert_eq!((purse(&world), world.token_account(&recipient).is_some()), (before, false));
    }
    world.finish().await;
}

/// Guard: `is_upper_bound` and `check_rent`. The approve names the user's account as one to create, which costs us its
/// rent only if they close it first: booked in full until the landed transaction tells that it was there.
#[tokio::test]
async fn r18_the_rent_of_an_account_that_was_there_is_booked_as_what_it_was() {
    let world = World::with(bounded(Scope::Hour, Part::Total, u64::from(u32::MAX))).await;
    let (payer, merchant) = (world.wallet(100).await, world.wallet(0).await);
    let before = purse(&world);
    world.open(&payer, &merchant.key(), 10).await;
    assert_eq!(world.ledger().rents_to_check(None, 10).await.unwrap(), [], "asked before the opening was answered");
    let totals = world.ledger().totals(None).await.unwrap();
    assert_eq!((totals.rent, totals.fees + totals.grants), (0, before - purse(&world)));
    world.finish().await;
}

/// A shop whose merchant's rent lets an opening through (the approve's own upper bound), and then one pair of decrypt
/// allowances an hour.
async fn one_pair_an_hour(change: impl Fn(&mut Settings) + Send + Sync + 'static) -> (World, Wallet, String) {
    let world = World::with(Options::settings(move |settings| {
        settings.budgets = Budgets::default().with(Scope::MerchantHour, Part::Rent, 3_000_000);
        change(settings);
    }))
    .await;
    let (payer, merchant) = (world.wallet(100).await, world.wallet(0).await);
    let session = world.open(&payer, &merchant.key(), 10).await;
    (world, merchant, session)
}

/// Guard: `note_over_budget` refuses under `every`; the fee alone would have fitted.
#[tokio::test]
async fn r17_decrypt_allowances_have_a_budget_of_their_own() {
    let (world, merchant, session) = one_pair_an_hour(|_| {}).await;
    let before = world.ledger().totals(None).await.unwrap();
    assert_eq!(pay(&world, &session, &merchant, "the-one-that-is-readable").await.body["success"], json!(true));
    let after = world.ledger().totals(None).await.unwrap();
    assert_eq!(after.rent - before.rent, PAIR);
    // The second finds out, the third is told before anything is held.
    for nonce in ["the-one-that-finds-out-", "the-one-that-comes-late"] {
        let told = pay(&world, &session, &merchant, nonce).await;
        let expected = (429, &json!("seller_settle_cap_exceeded"));
        assert_eq!((told.status, &told.body["errorReason"]), expected, "{}", told.body);
    }
    world.quiet().await;
    assert_eq!(world.ledger().totals(None).await.unwrap(), after, "nothing was paid, held or spent");
    assert_eq!(booked(&world).await.1, 0, "nothing counts that was refused");
    world.finish().await;
}

/// Guard: `may_go_without` under `idle`: who cannot buy the right to read goes on without it.
#[tokio::test]
async fn a_payment_whose_allowances_are_too_dear_is_made_without_them() {
    let (world, merchant, session) = one_pair_an_hour(|settings| {
        settings.transfers.decrypt_allowance = AllowancePolicy::Idle;
        // Every payment is to buy for accounts that never rest.
        settings.allowances = AllowanceSettings {
            min_moved: sotto::domain::amount::Amount::ZERO,
            idle_after: Duration::from_hours(1),
            min_interval: Duration::ZERO,
            max_age: Duration::ZERO,
            request_interval: Duration::ZERO,
        };
    })
    .await;
    let before = world.ledger().totals(None).await.unwrap();
    let mut rents = Vec::new();
    for number in 0..5 {
        let told = pay(&world, &session, &merchant, &format!("one-of-five-payments-{number}")).await;
        assert_eq!(told.body["success"], json!(true), "{}", told.body);
        rents.push(world.ledger().totals(None).await.unwrap().rent - before.rent);
    }
    // The first made the balances unreadable, the second bought, the third was refused that and went without.
    assert_eq!(rents, [0, PAIR, PAIR, PAIR, PAIR]);
    let after = world.ledger().totals(None).await.unwrap();
    assert_eq!((after.captured.get(), after.fees - before.fees), (5, 5 * TRANSFER));
    world.quiet().await;
    world.finish().await;
}

/// A transaction of ours that is on the chain, or never was, booked with a rent of 1,000 at most.
async fn landed_and_booked(ledger: &dyn sotto::ledger::Ledger, number: u8, signature: solana_signature::Signature) {
    let id = SettlementId::from_random_bytes([number; 16]);
    let settlement = ledger.plan_other(id, Purpose::Probe, Subject::Own, 1_000).await.unwrap();
    let attempt = Attempt {
        settlement: id,
        number: 1,
        signature,
        wire: vec![number; 100],
        last_valid_block_height: 1,
        signed_at_slot: 1,
        cost: Cost { fee: 5_000, rent: 1_000, grant: 0 },
        allowances: Allowances::NotBought,
        moves: Moves::Nothing,
        seen_by: Vec::new(),
        past_at: None,
    };
    let (settlement, _) = ledger.record_signed(&settlement, attempt, 1_000).await.unwrap().recorded().unwrap();
    let settlement = ledger.record(&settlement, Event::Landed { slot: 1 }, &[], 1_000).await.unwrap();
    ledger.record(&settlement, Event::Finalised, &[], 1_000).await.unwrap();
}

/// Guard: the place in the line that `check_more_rents` remembers, and its patience.
#[tokio::test]
async fn a_rent_nobody_can_tell_keeps_no_other_from_being_corrected() {
    let world = World::with(bounded(Scope::Hour, Part::Total, u64::from(u32::MAX))).await;
    let (payer, merchant) = (world.wallet(100).await, world.wallet(0).await);
    let session = world.open(&payer, &merchant.key(), 10).await;
    let (_, paid) = world.post("/settle", &world.payment(&session, &merchant.key(), 1, None)).await;
    let known = paid["transaction"].as_str().unwrap().parse().unwrap();
    // More than one round asks for, in front of the one that the chain can tell.
    let ledger = world.open_ledger("rents.db").await;
    for number in 1..=40 {
        landed_and_booked(&*ledger, number, [number; 64].into()).await;
    }
    landed_and_booked(&*ledger, 250, known).await;
    let before = ledger.totals(None).await.unwrap().rent;
    let facilitator = world.facilitator_over(ledger.clone(), world.running().chain.clone());
    facilitator.recover().await.unwrap();
    let waiting = async || ledger.rents_to_check(None, 100).await.unwrap();
    // What is left when the known one is first seen to be corrected.
    let mut left = Vec::new();
    let is_corrected = async || {
        left = waiting().await;
        left.iter().all(|attempt| attempt.get().signature != known)
    };
    world.until("the known one is corrected", is_corrected).await;
    assert_eq!(left.len(), 40, "the others are not given up so soon");
    // A capture pays two signatures, so what it spent beyond one is taken for rent here.
    assert_eq!(ledger.totals(None).await.unwrap().rent, before - 1_000 + 5_000);
    world.until("all come to an end", async || waiting().await.is_empty()).await;
    assert_eq!(ledger.totals(None).await.unwrap().rent, before - 1_000 + 5_000, "upper bounds stand");
    facilitator.stop().await;
    world.finish().await;
}
