//! What is lost, late, repeated or cut off in the middle: nothing is charged twice and nothing is lost.

use super::{PURSE, Shop, becomes, is_refused_everywhere, sends, transfers};
use crate::{
    crash::{fate::Fate, mortal::MortalLedger},
    support::{Options, World},
};
use serde_json::{Value, json};
use sotto::{
    domain::settlement::State,
    facilitator::{AllowancePolicy, Settings},
    ledger::{Totals, Work},
    localnet::{ALL, FaultPlan, Odds},
};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// Guards: `end_wait` keeps what is planned; a repeat meets its own hold.
#[tokio::test]
async fn r14_a_confirmation_later_than_the_callers_deadline_is_pending_and_then_told_once() {
    let shop = Shop::open(Options::default(), 1_000_000).await;
    shop.world.stands_still();
    let (status, pending) = shop.world.post("/settle", &shop.hasty_payment(1_000, Some("late-nonce-000001"))).await;
    assert_eq!((status, &pending["errorReason"]), (200, &json!("settlement_pending")), "{pending:#}");
    assert!(pending["transaction"].as_str().unwrap().len() > 60, "it names the transaction: {pending:#}");
    assert_eq!(shop.world.ledger().totals(None).await.unwrap().held.get(), 1_000, "the hold is kept");
    shop.world.moves_on();
    let answer = shop.pays(1_000, Some("late-nonce-000001")).await;
    assert_eq!(answer["transaction"], pending["transaction"]);
    shop.is_refused(1_000, Some("late-nonce-000001"), "duplicate_settlement").await;
    assert_eq!(transfers(&shop.world, &shop.payer).await.len(), 1);
    shop.closes().await;
}

/// Guard: `Step::Send` again while the blockhash lives: the same bytes land once.
#[tokio::test]
async fn r14_a_lost_send_is_sent_again_and_lands_once() {
    let shop = Shop::open(Options::default(), 1_000_000).await;
    shop.world.net.faults().set(FaultPlan { drop_sends: Odds::next(1), ..FaultPlan::default() });
    shop.pays(1_000, None).await;
    assert_eq!(transfers(&shop.world, &shop.payer).await.len(), 1);
    shop.closes().await;
}

/// Guard: `step` ignores what a send answers and looks.
#[tokio::test]
async fn r16_an_error_after_the_network_took_it_starts_no_second_transfer() {
    let shop = Shop::open(Options::default(), 1_000_000).await;
    shop.world.net.faults().set(FaultPlan { error_after_take: Odds::next(1), ..FaultPlan::default() });
    shop.pays(1_000, None).await;
    assert_eq!(shop.world.units(&shop.merchant), 1_000);
    assert_eq!(transfers(&shop.world, &shop.payer).await.len(), 1);
    shop.closes().await;
}

/// Guard: `Absent` needs a proof; only after it another transaction carries the same holds.
#[tokio::test]
async fn r16_what_never_lands_is_carried_by_one_other_transaction() {
    let shop = Shop::open(Options::default(), 1_000_000).await;
    // Until its blockhash has died, 150 slots of 25 ms.
    shop.world.net.faults().set(FaultPlan { drop_sends: Odds::next(2), ..FaultPlan::default() });
    let answer = shop.pays(1_000, None).await;
    let found = transfers(&shop.world, &shop.payer).await;
    assert_eq!(found.len(), 1);
    assert_eq!(answer["transaction"], found[0].0.as_str());
    assert_eq!(shop.world.ledger().totals(None).await.unwrap().transfers, 1);
    shop.closes().await;
}

/// Sends a payment and cuts the connection once `reached` is true of the ledger and the chain.
async fn cut_off(shop: &Shop, body: &Value, reached: impl AsyncFn(&Shop) -> bool) {
    let request = sends(&shop.world, "/settle", body);
    let is_reached = async || {
        assert!(!request.is_finished(), "it was answered before the kill");
        reached(shop).await
    };
    shop.world.until("what the kill waits for", is_reached).await;
    request.abort();
    let _ = request.await;
}

async fn is(shop: &Shop, state: State) -> bool {
    let unfinished = shop.world.ledger().unfinished().await.unwrap();
    unfinished.iter().any(|work| work.settlement.state == state && work.settlement.amount.get() == 1_000)
}

