//! Crowds of one payer: what waits for the chain may be many, but never everybody.

use super::{PURSE, Shop, funding::proves, has_paid_for_days, sends};
use crate::support::{Options, World};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use serde_json::{Value, json};
use sotto::{
    domain::{amount::Amount, settlement::State},
    facilitator::{AllowancePolicy, Settings, WaitingSettings},
    ledger::Work,
};
use std::time::Duration;

/// Shorter than any of these requests waits for the chain.
const AT_ONCE: Duration = Duration::from_mins(2);

fn crowded(settings: &mut Settings) {
    settings.waiting =
        WaitingSettings { per_user: 20, per_unproven_user: 20, in_all: 40, newcomers_in_all: 40, unproven_in_all: 40 };
    settings.transfers.decrypt_allowance = AllowancePolicy::Never;
}

/// So many places for those who wait, and no decrypt allowances.
fn with_places(waiting: WaitingSettings) -> Options {
    Options::settings(move |settings| {
        settings.waiting = waiting;
        settings.transfers.decrypt_allowance = AllowancePolicy::Never;
    })
}

/// The first `count` answers, of requests that are answered at once.
async fn answered_at_once<F>(requests: &mut FuturesUnordered<F>, count: usize) -> Vec<Value>
where
    F: Future<Output = (u16, Value)>,
{
    let mut told = Vec::new();
    while told.len() < count {
        let next = tokio::time::timeout(AT_ONCE, requests.next()).await;
        told.push(next.unwrap_or_else(|_| panic!("only {} were told at once", told.len())).unwrap().1);
    }
    told
}

fn reasons(answers: &[Value]) -> Vec<&str> {
    answers.iter().map(|answer| answer["errorReason"].as_str().unwrap_or("none")).collect()
}

async fn is_in_flight(world: &World) {
    let flies = |work: &Work| work.settlement.state == State::InFlight;
    let in_flight = async || world.ledger().unfinished().await.unwrap().iter().any(flies);
    world.until("the first payment is sent", in_flight).await;
}

/// Waits until so much is held; what is accepted is written a moment after its seat is taken.
async fn holds(world: &World, units: u64) {
    let held = async || world.ledger().totals(None).await.unwrap().held.get() == units;
    world.until("just what has a seat is held", held).await;
}

/// Guards: the seats that `settle` and `repeat` take, and `Waiters::join`. Without them all of these wait for the chain.
#[tokio::test]
async fn one_payers_waiting_requests_leave_permits_for_everybody_else() {
    let shop = Shop::open(Options::settings(crowded), 1_000_000).await;
    let world = &shop.world;
    let (other, merchant) = (world.wallet(PURSE).await, shop.merchant.key());
    let others = world.open(&other, &merchant, 1_000_000).await;
    world.quiet().await;
    // Nothing that lands is confirmed.
    world.stands_still();

    let one = shop.payment(1_000, Some("one-and-the-same-nonce"));
    let first = sends(world, "/settle", &one);
    is_in_flight(world).await;
    let mut repeats: FuturesUnordered<_> = (0..40).map(|_| world.post("/settle", &one)).collect();
    let told = answered_at_once(&mut repeats, 25).await;
    assert_eq!(reasons(&told), ["settlement_pending"; 25], "sixteen wait for one payment");

    let bodies: Vec<_> = (0..10).map(|n| shop.payment(1_000, Some(&format!("another-nonce-{n:06}")))).collect();
    let mut more: FuturesUnordered<_> = bodies.iter().map(|body| world.post("/settle", body)).collect();
    let told = answered_at_once(&mut more, 6).await;
    assert_eq!(reasons(&told), ["session_busy"; 6], "twenty wait for one payer");
    holds(world, 5_000).await;

    // Everybody else is served, and waits if they have to. Those who were turned away have left no trace.
    let body = world.payment(&others, &merchant, 1_000, Some("of-another-payer-0001"));
    let verified = tokio::time::timeout(AT_ONCE, world.post("/verify", &body)).await.unwrap();
    assert_eq!(verified.1["isValid"], json!(true), "{verified:?}");
    let mut waits: FuturesUnordered<_> = (0..1).map(|_| world.post("/settle", &body)).collect();
    let early = tokio::time::timeout(Duration::from_secs(1), waits.next()).await;
    assert!(early.is_err(), "it is accepted, and waits: {early:?}");
    // The payer's own promises need no permit.
    let mut promised = shop.payment(10, Some("a-promise-of-the-crowd"));
    promised["paymentRequirements"]["extra"] = json!({ "settlement": "deferred" });
    let promised = tokio::time::timeout(AT_ONCE, world.post("/settle", &promised)).await.unwrap();
    assert_eq!(promised.1["success"], json!(true), "{promised:?}");

    holds(world, 5_000 + 1_000 + 10).await;
    world.moves_on();
    let of_other = waits.next().await.unwrap();
    drop(waits);
    assert_eq!(of_other.1["success"], json!(true), "{of_other:?}");
    let mut all: Vec<Value> = repeats.map(|(_, answer)| answer).collect().await;
    all.push(first.await.unwrap().unwrap().json().await.unwrap());
    assert_eq!(all.iter().filter(|answer| answer["success"] == json!(true)).count(), 1, "{all:#?}");
    let more: Vec<Value> = more.map(|(_, answer)| answer).collect().await;
    assert!(more.iter().all(|answer| answer["success"] == json!(true)), "{more:#?}");
    // A caller who was turned away comes back, and was charged nothing.
    let (_, again) = world.post("/settle", &one).await;
    assert_eq!(again["errorReason"], "duplicate_settlement", "{again:#}");
    shop.world.finish().await;
}

