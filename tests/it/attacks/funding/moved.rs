//! Payers who move their money away while they pay: before a transfer is signed, and between that and its landing (ADR
//! 0035). And those who do not, with strangers who would like them to seem so.

use super::super::{PURSE, Shop, on_both_sides, transfers, with_sol};
use super::{moves, proves, source, source_of};
use crate::support::{Options, Wallet, World, hastily};
use futures_util::future::join_all;
use serde_json::{Value, json};
use sotto::{domain::funding::FundingPolicy, facilitator::AllowancePolicy, localnet::FaultPlan};
use std::{collections::BTreeMap, time::Duration};

pub(super) const TOKEN: u64 = 1_000_000;
/// What one look is worth.
pub(super) const LOOK: u64 = 20 * TOKEN;
const HISTORIES: &str = "getSignaturesForAddress";
const ACCOUNTS: &str = "getMultipleAccounts";

/// Nobody looks at accounts but for payments, and no transfer names the handles that a stranger may move.
fn unwatched() -> Options {
    Options::settings(|settings| {
        settings.funding.policy = FundingPolicy::Advisory;
        settings.funding.interval = Duration::from_hours(1);
        settings.transfers.decrypt_allowance = AllowancePolicy::Never;
        assert_eq!(settings.funding.look_exposure.get(), LOOK);
    })
}

/// A payer who has proved so much, may spend all of it, and has SOL of their own.
pub(super) async fn proved_shop(units: u64) -> Shop {
    proved_shop_in(World::with(unwatched()).await, units, units).await
}

/// As [`proved_shop`], where more may be spent than is there.
pub(super) async fn proved_shop_with(units: u64, cap: u64) -> Shop {
    proved_shop_in(World::with(unwatched()).await, units, cap).await
}

async fn proved_shop_in(world: World, units: u64, cap: u64) -> Shop {
    let (payer, merchant) = (world.wallet(units).await, world.wallet(0).await);
    let session = world.open(&payer, &merchant.key(), cap).await;
    let shop = Shop { world, payer, merchant, session };
    with_sol(&shop.world, &shop.payer).await;
    proves(&shop).await;
    shop
}

/// A payment by a merchant who demands proof.
pub(super) fn demanding(shop: &Shop, amount: u64, nonce: Option<&str>) -> Value {
    let mut body = shop.payment(amount, nonce);
    on_both_sides(&mut body, "extra", &json!({ "funding": "required" }));
    body
}

pub(super) async fn settles_at_once(shop: &Shop, bodies: &[Value]) -> Vec<Value> {
    let answers = join_all(bodies.iter().map(|body| shop.world.post("/settle", body))).await;
    answers.into_iter().map(|(_, answer)| answer).collect()
}

pub(super) async fn captured(shop: &Shop) -> u64 {
    shop.world.ledger().totals(None).await.unwrap().captured.get()
}

pub(super) fn is_proven(answer: &Value) -> bool {
    answer["success"] == json!(true) && answer["extensions"]["session"]["funding"] == "proven"
}

fn asked(world: &World, method: &str) -> u64 {
    world.net.network().request_counts().get(method).copied().unwrap_or(0)
}

/// Has the payer's own transfer of everything land right before the next transaction that moves their account.
fn lays_in_wait(shop: &Shop, elsewhere: &Wallet) {
    let away = shop.world.transfer_by_owner(&shop.payer, &elsewhere.key(), PURSE);
    shop.world.net.network().ambush(source_of(shop), away);
}

