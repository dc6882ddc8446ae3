//! The pool of fee payers, with everything real behind it: shares, drains, refusals, and keys that are gone.

use crate::support::{Options, Wallet, World};
use serde_json::json;
use sotto::{
    domain::settlement::State,
    facilitator::AllowancePolicy,
    ledger::Work,
    localnet::{FaultPlan, Odds},
};

/// The floor of every world here, in lamports.
const FLOOR: u64 = 10_000_000;
const SECOND: [u8; 32] = [77; 32];

fn pool() -> Options {
    Options {
        separate_fee_payer: true,
        further_fee_payers: vec![SECOND],
        ..Options::settings(|settings| settings.transfers.decrypt_allowance = AllowancePolicy::Never)
    }
}

struct Scene {
    world: World,
    payer: Wallet,
    merchant: Wallet,
    session: String,
    second: solana_pubkey::Pubkey,
}

impl Scene {
    /// An open session in a world whose second fee payer has so much.
    async fn with(second_has: u64) -> Self {
        let world = World::with(pool()).await;
        let second = Wallet::from_seed(SECOND).key();
        if second_has > 0 {
            world.net.network().airdrop(&second, second_has).unwrap();
            world.confirmed().await;
        }
        let (payer, merchant) = (world.wallet(1_000).await, world.wallet(0).await);
        let session = world.open(&payer, &merchant.key(), 1_000).await;
        // Asking whether it is ready reads the balances.
        world.get("/ready").await;
        Self { world, payer, merchant, session, second }
    }

    async fn pay(&self, number: u32) -> (u16, serde_json::Value) {
        let nonce = format!("nonce-for-a-pool-{number:04}");
        self.world.post("/settle", &self.world.payment(&self.session, &self.merchant.key(), 1, Some(&nonce))).await
    }

    async fn pays(&self, number: u32) {
        let (status, answer) = self.pay(number).await;
        assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer:#}");
    }

    fn balance(&self, key: &solana_pubkey::Pubkey) -> u64 {
        self.world.net.network().balance(key)
    }

    /// Leaves the announced fee payer less than it may be spent below.
    async fn drain_first(&self) {
        let first = self.world.fee_payer();
        let network = self.world.net.network();
        let mut account = network.account(&first).unwrap();
        account.lamports = FLOOR - 1;
        network.put_account(first, account);
        self.world.confirmed().await;
        self.world.get("/ready").await;
    }
}

/// CR-1. Published clients name the spender as the fee payer of their approve, and know no other key of the pool.
#[tokio::test]
async fn an_approve_that_names_the_spender_opens_where_the_spender_is_first_in_the_pool() {
    let world = World::with(Options { separate_fee_payer: false, ..pool() }).await;
    assert_eq!(world.fee_payer(), world.spender());
    let (payer, merchant) = (world.wallet(1_000).await, world.wallet(0).await);
    let session = world.open(&payer, &merchant.key(), 1_000).await;
    let paid = world.post("/settle", &world.payment(&session, &merchant.key(), 1, Some("by-a-published-one"))).await;
    assert_eq!((paid.0, &paid.1["success"]), (200, &json!(true)), "{paid:#?}");
    world.finish().await;
}

#[tokio::test]
async fn the_keys_of_the_pool_share_the_fees_and_the_spender_pays_none() {
    let scene = Scene::with(100_000_000_000).await;
    let (first, spender) = (scene.world.fee_payer(), scene.world.spender());
    let before = [first, scene.second, spender].map(|key| scene.balance(&key));
    for number in 0..6 {
        scene.pays(number).await;
    }
    let after = [first, scene.second, spender].map(|key| scene.balance(&key));
    assert_eq!([before[0] - after[0], before[1] - after[1]], [3 * 15_000, 3 * 15_000], "equal purses take turns");
    assert_eq!(before[2], after[2]);
    let (status, supported) = scene.world.get("/supported").await;
    let keys = [spender, first, scene.second].map(|key| key.to_string());
    assert_eq!((status, &supported["signers"]["solana:*"]), (200, &json!(keys)));
    assert_eq!(supported["kinds"][0]["extra"]["feePayer"], json!(first.to_string()), "the announced key stays");
    scene.world.finish().await;
}

