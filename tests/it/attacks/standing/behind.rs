//! What happens to an account behind our back, and what its history does not show, or shows too much of.

use super::{
    super::{becomes, lands_by_itself, on_both_sides, signed_by, view, with_sol},
    BOTH, Scene, copies,
};
use crate::support::{Opening, Options, proof_body};
use serde_json::json;
use solana_signature::Signature;
use sotto::{domain::amount::Amount, facilitator::Settings, localnet::standins::Delegation};
use std::time::Duration;

/// One in which nobody looks at accounts but for an opening.
pub(super) async fn unwatched(delegation: Delegation) -> Scene {
    let seldom = |settings: &mut Settings| settings.funding.interval = Duration::from_hours(1);
    Scene::of(Options { delegation, ..Options::settings(seldom) }).await
}

impl Scene {
    /// Approves so many units on chain, past the facilitator, in a transaction that no history shows.
    async fn approves_unlisted(&self, units: u64) -> Signature {
        let world = &self.world;
        let opening = Opening { grant: 0, ..world.opening(&self.payer, &world.spender(), units) };
        let approve = world.approve_instructions(&opening).await.pop().unwrap();
        let approve = signed_by(world, &self.payer, &[approve]);
        let signature = approve.signatures[0];
        world.net.faults().change(|plan| plan.hidden_history.push(signature.to_string()));
        world.net.network().send(approve).unwrap();
        world.confirmed().await;
        signature
    }

    fn lists_everything(&self) {
        self.world.net.faults().change(|plan| plan.hidden_history.clear());
    }

    /// A stranger names the payer's account in so many transactions; the first `failed` of them fail.
    async fn is_named_by_a_stranger(&self, times: u64, failed: u64) {
        let world = &self.world;
        let stranger = world.wallet(0).await;
        with_sol(world, &stranger).await;
        let account = world.account_of(&self.payer.key());
        for number in 0..times {
            let lamports = if number < failed { 10_000_000_000 + number } else { 1 + number };
            let moves = solana_system_interface::instruction::transfer(&stranger.key(), &account, lamports);
            lands_by_itself(world, &stranger, &[moves]);
        }
        // Until none of them can be taken back, and no older one is listed late.
        let end = world.net.network().slot() + 40;
        world.until("they are final", async || world.net.network().slot() >= end).await;
    }
}

/// Guard: what explains another handle, in `check_unchanged`. A node writes the list later than the account: what nothing listed
/// explains is not taken for the old approve's, and the caller is told to repeat.
#[tokio::test]
async fn an_approve_that_no_history_shows_yet_is_not_taken_for_the_old_one() {
    for delegation in BOTH {
        let scene = unwatched(delegation).await;
        let approve = scene.approves(100).await;
        let session = scene.opens(0, 40, 100, &approve).await;
        scene.pays(&session, 0, 10).await;
        scene.opens(1, 10, 100, &approve).await;
        let noted = scene.current().await.unwrap().seen;
        scene.approves_unlisted(20).await;
        scene.is_refused(&scene.body(1, 10, 100, &approve), 503, "session_busy").await;
        assert_eq!(scene.current().await.unwrap().seen, noted, "{delegation:?}: nothing is noted");
        scene.lists_everything();
        scene.is_refused(&scene.body(1, 10, 100, &approve), 409, "approve_stale").await;
        scene.world.finish().await;
    }
}

/// Guard: `keep_standing`. The monitor finds the newer approve when the history shows it.
#[tokio::test]
async fn a_lowered_approve_is_found_once_the_history_shows_it() {
    for delegation in BOTH {
        let scene = Scene::begin(delegation).await;
        let approve = scene.approves(100).await;
        let session = scene.opens(0, 50, 100, &approve).await;
        let lowered = scene.approves_unlisted(20).await;
        // Looked at several times.
        let end = scene.world.net.network().slot() + 40;
        scene.world.until("it is looked at", async || scene.world.net.network().slot() >= end).await;
        let standing = scene.current().await.unwrap();
        assert_eq!((standing.signature, standing.seen), (approve, standing.handle), "{delegation:?}");
        scene.lists_everything();
        becomes(&scene.world, session["sessionId"].as_str().unwrap(), "superseded").await;
        assert_eq!(scene.current().await.unwrap().signature, lowered);
        scene.world.finish().await;
    }
}

