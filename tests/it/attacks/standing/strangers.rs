//! What people who have nothing to do with a payer do to the payer's standing approve, and what a message alone does to it.

use super::{
    super::{approves, has_paid_for_days, on_total, with_sol},
    BOTH, Scene,
};
use crate::support::{Options, Wallet, World};
use futures_util::future::join_all;
use serde_json::{Value, json};
use solana_signature::Signature;
use sotto::{
    chain::{Chain as _, EndpointUrls},
    domain::amount::Amount,
    facilitator::Settings,
    localnet::{TooManyRequests, standins::Delegation},
};
use std::time::{Duration, Instant};

/// Somebody names the payer's account in what they do to their own, and sends the payer nothing.
async fn names(world: &World, payer: &Wallet) {
    let (stranger, named) = (world.wallet(5).await, world.account_of(&payer.key()));
    for naming in [
        world.approve_naming(&stranger, &named),
        world.revoke_naming(&stranger, &named),
        world.transfer_checked_by_owner(&stranger, &payer.key(), 0),
        world.close_naming(&stranger, &named),
    ] {
        world.lands(naming);
    }
    world.confirmed().await;
}

/// Guard: `CHANGE_THE_FIRST`. For a fee of 5,000 lamports, or by an ordinary payment, a stranger had the approve of whoever they
/// picked taken for another one: it opened nothing any more, and where transfers lower it every session on it ended.
#[tokio::test]
async fn a_stranger_who_names_a_payers_account_neither_spoils_an_approve_nor_ends_sessions() {
    for delegation in BOTH {
        let scene = Scene::begin(delegation).await;
        let approve = scene.approves(100).await;
        names(&scene.world, &scene.payer).await;
        let first = scene.opens(0, 50, 100, &approve).await;
        names(&scene.world, &scene.payer).await;
        // Where transfers lower what was approved, another amount has the history read.
        scene.pays(&first, 0, 10).await;
        let second = scene.opens(1, 30, 100, &approve).await;
        scene.pays(&second, 1, 10).await;
        let shown = || scene.world.token_account(&scene.payer.key()).unwrap().delegated_amount;
        let is_known = async || scene.current().await.is_some_and(|approval| approval.seen == Some(shown()));
        scene.world.until("what the account shows is known", is_known).await;
        assert_eq!((scene.state(&first).await, scene.state(&second).await), (json!("open"), json!("open")));
        let standing = scene.current().await.unwrap();
        assert_eq!((standing.signature, standing.amount), (approve, Amount::new(100)), "{delegation:?}");
        scene.opens(1, 20, 100, &approve).await;
        scene.world.finish().await;
    }
}

/// Guard: the amount and the live sessions in `adopt`. Whoever had the wallet sign an approve and a message names the approve before the
/// Covalidator knows its amount: what nobody knows backs no other session, so all would end.
#[tokio::test]
async fn a_newer_approve_that_a_message_names_ends_nothing_while_its_amount_is_not_known() {
    let seldom = |settings: &mut Settings| settings.funding.interval = Duration::from_hours(1);
    let scene = Scene::of(Options::settings(seldom)).await;
    let approve = scene.approves(100).await;
    let session = scene.opens(0, 50, 100, &approve).await;
    let raised = scene.approves(200).await;
    let lag = |slots| scene.world.covalidator.faults().change(move |plan| plan.lag_slots = slots);
    lag(1_000_000);
    scene.is_refused(&scene.body(1, 40, 200, &raised), 503, "cap_unverified").await;
    assert_eq!(scene.state(&session).await, json!("open"));
    assert_eq!(scene.current().await.map(|approval| approval.signature), Some(approve), "nothing was written");
    lag(0);
    scene.opens(1, 40, 200, &raised).await;
    assert_eq!(scene.state(&session).await, json!("open"));
    assert_eq!(scene.current().await.map(|approval| approval.free()), Amount::new(110));
    scene.world.finish().await;
}

/// How many transactions were read one by one.
fn read(world: &World) -> u64 {
    world.net.network().request_counts().get("getTransaction").copied().unwrap_or_default()
}

