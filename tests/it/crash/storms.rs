//! The crash loop over what the chain does to a transfer: it fails because a stranger came first, it cannot be sent, and
//! a fork takes it back for good after success was said. The process dies while it books that, before and after.
//!
//! Every life has a network of its own, because a fork touches everybody.

use super::{
    PRICE, PURSE,
    fate::{Fate, Last},
    process, wait_until_settled,
};
use crate::support::{
    Engine, HASTE, Options, Wallet, World, changed,
    engine::{cases, each_engine},
    payment_in, until,
};
use futures_util::future::join_all;
use sotto::{
    domain::{amount::Amount, session::Session},
    facilitator::Facilitator,
    ledger::Ledger,
    localnet::Odds,
    programs::inco_token::AccountState,
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

each_engine! { cases
    a_process_that_dies_while_it_books_a_failure_loses_and_repeats_nothing,
}

/// Late enough that slots can be made to stand still before finality.
const FINALIZED_AFTER: u64 = 40;

struct Scene {
    world: World,
    payer: Wallet,
    merchant: Wallet,
    ledger: Arc<dyn Ledger>,
}

impl Scene {
    async fn set(engine: Engine) -> Self {
        let world = World::with(Options { finalized_after: FINALIZED_AFTER, ..Options::default() }.on(engine)).await;
        let (payer, merchant) = (world.wallet(PURSE).await, world.wallet(0).await);
        let ledger = world.open_ledger("storms").await;
        Self { world, payer, merchant, ledger }
    }

    async fn pays(&self, process: &Arc<Facilitator>, session: &Session, nonce: &str, told: &AtomicU64) {
        let payment = payment_in(session.id, &session.intent, PRICE, nonce);
        told.fetch_add(u64::from(process.settle(&payment).await.is_ok()), Ordering::SeqCst);
    }

    /// Takes the newest landing back, for which slots stand still, and lets nothing land until it is signed anew.
    async fn storm(&self) {
        let unfinished = self.ledger.unfinished().await.unwrap();
        let newest = unfinished.into_iter().next_back().expect("a landing that is not final");
        let (id, attempts) = (newest.settlement.id, newest.settlement.attempts);
        let signature = newest.attempt.expect("it was sent").get().signature;
        self.world.net.faults().change(|plan| plan.drop_sends = Odds { next: 0, per_mille: 1_000 });
        self.world.net.network().fork_away(&signature).unwrap();
        self.world.moves_on();
        let signed = async || self.ledger.load_work(id).await.unwrap().settlement.attempts;
        until("it is signed anew", async || signed().await > attempts).await;
        self.world.net.faults().clear();
    }

    /// The weather of a life that ended early does not last.
    async fn calm(&self) {
        self.world.moves_on();
        self.world.net.faults().clear();
        if self.world.token_account(&self.merchant.key()).is_some_and(|it| it.state == AccountState::Frozen) {
            self.world.lands(self.world.thaw(&self.merchant.key()));
        }
        self.world.confirmed().await;
    }
}

/// Pays four times: before a stranger's transfer that was not simulated, to a frozen account, while the network stands
/// still, and before a fork.
async fn live(process: &Arc<Facilitator>, scene: &Scene, session: &Session, told: &AtomicU64) {
    let (world, merchant) = (&scene.world, scene.merchant.key());
    let transfer = world.transfer_by_stranger(&merchant, 0);
    world.confirmed().await;
    world.net.network().ambush(world.account_of(&merchant), transfer);
    scene.pays(process, session, "ambushed", told).await;

    world.lands(world.freeze(&merchant));
    world.confirmed().await;
    scene.pays(process, session, "to-a-frozen-account", told).await;
    world.lands(world.thaw(&merchant));
    world.confirmed().await;

    // Nothing lands as long as the caller waits.
    world.net.faults().change(|plan| plan.frozen = true);
    let hasty = payment_in(session.id, &session.intent, PRICE, "waited-too-long");
    let hasty = changed(hasty, |payment| payment.max_timeout_seconds = Some(HASTE));
    // Beside other work the time may be over before anything was written.
    while scene.ledger.find_payment(session.id, "waited-too-long").await.unwrap().is_none() {
        let told = process.settle(&hasty).await;
        assert!(told.is_err(), "{told:?}");
    }
    world.net.faults().clear();
    // It landed for nobody: who comes again is the one who is told so.
    until("it lands", async || scene.ledger.totals(None).await.unwrap().held == Amount::ZERO).await;
    scene.pays(process, session, "waited-too-long", told).await;

    world.lands_and_stands_still(&scene.merchant, scene.pays(process, session, "forked-away", told)).await;
    scene.storm().await;
}

async fn die_and_recover(engine: Engine, last: Last, after_effect: bool) -> Arc<Fate> {
    let name = format!("storms-{last:?}-{after_effect}");
    let scene = Scene::set(engine).await;
    let request = scene.world.open_request(&scene.world.opening(&scene.payer, &scene.merchant.key(), 10_000)).await;
    let (fate, told) = (Fate::at(last, after_effect), AtomicU64::new(0));
    let first = process(&scene.world, &scene.ledger, &fate);
    first.recover().await.unwrap();
    let session = first.open_session(request).await.unwrap();
    tokio::select! {
        () = Box::pin(live(&first, &scene, &session, &told)) => {}
        () = fate.dead.cancelled() => {}
    }
    let died = fate.dead.is_cancelled();
    assert_eq!(died, last != Last::Never, "{name}: what it was to die at came");
    first.stop().await;
    drop(first);

    scene.calm().await;
    let second = process(&scene.world, &scene.ledger, &Fate::immortal());
    second.recover().await.unwrap();
    wait_until_settled(&*scene.ledger, &name).await;
    for nonce in ["ambushed", "to-a-frozen-account", "waited-too-long", "forked-away"] {
        scene.pays(&second, &session, nonce, &told).await;
    }
    wait_until_settled(&*scene.ledger, &name).await;
    second.stop().await;

    scene.ledger.audit().await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let (totals, received) = (scene.ledger.totals(None).await.unwrap(), scene.world.units(&scene.merchant));
    assert_eq!((totals.held, totals.lost), (Amount::ZERO, Amount::ZERO), "{name}");
    assert_eq!(totals.captured.get(), received, "{name}: the books agree with the chain");
    assert_eq!(scene.world.units(&scene.payer), PURSE - received, "{name}: nothing is lost");
    assert!(received.is_multiple_of(PRICE) && received <= 4 * PRICE, "{name}: no payment is made twice: {received}");
    assert!(told.into_inner() * PRICE <= received, "{name}: a success that was said is kept");
    let Scene { world, ledger, .. } = scene;
    drop(ledger);
    world.finish().await;
    fate
}

/// A life that nobody ends.
pub(super) async fn undisturbed(engine: Engine) -> Arc<Fate> {
    die_and_recover(engine, Last::Never, false).await
}

async fn a_process_that_dies_while_it_books_a_failure_loses_and_repeats_nothing(engine: Engine) {
    let events = ["failed", "abandoned", "end_wait", "claim_success", "absent", "taken_back"];
    let lives = events.into_iter().flat_map(|event| [false, true].map(|after| (event, after)));
    join_all(lives.map(|(event, after)| die_and_recover(engine, Last::First(event), after))).await;
}
