//! What goes over HTTP: golden bodies of published clients and of the x402 specification are read as they are meant,
//! and everything else is refused with its documented word.

mod amounts;
mod answers;
mod arbitrary;
mod openings;
mod payments;

use serde_json::{Value, json};
use sotto::{
    domain::{
        network::Network,
        payment::{Payment, SessionPayment},
        reason::PayReason,
    },
    wire::{
        opening::{self, Opening},
        payment::{Refused, payment},
    },
};

const SESSION: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
const ASSET: &str = "GyGKxMyg1p9SsHfm15MkNUu1u9TN2JtTspcdmrtGUdse";
const USER: &str = "AKnL4NNf3DGWZJS6cPknBuEGnVsV4A4m5tgebLHaRSZ9";
const SELLER: &str = "EdmxWPmx2WH6WgFfTdu9xfkYf3k1g5wD1zccTVySEEh1";

/// What the published client (1.0.0) and a merchant of the deployed service send: version 1 on the outside, `accepted`
/// inside, an empty resource, both words for the amount.
fn published() -> Value {
    let offer = json!({
        "scheme": "session", "network": "solana:devnet", "amount": "10000", "maxAmountRequired": "10000",
        "asset": ASSET, "payTo": SELLER, "maxTimeoutSeconds": 60, "extra": {"facilitatorAddress": USER},
    });
    json!({
        "paymentPayload": {
            "x402Version": 1, "accepted": offer, "resource": {},
            "payload": {"sessionId": SESSION, "amount": "10000"},
        },
        "paymentRequirements": offer,
    })
}

/// The objects of the x402 v2 specification with the session scheme in them.
fn version_2() -> Value {
    let offer = json!({
        "scheme": "session", "network": "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1", "amount": "10000",
        "asset": ASSET, "payTo": SELLER, "maxTimeoutSeconds": 60, "extra": {"name": "Confidential USDC"},
    });
    json!({
        "x402Version": 2,
        "paymentPayload": {
            "x402Version": 2,
            "resource": {"url": "https://api.example.com/premium", "description": "Premium", "mimeType": "application/json"},
            "accepted": offer,
            "payload": {"sessionId": SESSION, "amount": "10000"},
            "extensions": {},
        },
        "paymentRequirements": offer,
    })
}

/// The objects of the x402 v1 specification with the session scheme in them.
fn version_1() -> Value {
    json!({
        "x402Version": 1,
        "paymentPayload": {
            "x402Version": 1, "scheme": "session", "network": "solana-devnet",
            "payload": {"sessionId": SESSION, "amount": "10000", "nonce": "call-1"},
        },
        "paymentRequirements": {
            "scheme": "session", "network": "solana-devnet", "maxAmountRequired": "10000",
            "resource": "https://api.example.com/premium", "description": "Premium", "mimeType": "application/json",
            "outputSchema": null, "payTo": SELLER, "maxTimeoutSeconds": 60, "asset": ASSET, "extra": null,
        },
    })
}

fn read(body: &Value) -> Result<SessionPayment, Refused> {
    payment(body.to_string().as_bytes(), &Network::devnet()).map(|Payment::Session(payment)| payment)
}

fn open(body: &Value) -> Result<Opening, opening::RefusedOpening> {
    opening::opening(body.to_string().as_bytes())
}

/// `body` with the member at `pointer` replaced (or added).
fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    body.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object").insert(name.to_owned(), value);
    body
}

fn without(mut body: Value, pointer: &str) -> Value {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let removed = body.pointer_mut(parent).and_then(Value::as_object_mut).and_then(|object| object.remove(name));
    assert!(removed.is_some(), "{pointer} was there");
    body
}

#[track_caller]
fn refused(body: &Value, reason: PayReason) {
    match read(body) {
        Err(refused) => assert_eq!(refused.reason, reason, "{}", refused.detail),
        Ok(_) => panic!("must be refused as {reason}: {body}"),
    }
}
