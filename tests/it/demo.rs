//! `sotto demo` as a newcomer runs it: one command, and the figures on standard output.

use serde_json::Value;
use std::process::{Command, Output};

fn demo(args: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    // What would spoil a service here must not spoil a demo.
    std::fs::write(directory.path().join(".env"), "MAX_PER_CALL=0.000001\nFACILITATOR_KEYPAIR=broken\n").unwrap();
    Command::new(env!("CARGO_BIN_EXE_sotto"))
        .args([&["demo", "--slot-ms", "40"], args].concat())
        .current_dir(directory.path())
        .env_clear()
        .output()
        .unwrap()
}

/// Two merchants were paid under one approve, and a third session did not fit.
fn one_approve_adds_up(standing: &Value) {
    assert_eq!(standing["amount_paid"], serde_json::json!([60_000, 60_000]), "{standing:#}");
    assert_eq!((&standing["approved"], &standing["captured"]), (&Value::from(120_000), &Value::from(120_000)));
    assert_eq!(
        (&standing["payer_loss"], &standing["merchant_growth"]),
        (&Value::from(120_000), &serde_json::json!([60_000, 60_000]))
    );
    assert_eq!(standing["third_session"], "approval_exhausted", "{standing:#}");
    assert_eq!(standing["states"], serde_json::json!(["open", "open"]), "and ends neither");
}

/// A charge is one transaction, and so many vouchers of a channel are two, whatever their number.
fn what_is_paid_in_cash_adds_up(figures: &Value, vouchers: i64) {
    let number = |act: &Value, name: &str| act[name].as_i64().unwrap_or_else(|| panic!("{name}: {act:#}"));
    let change = |act: &Value, who: &str| {
        let balances = [&act[who][0], &act[who][1]].map(|balance| balance.as_i64().expect("a balance"));
        balances[1] - balances[0]
    };
    let charge = &figures["charge"];
    let moved = &charge["moved"];
    assert_eq!(number(charge, "amount"), 10_000);
    assert_eq!((change(moved, "buyer_balance"), change(moved, "merchant_balance")), (-10_000, 10_000));
    assert_eq!((number(moved, "transactions"), number(moved, "landed")), (1, 1));
    assert_eq!(number(moved, "lamports_fees"), number(moved, "fee_payer_balance_change"));
    assert!(
        number(moved, "lamports_fees") >= 10_000 && number(moved, "lamports_rent") == 0,
        "two signatures and no rent"
    );

    let (channel, owed) = (&figures["channel"], 1_000 * vouchers);
    assert_eq!((number(channel, "vouchers"), number(channel, "served")), (vouchers, vouchers));
    assert_eq!((number(channel, "owed"), number(channel, "settled"), number(channel, "shortfall")), (owed, owed, 0));
    assert_eq!(number(channel, "settled") + number(channel, "refunded"), number(channel, "deposit"));
    let parts = ["grant", "channel"].map(|part| &channel[part]);
    assert_eq!(parts.map(|part| number(part, "transactions")), [1, 2], "a channel is two transactions");
    assert_eq!(parts.map(|part| number(part, "landed")), [1, 2]);
    assert_eq!(
        parts.map(|part| change(part, "buyer_balance")),
        [0, -owed],
        "a grant moves nothing out of the buyer's hands"
    );
    assert_eq!(parts.map(|part| change(part, "merchant_balance")), [0, owed]);
    let all = &channel["all"];
    assert_eq!((change(all, "buyer_balance"), change(all, "merchant_balance")), (-owed, owed));
    for name in ["lamports_fees", "lamports_rent", "fee_payer_balance_change", "transactions"] {
        assert_eq!(parts.map(|part| number(part, name)).iter().sum::<i64>(), number(all, name), "{name}");
    }
    // The rent of the account that is granted from is lent.
    assert_eq!(parts.map(|part| number(part, "lamports_rent")), [2_039_280, 0]);
    for part in parts {
        assert_eq!(
            number(part, "fee_payer_balance_change"),
            number(part, "lamports_fees") + number(part, "lamports_rent")
        );
    }
}