/// Guard: the seat that `land_session` takes before it waits for the user's gate.
#[tokio::test]
async fn one_users_openings_do_not_wait_in_crowds() {
    let options = Options::settings(|settings| {
        crowded(settings);
        settings.waiting.per_user = 2;
    });
    let shop = Shop::open(options, 1_000_000).await;
    let world = &shop.world;
    world.quiet().await;
    let mut bodies = Vec::new();
    for cap in 1..=6 {
        bodies.push(world.opening_body(&world.opening(&shop.payer, &shop.merchant.key(), cap)).await);
    }
    world.stands_still();
    let mut openings: FuturesUnordered<_> = bodies.iter().map(|body| world.post("/sessions", body)).collect();
    let told = answered_at_once(&mut openings, 4).await;
    assert!(told.iter().all(|answer| answer["error"] == "session_busy"), "{told:#?}");
    world.moves_on();
    let rest: Vec<Value> = openings.map(|(_, answer)| answer).collect().await;
    assert!(rest.iter().any(|answer| answer["state"] == "open"), "{rest:#?}");
    shop.world.finish().await;
}

/// Guard: `repeat` marks what it takes over and cannot wait for. Nothing but that mark tells a payment without a nonce from
/// a new one.
#[tokio::test]
async fn a_pending_payment_without_a_nonce_is_recognised_however_often_nobody_may_wait_for_it() {
    let options = Options::settings(|settings| {
        crowded(settings);
        settings.waiting.per_user = 1;
        // A promise that would pass the limit waits, and needs a seat only then.
        settings.deferred.exposure.per_session = Amount::ZERO;
    });
    let shop = Shop::open(options, 1_000_000).await;
    let world = &shop.world;
    world.quiet().await;
    world.stands_still();
    let mut body = shop.hasty_payment(1_000, None);
    body["paymentRequirements"]["extra"] = json!({ "settlement": "deferred" });
    let (_, pending) = world.post("/settle", &body).await;
    assert_eq!(pending["errorReason"], "settlement_pending", "{pending:#}");

    let other = sends(world, "/settle", &shop.payment(10, Some("who-has-the-only-seat")));
    holds(world, 1_010).await;
    for _ in 0..3 {
        let (_, again) = world.post("/settle", &body).await;
        assert_eq!(again["errorReason"], "settlement_pending", "{again:#}");
        assert_eq!(again["transaction"], pending["transaction"], "{again:#}");
    }
    holds(world, 1_010).await;
    world.moves_on();
    let other: Value = other.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!(other["success"], json!(true), "{other:#}");
    let (_, told) = world.post("/settle", &body).await;
    assert_eq!((&told["success"], &told["transaction"]), (&json!(true), &pending["transaction"]), "{told:#}");
    world.quiet().await;
    assert_eq!(world.units(&shop.merchant), 1_010);
    shop.world.finish().await;
}

