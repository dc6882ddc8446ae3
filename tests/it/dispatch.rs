//! How transfers share the way to the chain: together where they can, one after the other where they must, and nobody
//! last for ever.

use crate::{
    allowances::asks,
    support::{Options, PATIENCE, Wallet, World, in_time},
};
use serde_json::{Value, json};
use sotto::{
    chain::{Chain as _, history::Page},
    domain::settlement::State,
    facilitator::{AllowancePolicy, AllowanceSettings, DispatchSettings, Settings},
};
use std::{collections::HashSet, time::Duration};
use tokio::task::JoinHandle;

const PURSE: u64 = 50_000_000;

fn plain(change: impl Fn(&mut Settings) + Send + Sync + 'static) -> Options {
    Options::settings(move |settings| {
        settings.transfers.decrypt_allowance = AllowancePolicy::Idle;
        change(settings);
    })
}

/// `number` payers with a session each at one merchant, all of whom have paid once.
async fn payers(world: &World, number: usize) -> (Wallet, Vec<String>) {
    let merchant = world.wallet(0).await;
    let mut sessions = Vec::new();
    for _ in 0..number {
        let payer = world.wallet(PURSE).await;
        sessions.push(world.open(&payer, &merchant.key(), 10_000_000).await);
    }
    for session in &sessions {
        pays(world, session, &merchant).await;
    }
    (merchant, sessions)
}

async fn pays(world: &World, session: &str, merchant: &Wallet) {
    let (status, answer) = world.post("/settle", &world.payment(session, &merchant.key(), 1_000, None)).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer:#}");
}

async fn in_flight(world: &World) -> usize {
    let unfinished = world.ledger().unfinished().await.unwrap();
    unfinished.iter().filter(|work| work.settlement.state == State::InFlight).count()
}

/// Has the next transfer land without anybody hearing of it until faults are cleared.
async fn lose_the_next(world: &World) {
    // A node that stands still takes transactions and executes none.
    world.net.faults().change(|plan| plan.frozen = true);
    let sent = async || {
        let unfinished = world.ledger().unfinished().await.unwrap();
        let flying = unfinished.into_iter().filter(|work| work.settlement.state == State::InFlight);
        flying.map(|work| work.attempt.unwrap().get().signature.to_string()).collect::<Vec<_>>()
    };
    let mut lost = Vec::new();
    let is_sent = async || {
        lost = sent().await;
        !lost.is_empty()
    };
    world.until("a transfer is sent", is_sent).await;
    world.net.faults().change(|plan| (plan.missing_confirmation, plan.frozen) = (lost, false));
}

async fn transfers(world: &World) -> u64 {
    world.ledger().totals(None).await.unwrap().transfers
}

/// Pays once in each session while nothing lands, until all transfers are in flight together.
async fn pay_in_flight_together<'a>(world: &World, shops: impl ExactSizeIterator<Item = (&'a Wallet, &'a str)>) {
    let all = shops.len();
    // A node that stands still takes transactions and executes none.
    world.net.faults().change(|plan| plan.frozen = true);
    let paying = futures_util::future::join_all(shops.map(|(merchant, session)| pays(world, session, merchant)));
    let thaw = async {
        world.until("all are in flight", async || in_flight(world).await == all).await;
        world.net.faults().clear();
    };
    tokio::join!(paying, thaw);
}

/// The most transfers that are seen in flight together until there are so many in all. Nothing lands before so many as
/// are expected have been seen together.
async fn most_in_flight(world: &World, expected: usize, all: u64) -> usize {
    world.net.faults().change(|plan| plan.frozen = true);
    world.until("they fly together", async || in_flight(world).await >= expected).await;
    world.net.faults().clear();
    let mut most = 0;
    while transfers(world).await < all {
        most = most.max(in_flight(world).await);
    }
    most
}

#[tokio::test]
async fn transfers_of_many_payers_to_one_merchant_are_in_flight_together() {
    let world = World::with(plain(|_| {})).await;
    let (merchant, sessions) = payers(&world, 6).await;
    pay_in_flight_together(&world, sessions.iter().map(|session| (&merchant, session.as_str()))).await;
    world.finish().await;
}

