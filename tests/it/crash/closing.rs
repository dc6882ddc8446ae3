//! The crash loop for closing a session whose payer has proved a balance: a process dies at every call it makes while it
//! takes the proof, looks after it, pays and closes. What was said stays said, the proof covers what it covered, and the
//! session ends closed with everything paid that was told so.

use super::{
    PRICE, PURSE, Scene,
    fate::{Fate, Last},
    lives, process, wait_until_settled,
};
use crate::support::{
    Engine, Options, Wallet, World, changed,
    engine::{cases, each_engine},
    look_again,
};
use sotto::{
    domain::{
        amount::Amount,
        funding::{FundingPolicy, FundingProof},
        session::{Session, SessionState},
        signed,
    },
    facilitator::{AllowancePolicy, CloseRequest, DeferredPolicy, Facilitator},
    ledger::Ledger,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Nothing but the close settles what is promised; accounts are looked at all the time.
fn options() -> Options {
    Options::settings(|settings| {
        settings.deferred = DeferredPolicy { age_seconds: 100_000, ..DeferredPolicy::default() };
        settings.funding.policy = FundingPolicy::Required;
        settings.funding.interval = Duration::from_millis(50);
        settings.transfers.decrypt_allowance = AllowancePolicy::Never;
    })
}

/// What one life works with: an open session, and the payer's own word for what they have.
struct PayingKey {
    scene: Scene,
    session: Session,
    proof: FundingProof,
}

async fn proof_of(world: &World, wallet: &Wallet) -> FundingProof {
    let value = world.attested(wallet).await;
    FundingProof { handle: value.handle, plaintext: value.plaintext, signature: value.signature }
}

impl PayingKey {
    fn close(&self) -> CloseRequest {
        let nonce = "close-it-once-and-for-all".to_owned();
        let message = signed::close_message(&self.session.signed.hash(), self.session.id, &nonce);
        CloseRequest { signature: self.scene.payer.sign(message.as_bytes()), nonce }
    }
}

/// Proves, pays, promises and closes. Counts how many payments said success.
async fn live(facilitator: &Arc<Facilitator>, purse: &PayingKey, told: &AtomicU64) {
    let (scene, id) = (&purse.scene, purse.session.id);
    // Repeated, it may be stale: then the first one counts.
    let passes = |refused: String| ["SessionBusy", "Unavailable"].iter().any(|word| refused.contains(word));
    while let Err(refused) = facilitator.prove_funding(id, &purse.proof).await
        && passes(format!("{refused:?}"))
    {
        look_again().await;
    }
    for (nonce, deferred) in [("a", false), ("b", true), ("c", true)] {
        let payment = changed(scene.payment(id, nonce), |payment| payment.deferred = deferred);
        told.fetch_add(u64::from(facilitator.settle(&payment).await.is_ok()), Ordering::SeqCst);
    }
    let _ = facilitator.close_session(id, &purse.close()).await;
}

async fn die_and_recover(world: Arc<World>, last: Last, after_effect: bool) -> Arc<Fate> {
    let world = &*world;
    let name = format!("closing-{last:?}-{after_effect}");
    let ledger = world.open_ledger(&name).await;
    let opener = process(world, &ledger, &Fate::immortal());
    let scene = Scene::set(world, &name, false).await;
    let session = opener.open_session(scene.request.clone()).await.unwrap();
    opener.stop().await;
    drop(opener);
    let proof = proof_of(world, &scene.payer).await;
    let purse = PayingKey { scene, session, proof };

    let (fate, told) = (Fate::at(last, after_effect), AtomicU64::new(0));
    let first = process(world, &ledger, &fate);
    let life = async {
        first.recover().await.unwrap();
        live(&first, &purse, &told).await;
    };
    tokio::select! {
        () = life => {}
        () = fate.dead.cancelled() => {}
    }
    first.stop().await;
    drop(first);

    let second = process(world, &ledger, &Fate::immortal());
    second.recover().await.unwrap();
    live(&second, &purse, &told).await;
    wait_until_settled(&*ledger, &name).await;
    second.stop().await;
    check(world, &*ledger, &purse, &name, told.into_inner()).await;
    fate
}

async fn check(world: &World, ledger: &dyn Ledger, purse: &PayingKey, name: &str, told: u64) {
    ledger.audit().await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let session = ledger.session(purse.session.id).await.unwrap().unwrap();
    assert_eq!((session.state, session.held), (SessionState::Closed, Amount::ZERO), "{name}");
    let received = world.units(&purse.scene.merchant);
    assert_eq!(session.captured.get(), received, "{name}: the books agree with the chain");
    let left = world.units(&purse.scene.payer);
    assert_eq!(left, PURSE - received, "{name}: nothing is lost");
    assert!(told * PRICE <= received && received <= 3 * PRICE, "{name}: {told} were told success, and {received} came");
    let bound = ledger.source(session.user(), &session.intent.asset).await.unwrap().unwrap().bound.unwrap();
    assert_eq!(bound.lost, None, "{name}: nobody but us has moved anything");
    assert_eq!(bound.amount.get() - bound.claimed.get(), left, "{name}: what the proof leaves is what is there");
}

each_engine! { cases
    a_process_that_dies_at_any_call_closes_what_it_was_to_close_and_keeps_its_proof,
}

async fn a_process_that_dies_at_any_call_closes_what_it_was_to_close_and_keeps_its_proof(engine: Engine) {
    lives::end_at_every_call(|| options().on(engine), die_and_recover).await;
}
