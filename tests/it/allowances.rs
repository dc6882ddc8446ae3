//! Decrypt allowances: bought for accounts at rest, in between for those that never are, and on request; and what
//! becomes of a payment when a stranger moves an account first.

use crate::{
    openapi::check_answer,
    support::{Options, Wallet, World},
};
use serde_json::{Value, json};
use solana_message::{VersionedMessage, legacy};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use sotto::{
    domain::{
        budget::{Budgets, Part, Scope},
        settlement::Purpose,
        signed,
    },
    facilitator::{AllowancePolicy, AllowanceSettings},
    ledger::Totals,
    localnet::standins::Delegation,
    programs::{ciphertext::encrypt, inco_token::Transfer},
};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

const PURSE: u64 = 1_000_000;
const PRICE: u64 = 1_000;
/// Rent of two decrypt allowances, in lamports.
const TWO: u64 = 2 * 960_480;
const HOUR: Duration = Duration::from_hours(1);

/// A world with one payer, one merchant and one open session between them.
struct Shop {
    world: World,
    payer: Wallet,
    merchant: Wallet,
    session: String,
    opened: Totals,
}

fn idle(allowances: AllowanceSettings) -> Options {
    Options::settings(move |settings| {
        settings.decrypt_allowance = AllowancePolicy::Idle;
        settings.allowances = allowances;
    })
}

/// Nothing is bought unless a test says so.
fn never_at_rest() -> AllowanceSettings {
    AllowanceSettings { idle_after: HOUR, min_interval: HOUR, max_age: HOUR, request_interval: HOUR }
}

/// Asks by a session for its "user" or "merchant", signed by `signer`.
pub(crate) async fn asks(world: &World, session: &str, who: &str, signer: &Wallet) -> (u16, Value) {
    let at = world.now();
    let message = signed::read_message(session, at);
    let signature = bs58::encode(signer.sign(message.as_bytes())).into_string();
    let path = format!("/sessions/{session}/allowances?at={at}&signature={signature}");
    let (status, answer) = world.post(&path, &json!({ "for": who })).await;
    check_answer("/sessions/{id}/allowances", "POST", status, &answer);
    (status, answer)
}

async fn in_flight(world: &World, purpose: Purpose) -> usize {
    let unfinished = world.ledger().unfinished().await.unwrap();
    unfinished.iter().filter(|work| work.settlement.purpose == purpose && work.attempt.is_some()).count()
}

impl Shop {
    async fn open(options: Options) -> Self {
        let world = World::with(options).await;
        let (payer, merchant) = (world.wallet(PURSE).await, world.wallet(0).await);
        let session = world.open(&payer, &merchant.key(), 100_000).await;
        let opened = world.ledger().totals(None).await.unwrap();
        Self { world, payer, merchant, session, opened }
    }

    async fn pays(&self) {
        let body = self.world.payment(&self.session, &self.merchant.key(), PRICE, None);
        let (status, answer) = self.world.post("/settle", &body).await;
        assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer:#}");
    }

    /// Fees and rent spent since the session was opened, in lamports.
    async fn spent(&self) -> (u64, u64) {
        let now = self.world.ledger().totals(None).await.unwrap();
        (now.fees - self.opened.fees, now.rent - self.opened.rent)
    }

    fn is_readable(&self, wallet: &Wallet) -> bool {
        let handle = self.world.token_account(&wallet.key()).unwrap().amount;
        let allowance = self.world.programs.decrypt_allowance(handle, &wallet.key());
        self.world.net.network().account(&allowance).is_some()
    }

    async fn becomes_readable(&self, wallet: &Wallet) {
        self.world.until("the balance becomes readable", async || self.is_readable(wallet)).await;
        self.world.confirmed().await;
    }

    /// Waits until everything that is on chain is in the books, and final.
    async fn is_booked(&self) {
        self.world.quiet().await;
    }

