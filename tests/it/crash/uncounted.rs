//! Promises that nobody was told of: a caller who hangs up, and answers of the ledger that are lost. They are counted and
//! settled all the same, without waiting for a background round.

use super::{PRICE, Scene, fate::Fate, process};
use crate::support::{HASTE, Options, Wallet, World, changed, payment_in, quiet, until};
use futures_util::FutureExt as _;
use sotto::{
    domain::{payment::Payment, session::SessionId},
    facilitator::{DeferredPolicy, Facilitator},
    ledger::Ledger,
    programs::inco_token::{AccountState, IncoAccount},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Two promises make a settlement; no round comes to the rescue.
fn options() -> Options {
    Options::settings(|settings| {
        // What is promised on a frozen account is what one of these tests is about.
        let look_after = Duration::ZERO;
        settings.deferred = DeferredPolicy { count: 2, age_seconds: 100_000, look_after, ..DeferredPolicy::default() };
        settings.background.round = Duration::from_hours(1);
    })
}

struct Life {
    world: World,
    scene: Scene,
    ledger: Arc<dyn Ledger>,
    fate: Arc<Fate>,
    facilitator: Arc<Facilitator>,
    session: SessionId,
}

impl Life {
    async fn begin(name: &str) -> Self {
        let world = World::with(options()).await;
        let (ledger, fate) = (world.open_ledger(name).await, Fate::immortal());
        let facilitator = process(&world, &ledger, &fate);
        facilitator.recover().await.unwrap();
        let scene = Scene::set(&world, name, false).await;
        let session = facilitator.open_session(scene.request.clone()).await.unwrap().id;
        Self { world, scene, ledger, fate, facilitator, session }
    }

    fn promise(&self, nonce: &str) -> Payment {
        changed(self.scene.payment(self.session, nonce), |payment| payment.deferred = true)
    }

    async fn promised(&self) -> u64 {
        self.ledger.promised(None).await.unwrap().iter().map(|promised| promised.count).sum()
    }

    async fn is_promised(&self, count: u64) {
        until("it is promised", async || self.promised().await >= count).await;
    }

    /// Freezes the payer's account, or thaws it.
    async fn freezes(&self, wallet: &Wallet, frozen: bool) {
        let address = self.world.programs.token_account(&wallet.key(), &self.world.faucet.mint());
        let network = self.world.net.network();
        let mut account = network.account(&address).unwrap();
        let mut token = IncoAccount::decode(&account.data).unwrap();
        token.state = if frozen { AccountState::Frozen } else { AccountState::Initialised };
        account.data = token.encode();
        network.put_account(address, account);
        self.world.confirmed().await;
    }

    async fn ends(self, payments: u64) {
        quiet(&*self.ledger).await;
        assert_eq!(self.ledger.totals(None).await.unwrap().captured.get(), payments * PRICE);
        assert_eq!(self.world.balance(&self.scene.merchant).await, payments * PRICE);
        self.facilitator.stop().await;
        self.world.finish().await;
    }
}

/// Guard: `Writing` carries on without its caller.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promise_to_a_caller_who_hung_up_is_counted() {
    let life = Life::begin("hung-up").await;
    life.fate.withhold(true);
    let payment = life.promise("a");
    tokio::select! {
        told = life.facilitator.settle(&payment) => panic!("told: {told:?}"),
        () = life.is_promised(1) => {}
    }
    life.fate.withhold(false);
    life.facilitator.settle(&life.promise("b")).await.unwrap();
    life.ends(2).await;
}

/// Guard: `count_again`. The process that held it dies before it counts, and the caller asks the next one: here the answer
/// that would have counted is never given at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promise_that_is_asked_for_again_is_counted_once() {
    let life = Life::begin("asked-again").await;
    // Held by somebody who told this process nothing.
    let silent = Fate::immortal();
    silent.withhold(true);
    let other = process(&life.world, &life.ledger, &silent);
    let payment = life.promise("a");
    tokio::select! {
        told = other.settle(&payment) => panic!("told: {told:?}"),
        () = life.is_promised(1) => {}
    }
    other.stop().await;
    for _ in 0..3 {
        let again = life.facilitator.settle(&payment).await.unwrap_err();
        assert!(format!("{again:?}").contains("DuplicateSettlement"), "{again:?}");
    }
    assert_eq!(life.promised().await, 1, "asking again is no payment, and one is no trigger");
    life.facilitator.settle(&life.promise("b")).await.unwrap();
    life.ends(2).await;
}