/// Kills the process where `plan` holds a payment up, starts it again, and repeats the payment.
async fn survives(plan: FaultPlan, at: impl AsyncFn(&Shop) -> bool, expected: &str, landed: usize) {
    let mut shop = Shop::open(Options::default(), 1_000_000).await;
    let body = shop.payment(1_000, Some("killed-nonce-0001"));
    shop.world.net.faults().set(plan);
    cut_off(&shop, &body, at).await;
    shop.world.kill().await;
    shop.world.net.faults().clear();
    shop.world.boot().await;
    // A repeat that came before recovery was done would be waited for, and paid.
    shop.world.quiet().await;
    let (_, answer) = shop.world.post("/settle", &body).await;
    let said = if answer["success"] == json!(true) { "success" } else { answer["errorReason"].as_str().unwrap() };
    assert_eq!(said, expected, "{answer:#}");
    let (_, again) = shop.world.post("/settle", &body).await;
    assert_eq!(again["success"], json!(false), "{again:#}");
    assert_eq!(transfers(&shop.world, &shop.payer).await.len(), landed);
    // The session is none the worse: the rest of the cap is there.
    shop.pays(999_000, None).await;
    shop.closes().await;
}

/// Guard: `recover`. Planned and never signed: given back.
#[tokio::test]
async fn r15_killed_before_anything_was_signed() {
    let plan =
        FaultPlan { latency: BTreeMap::from([("simulateTransaction".to_owned(), 60_000)]), ..FaultPlan::default() };
    survives(plan, async |shop| is(shop, State::Reserved).await, "settlement_expired", 0).await;
}

/// Guard: `record_signed` before `send`, and `recover`. Signed, and the send was lost: sent again.
#[tokio::test]
async fn r15_killed_after_a_send_that_was_lost() {
    let plan = FaultPlan { drop_sends: Odds::next(100), ..FaultPlan::default() };
    survives(plan, async |shop| is(shop, State::InFlight).await, "success", 1).await;
}

/// Guard: `recover` looks before it acts. Landed, and nobody was told.
#[tokio::test]
async fn r15_killed_after_landing_and_before_the_ledger_knew() {
    let landed = async |shop: &Shop| shop.world.units(&shop.merchant) == 1_000 && is(shop, State::InFlight).await;
    let untold = FaultPlan { missing_confirmation: vec![ALL.to_owned()], ..FaultPlan::default() };
    survives(untold, landed, "success", 1).await;
}

/// Guard: `opening_sessions` in `recover`.
#[tokio::test]
async fn r15_an_opening_that_was_cut_off_opens_by_itself() {
    let mut world = World::start().await;
    let (payer, merchant) = (world.wallet(PURSE).await, world.wallet(0).await);
    let body = world.opening_body(&world.opening(&payer, &merchant.key(), 1_000)).await;
    world.net.faults().set(FaultPlan { drop_sends: Odds::next(100), ..FaultPlan::default() });
    let request = sends(&world, "/sessions", &body);
    let flies = |work: &Work| work.settlement.state == State::InFlight;
    world.until("the approve flies", async || world.ledger().unfinished().await.unwrap().iter().any(flies)).await;
    request.abort();
    let _ = request.await;
    world.kill().await;
    world.net.faults().clear();
    world.boot().await;
    let session = world.ledger().live_sessions(&payer.key(), &world.faucet.mint()).await.unwrap()[0].id.to_string();
    becomes(&world, &session, "open").await;
    let (status, answer) = world.post("/sessions", &body).await;
    assert_eq!((status, answer["sessionId"].as_str()), (201, Some(session.as_str())));
    assert_eq!(world.ledger().totals(None).await.unwrap().grants, 2_000_000, "granted once");
    world.finish().await;
}