#[tokio::test]
async fn a_crowd_of_first_payments_costs_one_simulation() {
    let world = World::with(plain(|settings| settings.transfers.max_priority_fee = 50_000)).await;
    let merchant = world.wallet(0).await;
    let mut sessions = Vec::new();
    for _ in 0..6 {
        let payer = world.wallet(PURSE).await;
        sessions.push(world.open(&payer, &merchant.key(), 10_000_000).await);
    }
    let asked = |method: &str| world.net.network().request_counts().get(method).copied().unwrap_or(0);
    let (simulated, priced) = (asked("simulateTransaction"), asked("getRecentPrioritizationFees"));
    futures_util::future::join_all(sessions.iter().map(|session| pays(&world, session, &merchant))).await;
    assert_eq!(asked("simulateTransaction") - simulated, 1);
    assert_eq!(asked("getRecentPrioritizationFees") - priced, 1);
    world.finish().await;
}

#[tokio::test]
async fn no_more_transfers_are_in_flight_than_the_window_of_their_merchant_holds() {
    let limits = DispatchSettings { per_merchant: 2, ..DispatchSettings::default() };
    let world = World::with(plain(move |settings| settings.dispatch = limits)).await;
    let (merchant, sessions) = payers(&world, 5).await;
    let paying = futures_util::future::join_all(sessions.iter().map(|session| pays(&world, session, &merchant)));
    let (_, most) = tokio::join!(paying, most_in_flight(&world, 2, 2 * sessions.len() as u64));
    assert_eq!(most, 2);
    world.finish().await;
}

#[tokio::test]
async fn a_session_with_one_hold_is_not_kept_waiting_by_one_with_five_hundred() {
    let world = World::with(plain(|settings| {
        settings.dispatch.in_flight = 1;
        // Five calls a transfer: a hundred transfers.
        settings.transfers.unproven_exposure = sotto::domain::amount::Amount::new(5_000).unwrap();
        // The last payment in the crowd waits for all of them.
        settings.answer_deadline = 2 * PATIENCE;
    }))
    .await;
    let (merchant, sessions) = payers(&world, 2).await;
    let before = transfers(&world).await;
    let held = async |calls: u64| world.ledger().totals(None).await.unwrap().held.get() == calls * 1_000;
    let pays = async |session: &str| {
        let mut body = world.payment(session, &merchant.key(), 1_000, None);
        for side in ["/paymentRequirements", "/paymentPayload/accepted"] {
            body.pointer_mut(side).unwrap()["maxTimeoutSeconds"] = json!((2 * PATIENCE).as_secs());
        }
        let (_, answer) = world.post("/settle", &body).await;
        assert_eq!(answer["success"], json!(true), "{answer:#}");
        answer["transaction"].as_str().unwrap().to_owned()
    };
    // Nothing lands before the whole crowd is held, and the one behind it.
    world.net.faults().change(|plan| plan.frozen = true);
    let crowd = futures_util::future::join_all((0..500).map(|_| pays(&sessions[0])));
    let single = async {
        world.until("the crowd is held", async || held(500).await).await;
        let behind = async {
            world.until("one more is held", async || held(501).await).await;
            world.net.faults().clear();
        };
        tokio::join!(pays(&sessions[1]), behind).0
    };
    let (crowd, single) = tokio::join!(crowd, single);
    let account = world.account_of(&merchant.key());
    let page = Page { before: None, limit: 1_000, at_least: 0 };
    // The newest first.
    let landed = world.running().chain.history(&account, page).await.unwrap();
    let place = |transaction: &str| landed.iter().position(|listed| listed.signature.to_string() == transaction);
    let (own, crowd) = (place(&single).unwrap(), crowd.iter().map(|one| place(one).unwrap()).collect::<HashSet<_>>());
    let earlier = crowd.iter().filter(|other| **other > own).count();
    assert!(earlier < 4, "{earlier} transfers landed before the one of a single hold");
    let all = transfers(&world).await - before;
    assert!((101..=140).contains(&all), "{all} transfers for the crowd");
    world.finish().await;
}

#[tokio::test]
async fn callers_who_come_together_share_transfers_again_and_again() {
    let world = World::with(plain(|settings| settings.dispatch.gather = Duration::from_millis(500))).await;
    let (merchant, sessions) = payers(&world, 1).await;
    let before = world.ledger().totals(None).await.unwrap();
    let caller = async || {
        for _ in 0..6 {
            pays(&world, &sessions[0], &merchant).await;
        }
    };
    futures_util::future::join_all((0..8).map(|_| caller())).await;
    let after = world.ledger().totals(None).await.unwrap();
    assert_eq!(after.captured.get() - before.captured.get(), 48_000);
    assert!(after.fees - before.fees <= 48 * 2_500, "{} transfers for 48 calls", after.transfers - before.transfers);
    assert_eq!(after.rent, before.rent);
    world.finish().await;
}