fn adds_up(delegation: &str, vouchers: i64) {
    let drawn = vouchers.to_string();
    let output = demo(&["--payments", "3", "--vouchers", &drawn, "--delegation", delegation, "--json"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("funding = unproven") && told.ends_with("Every figure adds up.\n"), "{told}");
    let mut objects = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
    let figures = objects.next().unwrap().unwrap();
    assert!(objects.next().is_none(), "one object and nothing else");

    let number = |name: &str| figures[name].as_i64().unwrap_or_else(|| panic!("{name}: {figures:#}"));
    assert_eq!(figures["delegation"], delegation);
    assert_eq!((number("payments"), number("landed"), number("amount_paid")), (3, 3, 30_000));
    assert_eq!((number("payer_loss"), number("merchant_growth"), number("captured")), (30_000, 30_000, 30_000));
    assert_eq!(number("lamports_total"), number("fee_payer_balance_change"));
    let parts = ["lamports_fees", "lamports_rent", "lamports_grants"].map(number);
    assert_eq!(parts.iter().sum::<i64>(), number("lamports_total"));
    let parts = number("lamports_opening") + 3 * number("lamports_per_call") + number("lamports_reading");
    assert_eq!(parts, number("lamports_total"));
    assert!((10_000..100_000).contains(&number("lamports_per_call")), "two signatures and no rent");
    assert_eq!(number("lamports_reading"), 5_000 + 1_920_960, "one transfer of zero made both balances readable");
    assert!(figures["latency_ms_median"].as_f64().unwrap() > 0.0);

    let calls = figures["calls"].as_array().unwrap();
    let handles: Vec<_> = calls.iter().map(|call| call["payer_handle"].as_array().unwrap().clone()).collect();
    assert!(handles.windows(2).all(|two| two[0][1] == two[1][0] && two[0][0] != two[0][1]), "{handles:?}");
    let mut signatures: Vec<_> = calls.iter().map(|call| call["signature"].as_str().unwrap()).collect();
    signatures.sort_unstable();
    signatures.dedup();
    assert_eq!(signatures.len(), 3, "each call has its own transfer");

    let deferred = |name: &str| figures["deferred"][name].as_i64().unwrap_or_else(|| panic!("{name}: {figures:#}"));
    assert_eq!(
        (deferred("payments"), deferred("landed"), deferred("captured")),
        (3, 1, 30_000),
        "one transfer for all"
    );
    assert_eq!((deferred("payer_loss"), deferred("merchant_growth")), (30_000, 30_000));
    assert!(
        2 * deferred("lamports_per_call") < number("lamports_per_call"),
        "a transfer shared is cheaper: {figures:#}"
    );
    assert_eq!(figures["deferred"]["state"], "closed");

    let once = |name: &str| figures["once"][name].as_i64().unwrap_or_else(|| panic!("{name}: {figures:#}"));
    assert_eq!((once("amount"), once("recorded")), (10_000, 10_000), "paid once without the session");
    assert_eq!((once("payer_loss"), once("merchant_growth")), (10_000, 10_000));

    one_approve_adds_up(&figures["standing"]);

    what_is_paid_in_cash_adds_up(&figures, vouchers);

    let empty = &figures["empty_payer"];
    assert_eq!((&empty["funding"], &empty["landed"]), (&Value::from("unproven"), &Value::from(1)));
    assert_eq!((&empty["payer_loss"], &empty["merchant_growth"]), (&Value::from(0), &Value::from(0)));
}

#[test]
fn the_demo_adds_up_where_only_the_delegate_is_compared() {
    adds_up("public", 10_000);
}

#[test]
fn the_demo_adds_up_where_the_delegated_amount_is_lowered() {
    adds_up("documented", 7);
}

#[test]
fn a_demo_that_cannot_pay_says_so_and_fails() {
    let output = demo(&["--set", "limits.max_per_call=0.009", "--payments", "1"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("per_call_limit_exceeded"), "{told}");
}
