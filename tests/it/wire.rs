//! What goes over HTTP: golden bodies of published clients and of the x402 specification are read as they are meant,
//! and everything else is refused with its documented word.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use proptest::prelude::*;
use serde_json::{Value, json};
use sotto::{
    domain::{
        network::Network,
        payment::Payment,
        reason::{PayReason, SessionReason},
        signed,
    },
    wire::{
        Challenge, PaymentPayload,
        facilitator::{SettleAnswer, SupportedAnswer, VerifyAnswer},
        header::{self, HeaderError},
        opening::{self, Approve, Opening},
        payment::{Refused, payment},
        session::{SessionPayload, SessionView},
        x402_v1, x402_v2,
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

fn read(body: &Value) -> Result<Payment, Refused> {
    payment(body.to_string().as_bytes(), &Network::devnet())
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

#[test]
fn the_published_clients_payment_is_read() {
    let paid = read(&published()).expect("the published client's payment");
    assert_eq!(paid.session.to_string(), SESSION);
    assert_eq!(paid.amount.get(), 10_000);
    assert_eq!(paid.asset.to_string(), ASSET);
    assert_eq!(paid.pay_to.to_string(), SELLER);
    assert_eq!((paid.network.as_str(), paid.max_timeout_seconds), ("solana:devnet", Some(60)));
    assert_eq!((paid.nonce, paid.resource, paid.authorization, paid.idempotent), (None, None, None, false));
}

#[test]
fn both_versions_of_x402_mean_the_same_payment() {
    let second = read(&version_2()).expect("version 2");
    let first = read(&version_1()).expect("version 1");
    assert_eq!(
        (first.session, first.amount, first.asset, first.pay_to),
        (second.session, second.amount, second.asset, second.pay_to)
    );
    assert_eq!(first.resource, second.resource);
    assert_eq!(first.nonce.as_deref(), Some("call-1"));
    assert_eq!(first.network, "solana-devnet", "answers echo the caller's spelling");
}

#[test]
fn the_shape_follows_accepted_and_not_the_number() {
    for version in [json!(1), json!(2), Value::Null] {
        assert!(read(&with(published(), "/paymentPayload/x402Version", version)).is_ok());
    }
    assert!(read(&with(version_1(), "/paymentPayload/x402Version", json!(2))).is_ok());
    for version in [json!(0), json!(3), json!("2"), json!(2.5), json!(-1)] {
        refused(&with(version_2(), "/paymentPayload/x402Version", version.clone()), PayReason::BadRequest);
        refused(&with(version_2(), "/x402Version", version), PayReason::BadRequest);
    }
}

#[test]
fn any_spelling_of_the_served_network_fits_any_other() {
    for spelling in ["solana:devnet", "solana-devnet", "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"] {
        let paid = read(&with(published(), "/paymentRequirements/network", json!(spelling))).expect(spelling);
        assert_eq!(paid.network, spelling);
    }
    let local = Network::local("9sHcv6xwn9YkB8nxTUGKDwPwNnmqVp5oAXxU8Fdkm4J6", &["solana:devnet".to_owned()]);
    let mixed = with(published(), "/paymentRequirements/network", json!("solana:localnet"));
    assert!(payment(mixed.to_string().as_bytes(), &local).is_ok());
    refused(&mixed, PayReason::NetworkMismatch);
}

#[test]
fn another_network_is_refused_on_either_side_and_echoed() {
    for pointer in ["/paymentRequirements/network", "/paymentPayload/accepted/network"] {
        for network in [json!("solana:mainnet"), json!("Solana:devnet"), json!(""), json!("*")] {
            refused(&with(published(), pointer, network), PayReason::NetworkMismatch);
        }
        refused(&without(published(), pointer), PayReason::NetworkMismatch);
        refused(&with(published(), pointer, json!(7)), PayReason::BadRequest);
    }
    refused(&with(version_1(), "/paymentPayload/network", json!("solana")), PayReason::NetworkMismatch);
    let other = read(&with(published(), "/paymentRequirements/network", json!("solana:mainnet")));
    assert_eq!(other.expect_err("refused").network, "solana:mainnet");
}

#[test]
fn both_sides_must_name_the_session_scheme() {
    for pointer in ["/paymentRequirements/scheme", "/paymentPayload/accepted/scheme"] {
        for scheme in [json!("exact"), json!("Session"), json!("")] {
            refused(&with(published(), pointer, scheme), PayReason::SchemeMismatch);
        }
        refused(&without(published(), pointer), PayReason::SchemeMismatch);
        refused(&with(published(), pointer, json!(["session"])), PayReason::BadRequest);
    }
    refused(&without(version_1(), "/paymentPayload/scheme"), PayReason::SchemeMismatch);
    // Without `accepted` the top level has to say it, and the published client's does not.
    refused(&without(published(), "/paymentPayload/accepted"), PayReason::SchemeMismatch);
}

#[test]
fn missing_and_mistyped_objects_are_bad_requests() {
    for pointer in ["/paymentPayload", "/paymentRequirements", "/paymentPayload/payload"] {
        refused(&without(published(), pointer), PayReason::BadRequest);
        for value in [Value::Null, json!([]), json!("{}"), json!(1), json!(true)] {
            refused(&with(published(), pointer, value), PayReason::BadRequest);
        }
    }
    for body in [json!(null), json!([]), json!("x"), json!({})] {
        refused(&body, PayReason::BadRequest);
    }
    refused(&with(published(), "/paymentPayload/accepted", json!("x")), PayReason::BadRequest);
    refused(&with(published(), "/paymentPayload/resource", json!("/x")), PayReason::BadRequest);
    refused(&with(published(), "/paymentPayload/resource", json!({"url": 1})), PayReason::BadRequest);
    refused(&with(published(), "/paymentPayload/extensions", json!([])), PayReason::BadRequest);
    refused(&with(published(), "/paymentRequirements/extra", json!("x")), PayReason::AcceptedMismatch);
    refused(&with(version_1(), "/paymentRequirements/extra", json!("x")), PayReason::BadRequest);
    refused(&with(version_1(), "/paymentRequirements/extra", json!({"idempotent": "true"})), PayReason::BadRequest);
}

#[test]
fn a_session_is_named_in_its_one_spelling() {
    refused(&without(published(), "/paymentPayload/payload/sessionId"), PayReason::MissingSessionId);
    for id in [Value::Null, json!("")] {
        refused(&with(published(), "/paymentPayload/payload/sessionId", id), PayReason::MissingSessionId);
    }
    for id in [
        "x",
        "0F8FAD5B-D9CB-469F-A165-70867728950E",
        "{0f8fad5b-d9cb-469f-a165-70867728950e}",
        "0f8fad5bd9cb469fa16570867728950e",
        "' OR 1=1",
    ] {
        refused(&with(published(), "/paymentPayload/payload/sessionId", json!(id)), PayReason::SessionNotFound);
    }
    refused(&with(published(), "/paymentPayload/payload/sessionId", json!(7)), PayReason::BadRequest);
}

#[test]
fn keys_that_are_no_keys_are_never_the_sessions() {
    let wrong = ["", "1", "0OIl", "AKnL4NNf3DGWZJS6cPknBuEGnVsV4A4m5tgebLHaRSZ9A", "EdmxWPmx2WH6WgFfTdu9xfkYf3k1g5"];
    for text in wrong {
        refused(&with(version_1(), "/paymentRequirements/payTo", json!(text)), PayReason::RecipientMismatch);
        refused(&with(version_1(), "/paymentRequirements/asset", json!(text)), PayReason::AssetMismatch);
    }
    for pointer in ["/paymentRequirements/payTo", "/paymentRequirements/asset"] {
        refused(&without(version_1(), pointer), PayReason::BadRequest);
        refused(&with(version_1(), pointer, json!(1)), PayReason::BadRequest);
    }
}

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

#[test]
fn what_only_one_side_carries_is_no_contradiction() {
    let body = with(published(), "/paymentRequirements/extra/idempotent", json!(true));
    let body = without(body, "/paymentPayload/accepted/maxAmountRequired");
    let body = with(body, "/paymentPayload/accepted/note", json!("x"));
    let paid = read(&with(body, "/unknown", json!({"deep": [1]}))).expect("they agree where both speak");
    assert!(paid.idempotent);
    let crossed = without(published(), "/paymentPayload/accepted/amount");
    assert!(
        read(&without(crossed, "/paymentRequirements/maxAmountRequired")).is_ok(),
        "amounts agree across both words"
    );
}

#[test]
fn a_deadline_is_a_positive_whole_number() {
    for value in [json!(0), json!(-1), json!(1.5), json!("60")] {
        refused(&with(version_1(), "/paymentRequirements/maxTimeoutSeconds", value), PayReason::BadRequest);
    }
    let open = read(&without(version_1(), "/paymentRequirements/maxTimeoutSeconds")).expect("optional");
    assert_eq!(open.max_timeout_seconds, None);
}

#[test]
fn a_merchant_may_demand_a_funding_proof() {
    for (extra, demanded) in
        [(json!({"funding": "required"}), true), (json!({"funding": "advisory"}), false), (json!({}), false)]
    {
        let body = with(version_1(), "/paymentRequirements/extra", extra);
        assert_eq!(read(&body).expect("a payment").funding_required, demanded);
    }
    refused(&with(version_1(), "/paymentRequirements/extra", json!({"funding": 1})), PayReason::BadRequest);
}

#[test]
fn a_nonce_and_the_payment_identifier_are_one_key() {
    let id = "pay_0123456789abcdef";
    let extension = |info: Value| json!({"payment-identifier": {"info": info, "schema": {}}});
    let named = with(version_2(), "/paymentPayload/extensions", extension(json!({"required": true, "id": id})));
    assert_eq!(read(&named).expect("named").nonce.as_deref(), Some(id));
    assert_eq!(
        read(&with(named.clone(), "/paymentPayload/payload/nonce", json!(id))).expect("agree").nonce.as_deref(),
        Some(id)
    );
    refused(&with(named, "/paymentPayload/payload/nonce", json!("another-nonce-0123")), PayReason::BadRequest);

    let draft =
        with(version_2(), "/paymentPayload/extensions", json!({"payment-identifier": {"paymentIdentifier": id}}));
    assert_eq!(read(&draft).expect("draft spelling").nonce.as_deref(), Some(id));
    let unused = with(version_2(), "/paymentPayload/extensions", extension(json!({"required": false})));
    assert_eq!(read(&unused).expect("echoed without an id").nonce, None);

    let wrong = [
        extension(json!({"required": true})),
        extension(json!({"id": "short"})),
        extension(json!({"id": "x".repeat(129)})),
        extension(json!({"id": "with space 0123456789"})),
        extension(json!({"id": 7})),
        extension(json!({"required": "yes"})),
        extension(json!({"id": id, "paymentIdentifier": "pay_0123456789abcdeX"})),
        json!({"payment-identifier": "x"}),
    ];
    for extensions in wrong {
        refused(&with(version_2(), "/paymentPayload/extensions", extensions), PayReason::BadRequest);
    }
    for nonce in [json!(""), json!(7), json!("a b"), json!("é"), json!("x".repeat(129)), json!("\n")] {
        refused(&with(version_2(), "/paymentPayload/payload/nonce", nonce), PayReason::BadRequest);
    }
}

#[test]
fn an_authorisation_comes_whole_or_not_at_all() {
    let signature = bs58::encode([7; 64]).into_string();
    let hash = signed::resource_hash("https://api.example.com/premium");
    let parts = json!({"nonce": "n-1", "expiresAt": 1_900_000_000, "resourceHash": hash});
    let whole = with(version_2(), "/paymentPayload/payload/authorization", parts);
    let whole = with(whole, "/paymentPayload/payload/signature", json!(signature));
    let paid = read(&whole).expect("whole");
    assert_eq!(paid.nonce.as_deref(), Some("n-1"), "the signed nonce is the payment's");
    let authorization = paid.authorization.expect("there");
    assert_eq!((authorization.expires_at, authorization.signature), (1_900_000_000, [7; 64]));
    assert_eq!(authorization.resource_hash, Some(hash));

    refused(&with(whole.clone(), "/paymentPayload/payload/nonce", json!("n-2")), PayReason::BadRequest);
    refused(&without(whole.clone(), "/paymentPayload/payload/signature"), PayReason::BadRequest);
    refused(&without(whole.clone(), "/paymentPayload/payload/authorization"), PayReason::BadRequest);
    for member in ["nonce", "expiresAt"] {
        refused(
            &without(whole.clone(), &format!("/paymentPayload/payload/authorization/{member}")),
            PayReason::BadRequest,
        );
    }
    for (member, value) in [
        ("expiresAt", json!("1900000000")),
        ("expiresAt", json!(1.9e9)),
        ("resourceHash", json!("AB")),
        ("nonce", json!(1)),
    ] {
        let pointer = format!("/paymentPayload/payload/authorization/{member}");
        refused(&with(whole.clone(), &pointer, value), PayReason::BadRequest);
    }
    for text in
        ["", "0OIl", &bs58::encode([7; 63]).into_string(), &bs58::encode([7; 65]).into_string(), &"1".repeat(10_000)]
    {
        refused(
            &with(whole.clone(), "/paymentPayload/payload/signature", json!(text)),
            PayReason::InvalidSessionSignature,
        );
    }
}

#[test]
fn bytes_that_are_not_one_json_object_are_bad_requests() {
    let good = published().to_string();
    let deep = format!(r#"{{"x":{}1{},{}"#, "[".repeat(40), "]".repeat(40), &good[1..]);
    let twice = good.replacen("\"scheme\"", "\"scheme\":\"exact\",\"scheme\"", 1);
    let mut not_utf8 = good.clone().into_bytes();
    not_utf8.insert(good.find("session").expect("there"), 0xff);
    let bodies = [
        deep.into_bytes(),
        twice.into_bytes(),
        not_utf8,
        format!("{good}{good}").into_bytes(),
        b"\xef\xbb\xbf{}".to_vec(),
    ];
    for body in bodies {
        let refused = payment(&body, &Network::devnet()).expect_err("unreadable");
        assert_eq!(refused.reason, PayReason::BadRequest);
    }
    for cut in 0..good.len() {
        assert!(payment(&good.as_bytes()[..cut], &Network::devnet()).is_err(), "{cut}");
    }
}

#[test]
fn refusals_repeat_no_values() {
    let secret = "5up3rs3cret";
    for pointer in [
        "/paymentPayload/payload/sessionId",
        "/paymentPayload/payload/amount",
        "/paymentRequirements/payTo",
        "/paymentRequirements/scheme",
    ] {
        let refused = read(&with(version_1(), pointer, json!(secret))).expect_err("refused");
        assert!(!refused.to_string().contains(secret), "{refused}");
    }
}

/// What the published client posts.
fn opening_body() -> Value {
    json!({
        "user": USER, "asset": ASSET, "recipient": SELLER, "cap": "1000000", "expirationUnix": 1_893_456_000,
        "network": "solana:devnet", "approveTxBase64": "AQID", "approveTxSignature": "",
        "authMessage": STANDARD.encode(b"{}"), "authSignature": STANDARD.encode([9; 64]),
    })
}

fn open(body: &Value) -> Result<Opening, opening::RefusedOpening> {
    opening::opening(body.to_string().as_bytes())
}

#[track_caller]
fn not_opened(body: &Value, word: &str) {
    match open(body) {
        Err(refused) => {
            assert_eq!(
                format!("{}{}", refused.reason.word(), refused.field.unwrap_or_default()),
                word,
                "{}",
                refused.detail
            );
        }
        Ok(_) => panic!("must be refused as {word}: {body}"),
    }
}

#[test]
fn the_published_clients_opening_is_read() {
    let opened = open(&opening_body()).expect("the published client's body");
    assert_eq!(
        (opened.user.to_string().as_str(), opened.cap.get(), opened.expires_at),
        (USER, 1_000_000, 1_893_456_000)
    );
    assert_eq!(opened.approve, Approve::Transaction("AQID".to_owned()));
    assert_eq!((opened.intent.bytes.as_slice(), opened.intent.signature), (&b"{}"[..], [9; 64]));
    assert_eq!(opened.intent.settle_signature, None);
}

#[test]
fn a_missing_member_is_named() {
    for name in [
        "user",
        "asset",
        "recipient",
        "cap",
        "expirationUnix",
        "network",
        "approveTxBase64",
        "authMessage",
        "authSignature",
    ] {
        not_opened(&without(opening_body(), &format!("/{name}")), &format!("missing_{name}"));
        not_opened(&with(opening_body(), &format!("/{name}"), Value::Null), &format!("missing_{name}"));
    }
}

#[test]
fn members_of_an_opening_have_their_type() {
    for name in [
        "user",
        "asset",
        "recipient",
        "network",
        "approveTxBase64",
        "approveTxSignature",
        "authMessage",
        "authSignature",
        "settleMessage",
        "settleSignature",
    ] {
        for value in [json!(1), json!(true), json!([]), json!({})] {
            not_opened(&with(opening_body(), &format!("/{name}"), value), SessionReason::BadRequest.word());
        }
    }
    for value in [json!("1893456000"), json!(1.5), json!(-1), json!(1.8e300), json!(true)] {
        not_opened(&with(opening_body(), "/expirationUnix", value), SessionReason::BadRequest.word());
    }
    for value in [
        json!(1),
        json!(1.5),
        json!("0"),
        json!("-1"),
        json!("0x1"),
        json!("1e3"),
        json!("１"),
        json!("01"),
        json!("9".repeat(20)),
    ] {
        not_opened(&with(opening_body(), "/cap", value), SessionReason::InvalidCap.word());
    }
    for body in [&b""[..], b"[]", b"{", b"\xff\xfe", b"null"] {
        assert_eq!(opening::opening(body).expect_err("no object").reason, SessionReason::BadRequest);
    }
    assert!(open(&with(opening_body(), "/unknown", json!({"a": 1}))).is_ok(), "clients of tomorrow may add members");
}

#[test]
fn keys_and_signatures_of_an_opening_have_their_length_and_alphabet() {
    for (name, word) in [("user", "invalid_user"), ("asset", "asset_not_allowed"), ("recipient", "invalid_recipient")] {
        for text in ["0", "AKnL4NNf3DGWZJS6cPknBuEGnVsV4A4m5tgebLHaRSZ0", &USER[1..30], &format!("{USER}1")] {
            not_opened(&with(opening_body(), &format!("/{name}"), json!(text)), word);
        }
    }
    let url_safe = "-_".repeat(43) + "8=";
    let signatures = [
        STANDARD.encode([9; 63]),
        STANDARD.encode([9; 65]),
        url_safe,
        STANDARD.encode([9; 64]).replace('=', ""),
        "é".to_owned(),
    ];
    for text in signatures {
        not_opened(&with(opening_body(), "/authSignature", json!(text)), "invalid_auth_signature");
        not_opened(&with(opening_body(), "/settleSignature", json!(text)), "invalid_auth_signature");
    }
    for text in ["%%%%", "e30", "e30=\n", &STANDARD.encode([b' '; 513])] {
        not_opened(&with(opening_body(), "/authMessage", json!(text)), "auth_message_not_json");
    }
}

#[test]
fn exactly_one_approve_is_named() {
    let signature = bs58::encode([5; 64]).into_string();
    not_opened(&with(opening_body(), "/approveTxSignature", json!(signature)), "bad_request");
    let landed = with(without(opening_body(), "/approveTxBase64"), "/approveTxSignature", json!(signature));
    assert_eq!(open(&landed).expect("the documented variant").approve, Approve::Landed([5; 64].into()));
    not_opened(&with(landed, "/approveTxSignature", json!("0OIl")), "bad_request");
}

#[test]
fn a_short_authorisation_is_the_intents_and_is_signed() {
    let message = sotto::domain::intent::IntentHash::of(b"{}").settle_message();
    let told = with(opening_body(), "/settleMessage", json!(message));
    not_opened(&told, "missing_settleSignature");
    let signed = with(told, "/settleSignature", json!(STANDARD.encode([4; 64])));
    assert_eq!(open(&signed).expect("both").intent.settle_signature, Some([4; 64]));
    not_opened(&with(signed, "/settleMessage", json!("x402-session:1:00")), "bad_request");
}

#[test]
fn headers_hold_standard_base64_of_bounded_json() {
    let value = json!({"x402Version": 2, "a": "ÿ?>"});
    let text = header::encode(&value).expect("fits");
    assert_eq!(header::decode::<Value>(&text).expect("round trip"), value);
    let slashed = header::encode(&json!("???>>>~~~")).expect("fits");
    assert!(slashed.contains(['+', '/']), "the case shows both alphabets: {slashed}");
    for bad in [
        slashed.replace('+', "-").replace('/', "_"),
        text.trim_end_matches('=').to_owned() + "*",
        format!(" {text}"),
        format!("{text}\n"),
        "é".to_owned(),
    ] {
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
