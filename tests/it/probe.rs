//! The probe of the token program beside everything else that a facilitator does.

use crate::support::{Options, World};
use sotto::{
    domain::session::Delegation,
    facilitator::{CopyOutcome, CopyReport, HandleReport, ProbeReport, ProbeVerdict, UsedIn},
    localnet::{ALL, FaultPlan},
};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn background_rounds_do_not_take_the_probes_accounts_away_from_the_probe() {
    // Rounds without a pause find the transaction that makes the accounts the moment it is planned.
    let world = World::with(Options::settings(|settings| settings.background.round = Duration::from_millis(1))).await;
    let report = world.running().facilitator.probe().await;
    assert_eq!(report.map(ProbeReport::verdict).ok(), Some(ProbeVerdict::Usable));
    world.finish().await;
}

/// By simulation alone: the second time nothing is made any more, and nothing lands.
#[tokio::test(flavor = "multi_thread")]
async fn handles_are_seen_to_name_what_made_them() {
    for delegation in [Delegation::Public, Delegation::Documented] {
        let world = World::with(Options { delegation, ..Options::default() }).await;
        let facilitator = &world.running().facilitator;
        let expected = HandleReport { are_derived: true, are_lowered: delegation.is_lowered() };
        assert_eq!(facilitator.probe_handles().await.ok(), Some(expected));
        world.quiet().await;
        let sent = world.net.network().request_counts().get("sendTransaction").copied();
        assert_eq!(facilitator.probe_handles().await.ok(), Some(expected));
        assert_eq!(world.net.network().request_counts().get("sendTransaction").copied(), sent);
        world.finish().await;
    }
}

/// Whether Lightning takes a ciphertext that another wallet has used is found out whatever the answer is, from one that has landed
/// where an endpoint tells of it, and without a transaction that lands.
#[tokio::test(flavor = "multi_thread")]
async fn a_copied_ciphertext_is_seen_to_be_taken_or_refused() {
    let world = World::with(Options::default()).await;
    let (facilitator, rules) = (&world.running().facilitator, world.net.network().stand_ins().switches());
    drop(facilitator.probe_copies().await.expect("its accounts are made"));
    world.quiet().await;
    let sent = || world.net.network().request_counts().get("sendTransaction").copied();
    let before = sent();
    for used_in in [UsedIn::LandedTransaction, UsedIn::SameTransaction] {
        if used_in == UsedIn::SameTransaction {
            world.net.faults().set(FaultPlan { hidden_history: vec![ALL.to_owned()], ..FaultPlan::default() });
        }
        rules.change(|rules| rules.single_use_ciphertexts = false);
        let taken = facilitator.probe_copies().await.expect("it can be asked");
        assert_eq!(taken, CopyReport { used_in, outcome: CopyOutcome::SameHandle });
        rules.change(|rules| rules.single_use_ciphertexts = true);
        let refused = facilitator.probe_copies().await.expect("it can be asked");
        assert_eq!(refused.used_in, used_in);
        assert!(matches!(&refused.outcome, CopyOutcome::Refused(error) if error.contains("0x2329")), "{refused:?}");
    }
    // Where approves fail anyway, a refusal says nothing of the copy.
    rules.change(|rules| rules.require_remaining_accounts = true);
    let error = facilitator.probe_copies().await.expect_err("nothing can be told");
    assert!(error.to_string().contains("approves of two ciphertexts fail too"), "{error}");
    assert_eq!(sent(), before, "nothing was sent for it");
    rules.change(|rules| (rules.require_remaining_accounts, rules.single_use_ciphertexts) = (false, false));
    world.net.faults().clear();
    world.finish().await;
}