    /// A transfer of zero to the merchant by somebody we know nothing of lands right before the next transaction that
    /// moves their account: after it was simulated.
    async fn is_ambushed(&self) {
        let world = &self.world;
        let (stranger, network) = (world.wallet(5).await, world.net.network());
        network.airdrop(&stranger.key(), 1_000_000_000).unwrap();
        world.confirmed().await;
        let (mint, key) = (world.faucet.mint(), network.stand_ins().encryption_key());
        let destination = world.programs.token_account(&self.merchant.key(), &mint);
        let transfer = world.programs.transfer(&Transfer {
            source: world.programs.token_account(&stranger.key(), &mint),
            destination,
            authority: stranger.key(),
            ciphertext: encrypt(&key, 0, &*world.chance),
            allowances: None,
        });
        let blockhash = network.latest_blockhash();
        let message = legacy::Message::new_with_blockhash(&[transfer], Some(&stranger.key()), &blockhash);
        let signatures = vec![Signature::from(stranger.sign(&message.serialize()))];
        network.ambush(destination, VersionedTransaction { signatures, message: VersionedMessage::Legacy(message) });
    }

    async fn asks(&self, who: &str, signer: &Wallet) -> (u16, Value) {
        asks(&self.world, &self.session, who, signer).await
    }

    /// What moved on chain is what was captured.
    async fn closes(self, calls: u64) {
        let captured = self.world.ledger().totals(None).await.unwrap().captured.get();
        assert_eq!(captured, calls * PRICE);
        assert_eq!((self.world.units(&self.merchant), self.world.units(&self.payer)), (captured, PURSE - captured));
        self.world.finish().await;
    }
}

/// Whatever rests for so long is made readable, once.
fn rests_a_second() -> AllowanceSettings {
    AllowanceSettings { idle_after: Duration::from_secs(1), ..never_at_rest() }
}

#[tokio::test]
async fn a_call_costs_a_fee_and_balances_become_readable_once_they_rest() {
    for delegation in [Delegation::Public, Delegation::Documented] {
        let shop = Shop::open(Options { delegation, ..idle(rests_a_second()) }).await;
        shop.pays().await;
        shop.becomes_readable(&shop.merchant).await;
        shop.becomes_readable(&shop.payer).await;
        shop.is_booked().await;
        assert_eq!(shop.world.balance(&shop.merchant).await, PRICE);
        assert_eq!(shop.world.balance(&shop.payer).await, PURSE - PRICE);
        assert_eq!(shop.spent().await, (15_000, TWO), "{delegation:?}: one transfer of zero for both");
        shop.pays().await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(shop.spent().await, (25_000, TWO), "{delegation:?}: not again within the interval");
        shop.closes(2).await;
    }
}

#[tokio::test]
async fn many_calls_cost_a_fee_each_and_a_restart_does_not_forget_which_balances_are_unreadable() {
    let mut shop = Shop::open(idle(never_at_rest())).await;
    for _ in 0..3 {
        shop.pays().await;
    }
    assert_eq!(shop.spent().await, (30_000, 0), "a fee and no rent");
    assert!(!shop.is_readable(&shop.payer) && !shop.is_readable(&shop.merchant));
    shop.world.kill().await;
    shop.world.configure(idle(rests_a_second()).settings);
    shop.world.boot().await;
    shop.becomes_readable(&shop.merchant).await;
    shop.becomes_readable(&shop.payer).await;
    shop.is_booked().await;
    assert_eq!(shop.spent().await, (35_000, TWO), "one transfer of zero for both");
    shop.closes(3).await;
}

#[tokio::test]
async fn accounts_that_never_rest_have_one_payment_buy_the_right_to_read() {
    let allowances = AllowanceSettings { max_age: Duration::from_millis(500), ..never_at_rest() };
    let shop = Shop::open(idle(allowances)).await;
    let mut calls = 0;
    while shop.spent().await.1 == 0 && calls < 200 {
        shop.pays().await;
        calls += 1;
    }
    assert!(calls > 1 && shop.is_readable(&shop.payer) && shop.is_readable(&shop.merchant));
    for _ in 0..5 {
        shop.pays().await;
    }
    assert_eq!(shop.spent().await, ((calls + 5) * 10_000, TWO), "one of them, and not the others");
    shop.closes(calls + 5).await;
}