/// Guard: `Tallies::may_ask`. Repeats need no seat, and what they ask is not asked for each of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asking_again_and_again_asks_the_ledger_once_a_second() {
    let life = Life::begin("asked-often").await;
    let payment = life.promise("a");
    life.facilitator.settle(&payment).await.unwrap();
    let (begun, before) = (Instant::now(), life.fate.times_met("promised"));
    for _ in 0..30 {
        life.facilitator.settle(&payment).await.unwrap_err();
    }
    let asked = life.fate.times_met("promised") - before;
    let seconds = begun.elapsed().as_secs() + 2;
    assert!((1..=seconds).contains(&asked) && seconds < 25, "{asked} times in {seconds} seconds");
    life.facilitator.settle(&life.promise("b")).await.unwrap();
    life.ends(2).await;
}

/// Guard: `Drive::reloaded`, in the outcome of the drive.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_back_from_a_settlement_whose_end_was_not_told_is_tried_again() {
    let life = Life::begin("untold-end").await;
    life.freezes(&life.scene.payer, true).await;
    life.fate.lose_answers_of("abandoned", 1);
    for nonce in ["a", "b"] {
        life.facilitator.settle(&life.promise(nonce)).await.unwrap();
    }
    let promised = async || life.ledger.promised(None).await.unwrap();
    let came_back = async || promised().await.iter().any(|promised| promised.resting > 0);
    until("a settlement comes to nothing", came_back).await;
    life.freezes(&life.scene.payer, false).await;
    life.ends(2).await;
}

/// Guard: `turn` is awaited by the caller, and by no other task in the caller's place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_whose_caller_hung_up_before_its_turn_is_not_made() {
    let life = Life::begin("before-its-turn").await;
    life.world.stands_still();
    let opening = life.world.opening(&life.scene.payer, &life.scene.merchant.key(), 5_000);
    let request = life.world.open_request(&opening).await;
    let facilitator = Arc::clone(&life.facilitator);
    let opened = tokio::spawn(async move { facilitator.open_session(request).await });
    until("it opens", async || !life.ledger.opening_sessions().await.unwrap().is_empty()).await;
    let waiting = changed(life.scene.payment(life.session, "none"), |payment| payment.nonce = None);
    assert!(life.facilitator.settle(&waiting).now_or_never().is_none(), "the caller waits for the opening");
    life.world.moves_on();
    let session = opened.await.unwrap().unwrap();
    // The caller's turn would have come before this one's.
    let payment = payment_in(session.id, &session.intent, PRICE, "after-the-opening");
    life.facilitator.settle(&payment).await.unwrap();
    assert_eq!(life.fate.times("hold"), 1);
    life.ends(1).await;
}

/// Guard: `TakeoverGuard`. A caller who took a pending payment over and hung up leaves it to the next who asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_without_a_nonce_outlives_the_caller_who_took_it_over() {
    let life = Life::begin("hung-up-again").await;
    life.world.stands_still();
    let patient = changed(life.scene.payment(life.session, "none"), |payment| payment.nonce = None);
    let hasty = changed(patient.clone(), |payment| payment.max_timeout_seconds = Some(HASTE));
    let pending = life.facilitator.settle(&hasty).await.unwrap_err();
    assert!(format!("{pending:?}").contains("SettlementPending"), "{pending:?}");
    assert_eq!(life.fate.times("end_wait"), 1);
    // However far the caller came: the turn, the writing, or the wait.
    let waits = tokio::time::timeout(Duration::from_millis(500), life.facilitator.settle(&patient)).await;
    assert!(waits.is_err(), "{waits:?}");
    until("it is given back", async || life.fate.times("end_wait") >= 2).await;
    life.world.moves_on();
    life.facilitator.settle(&patient).await.unwrap();
    life.ends(1).await;
}

/// Guard: `leave` in `Answer::repeat`. The driver counts a caller who asked again and books the success as theirs; what they
/// read of the ledger afterwards says that it was told already.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_is_counted_before_they_read_the_ledger_is_told_their_success() {
    let life = Life::begin("counted-early").await;
    life.world.stands_still();
    let patient = life.scene.payment(life.session, "a");
    let hasty = changed(patient.clone(), |payment| payment.max_timeout_seconds = Some(HASTE));
    let pending = life.facilitator.settle(&hasty).await.unwrap_err();
    assert!(format!("{pending:?}").contains("SettlementPending"), "{pending:?}");

    life.fate.read_late(true);
    let before = life.fate.times_met("find_hold");
    let time_passes = async {
        until("the caller reads", async || life.fate.times_met("find_hold") > before).await;
        life.world.moves_on();
        until("it lands", async || life.ledger.totals(None).await.unwrap().captured.get() == PRICE).await;
        life.fate.read_late(false);
    };
    let (told, ()) = tokio::join!(life.facilitator.settle(&patient), time_passes);
    told.expect("the only success there is");
    life.ends(1).await;
}