/// Guard: `Delegated::Unsettled`. A transfer of ours explains another handle, and the owner may have approved right behind it: what
/// a transfer explained is looked at again when no entry can be missing any more.
#[tokio::test]
async fn an_approve_behind_a_transfer_of_ours_is_found_though_the_transfer_explains_the_handle() {
    let scene = unwatched(Delegation::Documented).await;
    let approve = scene.approves(100).await;
    let session = scene.opens(0, 50, 100, &approve).await;
    scene.pays(&session, 0, 10).await;
    let lowered = scene.approves_unlisted(20).await;
    scene.opens(1, 10, 100, &approve).await;
    let standing = scene.current().await.unwrap();
    assert_ne!(standing.seen, standing.handle, "the transfer explains it");
    scene.lists_everything();
    let (ledger, user) = (scene.world.ledger(), scene.payer.key());
    let seen = ledger.seen_delegations(&[user], &scene.world.faucet.mint()).await.unwrap().remove(0).unwrap();
    assert!(!seen.is_settled);
    let end = scene.world.net.network().slot() + 40;
    scene.world.until("no entry is late", async || scene.world.net.network().slot() >= end).await;
    // A promise has the account looked at.
    let id = session["sessionId"].as_str().unwrap();
    let mut payment = scene.world.payment(id, &scene.merchants[0].key(), 1, Some("a-promise-of-one"));
    on_both_sides(&mut payment, "extra", &json!({ "settlement": "deferred" }));
    scene.world.post("/settle", &payment).await;
    becomes(&scene.world, id, "superseded").await;
    assert_eq!(scene.current().await.unwrap().signature, lowered);
    scene.world.finish().await;
}

/// Guards: `MOST_READ` a look, and that the next look goes on (`record_examination`). Strangers may name an account as often as
/// they like: that holds openings up for some looks, and never for good.
#[tokio::test]
async fn a_history_that_strangers_fill_is_read_look_by_look() {
    let scene = unwatched(Delegation::Public).await;
    let approve = scene.approves(100).await;
    scene.is_named_by_a_stranger(150, 0).await;
    let body = scene.body(0, 10, 100, &approve);
    scene.is_refused(&body, 503, "session_busy").await;
    scene.world.until("it is read to its end", async || scene.world.post("/sessions", &body).await.0 == 201).await;
    // Of what was examined nothing is read again: 60 more are read at once.
    scene.is_named_by_a_stranger(60, 0).await;
    let lowered = scene.approves(50).await;
    scene.is_refused(&scene.body(0, 10, 100, &approve), 409, "approve_stale").await;
    scene.opens(0, 10, 50, &lowered).await;
    scene.world.finish().await;
}

/// Guard: the pages of `list_since`. An approve is found behind more entries than a node tells at once.
#[tokio::test]
async fn an_approve_behind_a_thousand_entries_is_found() {
    let scene = unwatched(Delegation::Public).await;
    let approve = scene.approves(100).await;
    scene.is_named_by_a_stranger(1_050, 1_000).await;
    scene.opens(0, 10, 100, &approve).await;
    scene.world.finish().await;
}

/// Guard: `give_up_uncovered`. Where transfers lower the delegated amount, what an ended session was promised and a newer approve
/// does not cover is lost, at once, and told so; a transfer would take what the others were promised.
#[tokio::test]
async fn a_promise_that_a_newer_approve_does_not_cover_is_told_as_lost() {
    let scene = Scene::begin(Delegation::Documented).await;
    let world = &scene.world;
    let approve = scene.approves(100).await;
    let (older, newer) = (scene.opens(0, 50, 100, &approve).await, scene.opens(1, 50, 100, &approve).await);
    let id = older["sessionId"].as_str().unwrap();
    let mut payment = world.payment(id, &scene.merchants[0].key(), 30, Some("a-promise-of-thirty"));
    on_both_sides(&mut payment, "extra", &json!({ "settlement": "deferred" }));
    let (_, promised) = world.post("/settle", &payment).await;
    assert_eq!(promised["extensions"]["session"]["settlement"], "held", "{promised:#}");
    scene.approves(50).await;
    becomes(world, id, "superseded").await;
    world
        .until("it is lost", async || {
            world.ledger().lost(id.parse().unwrap()).await.unwrap() == Amount::new(30).unwrap()
        })
        .await;
    let (_, told) = world.post("/settle", &payment).await;
    assert_eq!(
        (&told["success"], &told["errorReason"], &told["extensions"]["session"]["settlement"]),
        (&json!(false), &json!("delegation_replaced"), &json!("lost")),
        "{told:#}"
    );
    scene.pays(&newer, 1, 50).await;
    assert_eq!(scene.received(), [0, 50], "all that was approved is the newer one's");
    assert_eq!(view(world, newer["sessionId"].as_str().unwrap()).await["state"], "open");
    scene.world.finish().await;
}