/// Guard: `Sessions::unfinished`. A wallet that has its account named in more transactions than are read at once had all of them read
/// with every request, and nothing counted it.
#[tokio::test]
async fn a_history_that_is_longer_than_is_read_at_once_is_left_alone_for_a_while() {
    let scene = Scene::begin(Delegation::Public).await;
    let approve = scene.approves(100).await;
    for _ in 0..65 {
        scene.world.lands(scene.world.transfer_by_owner(&scene.payer, &scene.merchants[0].key(), 0));
    }
    scene.world.confirmed().await;
    let body = scene.body(0, 50, 100, &approve);
    scene.is_refused(&body, 503, "session_busy").await;
    let (before, begun) = (read(&scene.world), Instant::now());
    let again = scene.is_refused(&body, 503, "session_busy").await;
    // On a machine that is so slow the first pause is over.
    if begun.elapsed() < Duration::from_secs(1) {
        assert_eq!(read(&scene.world), before, "{again:#}");
    }
    scene.world.finish().await;
}

/// Guard: `share_of_adoptions`. Approves that nobody has seen are looked at for a few at once; who has paid before waits for none of
/// them.
#[tokio::test]
async fn strangers_who_name_approves_have_few_places_and_payers_with_credit_wait_for_none() {
    let scene = Scene::of(Options::settings(|settings: &mut Settings| {
        (settings.openings.prepares.at_once, settings.openings.prepares.per_second) = (2, None);
        settings.openings.drain_deadline = Duration::from_secs(1);
    }))
    .await;
    let world = &scene.world;
    let (mut bodies, name) = (Vec::new(), Signature::from([7; 64]));
    for _ in 0..6 {
        let stranger = world.wallet(10).await;
        with_sol(world, &stranger).await;
        approves(world, &stranger, 10).await;
        bodies.push(on_total(world, &stranger, &scene.merchants[0].key(), (1, 10), &name));
    }
    has_paid_for_days(world, &scene.payer.key());
    let approve = scene.approves(100).await;
    world.net.faults().change(|plan| {
        plan.latency.insert("getTransaction".to_owned(), 4_000);
    });
    let strangers = join_all(bodies.iter().map(|body| world.post("/sessions", body)));
    let (answers, _) = tokio::join!(strangers, scene.opens(0, 50, 100, &approve));
    let refused = |word: &str| answers.iter().filter(|(_, answer): &&(u16, Value)| answer["error"] == word).count();
    assert_eq!((refused("approve_not_allowed"), refused("session_busy")), (2, 4), "{answers:#?}");
    scene.world.finish().await;
}

/// Guard: `spare_the_endpoints` in `share_of_adoptions`. What the other endpoints can answer is for those who pay and for approves that
/// are known.
#[tokio::test]
async fn while_an_endpoint_rests_approves_that_nobody_has_seen_are_not_looked_up() {
    let mut scene = Scene::begin(Delegation::Public).await;
    let approve = scene.approves(100).await;
    scene.opens(0, 10, 100, &approve).await;
    let second = scene.world.net.open_endpoint(None).await.unwrap();
    let urls = [scene.world.net.rpc_url(), second.rpc_url()];
    scene.world.reboots_with_endpoints(urls.map(|rpc| EndpointUrls { rpc, websocket: None }).to_vec()).await;
    let world = &scene.world;
    let stranger = world.wallet(10).await;
    with_sol(world, &stranger).await;
    let unseen = approves(world, &stranger, 10).await;
    // The monitor is the next to ask for accounts.
    let limit = TooManyRequests { next: 1, retry_after: Some(8), method: Some("getMultipleAccounts".to_owned()) };
    world.net.faults().change(|plan| plan.too_many_requests = Some(limit));
    let rests = || world.running().chain.endpoints().iter().any(|endpoint| endpoint.backoff.is_some());
    world.until("an endpoint rests", async || rests()).await;
    let body = on_total(world, &stranger, &scene.merchants[0].key(), (1, 10), &unseen);
    let (before, (status, refused)) = (read(world), world.post("/sessions", &body).await);
    let still = rests();
    if still {
        assert_eq!((status, &refused["error"]), (503, &json!("overloaded")), "{refused:#}");
        assert_eq!(read(world), before);
    }
    scene.opens(1, 10, 100, &approve).await;
    world.until("the rest is over", async || world.post("/sessions", &body).await.0 == 201).await;
    scene.world.finish().await;
}