/// A5: wallets without tokens cost nothing, and three of them had filled every place for all others. Guard:
/// `Credit::Start` in `WaitQuotas::acquire`.
#[tokio::test]
async fn wallets_of_which_nothing_is_proved_leave_places_to_those_who_have_proved_a_balance() {
    let options = with_places(WaitingSettings {
        per_user: 20,
        per_unproven_user: 3,
        in_all: 9,
        newcomers_in_all: 9,
        unproven_in_all: 4,
    });
    let shop = Shop::open(options, 1_000_000).await;
    let world = &shop.world;
    proves(&shop).await;
    let mut strangers = Vec::new();
    for _ in 0..3 {
        let wallet = world.wallet(0).await;
        strangers.push(world.open(&wallet, &shop.merchant.key(), 1_000_000).await);
    }
    world.quiet().await;
    world.stands_still();

    let bodies: Vec<Value> = strangers
        .iter()
        .enumerate()
        .flat_map(|(at, session)| (0..4).map(move |n| (at, session, n)))
        .map(|(at, session, n)| {
            world.payment(session, &shop.merchant.key(), 1_000, Some(&format!("stranger-{at}-payment-{n:04}")))
        })
        .collect();
    let (mut waiting, mut told) = (FuturesUnordered::new(), Vec::new());
    // Three wait of the first, and one of each of the others, though the share is used up by the second.
    for (payments, refused) in bodies.chunks(4).zip([1, 3, 3]) {
        waiting.extend(payments.iter().map(|body| world.post("/settle", body)));
        told.extend(answered_at_once(&mut waiting, refused).await);
    }
    assert_eq!(reasons(&told), ["session_busy"; 7], "a share of twelve waits, and one of each wallet");
    holds(world, 5_000).await;

    let honest: Vec<Value> = (0..4).map(|n| shop.payment(1_000, Some(&format!("who-has-proved-{n:06}")))).collect();
    let mut served: FuturesUnordered<_> = honest.iter().map(|body| world.post("/settle", body)).collect();
    let early = tokio::time::timeout(Duration::from_secs(1), served.next()).await;
    assert!(early.is_err(), "all of them wait for their transfer: {early:?}");
    world.moves_on();
    while let Some((_, answer)) = served.next().await {
        assert_eq!(answer["success"], json!(true), "{answer:#}");
    }
    while waiting.next().await.is_some() {}
    drop((waiting, served));
    shop.world.finish().await;
}

/// A5: a proof costs a few tokens that come back, and three wallets that had one had filled every place. Guard:
/// `newcomers_in_all` in `WaitQuota::acquire`.
#[tokio::test]
async fn a05_wallets_that_prove_something_leave_places_to_payers_with_credit() {
    let options = with_places(WaitingSettings {
        per_user: 20,
        per_unproven_user: 3,
        in_all: 9,
        newcomers_in_all: 6,
        unproven_in_all: 4,
    });
    let thief = Shop::open(options, 1_000_000).await;
    let world = &thief.world;
    proves(&thief).await;
    let regular = world.wallet(PURSE).await;
    has_paid_for_days(world, &regular.key());
    let session = world.open(&regular, &thief.merchant.key(), 1_000_000).await;
    world.quiet().await;
    world.stands_still();

    let bodies: Vec<_> = (0..8).map(|n| thief.payment(1_000, Some(&format!("who-has-proved-{n:06}")))).collect();
    let mut crowd: FuturesUnordered<_> = bodies.iter().map(|body| world.post("/settle", body)).collect();
    let told = answered_at_once(&mut crowd, 2).await;
    assert_eq!(reasons(&told), ["session_busy"; 2], "six places for those without credit");

    let body = world.payment(&session, &thief.merchant.key(), 1_000, Some("who-has-credit-000001"));
    let mut served: FuturesUnordered<_> = [world.post("/settle", &body)].into_iter().collect();
    let early = tokio::time::timeout(Duration::from_secs(1), served.next()).await;
    assert!(early.is_err(), "it waits for its transfer: {early:?}");
    world.moves_on();
    let (_, answer) = served.next().await.unwrap();
    assert_eq!(answer["success"], json!(true), "{answer:#}");
    while crowd.next().await.is_some() {}
    drop((crowd, served));
    thief.world.finish().await;
}

