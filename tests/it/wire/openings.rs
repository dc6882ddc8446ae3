//! Bodies of `/sessions`.

use super::{ASSET, SELLER, USER, open, with, without};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sotto::{domain::reason::SessionReason, wire::opening::Approve};

/// What the published client posts.
fn opening_body() -> Value {
    json!({
        "user": USER, "asset": ASSET, "recipient": SELLER, "cap": "1000000", "expirationUnix": 1_893_456_000,
        "network": "solana:devnet", "approveTxBase64": "AQID", "approveTxSignature": "",
        "authMessage": STANDARD.encode(b"{}"), "authSignature": STANDARD.encode([9; 64]),
    })
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
    assert_eq!((opened.intent.bytes.as_slice(), opened.intent.signature), (&b"{}"[..], Some([9; 64])));
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
        assert_eq!(sotto::wire::opening::opening(body).expect_err("no object").reason, SessionReason::BadRequest);
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
    let plain = STANDARD.encode([0xfb; 64]);
    let (url_safe, unpadded) = (plain.replace('+', "-").replace('/', "_"), plain.replace('=', ""));
    assert!(plain != url_safe && plain != unpadded, "the cases are worth testing");
    for text in [&plain, &url_safe, &unpadded] {
        assert!(open(&with(opening_body(), "/authSignature", json!(text))).is_ok(), "FR-17: {text}");
    }
    for text in [STANDARD.encode([9; 63]), STANDARD.encode([9; 65]), format!("{plain}\n"), "é".to_owned()] {
        not_opened(&with(opening_body(), "/authSignature", json!(text)), "invalid_auth_signature");
        not_opened(&with(opening_body(), "/settleSignature", json!(text)), "invalid_auth_signature");
    }
    for text in ["%%%%", "e3", "e30=\n", &STANDARD.encode([b' '; 513])] {
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
    let alone = open(&without(signed.clone(), "/authSignature")).expect("one of them").intent;
    assert_eq!((alone.signature, alone.settle_signature), (None, Some([4; 64])));
    not_opened(&with(signed, "/settleMessage", json!("x402-session:1:00")), "bad_request");
}
