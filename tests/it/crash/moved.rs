//! The crash loop for a payer who moves their money away between the look at their account and the landing: a process dies at
//! every call it makes for a payment whose merchant demands a proof, before and after the call's effect. Nobody is ever told
//! that it succeeded unless it moved, and the next process tells what was seen.

use super::{
    PRICE, PURSE, Scene,
    fate::{Fate, Last},
    lives, process, wait_until_settled,
};
use crate::support::{
    Engine, Options, World, changed,
    engine::{cases, each_engine},
    quiet,
};
use sotto::{
    domain::{
        funding::{Funding, FundingProof},
        reason::PayReason,
    },
    facilitator::{AllowancePolicy, OpenRequest, PayError},
};
use std::{sync::Arc, time::Duration};

each_engine! { cases
    a_process_that_dies_at_any_call_tells_no_success_of_what_moved_nothing,
}

fn options() -> Options {
    Options::settings(|settings| {
        settings.transfers.decrypt_allowance = AllowancePolicy::Never;
        settings.funding.interval = Duration::from_hours(1);
    })
}

/// Pays once, dies where it is told and is followed by another process. Gives what the first one met.
async fn die_and_recover(world: Arc<World>, last: Last, after_effect: bool) -> Arc<Fate> {
    let world = &*world;
    let name = format!("moved-{last:?}-{after_effect}");
    let (elsewhere, ledger) = (world.wallet(0).await, world.open_ledger(&name).await);
    let scene = Scene::set(world, &name, false).await;
    let value = world.attested(&scene.payer).await;
    let proof = FundingProof { handle: value.handle, plaintext: value.plaintext, signature: value.signature };
    let opener = process(world, &ledger, &Fate::immortal());
    let request = OpenRequest { funding: Some(proof), ..scene.request.clone() };
    let session = opener.open_session(request).await.unwrap().id;
    opener.stop().await;
    drop(opener);

    let payment = changed(scene.payment(session, "demanded"), |payment| payment.funding_required = true);
    let away = world.transfer_by_owner(&scene.payer, &elsewhere.key(), PURSE);
    world.net.network().ambush(world.account_of(&scene.payer.key()), away);
    let fate = Fate::at(last, after_effect);
    let first = process(world, &ledger, &fate);
    let told = tokio::select! {
        answer = first.settle(&payment) => u64::from(answer.is_ok()),
        () = fate.dead.cancelled() => 0,
    };
    first.stop().await;
    drop(first);

    let second = process(world, &ledger, &Fate::immortal());
    second.recover().await.unwrap();
    quiet(&*ledger).await;
    wait_until_settled(&*ledger, &name).await;
    let answer = second.settle(&payment).await;
    quiet(&*ledger).await;
    second.stop().await;

    ledger.audit().await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let (totals, received) = (ledger.totals(None).await.unwrap(), world.units(&scene.merchant));
    let told = told + u64::from(answer.is_ok());
    assert!(told * PRICE <= received, "{name}: {told} were told and {received} moved");
    assert!(
        totals.captured.get() <= PRICE && received <= totals.captured.get(),
        "{name}: {totals:?}, {received} moved"
    );
    // On a machine that is busy the owner's transfer may be too old to land, and then nothing was moved away.
    if totals.captured.get() > received {
        let Err(PayError::Refused(refusal)) = answer else { panic!("{name}: {answer:?}") };
        assert_eq!(refusal.reason, PayReason::FundingUnproven, "{name}: {refusal:?}");
        let funding = refusal.session.map(|session| session.funding);
        assert!(refusal.transaction.is_some() && funding == Some(Funding::Unproven), "{name}: {refusal:?}");
    }
    if last == Last::Never {
        assert_eq!((totals.captured.get(), received), (PRICE, 0), "{name}: it landed and moved nothing");
    }
    fate
}

async fn a_process_that_dies_at_any_call_tells_no_success_of_what_moved_nothing(engine: Engine) {
    lives::end_at_every_call(|| options().on(engine), die_and_recover).await;
}
