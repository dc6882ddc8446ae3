//! Bodies of `/verify` and `/settle`.

use super::{ASSET, SELLER, SESSION, published, read, refused, version_1, version_2, with, without};
use serde_json::{Value, json};
use sotto::{
    domain::{network::Network, reason::PayReason, signed},
    wire::payment::payment,
};

#[test]
fn the_published_clients_payment_is_read() {
    let paid = read(&published()).expect("the published client's payment");
    assert_eq!(paid.session.to_string(), SESSION);
    assert_eq!(paid.amount.get(), 10_000);
    assert_eq!(paid.asset.to_string(), ASSET);
    assert_eq!(paid.pay_to.to_string(), SELLER);
    assert_eq!((paid.network.as_str(), paid.max_timeout_seconds), ("solana:devnet", Some(60)));
    assert_eq!((paid.nonce, paid.resource, paid.authorization, paid.idempotent), (None, None, None, None));
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
fn what_only_one_side_carries_is_no_contradiction() {
    let body = with(published(), "/paymentRequirements/extra/idempotent", json!(true));
    let body = without(body, "/paymentPayload/accepted/maxAmountRequired");
    let body = with(body, "/paymentPayload/accepted/note", json!("x"));
    let paid = read(&with(body, "/unknown", json!({"deep": [1]}))).expect("they agree where both speak");
    assert!(paid.idempotent.is_some());
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
    for nonce in [json!(""), json!(7), json!("a b"), json!("é"), json!("x".repeat(65)), json!("\n")] {
        refused(&with(version_2(), "/paymentPayload/payload/nonce", nonce), PayReason::BadRequest);
    }
    let longest = "x".repeat(64);
    let paid = read(&with(version_2(), "/paymentPayload/payload/nonce", json!(longest))).expect("just fits");
    assert_eq!(paid.nonce, Some(longest));
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

/// FR-19. The member that is wrong is named by its path, with what stands there and what may: the merchant's first, whom the
/// payer repeats. Schemes and networks are public.
#[test]
fn the_member_that_is_wrong_is_named() {
    for (member, words) in [("network", "must name solana:devnet"), ("scheme", "must be `session`")] {
        let mut body = with(published(), &format!("/paymentRequirements/{member}"), json!("exact:mainnet\u{1b}[2J"));
        body["paymentPayload"]["accepted"][member] = body["paymentRequirements"][member].clone();
        let told = read(&body).expect_err("refused").to_string();
        assert!(told.contains(&format!("`paymentRequirements.{member}`")) && told.contains(words), "{told}");
        assert!(told.contains("it is `exact:mainnet\\u001b[2J`"), "{told}");
        let told =
            read(&without(published(), &format!("/paymentRequirements/{member}"))).expect_err("refused").to_string();
        assert!(told.contains("it is missing"), "{told}");
    }
    let told = read(&without(published(), "/paymentPayload/accepted")).expect_err("refused").to_string();
    assert!(told.contains("`paymentPayload.accepted` is required"), "{told}");
}

#[test]
fn refusals_repeat_no_values() {
    let secret = "5up3rs3cret";
    for pointer in ["/paymentPayload/payload/sessionId", "/paymentPayload/payload/amount", "/paymentRequirements/payTo"]
    {
        let refused = read(&with(version_1(), pointer, json!(secret))).expect_err("refused");
        assert!(!refused.to_string().contains(secret), "{refused}");
    }
}