#[tokio::test]
async fn a_payment_whose_allowances_a_stranger_spoilt_is_made_without_them_once() {
    let always = AllowanceSettings { max_age: Duration::ZERO, min_interval: Duration::ZERO, ..never_at_rest() };
    for (policy, allowances) in [(AllowancePolicy::Every, never_at_rest()), (AllowancePolicy::Idle, always)] {
        let options = Options::settings(move |settings| {
            settings.decrypt_allowance = policy;
            settings.allowances = allowances;
        });
        let shop = Shop::open(options).await;
        shop.pays().await;
        let before = shop.spent().await;
        shop.is_ambushed().await;
        shop.pays().await;
        assert!(!shop.world.net.network().has_ambushes(), "{policy:?}: the stranger came first");
        let after = shop.spent().await;
        assert_eq!((after.0 - before.0, after.1 - before.1), (20_000, 0), "{policy:?}: the failed fee is booked");
        shop.pays().await;
        assert_eq!(shop.spent().await.1 - after.1, TWO, "{policy:?}: the next one buys again");
        shop.closes(3).await;
    }
}

#[tokio::test]
async fn the_two_wallets_of_a_session_are_made_able_to_read_on_request() {
    let shop = Shop::open(idle(never_at_rest())).await;
    shop.pays().await;
    let (status, answer) = shop.asks("user", &shop.payer).await;
    assert_eq!(status, 200, "{answer:#}");
    assert!(answer["transaction"].as_str().is_some_and(|signature| signature.len() > 80));
    shop.world.confirmed().await;
    assert_eq!(shop.world.balance(&shop.payer).await, PURSE - PRICE);
    assert_eq!(shop.world.balance(&shop.merchant).await, PRICE, "both were quiet, and one transfer does for both");
    assert_eq!(shop.spent().await, (15_000, TWO));
    let (status, answer) = shop.asks("merchant", &shop.merchant).await;
    assert_eq!((status, &answer["transaction"]), (200, &json!("")), "what is readable costs nothing");
    assert_eq!(shop.spent().await, (15_000, TWO));

    shop.pays().await;
    let too_soon = async |who, wallet| {
        let (status, answer) = shop.asks(who, wallet).await;
        assert_eq!((status, &answer["error"]), (429, &json!("refresh_too_soon")), "{who}: {answer:#}");
    };
    too_soon("user", &shop.payer).await;
    assert_eq!(shop.asks("merchant", &shop.merchant).await.0, 200, "it was not the merchant who asked");
    shop.pays().await;
    too_soon("user", &shop.payer).await;
    too_soon("merchant", &shop.merchant).await;
    assert_eq!(shop.spent().await, (40_000, 2 * TWO), "three payments and two refreshes");
    shop.closes(3).await;
}

#[tokio::test]
async fn nobody_else_has_a_balance_made_readable_at_our_cost() {
    let shop = Shop::open(idle(never_at_rest())).await;
    shop.pays().await;
    let spent = shop.spent().await;
    let stranger = shop.world.stranger();
    for (who, signer) in
        [("user", &stranger), ("user", &shop.merchant), ("merchant", &shop.payer), ("merchant", &stranger)]
    {
        let (status, answer) = shop.asks(who, signer).await;
        assert_eq!((status, &answer["error"]), (403, &json!("signature_required")), "{who}: {answer:#}");
    }
    let path = format!("/sessions/{}/allowances", shop.session);
    assert_eq!(shop.world.post(&path, &json!({})).await.0, 403, "unsigned");
    assert_eq!(shop.world.post(&path, &json!({ "for": "everybody" })).await.0, 400);
    let unknown = "/sessions/00000000-0000-4000-8000-000000000000/allowances";
    assert_eq!(shop.world.post(unknown, &json!({})).await.0, 404);
    assert_eq!(shop.spent().await, spent);
    shop.closes(1).await;
}