/// Guard: `round` finishes openings that nobody works at. The caller hung up between the row and the signature: nothing
/// was sent, and the session ends without a restart.
#[tokio::test]
async fn r15_an_opening_whose_caller_hung_up_ends_by_itself() {
    let mut world = World::start().await;
    let (payer, merchant) = (world.wallet(PURSE).await, world.wallet(0).await);
    world.kill().await;
    let (inner, fate) = (world.open_ledger("sotto.db").await, Fate::immortal());
    world.boot_over(Arc::new(MortalLedger { inner, fate: Arc::clone(&fate) })).await;
    let body = world.opening_body(&world.opening(&payer, &merchant.key(), 1_000)).await;
    // The row is written, and its writer is never told so: it signs nothing.
    fate.withhold(true);
    let request = sends(&world, "/sessions", &body);
    world.until("the row", async || !world.ledger().opening_sessions().await.unwrap().is_empty()).await;
    let session = world.ledger().opening_sessions().await.unwrap()[0].id.to_string();
    request.abort();
    let _ = request.await;
    becomes(&world, &session, "rejected").await;
    fate.withhold(false);
    let (_, again) = world.post("/sessions", &body).await;
    assert_eq!(again["error"], "approve_submit_failed", "nothing was sent, and another nonce may try: {again:#}");
    world.finish().await;
}

/// Guards: the confirmation by websocket, the shared blockhash. R-32: no polling with history search.
#[tokio::test]
async fn r32_a_settlement_asks_little_of_the_chain() {
    for (policy, simulations) in [(AllowancePolicy::Every, 5), (AllowancePolicy::Never, 0)] {
        let settings = move |settings: &mut Settings| settings.transfers.decrypt_allowance = policy;
        let mut shop = Shop::open(Options::settings(settings), 1_000_000).await;
        // How often finality is looked for is another matter.
        shop.world.quiet().await;
        shop.world.kill().await;
        shop.world.configure(move |all| {
            (all.transfers.decrypt_allowance, all.transfers.finality_after) = (policy, Duration::from_hours(1));
        });
        shop.world.boot().await;
        // The first of its kind is simulated.
        shop.pays(1_000, None).await;
        let network = shop.world.net.network();
        network.reset_request_counts();
        let begun = Instant::now();
        for _ in 0..5 {
            shop.pays(1_000, None).await;
        }
        let counts = network.request_counts();
        // A payment that takes seconds on a busy machine is sent and looked for again, and what is read in the background
        // is read more often meanwhile.
        let seconds = begun.elapsed().as_secs();
        let asked = |method: &str| counts.get(method).copied().unwrap_or(0);
        let sends = asked("sendTransaction");
        assert!((5..=5 + seconds / 2).contains(&sends), "{counts:?}");
        assert_eq!(asked("simulateTransaction"), simulations, "{counts:?}");
        assert_eq!((asked("getTransaction"), asked("getSignaturesForAddress"), asked("getAccountInfo")), (0, 0, 0));
        let (hashes, looks) = (asked("getLatestBlockhash"), asked("getSignatureStatuses"));
        assert!(hashes <= 3 + seconds && looks <= 5 + 3 * seconds, "{counts:?}");
        let subscriptions: u64 =
            counts.iter().filter(|(method, _)| method.contains("ubscribe")).map(|(_, count)| count).sum();
        let all: u64 = counts.values().sum();
        assert!(all - subscriptions <= 5 + simulations + 8 + 6 * seconds, "{counts:?}");
        shop.world.kill().await;
        shop.world.configure(settings);
        shop.world.boot().await;
        shop.closes().await;
    }
}

/// Guard: holds gather while a transfer is on its way; each is carried by one transaction only.
#[tokio::test]
async fn r16_every_capture_is_carried_by_exactly_one_landed_transaction() {
    let shop = Shop::open(Options::default(), 1_000_000).await;
    shop.world.net.faults().set(FaultPlan {
        error_after_take: Odds { next: 0, per_mille: 300 },
        drop_sends: Odds { next: 0, per_mille: 200 },
        ..FaultPlan::default()
    });
    let answers = futures_util::future::join_all((0..15).map(|_| shop.settle(1_000, None))).await;
    assert!(answers.iter().all(|(_, answer)| answer["success"] == json!(true)), "{answers:#?}");
    shop.world.net.faults().clear();
    shop.world.quiet().await;
    let Totals { captured, transfers: booked, .. } = shop.world.ledger().totals(None).await.unwrap();
    assert_eq!(captured.get(), 15_000);
    assert_eq!(transfers(&shop.world, &shop.payer).await.len() as u64, booked);
    is_refused_everywhere(&shop.world, &shop.payment(985_001, None), "cap_exceeded").await;
    shop.closes().await;
}