/// Guards: `Looks::before_signing`, and `lacks_demanded_proof` for what waits behind the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a6_who_moves_a_proved_balance_away_is_served_nothing_for_it() {
    let shop = proved_shop(400 * TOKEN).await;
    let elsewhere = shop.world.wallet(0).await;
    let paying: Vec<_> = (0..3).map(|_| demanding(&shop, TOKEN, None)).collect();
    assert!(settles_at_once(&shop, &paying).await.iter().all(is_proven), "the balance is there, and is told so");
    let sent = transfers(&shop.world, &shop.payer).await.len();
    moves(&shop.world, &shop.payer, &elsewhere.key(), 397 * TOKEN);
    shop.world.confirmed().await;
    let bodies: Vec<_> = (0..120).map(|_| demanding(&shop, TOKEN, None)).collect();
    let answers = settles_at_once(&shop, &bodies).await;
    let refused = answers.iter().filter(|answer| answer["errorReason"] == "funding_unproven").count();
    assert_eq!(refused, 120, "{:#?}", answers.iter().find(|answer| answer["errorReason"] != "funding_unproven"));
    assert_eq!(shop.world.units(&shop.merchant), 3 * TOKEN, "what was told as proven has moved");
    assert_eq!(transfers(&shop.world, &shop.payer).await.len(), sent, "nothing was sent, so nothing is charged");
    assert_eq!(captured(&shop).await, 3 * TOKEN);
    shop.world.finish().await;
}

/// Guards: `with_landed_level`, and that no success is booked with the landing for a caller who asks for a proof.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a6_what_lands_after_the_balance_was_moved_away_is_no_success_and_stays_captured() {
    let shop = proved_shop(PURSE).await;
    let elsewhere = shop.world.wallet(0).await;
    let nonces: Vec<_> = (0..30).map(|number| format!("moved-away-{number:0>8}")).collect();
    let bodies: Vec<_> = nonces.iter().map(|nonce| demanding(&shop, TOKEN, Some(nonce))).collect();
    lays_in_wait(&shop, &elsewhere);
    let answers = settles_at_once(&shop, &bodies).await;
    assert!(!shop.world.net.network().has_ambushes(), "the owner's transfer landed between look and landing");
    assert!(answers.iter().all(|answer| answer["errorReason"] == "funding_unproven"), "{answers:#?}");
    let carried: Vec<_> = answers.iter().filter(|answer| answer["transaction"] != "").collect();
    let captured = captured(&shop).await;
    assert_eq!(
        captured,
        carried.len() as u64 * TOKEN,
        "what was sent stays captured, and is told with its transaction"
    );
    assert!(captured > 0 && captured <= LOOK, "{captured}");
    assert!(carried.iter().all(|answer| answer["extensions"]["session"]["settlement"] == "captured"), "{carried:#?}");
    assert_eq!(shop.world.units(&shop.merchant), 0, "nothing moved");
    for (body, before) in bodies.iter().zip(&answers).take(3) {
        let (_, again) = shop.world.post("/settle", body).await;
        assert_eq!(again["errorReason"], before["errorReason"], "{again:#}");
        assert_eq!(again["transaction"], before["transaction"], "{again:#}");
        let (_, verified) = shop.world.post("/verify", body).await;
        assert_eq!(verified["invalidReason"], "funding_unproven", "{verified:#}");
    }
    assert!(source(&shop).await.bound.unwrap().lost.is_some());
    shop.world.finish().await;
}

/// Guard: `landed` in `Answer::outcome`.
#[tokio::test]
async fn a6_where_no_proof_is_demanded_what_moved_nothing_is_told_as_unproven() {
    let shop = proved_shop(PURSE).await;
    let elsewhere = shop.world.wallet(0).await;
    lays_in_wait(&shop, &elsewhere);
    let answer = shop.pays(TOKEN, Some("nobody-asks-for-a-proof")).await;
    assert_eq!(answer["extensions"]["session"]["funding"], "unproven", "{answer:#}");
    assert_eq!(shop.world.units(&shop.merchant), 0);
    shop.world.finish().await;
}

