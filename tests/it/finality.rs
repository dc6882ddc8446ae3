//! What becomes of a payment after its callers were answered: final, or taken back by a fork and settled again, once.

use crate::{
    crash::{
        fate::Fate,
        mortal::{MortalChain, MortalLedger},
    },
    support::{Options, Wallet, World, in_time, payment_in, quiet, until},
};
use serde_json::Value;
use solana_signature::Signature;
use sotto::{
    domain::settlement::State,
    facilitator::{AllowancePolicy, Settings},
    localnet::Odds,
};
use std::{collections::HashSet, sync::Arc, time::Duration};

const PRICE: u64 = 700;
/// Late enough that slots can be made to stand still, or a fork can come, before finality.
const FINALIZED_AFTER: u64 = 80;

/// A world with an open session whose approve is final, and what is paid in it.
struct Scene {
    world: World,
    payer: Wallet,
    merchant: Wallet,
    session: String,
}

impl Scene {
    async fn set(change: impl Fn(&mut Settings) + Send + Sync + 'static) -> Self {
        let options = Options { finalized_after: FINALIZED_AFTER, ..Options::settings(change) };
        let world = World::with(options).await;
        let (payer, merchant) = (world.wallet(1_000_000).await, world.wallet(0).await);
        let session = world.open(&payer, &merchant.key(), 100_000).await;
        let scene = Self { world, payer, merchant, session };
        scene.world.quiet().await;
        scene
    }

    fn payment(&self, nonce: &str) -> Value {
        self.world.payment(&self.session, &self.merchant.key(), PRICE, Some(&format!("{nonce:0>16}")))
    }

    /// Pays and gives the transaction.
    async fn pay(&self, nonce: &str) -> Signature {
        let (_, answer) = self.world.post("/settle", &self.payment(nonce)).await;
        assert_eq!(answer["success"], true, "{answer:#}");
        answer["transaction"].as_str().unwrap().parse().unwrap()
    }

    /// What has landed and is not final.
    async fn landed(&self) -> Vec<Signature> {
        let unfinished = self.world.ledger().unfinished().await.unwrap();
        let landed = unfinished.into_iter().filter(|work| work.settlement.state == State::Landed);
        landed.filter_map(|work| Some(work.attempt?.get().signature)).collect()
    }

    /// Waits until something lands that had not landed before.
    async fn lands(&self, before: &HashSet<Signature>) -> Signature {
        let lands = async {
            loop {
                if let Some(landed) = self.landed().await.into_iter().find(|landed| !before.contains(landed)) {
                    return landed;
                }
                tokio::task::yield_now().await;
            }
        };
        in_time("a payment lands", lands).await
    }

    fn fork_away(&self, signature: &Signature) {
        let taken = self.world.net.network().fork_away(signature).unwrap();
        assert!(taken.transactions.iter().any(|tx| tx.signatures[0] == *signature));
    }

