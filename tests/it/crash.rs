//! The crash loop: the process dies at every call it makes to its ledger and its chain, before and after the call's
//! effect; the next process starts on the same ledger, and the books agree with the chain.
//!
//! No crash point is picked by hand: the loop first counts the calls of an undisturbed run and then dies at each. The run
//! opens a session, pays per call, alone and two at once, and makes two promises that are settled together.
//!
//! What that run never comes to is in [`endings`] (proofs, superseded, rejected, revoked and closed sessions, promises
//! that are lost, background rounds) and [`storms`] (forks, expiries, transfers that fail). Of a close that keeps its proof see
//! [`closing`], of single payments [`single_payments`], of charges [`charges`], of channels
//! [`channels`], of revokes [`revocations`], of promises that nobody was told of
//! [`uncounted`], of a payer who moves the money away [`moved`]. That nothing is left out is checked in [`every_call`].

mod channels;
mod charges;
mod closing;
mod endings;
mod every_call;
pub mod fate;
mod lives;
pub mod mortal;
mod moved;
mod onboardings;
mod promises;
mod revocations;
mod single_payments;
mod storms;
mod uncounted;

use crate::support::{
    Engine, Opening, Options, Wallet, World, changed,
    engine::{cases, each_engine},
    in_time, look_again, payment_in, quiet,
};
use fate::{Fate, Last};
use mortal::{MortalChain, MortalLedger};
use sotto::{
    domain::{
        amount::Amount,
        budget::{Budgets, Part, Scope},
        clock::{Clock as _, SystemClock},
        payment::Payment,
        session::{SessionId, SessionState},
        signed,
    },
    facilitator::{AllowancePolicy, AllowanceSettings, Facilitator, OpenRequest, ReadRequest, Reader, Settings},
    ledger::Ledger,
};
use std::{sync::Arc, time::Duration};

const PRICE: u64 = 700;
/// What every payer starts with.
const PURSE: u64 = 1_000_000;

each_engine! { cases
    a_process_that_dies_at_any_call_loses_and_repeats_nothing,
    the_same_holds_where_allowances_are_bought_now_and_then_and_on_request,
    a_repeat_after_a_crash_is_told_what_was_recorded,
}

/// What one life of the scenario works with.
struct Scene {
    payer: Wallet,
    merchant: Wallet,
    opening: Opening,
    request: OpenRequest,
    /// Whether both sides ask to be able to read their balances afterwards.
    reads: bool,
}

impl Scene {
    /// A payer, a merchant, and an approve that lives for 150 slots from now on: so a ledger, which a busy disk makes in a
    /// longer time than these take, is opened before.
    async fn set(world: &World, name: &str, reads: bool) -> Self {
        let (payer, merchant) = (world.wallet(PURSE).await, world.wallet(0).await);
        let mut opening = world.opening(&payer, &merchant.key(), 10_000);
        opening.intent.nonce = format!("{name:0>16}");
        let request = world.open_request(&opening).await;
        Self { payer, merchant, opening, request, reads }
    }

    fn payment(&self, session: SessionId, nonce: &str) -> Payment {
        payment_in(session, &self.opening.intent, PRICE, nonce)
    }
}

/// Both wallets have their balances made readable.
async fn read(facilitator: &Arc<Facilitator>, scene: &Scene, session: SessionId, now: u64) {
    for (reader, wallet) in [(Reader::User, &scene.payer), (Reader::Merchant, &scene.merchant)] {
        let signature = wallet.sign(signed::read_message(&session.to_string(), now).as_bytes());
        // What a killed predecessor left in flight may have come first.
        let _ = facilitator.make_readable(session, reader, Some(ReadRequest { at: now, signature })).await;
    }
}

