//! What strangers get out of `POST /sessions/prepare`, which anybody may ask: nothing that the chain does not tell them, nothing
//! that is created, and nothing that keeps others waiting.

use super::{Shop, Trace, view, with_sol};
use crate::support::{Options, Wallet, World};
use futures_util::future::join_all;
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use sotto::{
    chain::{Chain as _, EndpointUrls},
    localnet::TooManyRequests,
    programs::ciphertext::encrypt,
};
use std::{
    collections::BTreeSet,
    num::NonZeroU32,
    time::{Duration, Instant},
};

/// A body that asks for an approve of `units`.
fn asks(world: &World, user: &Pubkey, units: u64) -> Value {
    let key = world.net.network().stand_ins().encryption_key();
    let ciphertext = hex::encode(encrypt(&key, units.into(), &*world.chance));
    json!({ "user": user.to_string(), "asset": world.faucet.mint().to_string(), "ciphertext": ciphertext })
}

async fn is_refused(world: &World, body: &Value, status: u16, error: &str) -> Value {
    let (seen, answer) = world.post("/sessions/prepare", body).await;
    assert_eq!((seen, answer["error"].as_str()), (status, Some(error)), "{answer:#}");
    answer
}

/// What is told, without the blockhash, which changes by itself.
async fn told(world: &World, body: &Value) -> Value {
    let (status, mut answer) = world.post("/sessions/prepare", body).await;
    assert_eq!(status, 200, "{answer:#}");
    let members: BTreeSet<_> = answer.as_object().unwrap().keys().map(String::as_str).collect();
    let members: Vec<_> = members.into_iter().filter(|member| *member != "standing").map(str::to_owned).collect();
    if let Some(standing) = answer.get("standing") {
        assert_eq!(standing.as_object().unwrap().keys().collect::<Vec<_>>(), ["approveTxSignature"], "and no amount");
    }
    assert_eq!(members, ["grantLamports", "handle", "lastValidBlockHeight", "recentBlockhash"], "and nothing else");
    for changing in ["lastValidBlockHeight", "recentBlockhash"] {
        answer.as_object_mut().unwrap().remove(changing);
    }
    answer
}

/// Guard: `prepare_approve` reads the chain alone. Whatever a payer has approved, holds and spent, at this facilitator or not, the
/// same question has the same answer, and asking leaves no trace.
#[tokio::test]
async fn a_stranger_is_told_nothing_of_what_a_payer_spends() {
    let shop = Shop::open(Options::default(), 100_000).await;
    with_sol(&shop.world, &shop.payer).await;
    let questions = [1, 99_999, 100_000, 100_001].map(|units| asks(&shop.world, &shop.payer.key(), units));
    let mut before = Vec::new();
    for question in &questions {
        before.push(told(&shop.world, question).await);
    }
    shop.pays(60_000, None).await;
    shop.world.quiet().await;
    shop.world.confirmed().await;
    let trace = Trace::of(&shop.world).await;
    for (question, before) in questions.iter().zip(&before) {
        assert_eq!(told(&shop.world, question).await, *before);
    }
    assert_eq!(Trace::of(&shop.world).await, trace);
    shop.closes().await;
}

/// Guard: `prepare_approve` looks at the account's delegate, whatever the ledger has kept.
#[tokio::test]
async fn an_approve_that_stands_is_named_until_its_owner_revokes_it() {
    let shop = Shop::open(Options::default(), 100_000).await;
    let question = asks(&shop.world, &shop.payer.key(), 5);
    let approve = view(&shop.world, &shop.session).await["approveTxSignature"].clone();
    assert!(approve.is_string(), "{approve}");
    assert_eq!(told(&shop.world, &question).await["standing"]["approveTxSignature"], approve);
    shop.world.lands(shop.world.revoke_by_owner(&shop.payer));
    shop.world.confirmed().await;
    assert_eq!(told(&shop.world, &question).await.get("standing"), None);
    shop.world.finish().await;
}