/// Guard: `wake_promises`. What rests is tried once more on the approve that backs it before another one is let in its place.
#[tokio::test]
async fn a_promise_that_rests_is_tried_once_more_before_its_approve_is_replaced() {
    let scene = Scene::begin(Delegation::Documented).await;
    let world = &scene.world;
    let older = world.open(&scene.payer, &scene.merchants[0].key(), 50).await;
    let mut payment = world.payment(&older, &scene.merchants[0].key(), 30, Some("a-promise-of-thirty"));
    on_both_sides(&mut payment, "extra", &json!({ "settlement": "deferred" }));
    let (_, promised) = world.post("/settle", &payment).await;
    assert_eq!(promised["extensions"]["session"]["settlement"], "held", "{promised:#}");
    // The balance is in trouble, and the promise comes back; then it rests for longer than the test takes.
    world.lands(world.freeze(&scene.payer.key()));
    let id = older.parse().unwrap();
    world
        .until("it rests", async || {
            world.ledger().promised(Some(id)).await.unwrap().iter().any(|rests| rests.resting == 1)
        })
        .await;
    let ledger = rusqlite::Connection::open(world.directory().join("sotto.db")).unwrap();
    let rests = "UPDATE holds SET not_before = not_before + 3600 WHERE state = 'waiting'";
    assert_eq!(ledger.execute(rests, []).unwrap(), 1);
    world.lands(world.thaw(&scene.payer.key()));
    world.confirmed().await;
    world.open(&scene.payer, &scene.merchants[1].key(), 50).await;
    assert_eq!(scene.received(), [30, 0]);
    assert_eq!(view(world, &older).await["state"], "superseded");
    scene.world.finish().await;
}

/// Guards: `doubt_unexplained` and `demand_on`. While nothing explains what the account shows as delegated, a transfer may move nothing,
/// whatever the balance is proved to be.
#[tokio::test]
async fn nothing_is_proven_while_nothing_explains_what_the_account_shows() {
    for delegation in BOTH {
        let scene = Scene::begin(delegation).await;
        let world = &scene.world;
        let approve = scene.approves(100).await;
        let session = scene.opens(0, 50, 100, &approve).await;
        let id = session["sessionId"].as_str().unwrap();
        let proves = async || {
            let proof = proof_body(&world.attested(&scene.payer).await);
            world.post(&format!("/sessions/{id}/funding"), &proof).await
        };
        let (status, answer) = proves().await;
        assert_eq!((status, &answer["funding"]), (200, &json!("proven")), "{answer:#}");
        scene.approves_unlisted(1).await;
        world.until("it is doubted", async || view(world, id).await["funding"] == "unproven").await;
        // Nor by another proof, which is anchored after all of that.
        proves().await;
        let mut payment = world.payment(id, &scene.merchants[0].key(), 40, Some("goods-for-nothing"));
        on_both_sides(&mut payment, "extra", &json!({ "funding": "required" }));
        let (_, refused) = world.post("/settle", &payment).await;
        assert_eq!(refused["errorReason"], "funding_unproven", "{delegation:?}: {refused:#}");
        scene.lists_everything();
        becomes(world, id, "superseded").await;
        scene.world.finish().await;
    }
}

/// Guard: `drawn`. The same ciphertext approved again shows in no handle: what was paid since is drawn from it, on whichever approve
/// it is counted.
#[tokio::test]
async fn what_was_paid_since_an_approve_is_not_free_on_it() {
    let scene = Scene::begin(Delegation::Documented).await;
    let approve = scene.approves(100).await;
    let session = scene.opens(0, 100, 100, &approve).await;
    let again = copies(&scene.world, &scene.payer, &scene.payer, &approve).await;
    scene.pays(&session, 0, 100).await;
    scene.closes_all().await;
    scene.is_refused(&scene.body(1, 100, 100, &again), 409, "approval_exhausted").await;
    assert_eq!(scene.received(), [100, 0]);
    scene.world.finish().await;
}