/// Guards: `Foreign::voids`, and that harmless entries explain a balance that has changed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a6_a_payer_who_keeps_their_money_is_served_as_proven_whatever_strangers_send() {
    let shop = proved_shop(PURSE).await;
    let stranger = shop.world.wallet(0).await;
    with_sol(&shop.world, &stranger).await;
    let disturbs = async {
        loop {
            moves(&shop.world, &stranger, &shop.payer.key(), 0);
            shop.world.confirmed().await;
        }
    };
    let pays = async {
        for round in 0..6 {
            let bodies: Vec<_> = (0..=round).map(|_| demanding(&shop, TOKEN, None)).collect();
            let answers = settles_at_once(&shop, &bodies).await;
            assert!(answers.iter().all(is_proven), "{answers:#?}");
        }
    };
    tokio::select! {
        () = disturbs => {}
        () = pays => {}
    }
    assert_eq!(shop.world.units(&shop.merchant), 21 * TOKEN);
    assert_eq!(source(&shop).await.bound.unwrap().lost, None);
    shop.world.finish().await;
}

/// Guards: `has_judged` in `after_landing`, and the handle that is compared in `look`. What ADR 0035 says that it costs.
#[tokio::test]
async fn a6_a_payment_alone_costs_two_histories_and_an_account_and_payments_together_share_them() {
    let shop = proved_shop_in(World::with(unwatched().without_rounds()).await, PURSE, PURSE).await;
    // The first transfer of its kind is simulated.
    shop.pays(TOKEN, None).await;
    let before = (asked(&shop.world, HISTORIES), asked(&shop.world, ACCOUNTS));
    for _ in 0..5 {
        assert!(is_proven(&shop.pays(TOKEN, None).await));
    }
    let alone = (asked(&shop.world, HISTORIES) - before.0, asked(&shop.world, ACCOUNTS) - before.1);
    assert!(alone.0 <= 10 && alone.1 <= 5, "{alone:?} for five payments");
    let (before, sent) = (asked(&shop.world, HISTORIES), transfers(&shop.world, &shop.payer).await.len());
    // Reading the transfers is a look at the history, too.
    let before = before + 1;
    let bodies: Vec<_> = (0..20).map(|_| demanding(&shop, TOKEN, None)).collect();
    let answers = settles_at_once(&shop, &bodies).await;
    assert!(answers.iter().all(is_proven), "{answers:#?}");
    let together = asked(&shop.world, HISTORIES) - before;
    let sent = (transfers(&shop.world, &shop.payer).await.len() - sent) as u64;
    assert!(together <= 2 * sent && sent < 10, "{together} histories for {sent} transfers");
    shop.closes().await;
}

/// Guard: a success that depends on a look is claimed after it, and not booked with the landing.
#[tokio::test]
async fn a6_a_process_that_dies_between_a_landing_and_its_look_leaves_the_answer_to_the_next() {
    for moved in [true, false] {
        let mut shop = proved_shop(PURSE).await;
        let elsewhere = shop.world.wallet(0).await;
        let slow = BTreeMap::from([(HISTORIES.to_owned(), 60_000)]);
        shop.world.net.faults().set(FaultPlan { latency: slow, ..FaultPlan::default() });
        if moved {
            lays_in_wait(&shop, &elsewhere);
        }
        let body = demanding(&shop, TOKEN, Some("landed-and-never-looked"));
        let (_, pending) = shop.world.post("/settle", &hastily(body.clone())).await;
        assert_eq!(pending["errorReason"], "settlement_pending", "{pending:#}");
        shop.world.until("it is captured", async || captured(&shop).await == TOKEN).await;
        shop.world.kill().await;
        shop.world.net.faults().clear();
        shop.world.boot().await;
        let (_, told) = shop.world.post("/settle", &body).await;
        let (_, again) = shop.world.post("/settle", &body).await;
        assert_eq!(told["transaction"], pending["transaction"], "{told:#}");
        if moved {
            assert_eq!([&told["errorReason"], &again["errorReason"]], ["funding_unproven"; 2], "{told:#} {again:#}");
        } else {
            assert!(is_proven(&told), "{told:#}");
            assert_eq!(again["errorReason"], "duplicate_settlement", "it is told once: {again:#}");
        }
        assert_eq!(captured(&shop).await, TOKEN, "it stays captured");
        assert_eq!(shop.world.units(&shop.merchant), if moved { 0 } else { TOKEN });
        shop.world.finish().await;
    }
}