#[tokio::test]
async fn a_key_below_its_floor_gets_no_new_work_and_ready_says_so() {
    let scene = Scene::with(FLOOR - 1).await;
    for number in 0..4 {
        scene.pays(number).await;
    }
    assert_eq!(scene.balance(&scene.second), FLOOR - 1);
    let (status, ready) = scene.world.get("/ready").await;
    let checks = ready["checks"].as_array().unwrap().clone();
    let pool = checks.iter().find(|check| check["name"] == "fee_payers").unwrap();
    assert_eq!((status, &pool["ok"]), (200, &json!(true)), "one funded key is enough to settle");
    assert!(pool["detail"].as_str().unwrap().contains(&format!("send SOL to {}", scene.second)));
    scene.world.finish().await;
}

#[tokio::test]
async fn with_an_empty_pool_nothing_is_signed_and_everybody_is_told_why() {
    let scene = Scene::with(0).await;
    scene.pays(1).await;
    scene.drain_first().await;
    let (status, answer) = scene.pay(2).await;
    assert_eq!((status, &answer["errorReason"]), (503, &json!("insufficient_sponsor_balance")), "{answer:#}");
    assert_eq!(scene.balance(&scene.world.fee_payer()), FLOOR - 1);
    let body = scene.world.opening_body(&scene.world.opening(&scene.payer, &scene.merchant.key(), 10)).await;
    let (status, answer) = scene.world.post("/sessions", &body).await;
    assert_eq!((status, &answer["error"]), (503, &json!("insufficient_sponsor_balance")), "{answer:#}");
    let (status, ready) = scene.world.get("/ready").await;
    assert_eq!((status, &ready["ok"]), (503, &json!(false)));
    scene.world.net.network().airdrop(&scene.world.fee_payer(), 1_000_000_000).unwrap();
    scene.world.confirmed().await;
    scene.world.get("/ready").await;
    scene.pays(3).await;
    scene.world.finish().await;
}

/// What is in flight needs no key: its bytes are recorded. The drained key's transfer lands, and so does one whose key is
/// not configured any more.
#[tokio::test]
async fn an_attempt_in_flight_finishes_without_its_key() {
    let mut scene = Scene::with(100_000_000_000).await;
    scene.drain_first().await;
    let before = scene.balance(&scene.second);
    scene.world.net.faults().set(FaultPlan { drop_sends: Odds::next(1_000), ..FaultPlan::default() });
    let url = format!("{}/settle", scene.world.running().url);
    let nonce = "a-nonce-that-is-in-flight";
    let body = scene.world.payment(&scene.session, &scene.merchant.key(), 1, Some(nonce));
    let request = scene.world.http.post(url).header("content-type", "application/json").body(body.to_string());
    let request = tokio::spawn(request.send());
    let flies = |work: &Work| work.settlement.state == State::InFlight;
    let unfinished = async || scene.world.ledger().unfinished().await.unwrap();
    scene.world.until("a transfer flies", async || unfinished().await.iter().any(flies)).await;
    request.abort();
    let _ = request.await;
    scene.world.kill().await;
    scene.world.forget_further_fee_payers();
    scene.world.net.faults().clear();
    scene.world.boot().await;
    scene.world.quiet().await;
    assert_eq!(before - scene.balance(&scene.second), 15_000, "the key that is gone paid for what it had signed");
    let (_, answer) = scene.world.post("/settle", &body).await;
    assert_eq!(answer["success"], json!(true), "{answer:#}");
    let (status, answer) = scene.pay(9).await;
    assert_eq!((status, &answer["errorReason"]), (503, &json!("insufficient_sponsor_balance")), "it signs nothing new");
    scene.world.finish().await;
}