/// Guards: `read_wallet`, before anything is simulated, and `template_of`, which has no create.
#[tokio::test]
async fn no_account_is_created_or_reset_by_asking() {
    let world = World::with(Options::settings(|settings| settings.openings.sponsor_account_creation = true)).await;
    let (frozen, nobody) = (world.wallet(100).await, world.stranger());
    world.lands(world.freeze(&frozen.key()));
    world.confirmed().await;
    let trace = Trace::of(&world).await;
    let simulated = || world.net.network().request_counts().get("simulateTransaction").copied();
    let before = simulated();
    for wallet in [&frozen, &nobody] {
        is_refused(&world, &asks(&world, &wallet.key(), 5), 400, "source_not_ready").await;
    }
    assert_eq!(simulated(), before, "nothing is tried on it either");
    assert_eq!(Trace::of(&world).await, trace);
    assert_eq!(world.token_account(&nobody.key()), None);
    assert_eq!(world.units(&frozen), 100);
    world.finish().await;
}

/// Guards: `wire::prepare::preparing`, and the first checks of `prepare_approve`.
#[tokio::test]
async fn odd_questions_are_refused_before_the_chain_is_asked() {
    let world = World::start().await;
    let payer = world.wallet(100).await;
    let good = asks(&world, &payer.key(), 5);
    world.net.network().reset_request_counts();
    let bytes = |length: usize| json!("ab".repeat(length));
    for (member, value, error) in [
        ("ciphertext", bytes(113), "bad_request"),
        ("ciphertext", bytes(153), "bad_request"),
        ("ciphertext", json!("AB".repeat(114)), "bad_request"),
        ("ciphertext", json!("é".repeat(114)), "bad_request"),
        ("ciphertext", json!(5), "bad_request"),
        ("ciphertext", json!(""), "missing_ciphertext"),
        ("user", json!("0OIl"), "invalid_user"),
        ("user", json!(null), "missing_user"),
        ("user", json!(world.spender().to_string()), "invalid_user"),
        ("asset", json!(payer.key().to_string()), "asset_not_allowed"),
        ("asset", json!("x"), "asset_not_allowed"),
    ] {
        let mut body = good.clone();
        body[member] = value;
        is_refused(&world, &body, 400, error).await;
    }
    for method in ["simulateTransaction", "getMultipleAccounts"] {
        assert!(!world.net.network().request_counts().contains_key(method), "{method}");
    }
    // Of the right length, and no encrypted amount: it has a handle like any other, which nobody will ever read.
    let mut odd = good;
    odd["ciphertext"] = bytes(114);
    told(&world, &odd).await;
    world.finish().await;
}

/// Guard: `next_grant_in` in `grant_for`. What is told as a grant is given by an opening.
#[tokio::test]
async fn a_wallet_that_was_given_sol_today_is_told_of_no_further_grant() {
    let world = World::with(Options::settings(|settings| {
        settings.openings.grants_per_user_per_day = 1;
        settings.openings.grants_per_user_per_month = 2;
    }))
    .await;
    let (poor, rich, merchant) = (world.wallet(100).await, world.wallet(100).await, world.wallet(0).await);
    with_sol(&world, &rich).await;
    let grant = async |wallet: &Wallet| told(&world, &asks(&world, &wallet.key(), 5)).await["grantLamports"].clone();
    assert_eq!((grant(&poor).await, grant(&rich).await), (json!(960_480), json!(0)));
    let mut opening = world.opening(&poor, &merchant.key(), 5);
    opening.grant = 960_480;
    let (status, answer) = world.post("/sessions", &world.opening_body(&opening).await).await;
    assert_eq!(status, 201, "{answer:#}");
    world.confirmed().await;
    assert_eq!(world.net.network().balance(&poor.key()), 0);
    assert_eq!(grant(&poor).await, json!(0));
    world.finish().await;
}

/// Guard: `share_of_prepares`. Strangers who ask all at once are told to come back, but for a few, and payments go on beside them.
#[tokio::test]
async fn strangers_who_flood_it_keep_no_payment_waiting() {
    let shop = Shop::open(Options::default(), 100_000).await;
    let slow = Duration::from_secs(2);
    let latency = u64::try_from(slow.as_millis()).unwrap();
    shop.world.net.faults().change(|plan| {
        plan.latency.insert("simulateTransaction".to_owned(), latency);
    });
    shop.world.net.network().reset_request_counts();
    let body = asks(&shop.world, &shop.payer.key(), 5);
    let begun = Instant::now();
    let flood = join_all((0..40).map(|_| async {
        let (status, answer) = shop.world.post("/sessions/prepare", &body).await;
        (status, answer, begun.elapsed())
    }));
    let (answers, _) = tokio::join!(flood, shop.pays(1_000, None));
    let refused: Vec<_> = answers.iter().filter(|(status, ..)| *status == 503).collect();
    assert_eq!(refused.len(), 36, "{answers:#?}");
    assert!(refused.iter().all(|(_, answer, took)| answer["error"] == "overloaded" && *took < slow), "{refused:#?}");
    // Two of each that had a place, and what the payment needed.
    let simulated = shop.world.net.network().request_counts()["simulateTransaction"];
    assert!(simulated <= 2 * 4 + 4, "{simulated}");
    shop.world.net.faults().clear();
    shop.closes().await;
}

