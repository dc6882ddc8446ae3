//! Paying something else than what was agreed to.

use super::{Shop, Trace, is_refused_everywhere, on_both_sides};
use crate::support::{Options, World};
use futures_util::future::join_all;
use serde_json::json;
use std::collections::BTreeSet;

/// Guards: `wire::payment` and `domain::payment::check_terms`, which `/settle` runs by itself.
#[tokio::test]
async fn r06_settle_checks_everything_that_verify_checks() {
    let shop = Shop::open(Options::default(), 10_000_000).await;
    let stranger = shop.world.wallet(0).await.key().to_string();
    let before = Trace::of(&shop.world).await;
    for (member, value, reason) in [
        ("scheme", json!("exact"), "scheme_mismatch"),
        ("network", json!("solana:mainnet"), "network_mismatch"),
        ("network", json!("eip155:8453"), "network_mismatch"),
        ("asset", json!(stranger), "asset_mismatch"),
        // The receipt of one merchant must not be shown to another.
        ("payTo", json!(stranger), "recipient_mismatch"),
        ("payTo", json!("not a key"), "recipient_mismatch"),
    ] {
        let mut body = shop.payment(10, None);
        on_both_sides(&mut body, member, &value);
        is_refused_everywhere(&shop.world, &body, reason).await;
    }
    shop.is_refused(1_000_001, None, "per_call_limit_exceeded").await;
    let mut unknown = shop.payment(10, None);
    unknown["paymentPayload"]["payload"]["sessionId"] = json!("00000000-0000-4000-8000-000000000000");
    is_refused_everywhere(&shop.world, &unknown, "session_not_found").await;
    assert_eq!(Trace::of(&shop.world).await, before);
    shop.closes().await;
}

/// Guard: `Amount::parse_positive`. R-07: negative amounts raised the cap; R-08: other text ended the process; R-20.
#[tokio::test]
async fn r07_r08_r20_only_plain_positive_amounts_are_money() {
    let shop = Shop::open(Options::default(), 10_000_000).await;
    let before = Trace::of(&shop.world).await;
    let texts = [
        "0",
        "-1",
        "-9223372036854775808",
        "+1",
        "1.0",
        "1e3",
        "0x10",
        " 1",
        "1 ",
        "",
        "NaN",
        "Infinity",
        "١",
        "１",
        "01",
    ];
    let amounts = texts.iter().map(|text| json!(text));
    let others = [json!(1), json!(1.5), json!(null), json!([]), json!({}), json!(true), json!("9".repeat(4_000))];
    for amount in amounts.chain(others).chain([json!("9223372036854775808"), json!("18446744073709551616")]) {
        let mut body = shop.payment(10, None);
        on_both_sides(&mut body, "amount", &amount);
        body["paymentPayload"]["payload"]["amount"] = amount;
        is_refused_everywhere(&shop.world, &body, "invalid_amount").await;
    }
    assert_eq!(Trace::of(&shop.world).await, before);
    // The process is still there.
    shop.pays(10, None).await;
    shop.closes().await;
}

/// Guards: `agreement::difference` and the comparison of the payload's amount.
#[tokio::test]
async fn r09_the_payer_does_not_choose_the_price() {
    let shop = Shop::open(Options::default(), 10_000_000).await;
    let before = Trace::of(&shop.world).await;
    for (pointer, value, reason) in [
        ("/paymentPayload/payload/amount", json!("1"), "amount_mismatch"),
        ("/paymentPayload/accepted/amount", json!("1"), "accepted_mismatch"),
        ("/paymentPayload/accepted/payTo", json!(shop.payer.key().to_string()), "accepted_mismatch"),
        ("/paymentPayload/accepted/asset", json!(shop.payer.key().to_string()), "accepted_mismatch"),
        ("/paymentPayload/accepted/maxTimeoutSeconds", json!(1), "accepted_mismatch"),
        ("/paymentRequirements/amount", json!("1000"), "accepted_mismatch"),
        ("/paymentRequirements/maxAmountRequired", json!("1000"), "amount_mismatch"),
    ] {
        let mut body = shop.payment(10, None);
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[member] = value;
        is_refused_everywhere(&shop.world, &body, reason).await;
    }
    assert_eq!(Trace::of(&shop.world).await, before);
    shop.closes().await;
}

