//! The probe of the token program beside everything else that a facilitator does.

use crate::support::{Options, World};
use sotto::facilitator::{ProbeReport, ProbeVerdict};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn background_rounds_do_not_take_the_probes_accounts_away_from_the_probe() {
    // Rounds without a pause find the transaction that makes the accounts the moment it is planned.
    let world = World::with(Options::settings(|settings| settings.background.round = Duration::from_millis(1))).await;
    let report = world.running().facilitator.probe().await;
    assert_eq!(report.map(ProbeReport::verdict).ok(), Some(ProbeVerdict::Usable));
    world.finish().await;
}