/// Places that wait for a close are no stranger's to fill. Guards: `Sessions::close_all` looks at the signature before it takes a
/// place to wait, and stops what is open without one. Who has seen a signed close sends it again and again, strangers send forged
/// ones, and neither keeps a wallet from closing.
#[tokio::test]
async fn places_to_wait_for_a_close_keep_no_wallet_from_closing() {
    let options = with_places(WaitingSettings {
        per_user: 4,
        per_unproven_user: 4,
        in_all: 5,
        newcomers_in_all: 5,
        unproven_in_all: 5,
    });
    let shop = Shop::open(options, 1_000_000).await;
    let world = &shop.world;
    let other = world.wallet(PURSE).await;
    let others = world.open(&other, &shop.merchant.key(), 1_000_000).await;
    world.quiet().await;
    // What is paid cannot become final, so who closes waits for it.
    world.stands_still();
    let paid = sends(world, "/settle", &shop.payment(1_000, Some("held-while-it-closes")));
    is_in_flight(world).await;

    let (ours, now, stranger) = (world.spender(), world.now(), world.stranger());
    let forged = world.close_all_body(&shop.payer, &stranger, &ours, now);
    let mut strangers: FuturesUnordered<_> = (0..12).map(|_| world.post("/sessions/close", &forged)).collect();
    let told = answered_at_once(&mut strangers, 12).await;
    assert!(told.iter().all(|answer| answer["error"] == "invalid_close_signature"), "{told:#?}");

    let signed = world.close_all_body(&shop.payer, &shop.payer, &ours, now);
    let mut replays: FuturesUnordered<_> = (0..12).map(|_| world.post("/sessions/close", &signed)).collect();
    let told = answered_at_once(&mut replays, 8).await;
    assert!(told.iter().all(|answer| answer["sessions"][0]["state"] == "closing"), "no more than four wait: {told:#?}");
    let stolen = shop.payment(1_000, Some("after-the-close-0001"));
    assert_eq!(
        world.post("/verify", &stolen).await.1["invalidReason"],
        "session_not_open",
        "it is closed all the same"
    );
    // Their own close is answered at once, too, and so is that of everybody else.
    let own = world.close_all_body(&shop.payer, &shop.payer, &ours, now - 1);
    let of_other = world.close_all_body(&other, &other, &ours, now);
    for (body, session, state) in [(own, &shop.session, "closing"), (of_other, &others, "closed")] {
        let closes = tokio::time::timeout(AT_ONCE, world.post("/sessions/close", &body)).await.unwrap();
        assert_eq!(closes.0, 200, "{closes:?}");
        let told = &closes.1["sessions"][0];
        assert_eq!((&told["sessionId"], &told["state"]), (&json!(session), &json!(state)));
    }

    world.moves_on();
    let late: Vec<Value> = replays.map(|(_, answer)| answer).collect().await;
    assert!(
        late.iter().any(|answer| answer["sessions"][0]["state"] == "closed"),
        "who waited is told the end: {late:#?}"
    );
    let paid: Value = paid.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!(paid["success"], json!(true), "{paid:#}");
    drop(strangers);
    shop.world.finish().await;
}