/// How many transfers of one session are on their way.
async fn in_flight_of(world: &World, session: &str) -> usize {
    let (id, unfinished) = (session.parse().ok(), world.ledger().unfinished().await.unwrap());
    unfinished.iter().filter(|work| work.settlement.state == State::InFlight && work.settlement.session() == id).count()
}

/// Payments made one after the other while none of them lands: each when the one before it is on its way.
async fn queue_up(world: &World, session: &str, merchant: &Wallet, number: usize) -> Vec<JoinHandle<bool>> {
    let mut callers = Vec::new();
    for flying in 1..=number {
        let body = world.payment(session, &merchant.key(), 1_000, None);
        let request = world.http.post(format!("{}/settle", world.running().url)).json(&body);
        callers.push(tokio::spawn(async move {
            let answer: Value = request.send().await.unwrap().json().await.unwrap();
            answer["success"] == json!(true)
        }));
        let flies = async || in_flight_of(world, session).await >= flying;
        world.until(&format!("payment {flying} flies beside the one before it"), flies).await;
    }
    callers
}

async fn all_paid(callers: Vec<JoinHandle<bool>>) {
    for caller in callers {
        assert!(caller.await.unwrap());
    }
}

/// A world in which a transfer is late after a moment, and three payers of one merchant, of whom the first two have
/// proved their balance. All have paid once.
async fn proven_and_unproven() -> (World, Wallet, Vec<String>) {
    let world = World::with(plain(|settings| settings.dispatch.overtake_after = Duration::from_millis(100))).await;
    let (merchant, mut sessions) = (world.wallet(0).await, Vec::new());
    for proves in [true, true, false] {
        let payer = world.wallet(PURSE).await;
        let session = world.open(&payer, &merchant.key(), 10_000_000).await;
        if proves {
            let (status, answer) =
                world.post(&format!("/sessions/{session}/funding"), &world.funding_proof(&payer).await).await;
            assert_eq!((status, &answer["funding"]), (200, &json!("proven")), "{answer:#}");
        }
        pays(&world, &session, &merchant).await;
        sessions.push(session);
    }
    (world, merchant, sessions)
}

/// Guards: `overtake_after`, and `most_in_flight` of `carry_limit`. The proven session is the clock of the other: whatever it
/// does later, the other had the time to do before.
#[tokio::test]
async fn a_late_transfer_is_overtaken_where_the_balance_is_proven_and_nowhere_else() {
    let (world, merchant, sessions) = proven_and_unproven().await;
    let [proven, _, unproven] = &sessions[..] else { panic!("three of them") };
    world.net.faults().change(|plan| plan.frozen = true);
    let mut callers = queue_up(&world, unproven, &merchant, 1).await;
    let waits = pays(&world, unproven, &merchant);
    let others = async {
        callers.extend(queue_up(&world, proven, &merchant, 4).await);
        assert_eq!(in_flight_of(&world, unproven).await, 1, "an unproven session has one transfer in flight");
        world.net.faults().clear();
    };
    tokio::join!(waits, others);
    all_paid(callers).await;
    world.finish().await;
}

/// Guard: `PROVEN_IN_FLIGHT`.
#[tokio::test]
async fn no_more_than_eight_transfers_of_a_proven_session_are_in_flight() {
    let (world, merchant, sessions) = proven_and_unproven().await;
    world.net.faults().change(|plan| plan.frozen = true);
    let mut callers = queue_up(&world, &sessions[0], &merchant, 8).await;
    let ninth = pays(&world, &sessions[0], &merchant);
    let others = async {
        callers.extend(queue_up(&world, &sessions[1], &merchant, 4).await);
        assert_eq!(in_flight_of(&world, &sessions[0]).await, 8);
        world.net.faults().clear();
    };
    tokio::join!(ninth, others);
    all_paid(callers).await;
    world.finish().await;
}

/// One payer with a session at each of three merchants, in all of which they have paid once.
async fn one_payer(world: &World) -> Vec<(Wallet, String)> {
    let (payer, mut shops) = (world.wallet(PURSE).await, Vec::new());
    for number in 1..=3 {
        let merchant = world.wallet(0).await;
        let mut opening = world.opening(&payer, &merchant.key(), 1_000_000);
        // Approves the sum, so that the earlier sessions stay open.
        opening.approved = number * 1_000_000;
        let (status, session) = world.post("/sessions", &world.opening_body(&opening).await).await;
        assert_eq!(status, 201, "{session:#}");
        shops.push((merchant, session["sessionId"].as_str().unwrap().to_owned()));
    }
    for (merchant, session) in &shops {
        pays(world, session, merchant).await;
    }
    shops
}

