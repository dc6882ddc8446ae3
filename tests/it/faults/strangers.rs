//! Other people's transactions between our simulation and our landing.

use super::{Scene, without_allowances};
use crate::support::Options;
use sotto::facilitator::AllowancePolicy;

#[tokio::test]
async fn a_strangers_transfer_of_zero_or_more_to_either_side_stops_nothing() {
    let scene = Scene::set(without_allowances()).await;
    let network = scene.world.net.network();
    for (number, (wallet, units)) in
        [(&scene.payer, 0), (&scene.payer, 30), (&scene.merchant, 0), (&scene.merchant, 50)].into_iter().enumerate()
    {
        let theirs = scene.world.transfer_by_stranger(&wallet.key(), units);
        network.ambush(scene.world.account_of(&wallet.key()), theirs);
        scene.pays(&format!("crossed-{number}")).await;
        assert!(!network.has_ambushes(), "it landed first");
    }
    scene.closes_with(4, [30, 50]).await;
}

/// A transfer that names decrypt allowances names handles in advance; a stranger changes one first. It lands with an
/// error that says nothing against the payment, which is carried by another transfer.
#[tokio::test]
async fn a_stranger_who_changes_a_handle_first_costs_a_fee_and_no_payment() {
    let scene =
        Scene::set(Options::settings(|settings| settings.transfers.decrypt_allowance = AllowancePolicy::Every)).await;
    let before = scene.world.ledger().totals(None).await.unwrap().fees;
    let theirs = scene.world.transfer_by_stranger(&scene.merchant.key(), 0);
    scene.world.net.network().ambush(scene.world.account_of(&scene.merchant.key()), theirs);
    scene.pays("handle").await;
    scene.quiet().await;
    let totals = scene.world.ledger().totals(None).await.unwrap();
    assert!(totals.fees - before >= 20_000, "both attempts are booked: {totals:?}");
    scene.closes(1).await;
}

/// The payer spends the balance elsewhere between simulation and landing: the transfer moves what is there, which is
/// nothing. That a settlement is no proof of payment is why funding proofs exist; the books say "captured" until then.
#[tokio::test]
async fn an_owner_who_empties_the_account_first_is_the_case_that_funding_proofs_are_for() {
    let scene = Scene::set(without_allowances()).await;
    let elsewhere = scene.world.wallet(0).await;
    let theirs = scene.world.transfer_by_owner(&scene.payer, &elsewhere.key(), super::PURSE);
    scene.world.net.network().ambush(scene.world.account_of(&scene.payer.key()), theirs);
    scene.settle("emptied").await;
    scene.quiet().await;
    assert_eq!(scene.world.units(&scene.merchant), 0, "a short balance moves zero and succeeds");
    assert_eq!(scene.world.units(&elsewhere), super::PURSE);
    assert_eq!(scene.world.ledger().totals(None).await.unwrap().held.get(), 0);
    scene.world.finish().await;
}

#[tokio::test]
async fn a_burn_by_the_owner_is_their_own_affair() {
    let scene = Scene::set(without_allowances()).await;
    scene.world.lands(scene.world.burn_by_owner(&scene.payer, 400));
    scene.world.confirmed().await;
    scene.pays("burnt").await;
    scene.closes_with(1, [-400, 0]).await;
}

#[tokio::test]
async fn a_delegation_that_is_revoked_first_moves_nothing() {
    let scene = Scene::set(without_allowances()).await;
    let revoke = scene.world.revoke_by_owner(&scene.payer);
    scene.world.net.network().ambush(scene.world.account_of(&scene.payer.key()), revoke);
    let answer = scene.settle("revoked").await;
    assert_eq!(answer["success"], false, "{answer:#}");
    scene.closes(0).await;
}
