//! Headers, challenges and answers.

use super::{ASSET, SELLER, SESSION, USER, published, read, version_1};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sotto::wire::{
    Challenge, PaymentPayload,
    facilitator::{SettleAnswer, SupportedAnswer, VerifyAnswer},
    header::{self, HeaderError},
    session::{SessionPayload, SessionView},
    x402_v1, x402_v2,
};

#[test]
fn headers_hold_base64_of_bounded_json() {
    let value = json!({"x402Version": 2, "a": "ÿ?>"});
    let text = header::encode(&value).expect("fits");
    assert_eq!(header::decode::<Value>(&text).expect("round trip"), value);
    let slashed = header::encode(&json!("???>>>~~~")).expect("fits");
    assert!(slashed.contains(['+', '/']), "the case shows both alphabets: {slashed}");
    // FR-17: written in one way, and read in each that has one meaning.
    let padded = header::encode(&json!({"a": "bc"})).expect("fits");
    assert!(padded.ends_with('='), "the case shows padding: {padded}");
    assert_eq!(header::decode::<Value>(padded.trim_end_matches('=')).expect("without padding"), json!({"a": "bc"}));
    let of_urls = slashed.replace('+', "-").replace('/', "_");
    assert_eq!(header::decode::<Value>(&of_urls).expect("the other alphabet"), json!("???>>>~~~"));
    for bad in [text.trim_end_matches('=').to_owned() + "*", format!(" {text}"), format!("{text}\n"), "é".to_owned()] {
        assert!(matches!(header::decode::<Value>(&bad), Err(HeaderError::NotBase64(_))), "{bad:?}");
    }
    assert!(matches!(header::decode::<Value>(&STANDARD.encode(b"\xff")), Err(HeaderError::NotJson(_))));
    assert!(matches!(header::decode::<Value>(""), Err(HeaderError::NotJson(_))));
    assert!(matches!(header::decode::<x402_v2::PaymentPayload>(&STANDARD.encode("[]")), Err(HeaderError::Shape(_))));
    let long = "A".repeat(header::MAX_HEADER_LENGTH + 4);
    assert!(matches!(header::decode::<Value>(&long), Err(HeaderError::TooLong(_))));
    assert!(matches!(header::encode(&long), Err(HeaderError::TooLong(_))));
    let deep = STANDARD.encode("[".repeat(5_000));
    assert!(matches!(header::decode::<Value>(&deep), Err(HeaderError::NotJson(_))));
}

#[test]
fn typed_bodies_survive_a_round_trip() {
    let payload = SessionPayload {
        session_id: SESSION.into(),
        amount: "10000".into(),
        nonce: None,
        authorization: None,
        signature: None,
    };
    let offer = published()["paymentRequirements"].clone();
    let paid =
        x402_v2::PaymentPayload { x402_version: 2, resource: None, accepted: offer.clone(), payload, extensions: None };
    let text = header::encode(&paid).expect("fits");
    let back: Value = header::decode(&text).expect("reads");
    assert_eq!(PaymentPayload::read(&back).expect("a payment"), PaymentPayload::V2(paid));
    assert!(read(&json!({"paymentPayload": back, "paymentRequirements": offer})).is_ok());

    let typed: x402_v2::Requirements = serde_json::from_value(offer.clone()).expect("typed");
    assert_eq!(typed.others["maxAmountRequired"], json!("10000"), "unknown members stay");
    assert_eq!(serde_json::to_value(&typed).expect("writes"), offer);
    let first: x402_v1::Requirements = serde_json::from_value(
        offer
            .as_object()
            .map(|o| {
                let mut o = o.clone();
                o.insert("resource".into(), json!("https://x/"));
                Value::Object(o)
            })
            .expect("an object"),
    )
    .expect("typed");
    assert_eq!((first.max_amount_required.as_str(), first.amount.as_deref()), ("10000", Some("10000")));
}

