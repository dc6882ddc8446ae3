//! Opening without an RPC of one's own: what the facilitator tells of the chain, and what becomes of it when that is false.

use super::{
    counting::Counting,
    journey::{PRICE, Shop, client_at, key, options, payer, settings_at},
    stand_in::{Answer, StandIn, json as answer},
};
use crate::support::{Options, World};
use serde_json::json;
use solana_pubkey::Pubkey;
use sotto::{
    client::{ApproveError, Authorization, Grant, SessionClient, SessionClientError, SessionKeyChoice},
    domain::clock::SystemClock,
};
use std::sync::Arc;

fn without_rpc(world: &World, facilitator: &str) -> SessionClient {
    let clock = Arc::new(SystemClock);
    SessionClient::without_rpc(settings_at(world, facilitator), clock, Arc::clone(&world.chance)).unwrap()
}

/// What the world's facilitator says of itself, as an answer.
async fn supported(world: &World) -> Answer {
    let url = format!("{}/supported", world.running().url);
    (200, vec![], world.http.get(url).send().await.unwrap().text().await.unwrap())
}

/// A facilitator that answers like the world's, but for the first `POST /sessions/prepare`.
async fn telling(world: &World, told: Answer) -> StandIn {
    StandIn::forwarding(vec![supported(world).await, told], world.running().url.clone(), world.http.clone()).await
}

#[tokio::test]
async fn a_payer_without_an_rpc_opens_and_pays() {
    let world = World::with(Options { separate_fee_payer: true, ..Options::default() }).await;
    let (poor, rich, merchant) = (world.wallet(5_000_000).await, world.wallet(5_000_000).await, world.wallet(0).await);
    world.net.network().airdrop(&rich.key(), 1_000_000_000).unwrap();
    world.confirmed().await;
    let shop = Shop::start(&world, &merchant.key()).await;
    let client = without_rpc(&world, &world.running().url);
    let mut granted = Vec::new();
    for wallet in [&poor, &rich] {
        let before = world.ledger().totals(None).await.unwrap().grants;
        let session = client.open(&key(wallet), &options(&merchant.key(), &shop)).await.unwrap();
        assert!(payer(&world, &session).get(shop.weather()).await.unwrap().receipt.unwrap().success);
        granted.push(world.ledger().totals(None).await.unwrap().grants - before);
    }
    assert_eq!(granted, [960_480, 0], "what the wallet lacks, and no lamport more");
    assert_eq!(world.units(&merchant), 2 * PRICE);
    world.finish().await;
}

/// Guard: `Authorization::Short` in `SessionClient::sign`. The wallet is asked for the transaction and for one line.
#[tokio::test]
async fn a_short_opening_asks_the_wallet_twice() {
    let world = World::start().await;
    let (wallet, merchant) = (world.wallet(5_000_000).await, world.wallet(0).await);
    let shop = Shop::start(&world, &merchant.key()).await;
    let mut options = options(&merchant.key(), &shop);
    for (authorization, prompts) in [(Authorization::Both, [2, 1]), (Authorization::Short, [1, 1])] {
        let counting = Counting::of(&wallet);
        options.authorization = authorization;
        let session = without_rpc(&world, &world.running().url).open(&counting, &options).await.unwrap();
        assert_eq!(counting.asked(), prompts, "{authorization:?}");
        assert!(payer(&world, &session).get(shop.weather()).await.unwrap().receipt.unwrap().success);
        world.quiet().await;
    }
    options.session_key = SessionKeyChoice::None;
    let counting = Counting::of(&wallet);
    let refused = without_rpc(&world, &world.running().url).open(&counting, &options).await;
    assert!(matches!(refused, Err(SessionClientError::Options(_))), "{refused:?}");
    assert_eq!(counting.asked(), [0, 0]);
    world.finish().await;
}

/// Guard: `PrepareReply::NotServed`: a facilitator that is older answers 404, or 405 where it shows sessions by their id.
#[tokio::test]
async fn at_an_older_facilitator_the_payers_own_rpc_is_asked() {
    let world = World::start().await;
    let (wallet, merchant) = (world.wallet(5_000_000).await, world.wallet(0).await);
    let shop = Shop::start(&world, &merchant.key()).await;
    let options = options(&merchant.key(), &shop);
    for status in [404, 405] {
        let older = || telling(&world, answer(status, &json!({"error": "not_found", "message": "No such route."})));
        let facilitator = older().await;
        let counting = Counting::of(&wallet);
        let none = without_rpc(&world, &facilitator.url).open(&counting, &options).await;
        assert!(matches!(none, Err(SessionClientError::Approve(ApproveError::NoNode))), "{none:?}");
        assert_eq!(counting.asked(), [0, 0]);
        let facilitator = older().await;
        let session = client_at(&world, &facilitator.url).open(&key(&wallet), &options).await.unwrap();
        let paths: Vec<_> = facilitator.asked().into_iter().map(|asked| asked.path).collect();
        assert_eq!(paths, ["/supported", "/sessions/prepare", "/sessions"]);
        assert!(payer(&world, &session).get(shop.weather()).await.unwrap().receipt.unwrap().success);
        world.quiet().await;
    }
    world.finish().await;
}