    /// The books and the chain agree that so many payments were made.
    async fn finds_paid(self, payments: u64) {
        self.world.quiet().await;
        let totals = self.world.ledger().totals(None).await.unwrap();
        let (received, paid) = (self.world.units(&self.merchant), 1_000_000 - self.world.units(&self.payer));
        assert_eq!((totals.captured.get(), totals.held.get()), (received, 0), "the books agree with the chain");
        assert_eq!(
            (received, paid),
            (payments * PRICE, payments * PRICE),
            "every success that was said is one payment"
        );
        self.world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_landed_becomes_final_by_few_requests() {
    let mut scene = Scene::set(|settings| settings.transfers.decrypt_allowance = AllowancePolicy::Never).await;
    let never_looks = |settings: &mut Settings| {
        settings.transfers.decrypt_allowance = AllowancePolicy::Never;
        settings.transfers.finality_after = Duration::from_hours(1);
    };
    scene.world.configure(never_looks);
    scene.world.kill().await;
    scene.world.boot().await;
    for number in 0..12 {
        scene.pay(&number.to_string()).await;
    }
    assert_eq!(scene.landed().await.len(), 12);
    assert_eq!(scene.world.running().chain.counts().finality, 0, "nobody has looked yet");
    scene.world.passes(FINALIZED_AFTER);
    scene.world.kill().await;
    scene.world.configure(|settings| settings.transfers.decrypt_allowance = AllowancePolicy::Never);
    scene.world.boot().await;
    scene.world.quiet().await;
    // Twelve transactions, asked about together; twice where some are taken up a moment later.
    let asked = scene.world.running().chain.counts().finality;
    assert!((1..=2).contains(&asked), "asked {asked} times");
    scene.finds_paid(12).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_that_was_said_is_signed_anew_when_a_fork_took_it_back_for_good() {
    let scene = Scene::set(|_| {}).await;
    let signature = scene.world.lands_and_stands_still(&scene.merchant, scene.pay("a")).await;
    // Those bytes go nowhere until their blockhash is dead.
    let faults = scene.world.net.faults();
    faults.change(|plan| plan.drop_sends = Odds { next: 0, per_mille: 1_000 });
    scene.fork_away(&signature);
    scene.world.moves_on();
    let signed_anew = async || {
        let unfinished = scene.world.ledger().unfinished().await.unwrap();
        assert!(!unfinished.is_empty(), "nothing that is gone becomes final");
        unfinished.iter().any(|work| work.settlement.attempts == 2)
    };
    scene.world.until("a second attempt, after proof that the first is gone", signed_anew).await;
    faults.clear();
    scene.world.quiet().await;
    let (_, told) = scene.world.post("/settle", &scene.payment("a")).await;
    assert_eq!(told["errorReason"], "duplicate_settlement", "{told:#}");
    assert_ne!(told["transaction"], signature.to_string(), "another transaction carries it now");
    scene.finds_paid(1).await;
}

/// In each round a fork takes back what has just landed, whatever else has, and whatever is on its way.
async fn fork_under_load(policy: AllowancePolicy) {
    let scene = Scene::set(move |settings| settings.transfers.decrypt_allowance = policy).await;
    let (mut before, mut taken_back) = (HashSet::new(), 0);
    for round in 0..5 {
        let nonces: Vec<String> = (0..4).map(|number| format!("{round}-{number}")).collect();
        let payments = nonces.iter().map(|nonce| scene.pay(nonce));
        let (_, taken) = tokio::join!(futures_util::future::join_all(payments), async {
            let landed = scene.lands(&before).await;
            // On a machine with much else to do it may be final before it is taken back.
            scene.world.net.network().fork_away(&landed).map_or(0, |gone| gone.transactions.len())
        });
        taken_back += taken;
        before.extend(scene.landed().await);
    }
    assert!(taken_back >= 5, "{taken_back} taken back");
    scene.finds_paid(20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forks_under_load_lose_nothing_and_repeat_nothing_with_decrypt_allowances() {
    fork_under_load(AllowancePolicy::Every).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forks_under_load_lose_nothing_and_repeat_nothing_without_decrypt_allowances() {
    fork_under_load(AllowancePolicy::Never).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_is_pending_and_not_refused_while_the_node_that_is_read_lags() {
    let world = World::with(Options { finalized_after: FINALIZED_AFTER, ..Options::default() }).await;
    let (payer, merchant) = (world.wallet(1_000).await, world.wallet(0).await);
    let ledger = world.open_ledger("lagging").await;
    let fate = Fate::immortal();
    let chain = MortalChain { inner: world.connect(), fate: Arc::clone(&fate) };
    let facilitator = world.facilitator_over(ledger.clone(), Arc::new(chain));
    let request = world.open_request(&world.opening(&payer, &merchant.key(), 500)).await;
    fate.lag(true);
    let error = facilitator.open_session(request.clone()).await.unwrap_err();
    assert!(format!("{error:?}").contains("ApprovePending"), "{error:?}");
    assert_eq!(ledger.opening_sessions().await.unwrap().len(), 1, "it is not rejected");
    fate.lag(false);
    facilitator.recover().await.unwrap();
    until("it opens", async || ledger.opening_sessions().await.unwrap().is_empty()).await;
    let session = facilitator.open_session(request).await.unwrap();
    assert_eq!(session.intent.user, payer.key());
    facilitator.stop().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_told_what_was_written_when_the_ledgers_answer_is_lost() {
    let world = World::start().await;
    let (payer, merchant) = (world.wallet(1_000_000).await, world.wallet(0).await);
    let ledger = world.open_ledger("lost-answers").await;
    let fate = Fate::immortal();
    let chain = MortalChain { inner: world.connect(), fate: Arc::clone(&fate) };
    let mortal = MortalLedger { inner: ledger.clone(), fate: Arc::clone(&fate) };
    let facilitator = world.facilitator_over(Arc::new(mortal), Arc::new(chain));
    let opening = world.opening(&payer, &merchant.key(), 10_000);
    let session = facilitator.open_session(world.open_request(&opening).await).await.unwrap();
    fate.lose_answers(1);
    let payment = payment_in(session.id, &session.intent, PRICE, "lost");
    let told = tokio::time::timeout(world.settings().answer_deadline / 2, facilitator.settle(&payment)).await;
    let told = told.expect("long before the caller's deadline");
    // Whether its one success was said is not known, so it is not said again; the transaction is named.
    let refusal = format!("{:?}", told.unwrap_err());
    assert!(refusal.contains("DuplicateSettlement") && refusal.contains("transaction: Some"), "{refusal}");
    quiet(&*ledger).await;
    assert_eq!(world.balance(&merchant).await, PRICE);
    ledger.audit().await.unwrap();
    facilitator.stop().await;
    world.finish().await;
}