#[tokio::test]
async fn a_refresh_that_a_stranger_spoilt_costs_a_fee_and_is_made_from_our_own_account() {
    let shop = Shop::open(idle(never_at_rest())).await;
    shop.pays().await;
    shop.is_ambushed().await;
    let (status, answer) = shop.asks("merchant", &shop.merchant).await;
    assert_eq!(status, 200, "{answer:#}");
    assert!(!shop.world.net.network().has_ambushes());
    assert!(shop.is_readable(&shop.merchant) && !shop.is_readable(&shop.payer));
    let (fees, rent) = shop.spent().await;
    assert_eq!(fees, 10_000 + 3 * 5_000, "the spoilt one, our own account, the refresh");
    assert!((TWO + 2_000_000..TWO + 3_000_000).contains(&rent), "the two allowances and our own account: {rent}");
    shop.closes(1).await;
}

#[tokio::test]
async fn where_nothing_is_bought_on_idle_a_wallet_is_refreshed_from_our_own_account() {
    let options = Options::settings(|settings| {
        settings.decrypt_allowance = AllowancePolicy::Never;
        settings.allowances = never_at_rest();
    });
    let shop = Shop::open(options).await;
    shop.pays().await;
    assert_eq!(shop.asks("user", &shop.payer).await.0, 200);
    shop.world.confirmed().await;
    assert_eq!(shop.world.balance(&shop.payer).await, PURSE - PRICE);
    assert!(!shop.is_readable(&shop.merchant), "each for their own account");
    shop.closes(1).await;
}

/// Guard: what `buy` does when the ledger refuses the attempt, and `may_buy_allowances` the next time.
#[tokio::test]
async fn a_refresh_on_request_is_refused_by_a_used_up_budget_and_leaves_no_trace() {
    let shop = Shop::open(Options::settings(|settings| {
        settings.decrypt_allowance = AllowancePolicy::Idle;
        settings.allowances = AllowanceSettings { request_interval: Duration::ZERO, ..never_at_rest() };
        // One pair of decrypt allowances, after the upper bound of the approve's own.
        settings.budgets = Budgets::default().with(Scope::MerchantHour, Part::Rent, 3_000_000);
    }))
    .await;
    shop.pays().await;
    assert_eq!(shop.asks("user", &shop.payer).await.0, 200);
    shop.pays().await;
    let before = shop.spent().await;
    assert_eq!(before, (25_000, TWO));
    for who in [("user", &shop.payer), ("merchant", &shop.merchant), ("user", &shop.payer)] {
        let (status, answer) = shop.asks(who.0, who.1).await;
        assert_eq!((status, &answer["error"]), (429, &json!("quota_exceeded")), "{answer:#}");
    }
    assert_eq!(shop.spent().await, before);
    let booked = shop.world.ledger().spending(0).await.unwrap();
    assert!(booked.iter().all(|row| row.reserved.total() == 0), "{booked:?}");
    assert!(!shop.is_readable(&shop.payer) && !shop.is_readable(&shop.merchant));
    shop.pays().await;
    shop.closes(3).await;
}

/// What asks and answers in a shop of its own beside others: a session and the wallet that pays by it.
async fn another_payer(world: &World) -> (String, Wallet) {
    let (payer, merchant) = (world.wallet(PURSE).await, world.wallet(0).await);
    let session = world.open(&payer, &merchant.key(), 100_000).await;
    let (status, answer) = world.post("/settle", &world.payment(&session, &merchant.key(), PRICE, None)).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer:#}");
    (session, payer)
}