#[test]
fn a_payload_without_accepted_is_version_1() {
    let body = version_1();
    assert!(matches!(PaymentPayload::read(&body["paymentPayload"]), Ok(PaymentPayload::V1(_))));
    assert!(PaymentPayload::read(&json!({"x402Version": 3, "accepted": {}})).is_err());
    assert!(PaymentPayload::read(&json!([])).is_err());
}

#[test]
fn a_challenge_is_read_in_both_versions_past_offers_of_other_schemes() {
    let offer = &published()["paymentRequirements"];
    let other = json!({"scheme": "exact", "network": "eip155:8453", "amount": "1"});
    let second = json!({"x402Version": 2, "resource": {"url": "https://x/"}, "accepts": [other, offer, 7], "extensions": {"payment-identifier": {}}});
    let read = Challenge::read(&second).expect("version 2");
    assert_eq!((read.version, read.offers.len()), (2, 1));
    assert_eq!(&read.offers[0].raw, offer, "echoed member for member");
    let first = json!({"x402Version": 1, "error": "pay", "accepts": [version_1()["paymentRequirements"]]});
    let read = Challenge::read(&first).expect("version 1");
    assert_eq!(
        (read.offers[0].amount.as_str(), read.offers[0].resource.as_deref()),
        ("10000", Some("https://api.example.com/premium"))
    );
    assert!(Challenge::read(&json!({"x402Version": 9, "accepts": []})).is_err());
}

#[test]
fn an_answers_session_is_written_in_our_form_and_in_that_of_x402s_extensions() {
    let members = json!({"id": SESSION, "spent": "1", "remaining": "2", "settlement": "held"});
    let answer =
        json!({"success": true, "transaction": "", "network": "solana:devnet", "extensions": {"session": members}});
    let read: SettleAnswer = serde_json::from_value(answer).expect("settle");
    let written = serde_json::to_value(&read).expect("texts");
    let session = &written["extensions"]["session"];
    assert_eq!((&session["info"], &session["schema"]), (&members, &json!({"type": "object"})));
    assert_eq!(session["remaining"], "2");
    assert_eq!(serde_json::from_value::<SettleAnswer>(written).expect("settle"), read, "both forms are one answer");
}

#[test]
fn answers_of_other_facilitators_are_read_too() {
    let plain: VerifyAnswer =
        serde_json::from_value(json!({"isValid": true, "payer": USER, "extra": {}})).expect("verify");
    assert!(plain.is_valid);
    let settled: SettleAnswer = serde_json::from_value(json!({
        "success": true, "transaction": "sig", "network": "solana:devnet",
        "extensions": {"session": {"id": SESSION, "spent": "1", "remaining": "2", "new": 1}, "bazaar": {}},
    }))
    .expect("settle");
    let extensions = settled.extensions.expect("there");
    assert_eq!(extensions.session.map(|s| s.remaining).as_deref(), Some("2"));
    assert!(extensions.others.contains_key("bazaar"));
    let deployed: SupportedAnswer = serde_json::from_value(json!({"kinds": [
        {"x402Version": 1, "scheme": "session", "network": "solana:devnet", "asset": ASSET, "extra": {"facilitatorAddress": USER}},
        {"x402Version": 1, "scheme": "exact", "network": "solana", "extra": {"feePayer": USER}},
    ]})).expect("the deployed service tells no extensions and no signers");
    assert_eq!(deployed.kinds[0].session_terms().map(|t| t.facilitator_address).as_deref(), Some(USER));
    assert_eq!(deployed.kinds[1].session_terms(), None);
    let view: SessionView = serde_json::from_value(json!({
        "sessionId": SESSION, "user": USER, "spender": USER, "asset": ASSET, "recipient": SELLER, "cap": "5", "spent": "0",
        "expirationUnix": 1, "network": "solana:devnet", "approveTxSignature": "sig",
    })).expect("the deployed service's session");
    assert_eq!(view.state, None);
}
