//! What a payment costs, and that both sides say the same.

use super::{SELLER, USER, published, read, refused, version_1, with, without};
use serde_json::json;
use sotto::domain::reason::PayReason;

#[test]
fn r07_r08_r20_amounts_have_one_spelling_and_move_money() {
    let wrong = [
        json!("0"),
        json!("-1"),
        json!("+1"),
        json!("1.5"),
        json!("10000.0"),
        json!("1e4"),
        json!("0x2710"),
        json!("010000"),
        json!(" 10000"),
        json!("10000 "),
        json!("１００００"),
        json!("١"),
        json!("10_000"),
        json!("10,000"),
        json!("NaN"),
        json!("Infinity"),
        json!(""),
        json!("9223372036854775808"),
        json!("9".repeat(5_000)),
        json!("10000\u{0}"),
        json!(10_000),
        json!(1.5),
        json!(-1),
        json!(true),
        json!({}),
        json!([]),
    ];
    let places = [
        "/paymentPayload/payload/amount",
        "/paymentRequirements/amount",
        "/paymentRequirements/maxAmountRequired",
        "/paymentPayload/accepted/amount",
        "/paymentPayload/accepted/maxAmountRequired",
    ];
    for place in places {
        for amount in &wrong {
            refused(&with(published(), place, amount.clone()), PayReason::InvalidAmount);
        }
    }
    refused(&without(published(), "/paymentPayload/payload/amount"), PayReason::InvalidAmount);
    refused(&without(version_1(), "/paymentRequirements/maxAmountRequired"), PayReason::InvalidAmount);
}

#[test]
fn the_amount_paid_is_the_amount_required() {
    for amount in ["9999", "10001", "1", "9223372036854775807"] {
        refused(&with(published(), "/paymentPayload/payload/amount", json!(amount)), PayReason::AmountMismatch);
        refused(&with(published(), "/paymentRequirements/maxAmountRequired", json!(amount)), PayReason::AmountMismatch);
        refused(&with(published(), "/paymentPayload/accepted/amount", json!(amount)), PayReason::AcceptedMismatch);
    }
}

#[test]
fn r09_what_was_accepted_is_what_is_required() {
    let changes = [
        ("payTo", json!(USER)),
        ("asset", json!(USER)),
        ("maxTimeoutSeconds", json!(61)),
        ("extra", json!({"facilitatorAddress": SELLER})),
        ("extra", json!([])),
    ];
    for (member, value) in changes {
        let pointer = format!("/paymentPayload/accepted/{member}");
        refused(&with(published(), &pointer, value), PayReason::AcceptedMismatch);
    }
    let nested = with(published(), "/paymentRequirements/terms", json!({"a": [1, {"b": "x"}]}));
    assert!(read(&nested).is_ok(), "only one side carries it");
    refused(
        &with(nested, "/paymentPayload/accepted/terms", json!({"a": [1, {"b": "y"}]})),
        PayReason::AcceptedMismatch,
    );
}