/// Guards: `by_answer`, and the facilitator's own look at what it is sent. An answer that somebody else has written makes an opening
/// fail, and gets them nothing.
#[tokio::test]
async fn what_is_told_falsely_opens_nothing() {
    let world = World::start().await;
    let (wallet, merchant) = (world.wallet(5_000_000).await, world.wallet(0).await);
    let shop = Shop::start(&world, &merchant.key()).await;
    let options = options(&merchant.key(), &shop);
    let hash = world.net.network().latest_blockhash().to_string();
    let told = |hash: &str, handle: &str| json!({"recentBlockhash": hash, "lastValidBlockHeight": 1, "handle": handle, "grantLamports": 960_480});
    // What cannot be true is not signed.
    for body in [told(&hash, "0"), told(&hash, "x"), told("x", "1")] {
        let facilitator = telling(&world, answer(200, &body)).await;
        let counting = Counting::of(&wallet);
        let refused = without_rpc(&world, &facilitator.url).open(&counting, &options).await;
        assert!(matches!(refused, Err(SessionClientError::Approve(ApproveError::Prepared(_)))), "{refused:?}");
        assert_eq!(counting.asked(), [0, 0]);
    }
    // What can be is signed, and is an approve of the pinned spender all the same: it fails.
    let stranger = Pubkey::new_unique().to_string();
    for body in [told(&hash, "12345"), told(&stranger, "12345")] {
        let facilitator = telling(&world, answer(200, &body)).await;
        let refused = without_rpc(&world, &facilitator.url).open(&key(&wallet), &options).await;
        assert!(matches!(refused, Err(SessionClientError::Refused(_))), "{refused:?}");
    }
    assert_eq!(world.token_account(&wallet.key()).unwrap().delegate, None);
    world.finish().await;
}

/// Guards: `approve_by_facilitator` repeats what may pass, and tells what does not.
#[tokio::test]
async fn a_facilitator_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
    let world = World::start().await;
    let (wallet, merchant) = (world.wallet(5_000_000).await, world.wallet(0).await);
    let shop = Shop::start(&world, &merchant.key()).await;
    let mut options = options(&merchant.key(), &shop);
    let busy = answer(429, &json!({"error": "too_many_requests", "message": "Later."}));
    let facilitator = telling(&world, busy).await;
    without_rpc(&world, &facilitator.url).open(&key(&wallet), &options).await.unwrap();
    let asked = facilitator.asked();
    assert_eq!(asked[1].body, asked[2].body, "the same question");

    let nobody = world.stranger();
    match without_rpc(&world, &world.running().url).open(&key(&nobody), &options).await {
        Err(SessionClientError::Refused(body)) => assert_eq!(body.error, "source_not_ready"),
        other => panic!("{other:?}"),
    }
    options.grant = Grant::Never;
    let poor = world.wallet(5_000_000).await;
    let refused = without_rpc(&world, &world.running().url).open(&key(&poor), &options).await;
    assert!(matches!(refused, Err(SessionClientError::Approve(ApproveError::WouldFail(_)))), "{refused:?}");
    world.finish().await;
}

/// Guard: `check_recipient`: a payer with an RPC learns before the wallet is asked that nobody could be paid there.
#[tokio::test]
async fn a_recipient_that_is_no_wallet_is_refused_with_and_without_an_rpc() {
    let world = World::start().await;
    let (wallet, merchant) = (world.wallet(5_000_000).await, world.wallet(0).await);
    let shop = Shop::start(&world, &merchant.key()).await;
    let mut options = options(&merchant.key(), &shop);
    options.recipient = world.account_of(&merchant.key());
    let counting = Counting::of(&wallet);
    let refused = client_at(&world, &world.running().url).open(&counting, &options).await;
    assert!(matches!(refused, Err(SessionClientError::Approve(ApproveError::Recipient(_)))), "{refused:?}");
    assert_eq!(counting.asked(), [0, 0]);
    match without_rpc(&world, &world.running().url).open(&counting, &options).await {
        Err(SessionClientError::Refused(body)) => assert_eq!(body.error, "invalid_recipient"),
        other => panic!("{other:?}"),
    }
    assert_eq!(world.ledger().totals(None).await.unwrap().grants, 0);
    world.finish().await;
}