#[tokio::test]
async fn a_line_of_refreshes_does_not_hold_a_merchants_account() {
    let options = Options::settings(|settings| {
        settings.decrypt_allowance = AllowancePolicy::Never;
        settings.allowances = never_at_rest();
    });
    let mut shop = Shop::open(options).await;
    let world = &shop.world;
    let address = |wallet: Pubkey| world.programs.token_account(&wallet, &world.faucet.mint());
    // A merchant whose account comes before our own in every order by key.
    while address(shop.merchant.key()) > address(world.spender()) {
        shop.merchant = world.wallet(0).await;
    }
    shop.session = world.open(&shop.payer, &shop.merchant.key(), 100_000).await;
    shop.pays().await;
    let mut crowd = Vec::new();
    for _ in 0..5 {
        crowd.push(another_payer(world).await);
    }
    // Every landing is told a second late, so each refresh holds what it holds for so long.
    world.net.faults().change(|plan| plan.late_confirmation.insert("*".to_owned(), 40).map_or((), drop));
    let refreshed = AtomicUsize::new(0);
    let asks = async |session: &str, who, wallet: &Wallet| {
        let (status, answer) = asks(world, session, who, wallet).await;
        assert_eq!(status, 200, "{answer:#}");
        refreshed.fetch_add(1, Ordering::SeqCst);
    };
    let line = futures_util::future::join_all(crowd.iter().map(|(session, payer)| asks(session, "user", payer)));
    let merchant = async {
        // At the end of the line, while the first of it has our own account made.
        world.until("it is made", async || in_flight(world, Purpose::Probe).await > 0).await;
        asks(&shop.session, "merchant", &shop.merchant).await;
    };
    let pays = async {
        world.until("one is refreshed", async || refreshed.load(Ordering::SeqCst) > 0).await;
        shop.pays().await;
        refreshed.load(Ordering::SeqCst)
    };
    let (_, (), before) = tokio::join!(line, merchant, pays);
    assert!(before <= 4, "{before} refreshes were done before the merchant was paid");
    shop.world.net.faults().clear();
    assert_eq!(refreshed.into_inner(), 6);
    shop.world.finish().await;
}

#[tokio::test]
async fn who_asks_again_and_again_whether_a_balance_is_readable_is_told_to_wait() {
    let shop = Shop::open(idle(never_at_rest())).await;
    shop.pays().await;
    assert_eq!(shop.asks("user", &shop.payer).await.0, 200);
    for _ in 1..10 {
        assert_eq!(shop.asks("user", &shop.payer).await.0, 200, "it is readable");
    }
    shop.world.net.network().reset_request_counts();
    let (status, answer) = shop.asks("user", &shop.payer).await;
    assert_eq!((status, &answer["error"]), (429, &json!("refresh_too_soon")), "{answer:#}");
    assert_eq!(shop.world.net.network().request_counts().get("getMultipleAccounts"), None, "nothing is read for it");
    assert_eq!(shop.asks("merchant", &shop.merchant).await.0, 200, "it was not the merchant who asked");
    shop.closes(1).await;
}

/// Guard: `refresh_at_rest` waits for no opening.
#[tokio::test]
async fn an_opening_that_takes_its_time_keeps_nobody_elses_balance_unreadable() {
    // The opening takes its gate long before the account that just paid is at rest.
    let allowances = AllowanceSettings { idle_after: Duration::from_secs(2), ..never_at_rest() };
    let options = Options::settings(move |settings| {
        settings.decrypt_allowance = AllowancePolicy::Idle;
        settings.allowances = allowances;
        settings.cap_check_deadline = Duration::from_mins(1);
    });
    let shop = Shop::open(options).await;
    let world = &shop.world;
    let (other, others) = (world.wallet(PURSE).await, world.wallet(0).await);
    let session = world.open(&other, &others.key(), 100_000).await;
    let opening = world.opening_body(&world.opening(&shop.payer, &shop.merchant.key(), 100_000)).await;
    world.covalidator.faults().change(|plan| plan.silent_next = u32::MAX);
    shop.pays().await;
    let readable = async {
        // It has landed, and asks for what was approved; meanwhile the payer's accounts come to rest, and before those that
        // move only now.
        world.until("it is sent", async || in_flight(world, Purpose::Approve).await > 0).await;
        let body = world.payment(&session, &others.key(), PRICE, None);
        let (status, answer) = world.post("/settle", &body).await;
        assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer:#}");
        shop.becomes_readable(&other).await;
        shop.becomes_readable(&others).await;
    };
    tokio::select! {
        answer = world.post("/sessions", &opening) => panic!("it takes its time: {answer:#?}"),
        () = readable => {}
    }
    assert!(!shop.is_readable(&shop.payer), "left for later");
    world.covalidator.faults().change(|plan| plan.silent_next = 0);
    shop.world.finish().await;
}
