//! What becomes of a payment after its callers were answered: final, or taken back by a fork and settled again, once.

use crate::{
    crash::mortal::{Fate, MortalChain, MortalLedger},
    support::{Opening, Options, Wallet, World, wire},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_signature::Signature;
use sotto::{
    domain::{
        amount::Amount,
        payment::Payment,
        session::{Session, SignedIntent},
    },
    facilitator::{AllowancePolicy, ApproveSource, OpenRequest, Settings},
    ledger::{Ledger, SqliteLedger},
    localnet::Odds,
};
use std::{sync::Arc, time::Duration};

const PRICE: u64 = 700;
const PATIENCE: Duration = Duration::from_secs(30);
/// Late enough that a test forks before finality.
const FINALIZED_AFTER: u64 = 80;

async fn until_settled(ledger: &SqliteLedger) {
    let settled = async {
        while !ledger.unfinished().await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let settled = tokio::time::timeout(PATIENCE, settled).await;
    assert!(settled.is_ok(), "{:#?}", ledger.unfinished().await.unwrap());
}

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
        until_settled(scene.world.ledger()).await;
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

    /// What the wallet has, read where no owner could: without a decrypt allowance.
    fn units(&self, wallet: &Wallet) -> u64 {
        let account = self.world.token_account(&wallet.key()).unwrap();
        let landed = self.world.net.network().stand_ins().vault().look_up(account.amount).unwrap();
        u64::try_from(landed.plaintext.unwrap()).unwrap()
    }

    fn fork_away(&self, signature: &Signature) {
        let taken = self.world.net.network().fork_away(signature).unwrap();
        assert!(taken.transactions.iter().any(|tx| tx.signatures[0] == *signature));
    }

    /// The books and the chain agree that so many payments were made.
    async fn finds_paid(self, payments: u64) {
        until_settled(self.world.ledger()).await;
        let totals = self.world.ledger().totals(None).await.unwrap();
        let (received, paid) = (self.units(&self.merchant), 1_000_000 - self.units(&self.payer));
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
    let scene = Scene::set(|settings| {
        settings.decrypt_allowance = AllowancePolicy::Never;
        settings.finality_after = Duration::from_secs(3);
    })
    .await;
    let before = scene.world.running().chain.counts();
    for number in 0..12 {
        scene.pay(&number.to_string()).await;
    }
    until_settled(scene.world.ledger()).await;
    let after = scene.world.running().chain.counts();
    // Twelve transactions; asked about together.
    assert!((1..=5).contains(&(after.finality - before.finality)), "{before:?} {after:?}");
    scene.finds_paid(12).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_a_fork_takes_back_is_sent_again_at_once_and_paid_once() {
    let scene = Scene::set(|_| {}).await;
    let signature = scene.pay("a").await;
    scene.fork_away(&signature);
    let again = async {
        while scene.units(&scene.merchant) == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(3), again).await.expect("the same bytes land again, without an expiry");
    let (_, told) = scene.world.post("/settle", &scene.payment("a")).await;
    let expected = (&json!("duplicate_settlement"), &json!(signature.to_string()));
    assert_eq!((&told["errorReason"], &told["transaction"]), expected);
    scene.pay("b").await;
    scene.finds_paid(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_that_was_said_is_signed_anew_when_a_fork_took_it_back_for_good() {
    let scene = Scene::set(|_| {}).await;
    let signature = scene.pay("a").await;
    // The same bytes go nowhere until their blockhash is dead.
    let faults = scene.world.net.faults();
    faults.change(|plan| plan.drop_sends = Odds { next: 0, per_mille: 1_000 });
    scene.fork_away(&signature);
    let signed_anew = async {
        loop {
            let unfinished = scene.world.ledger().unfinished().await.unwrap();
            assert!(!unfinished.is_empty(), "nothing that is gone becomes final");
            if unfinished.iter().any(|work| work.settlement.attempts == 2) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, signed_anew).await.expect("a second attempt, after proof that the first is gone");
    faults.clear();
    until_settled(scene.world.ledger()).await;
    let (_, told) = scene.world.post("/settle", &scene.payment("a")).await;
    assert_eq!(told["errorReason"], "duplicate_settlement", "{told:#}");
    assert_ne!(told["transaction"], signature.to_string(), "another transaction carries it now");
    scene.finds_paid(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_the_middle_of_a_fork_pays_once() {
    let mut scene = Scene::set(|_| {}).await;
    let signature = scene.pay("a").await;
    scene.fork_away(&signature);
    scene.world.kill().await;
    scene.world.boot().await;
    scene.finds_paid(1).await;
}

async fn fork_under_load(policy: AllowancePolicy) {
    let scene = Scene::set(move |settings| settings.decrypt_allowance = policy).await;
    for round in 0..5 {
        let nonces: Vec<String> = (0..4).map(|number| format!("{round}-{number}")).collect();
        let payments = nonces.iter().map(|nonce| scene.pay(nonce));
        tokio::join!(futures_util::future::join_all(payments), async {
            tokio::time::sleep(Duration::from_millis(40 + 15 * round)).await;
            scene.world.net.network().fork(1 + round % 3).unwrap();
        });
    }
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

async fn request(world: &World, opening: &Opening) -> OpenRequest {
    let instructions = world.approve_instructions(opening).await;
    let approve = world.sign_as_user(&opening.payer, &instructions).await;
    let bytes = opening.intent.to_bytes();
    OpenRequest {
        user: opening.payer.key(),
        asset: opening.intent.asset,
        recipient: opening.intent.recipient,
        cap: opening.intent.cap,
        expires_at: opening.intent.expires_at,
        network: opening.intent.network.clone(),
        approve: ApproveSource::Transaction(BASE64_STANDARD.encode(wire(&approve))),
        intent: SignedIntent { signature: opening.payer.sign(&bytes), bytes, settle_signature: None },
        funding: None,
    }
}

fn payment(session: &Session, nonce: &str) -> Payment {
    Payment {
        session: session.id,
        amount: Amount::new(PRICE).unwrap(),
        network: session.intent.network.clone(),
        asset: session.intent.asset,
        pay_to: session.intent.recipient,
        nonce: Some(nonce.to_owned()),
        resource: None,
        authorization: None,
        idempotent: false,
        deferred: false,
        funding_required: false,
        max_timeout_seconds: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_is_pending_and_not_refused_while_the_node_that_is_read_lags() {
    let world = World::with(Options { finalized_after: FINALIZED_AFTER, ..Options::default() }).await;
    let (payer, merchant) = (world.wallet(1_000).await, world.wallet(0).await);
    let ledger = world.open_ledger("lagging").await;
    let fate = Fate::immortal();
    let chain = MortalChain { inner: world.connect(), fate: Arc::clone(&fate) };
    let facilitator = world.facilitator_over(ledger.clone(), Arc::new(chain));
    let request = request(&world, &world.opening(&payer, &merchant.key(), 500)).await;
    fate.lag(true);
    let error = facilitator.open_session(request.clone()).await.unwrap_err();
    assert!(format!("{error:?}").contains("ApprovePending"), "{error:?}");
    assert_eq!(ledger.opening_sessions().await.unwrap().len(), 1, "it is not rejected");
    fate.lag(false);
    facilitator.recover().await.unwrap();
    let opened = async {
        while !ledger.opening_sessions().await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, opened).await.unwrap();
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
    let session = facilitator.open_session(request(&world, &opening).await).await.unwrap();
    fate.lose_answers(1);
    let payment = payment(&session, "lost");
    let told = tokio::time::timeout(Duration::from_secs(10), facilitator.settle(&payment)).await;
    let told = told.expect("long before the caller's deadline");
    // Whether its one success was said is not known, so it is not said again; the transaction is named.
    let refusal = format!("{:?}", told.unwrap_err());
    assert!(refusal.contains("DuplicateSettlement") && refusal.contains("transaction: Some"), "{refusal}");
    until_settled(&ledger).await;
    assert_eq!(world.balance(&merchant).await, PRICE);
    ledger.audit().await.unwrap();
    facilitator.stop().await;
    world.finish().await;
}
