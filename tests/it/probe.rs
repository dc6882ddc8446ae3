//! The probe of the token program beside everything else that a facilitator does.

use crate::support::{Options, World};
use sotto::{
    domain::session::Delegation,
    facilitator::{HandleReport, ProbeReport, ProbeVerdict},
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
