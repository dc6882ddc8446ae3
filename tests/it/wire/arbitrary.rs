//! Any JSON at all.

use super::{SESSION, open, published, read, version_2, with};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use proptest::prelude::*;
use serde_json::{Value, json};
use sotto::{
    domain::network::Network,
    wire::{Challenge, PaymentPayload, header, opening, payment::payment, x402_v2},
};

/// Arbitrary JSON with the members that decoders look for.
fn any_json() -> impl Strategy<Value = Value> {
    let names = proptest::sample::select(vec![
        "paymentPayload",
        "paymentRequirements",
        "payload",
        "accepted",
        "scheme",
        "network",
        "amount",
        "sessionId",
        "extra",
        "extensions",
        "payment-identifier",
        "info",
        "id",
        "authorization",
        "signature",
        "x402Version",
        "cap",
        "authMessage",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        Just(json!("session")),
        Just(json!("solana:devnet")),
        Just(json!(SESSION)),
        Just(json!("10000")),
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((names.clone(), inner), 0..8).prop_map(|members| Value::Object(
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            )),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_makes_a_decoder_panic(value in any_json(), place in proptest::sample::select(vec![
        "/paymentPayload", "/paymentRequirements", "/paymentPayload/payload", "/paymentPayload/accepted",
        "/paymentPayload/extensions", "/paymentRequirements/extra", "/paymentPayload/payload/authorization",
        "/paymentPayload/payload/signature", "/paymentPayload/payload/sessionId",
    ])) {
        let _ = read(&value);
        let _ = read(&with(version_2(), place, value.clone()));
        let _ = open(&value);
        let _ = PaymentPayload::read(&value);
        let _ = Challenge::read(&value);
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in ".*") {
        let _ = payment(&bytes, &Network::devnet());
        let _ = opening::opening(&bytes);
        let _ = header::decode::<Value>(&text);
        let _ = header::decode::<x402_v2::PaymentPayload>(&STANDARD.encode(&bytes));
    }

    /// A body whose two sides disagree somewhere is never a payment.
    #[test]
    fn an_amount_that_differs_anywhere_is_no_payment(amount in 1_u64..1_000_000, place in proptest::sample::select(vec![
        "/paymentPayload/payload/amount", "/paymentRequirements/amount", "/paymentPayload/accepted/amount",
    ])) {
        prop_assume!(amount != 10_000);
        prop_assert!(read(&with(published(), place, json!(amount.to_string()))).is_err());
    }
}