/// Opens a session and pays: once alone and twice at once; then both sides read their balances, or two payments are made
/// by promise. Gives how many payments said success.
async fn live(facilitator: &Arc<Facilitator>, scene: &Scene) -> u64 {
    let Ok(session) = facilitator.open_session(scene.request.clone()).await else { return 0 };
    let [a, b, c] = ["a", "b", "c"].map(|nonce| scene.payment(session.id, nonce));
    let mut successes = u64::from(facilitator.settle(&a).await.is_ok());
    let (b, c) = tokio::join!(facilitator.settle(&b), facilitator.settle(&c));
    successes += u64::from(b.is_ok()) + u64::from(c.is_ok());
    if scene.reads {
        read(facilitator, scene, session.id, SystemClock.now()).await;
        return successes;
    }
    for nonce in ["d", "e"] {
        let promise = changed(scene.payment(session.id, nonce), |payment| payment.deferred = true);
        successes += u64::from(facilitator.settle(&promise).await.is_ok());
    }
    successes
}

/// A world in which two promises make a settlement, and one does when it gets old: a process that starts settles what an
/// earlier one promised, so the second promise may stay alone.
async fn world(engine: Engine) -> World {
    let soon = |settings: &mut Settings| {
        (settings.deferred.count, settings.deferred.age_seconds) = (2, 1);
        bound(settings);
    };
    World::with(Options::settings(soon).on(engine)).await
}

fn process(world: &World, ledger: &Arc<dyn Ledger>, fate: &Arc<Fate>) -> Arc<Facilitator> {
    let chain = MortalChain { inner: world.connect(), fate: Arc::clone(fate) };
    let ledger = MortalLedger { inner: ledger.clone(), fate: Arc::clone(fate) };
    world.facilitator_over(Arc::new(ledger), Arc::new(chain))
}

/// One process dies where it is told, another takes over; then the books are read. Gives what they say was spent.
async fn die_and_recover(world: &World, last: Last, after_effect: bool, reads: bool) -> u64 {
    let name = format!("{last:?}-{after_effect}");
    let ledger = world.open_ledger(&name).await;
    let scene = Scene::set(world, &name, reads).await;
    let fate = Fate::at(last, after_effect);
    let first = process(world, &ledger, &fate);
    let told = tokio::select! {
        told = live(&first, &scene) => told,
        () = fate.dead.cancelled() => 0,
    };
    first.stop().await;
    drop(first);

    let second = process(world, &ledger, &Fate::immortal());
    second.recover().await.unwrap();
    wait_until_settled(&*ledger, &name).await;
    // The payer comes again with the same opening and the same nonces, as a client does that never got its answers.
    let again = live(&second, &scene).await;
    wait_until_settled(&*ledger, &name).await;
    quiet(&*ledger).await;
    second.stop().await;
    check_books(world, &*ledger, &scene, &name, told + again).await
}

async fn wait_until_settled(ledger: &dyn Ledger, name: &str) {
    let settled = async {
        while !ledger.unfinished().await.unwrap().is_empty()
            || !ledger.opening_sessions().await.unwrap().is_empty()
            || !ledger.rents_to_check(None, 1).await.unwrap().is_empty()
        {
            look_again().await;
        }
    };
    in_time(&format!("{name}: everything is finished"), settled).await;
}

async fn check_books(world: &World, ledger: &dyn Ledger, scene: &Scene, name: &str, successes: u64) -> u64 {
    ledger.audit().await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let totals = ledger.totals(None).await.unwrap();
    let received = world.units(&scene.merchant);
    assert_eq!(totals.held, Amount::ZERO, "{name}: nothing is held for ever");
    assert_eq!(totals.captured.get(), received, "{name}: the books agree with the chain");
    assert_eq!(world.units(&scene.payer), PURSE - received, "{name}: nothing is lost");
    assert_eq!(totals.lost, Amount::ZERO, "{name}: every promise is kept");
    assert!(received <= 5 * PRICE && received.is_multiple_of(PRICE), "{name}: no payment is made twice: {received}");
    assert!(successes * PRICE <= received, "{name}: success is said at most once for what moved");
    if let Some(session) = ledger.find_session(&scene.payer.key(), &format!("{name:0>16}")).await.unwrap() {
        let state = session.state;
        assert!(matches!(state, SessionState::Open | SessionState::Rejected(_)), "{name}: {state:?}");
    }
    let bookings = ledger.spending(0).await.unwrap();
    assert!(
        bookings.iter().all(|row| row.reserved.total() == 0),
        "{name}: nothing counts that is decided: {bookings:?}"
    );
    bookings.iter().map(|row| row.spent.total()).sum()
}

