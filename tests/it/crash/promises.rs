//! The crash loop for promises: a process dies at every call it makes while it promises, settles and leaves, before and
//! after the call's effect. Whatever was promised is paid in the end, by the next process, once.

use super::{
    PRICE, PURSE, Scene,
    fate::{Fate, Last},
    lives, process, wait_until_settled,
};
use crate::support::{
    Engine, Options, PATIENCE, World, changed,
    engine::{cases, each_engine},
    quiet,
};
use sotto::{
    domain::{amount::Amount, payment::Payment, session::SessionId},
    facilitator::{DeferredPolicy, Facilitator},
    ledger::Ledger,
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Two promises make a settlement.
fn options() -> Options {
    Options::settings(|settings| {
        let leave_within = PATIENCE;
        settings.deferred =
            DeferredPolicy { count: 2, age_seconds: 100_000, leave_within, ..DeferredPolicy::default() };
    })
}

fn deferred(scene: &Scene, session: SessionId, nonce: &str) -> Payment {
    changed(scene.payment(session, nonce), |payment| payment.deferred = true)
}

/// Promises four payments, pays one per call beside them, and leaves. Counts how many said success.
async fn live(facilitator: &Arc<Facilitator>, scene: &Scene, session: SessionId, told: &AtomicU64) {
    let count = |ok: bool| {
        told.fetch_add(u64::from(ok), Ordering::SeqCst);
    };
    for nonce in ["a", "b", "c"] {
        count(facilitator.settle(&deferred(scene, session, nonce)).await.is_ok());
    }
    count(facilitator.settle(&scene.payment(session, "d")).await.is_ok());
    count(facilitator.settle(&deferred(scene, session, "e")).await.is_ok());
    facilitator.leave().await;
}

async fn die_and_recover(world: Arc<World>, last: Last, after_effect: bool) -> Arc<Fate> {
    let world = &*world;
    let name = format!("promises-{last:?}-{after_effect}");
    let ledger = world.open_ledger(&name).await;
    let scene = Scene::set(world, &name, false).await;
    let opener = process(world, &ledger, &Fate::immortal());
    let session = opener.open_session(scene.request.clone()).await.unwrap().id;
    opener.stop().await;
    drop(opener);

    let fate = Fate::at(last, after_effect);
    let told = AtomicU64::new(0);
    let first = process(world, &ledger, &fate);
    tokio::select! {
        () = live(&first, &scene, session, &told) => {}
        () = fate.dead.cancelled() => {}
    }
    first.stop().await;
    drop(first);
    let told = told.into_inner();
    let promised = ledger.promised(None).await.unwrap().iter().map(|promised| promised.count).sum::<u64>();

    let second = process(world, &ledger, &Fate::immortal());
    second.recover().await.unwrap();
    // It has nothing to promise itself and leaves again: what it found is settled first.
    second.leave().await;
    let third = process(world, &ledger, &Fate::immortal());
    third.recover().await.unwrap();
    // What came back from a settlement that failed rests for a moment and is tried again.
    quiet(&*ledger).await;
    wait_until_settled(&*ledger, &name).await;
    third.stop().await;
    check(world, &*ledger, &scene, &name, told, promised).await;
    fate
}

async fn check(world: &World, ledger: &dyn Ledger, scene: &Scene, name: &str, told: u64, promised: u64) {
    ledger.audit().await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let totals = ledger.totals(None).await.unwrap();
    let received = world.units(&scene.merchant);
    assert_eq!((totals.held, totals.lost), (Amount::ZERO, Amount::ZERO), "{name}: every promise is kept");
    assert_eq!(totals.captured.get(), received, "{name}: the books agree with the chain");
    assert_eq!(world.units(&scene.payer), PURSE - received, "{name}: nothing is lost");
    assert!(received <= 5 * PRICE && received.is_multiple_of(PRICE), "{name}: no payment is made twice: {received}");
    assert!(told * PRICE <= received, "{name}: {told} were told success and {received} came");
    assert!(promised * PRICE <= received, "{name}: {promised} were promised and {received} came");
}

each_engine! { cases
    a_process_that_dies_at_any_call_keeps_every_promise,
}

/// A life that nobody ends.
pub(super) async fn undisturbed(engine: Engine) -> Arc<Fate> {
    lives::undisturbed(options().on(engine), die_and_recover).await
}

async fn a_process_that_dies_at_any_call_keeps_every_promise(engine: Engine) {
    lives::end_at_every_call(|| options().on(engine), die_and_recover).await;
}