/// Guard: `wire::json::read`: of two readers of a member that is given twice, one would read the other price.
#[tokio::test]
async fn r09_a_price_that_is_stated_twice_is_no_price() {
    let shop = Shop::open(Options::default(), 10_000_000).await;
    let before = Trace::of(&shop.world).await;
    let text = shop.payment(10, None).to_string();
    let twice = text.replacen(r#""amount":"10""#, r#""amount":"1","amount":"10""#, 1);
    assert_ne!(twice, text);
    for route in ["/verify", "/settle"] {
        let (status, answer) = shop.world.post_text(route, twice.clone()).await;
        assert_eq!(status, 400, "{answer:#}");
        assert!(answer["invalidReason"] == "bad_request" || answer["errorReason"] == "bad_request", "{answer:#}");
    }
    assert_eq!(Trace::of(&shop.world).await, before);
    shop.closes().await;
}

/// Guards: the ledger's unique nonce, the waiters' one success, `claim_success`.
#[tokio::test]
async fn r13_one_nonce_is_one_charge_and_one_success_however_often_it_is_sent() {
    let shop = Shop::open(Options::default(), 10_000_000).await;
    let body = shop.payment(1_000, Some("one-and-the-same-nonce"));
    let answers = join_all((0..12).map(|_| shop.world.post("/settle", &body))).await;
    let (yes, no): (Vec<_>, Vec<_>) = answers.iter().partition(|(_, answer)| answer["success"] == json!(true));
    assert_eq!(yes.len(), 1, "{answers:#?}");
    let signature = &yes[0].1["transaction"];
    for (_, answer) in no {
        assert_eq!((&answer["errorReason"], &answer["transaction"]), (&json!("duplicate_settlement"), signature));
    }
    is_refused_everywhere(&shop.world, &body, "duplicate_settlement").await;
    assert_eq!(shop.world.units(&shop.merchant), 1_000);
    let mut other = body.clone();
    on_both_sides(&mut other, "amount", &json!("999"));
    other["paymentPayload"]["payload"]["amount"] = json!("999");
    let (status, answer) = shop.world.post("/settle", &other).await;
    assert_eq!((status, &answer["errorReason"]), (409, &json!("nonce_conflict")));
    let (status, answer) = shop.world.post("/verify", &other).await;
    assert_eq!((status, &answer["invalidReason"]), (409, &json!("nonce_conflict")));
    shop.closes().await;
}

/// A nonce through x402's own extension for it.
#[tokio::test]
async fn r13_a_payment_identifier_is_a_nonce() {
    let shop = Shop::open(Options::default(), 10_000_000).await;
    let mut by_extension = shop.payment(1_000, None);
    by_extension["paymentPayload"]["extensions"] =
        json!({ "payment-identifier": { "info": { "id": "pay_0123456789abcdef" } } });
    let (_, first) = shop.world.post("/settle", &by_extension).await;
    assert_eq!(first["success"], json!(true), "{first:#}");
    let by_nonce = shop.payment(1_000, Some("pay_0123456789abcdef"));
    for body in [&by_extension, &by_nonce] {
        is_refused_everywhere(&shop.world, body, "duplicate_settlement").await;
    }
    let mut both = by_extension.clone();
    both["paymentPayload"]["payload"]["nonce"] = json!("something-else-0000");
    is_refused_everywhere(&shop.world, &both, "bad_request").await;
    assert_eq!(shop.world.units(&shop.merchant), 1_000);
    shop.closes().await;
}

/// Guard: `spent_after` is written in the transaction that holds, not read from a session loaded before.
#[tokio::test]
async fn r30_concurrent_payments_report_what_each_of_them_left() {
    let shop = Shop::open(Options::default(), 10_000).await;
    let answers = join_all((0..10).map(|_| shop.settle(1_000, None))).await;
    let spent: BTreeSet<u64> = answers
        .iter()
        .map(|(_, answer)| {
            let after = &answer["extensions"]["session"];
            let number = |member: &str| after[member].as_str().unwrap().parse::<u64>().unwrap();
            assert_eq!(number("spent") + number("remaining"), 10_000, "{answer:#}");
            number("spent")
        })
        .collect();
    assert_eq!(spent, (1..=10).map(|n| n * 1_000).collect(), "each is told its own");
    shop.is_refused(1, None, "cap_exceeded").await;
    shop.closes().await;
}

/// Guard: the hold counts against the cap in the transaction that writes it.
#[tokio::test]
async fn r14_payments_that_race_for_the_last_of_a_cap_do_not_pass_it() {
    let shop = Shop::open(Options::default(), 5_000).await;
    let answers = join_all((0..12).map(|_| shop.settle(1_000, None))).await;
    let paid = answers.iter().filter(|(_, answer)| answer["success"] == json!(true)).count();
    let refused = answers.iter().filter(|(_, answer)| answer["errorReason"] == "cap_exceeded").count();
    assert_eq!((paid, refused), (5, 7), "{answers:#?}");
    assert_eq!(shop.world.ledger().totals(None).await.unwrap().captured.get(), 5_000);
    shop.closes().await;
}

/// Without a proof an empty payer "pays" nothing: nobody claims that it is proved, and a merchant who insists is told
/// no. How R-02 is closed with one is in `funding`.
#[tokio::test]
async fn r02_an_empty_payers_success_is_told_to_be_unproven() {
    let world = World::start().await;
    let (pauper, merchant) = (world.wallet(0).await, world.wallet(0).await);
    let session = world.open(&pauper, &merchant.key(), 10_000).await;
    let mut body = world.payment(&session, &merchant.key(), 1_000, None);
    let (_, answer) = world.post("/settle", &body).await;
    assert_eq!(answer["extensions"]["session"]["funding"], "unproven", "{answer:#}");
    assert_eq!(world.units(&merchant), 0);
    on_both_sides(&mut body, "extra", &json!({ "funding": "required" }));
    is_refused_everywhere(&world, &body, "funding_unproven").await;
    world.finish().await;
}