async fn a_process_that_dies_at_any_call_loses_and_repeats_nothing(engine: Engine) {
    Box::pin(dies_everywhere(world(engine).await, false)).await;
}

/// Every payment after the first is one that buys for accounts that never rest; then both sides ask.
async fn the_same_holds_where_allowances_are_bought_now_and_then_and_on_request(engine: Engine) {
    Box::pin(dies_everywhere(buying_world(engine).await, true)).await;
}

async fn buying_world(engine: Engine) -> World {
    let allowances = AllowanceSettings {
        min_moved: Amount::ZERO,
        max_age: Duration::ZERO,
        min_interval: Duration::ZERO,
        request_interval: Duration::ZERO,
        ..AllowanceSettings::default()
    };
    let options = Options::settings(move |settings| {
        settings.transfers.decrypt_allowance = AllowancePolicy::Idle;
        settings.allowances = allowances;
        bound(settings);
    });
    World::with(options.on(engine)).await
}

/// A life that nobody ends: how many calls it makes, and what the books say was spent.
async fn undisturbed(world: &World, reads: bool) -> (Arc<Fate>, u64) {
    let fate = Fate::immortal();
    let ledger = world.open_ledger("undisturbed").await;
    let scene = Scene::set(world, "undisturbed", reads).await;
    let process = process(world, &ledger, &fate);
    let payments = if reads { 3 } else { 5 };
    assert_eq!(live(&process, &scene).await, payments);
    let kept = quiet(&*ledger);
    if tokio::time::timeout(Duration::from_secs(5), kept).await.is_err() {
        // The first promise went along with what flew before it. The second gets old, which only a process that has
        // started notices.
        process.recover().await.unwrap();
        quiet(&*ledger).await;
    }
    process.stop().await;
    let booked = check_books(world, &*ledger, &scene, "undisturbed", payments).await;
    (fate, booked)
}

async fn dies_everywhere(world: World, reads: bool) {
    let world = Arc::new(world);
    let purse = || world.net.network().balance(&world.fee_payer());
    let before = purse();
    let (fate, mut booked) = undisturbed(&world, reads).await;
    let calls = fate.calls();
    let life = move |world: Arc<World>, last, after| async move { die_and_recover(&world, last, after, reads).await };
    booked += lives::at_every_call(&world, calls, life).await.into_iter().sum::<u64>();
    let lost = before - purse();
    // The rent of decrypt allowances is booked as an upper bound; everything else as what it was (ADR 0018).
    assert!(booked >= lost && (reads || booked == lost), "{lost} left, and the ledgers together booked {booked}");
    lives::finish(world).await;
}

/// Budgets that are looked at and never reached.
fn bound(settings: &mut Settings) {
    let plenty = 1_000_000_000_000;
    settings.budgets =
        Scope::ALL.into_iter().fold(Budgets::default(), |all, scope| all.with(scope, Part::Total, plenty));
}

/// Refusals carry no trace of a crash: a killed process never says no to what it might have done.
async fn a_repeat_after_a_crash_is_told_what_was_recorded(engine: Engine) {
    let mut world = World::with(Options::default().on(engine)).await;
    let (payer, merchant) = (world.wallet(1_000_000).await, world.wallet(0).await);
    let session = world.open(&payer, &merchant.key(), 10_000).await;
    let body = world.payment(&session, &merchant.key(), PRICE, Some("one-and-the-same-nonce"));
    let (_, first) = world.post("/settle", &body).await;
    assert_eq!(first["success"], true, "{first:#}");
    world.kill().await;
    world.boot().await;
    let (status, second) = world.post("/settle", &body).await;
    assert_eq!((status, &second["errorReason"]), (200, &serde_json::json!("duplicate_settlement")));
    assert_eq!(second["transaction"], first["transaction"]);
    assert_eq!(world.balance(&merchant).await, PRICE);
    world.finish().await;
}