/// Guard: the gates let transfers of one payer's account pass beside each other.
#[tokio::test]
async fn transfers_of_one_payer_to_many_merchants_are_in_flight_together() {
    let world = World::with(plain(|_| {})).await;
    let shops = one_payer(&world).await;
    pay_in_flight_together(&world, shops.iter().map(|(merchant, session)| (merchant, session.as_str()))).await;
    world.finish().await;
}

/// Guard: the payer's limit.
#[tokio::test]
async fn no_more_transfers_are_in_flight_than_the_window_of_their_payer_holds() {
    let limits = DispatchSettings { per_payer: 2, ..DispatchSettings::default() };
    let world = World::with(plain(move |settings| settings.dispatch = limits)).await;
    let shops = one_payer(&world).await;
    let before = transfers(&world).await;
    let shop = async |(merchant, session): &(Wallet, String)| {
        for _ in 0..3 {
            pays(&world, session, merchant).await;
        }
    };
    let paying = futures_util::future::join_all(shops.iter().map(shop));
    let (_, most) = tokio::join!(paying, most_in_flight(&world, 2, before + 3 * shops.len() as u64));
    assert_eq!(most, 2);
    world.finish().await;
}

#[tokio::test]
async fn queues_at_a_closed_account_take_no_place_from_other_merchants() {
    let world = World::with(Options::settings(|settings| {
        settings.transfers.decrypt_allowance = AllowancePolicy::Never;
        settings.dispatch.in_flight = 3;
    }))
    .await;
    let ((closed, sessions), (open, others)) = (payers(&world, 3).await, payers(&world, 1).await);
    // Has our own account made, which transfers of zero come from.
    assert_eq!(asks(&world, &others[0], "merchant", &open).await.0, 200);
    let network = world.net.network();
    let stuck = async {
        lose_the_next(&world).await;
        network.reset_request_counts();
        // Waits for the lost one, and closes the account for those who come after.
        let refresh = asks(&world, &sessions[0], "merchant", &closed);
        let crowd = async {
            let reads = || network.request_counts().get("getMultipleAccounts").copied().unwrap_or(0);
            world.until("the account is read", async || reads() >= 3).await;
            let crowd = futures_util::future::join_all(sessions[1..].iter().map(|id| pays(&world, id, &closed)));
            let elsewhere = async {
                let waiting = async || world.ledger().waiting_sessions().await.unwrap().len();
                world.until("two wait", async || waiting().await == 2).await;
                pays(&world, &others[0], &open).await;
                let waiting = world.ledger().waiting_sessions().await.unwrap().len();
                world.net.faults().clear();
                assert_eq!(waiting, 2, "the crowd waits, and the payer does not wait for it");
            };
            tokio::join!(crowd, elsewhere)
        };
        tokio::join!(refresh, crowd)
    };
    tokio::join!(pays(&world, &sessions[0], &closed), stuck);
    world.finish().await;
}

#[tokio::test]
async fn who_is_to_buy_allowances_waits_for_a_lost_transfer_a_while_and_goes_without() {
    let overdue = Duration::from_secs(5);
    let world = World::with(plain(move |settings| {
        settings.allowances = AllowanceSettings {
            min_moved: sotto::domain::amount::Amount::ZERO,
            idle_after: Duration::from_hours(1),
            min_interval: Duration::ZERO,
            max_age: overdue,
            request_interval: Duration::ZERO,
        };
    }))
    .await;
    let (merchant, sessions) = payers(&world, 2).await;
    let before = world.ledger().totals(None).await.unwrap();
    // A node that stands still takes transactions and executes none.
    world.net.faults().change(|plan| plan.frozen = true);
    let second = async {
        world.until("the first flies", async || in_flight(&world).await > 0).await;
        // What makes it overdue is time and nothing else.
        tokio::time::sleep(overdue).await;
        let both_fly = async {
            world.until("both fly", async || in_flight(&world).await == 2).await;
            world.net.faults().clear();
        };
        tokio::join!(pays(&world, &sessions[1], &merchant), both_fly);
    };
    let both = async { tokio::join!(pays(&world, &sessions[0], &merchant), second) };
    in_time("it goes without", both).await;
    let after = world.ledger().totals(None).await.unwrap();
    assert_eq!((after.rent - before.rent, after.fees - before.fees), (0, 20_000));
    world.finish().await;
}