/// Guard: `spare_the_endpoints`. While one endpoint asks to be left alone the others are for payments and openings.
#[tokio::test]
async fn an_endpoint_that_asks_for_rest_is_left_to_those_who_pay() {
    let mut shop = Shop::open(Options::default(), 100_000).await;
    let second = shop.world.net.open_endpoint(None).await.unwrap();
    let urls = [shop.world.net.rpc_url(), second.rpc_url()];
    let both = urls.map(|rpc| EndpointUrls { rpc, websocket: None }).to_vec();
    shop.world.reboots_with_endpoints(both).await;
    let body = asks(&shop.world, &shop.payer.key(), 5);
    told(&shop.world, &body).await;
    let limit = TooManyRequests { next: 1, retry_after: Some(4), method: Some("simulateTransaction".to_owned()) };
    shop.world.net.faults().change(|plan| plan.too_many_requests = Some(limit));
    // The question that meets the limit is answered by the other endpoint, or is itself the first to give way.
    let (status, answer) = shop.world.post("/sessions/prepare", &body).await;
    assert!(status == 200 || answer["error"] == "overloaded", "{answer:#}");
    let asked = || second.network().request_counts().get("simulateTransaction").copied();
    let before = asked();
    let answer = is_refused(&shop.world, &body, 503, "overloaded").await;
    assert!(answer["message"].as_str().unwrap().contains("spared"), "{answer:#}");
    assert_eq!(asked(), before, "the other endpoint is not asked in its place");
    shop.pays(1_000, None).await;
    let ends = async || shop.world.post("/sessions/prepare", &body).await.0 == 200;
    shop.world.until("the rest is over", ends).await;
    shop.closes().await;
}

/// Guards: `SharedReads`, and the first checks of `prepare_approve` before it: what asks the chain nothing takes nobody's turn.
#[tokio::test]
async fn what_is_refused_for_nothing_takes_no_turn_of_all() {
    let world =
        World::with(Options::settings(|settings| settings.openings.prepares.per_second = NonZeroU32::new(1))).await;
    let payer = world.wallet(100).await;
    let good = asks(&world, &payer.key(), 5);
    for (member, value, error) in
        [("asset", payer.key(), "asset_not_allowed"), ("user", world.spender(), "invalid_user")]
    {
        let mut free = good.clone();
        free[member] = json!(value.to_string());
        for _ in 0..20 {
            is_refused(&world, &free, 400, error).await;
        }
    }
    told(&world, &good).await;
    // As many at once as there are places, and then one in a second.
    let mut answers = Vec::new();
    while answers.len() < 40 && answers.last().is_none_or(|(status, _)| *status == 200) {
        answers.push(world.post("/sessions/prepare", &good).await);
    }
    let (status, last) = answers.last().unwrap();
    assert_eq!((*status, &last["error"]), (429, &json!("too_many_requests")), "{last:#}");
    world.finish().await;
}

/// Guard: `PrepareSettings::rest`. An endpoint that answers again has no answers to spare yet.
#[tokio::test]
async fn after_an_endpoint_was_asked_too_much_none_is_prepared_for_a_while() {
    let long = Duration::from_hours(1);
    let shop = Shop::open(Options::settings(move |settings| settings.openings.prepares.rest = long), 100_000).await;
    let body = asks(&shop.world, &shop.payer.key(), 5);
    told(&shop.world, &body).await;
    let limit = TooManyRequests { next: 1, retry_after: Some(1), method: Some("simulateTransaction".to_owned()) };
    shop.world.net.faults().change(|plan| plan.too_many_requests = Some(limit));
    shop.world.post("/sessions/prepare", &body).await;
    let chain = &shop.world.running().chain;
    let rests = || chain.endpoints().iter().any(|endpoint| endpoint.backoff.is_some());
    shop.world.until("it answers again", async || !rests()).await;
    is_refused(&shop.world, &body, 503, "overloaded").await;
    shop.pays(1_000, None).await;
    is_refused(&shop.world, &body, 503, "overloaded").await;
    shop.closes().await;
}
