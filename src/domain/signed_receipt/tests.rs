//! The receipts of the vectors are read by the published verifier; here they are made and read byte for byte.

use super::*;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::Value;
use std::sync::LazyLock;

static VECTORS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../tests/vectors/receipts.json")).expect("JSON"));

fn text(pointer: &str) -> &'static str {
    VECTORS.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} is a text"))
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

fn public() -> Pubkey {
    Pubkey::new_from_array(key().verifying_key().to_bytes())
}

fn statement() -> ReceiptStatement {
    ReceiptStatement {
        network: text("/payload/network").to_owned(),
        resource_url: text("/payload/resourceUrl").to_owned(),
        payer: Pubkey::new_from_array([1; 32]),
        issued_at: 1_800_000_000,
        transaction: Signature::from([2; 64]),
    }
}

fn signed_by(key: &SigningKey, statement: &ReceiptStatement) -> String {
    let public = Pubkey::new_from_array(key.verifying_key().to_bytes());
    statement.sign(&public, |message| key.sign(message).to_bytes())
}

/// A receipt of other parts, signed anew.
fn resigned(head: &str, payload: &str) -> String {
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(payload));
    let signature = URL_SAFE_NO_PAD.encode(key().sign(input.as_bytes()).to_bytes());
    format!("{input}.{signature}")
}

fn parts(receipt: &str) -> [String; 2] {
    let mut parts = receipt.split('.');
    [(); 2].map(|()| {
        let bytes = URL_SAFE_NO_PAD.decode(parts.next().expect("a part")).expect("base64");
        String::from_utf8(bytes).expect("text")
    })
}

#[test]
fn receipts_are_those_that_the_published_verifier_reads() {
    assert_eq!(public().to_string(), text("/publicKey"));
    assert_eq!(ReceiptKey::current(public()).id(), text("/kid"));
    assert_eq!(signed_by(&key(), &statement()), text("/receipt"));
    let payload = |receipt: &'static str| receipt.split('.').nth(1).expect("a payload");
    assert_eq!(payload(text("/published")), payload(text("/receipt")), "the package writes these bytes, too");
    assert_eq!(ReceiptStatement::verify(text("/receipt"), &[ReceiptKey::current(public())]), Ok(statement()));
}

#[test]
fn only_known_keys_are_believed_and_never_because_a_receipt_names_them() {
    let other = SigningKey::from_bytes(&[8; 32]);
    let forged = signed_by(&other, &statement());
    let verified = ReceiptStatement::verify(&forged, &[ReceiptKey::current(public())]);
    assert!(matches!(verified, Err(ReceiptFault::UnknownKey(_))), "{verified:?}");
    // Under our name, with somebody else's signature.
    let named = statement().sign(&public(), |message| other.sign(message).to_bytes());
    let verified = ReceiptStatement::verify(&named, &[ReceiptKey::current(public())]);
    assert_eq!(verified, Err(ReceiptFault::Signature));
    assert!(ReceiptStatement::verify(text("/receipt"), &[]).is_err());
}

#[test]
fn a_retired_key_is_believed_for_its_own_time_only() {
    let until = |until| ReceiptStatement::verify(text("/receipt"), &[ReceiptKey { key: public(), until: Some(until) }]);
    assert_eq!(until(1_800_000_000), Ok(statement()));
    assert_eq!(until(1_799_999_999), Err(ReceiptFault::Retired { issued_at: 1_800_000_000, until: 1_799_999_999 }));
}

#[test]
fn a_statement_has_one_spelling() {
    let [head, payload] = parts(text("/receipt"));
    let keys = [ReceiptKey::current(public())];
    assert_eq!(ReceiptStatement::verify(&resigned(&head, &payload), &keys), Ok(statement()), "nothing is changed");
    let heads = [
        head.replace("EdDSA", "none"),
        head.replace("x402-receipt+jws", "JWT"),
        head.replace(",\"typ\":\"x402-receipt+jws\"", ""),
        head.replace("\"typ\"", "\"crit\":[],\"typ\""),
        head.replace("\":\"", "\": \""),
    ];
    let payloads = [
        payload.replace("\"version\":1", "\"version\":2"),
        payload.replace("\"version\":1", "\"version\":1,\"amount\":\"5\""),
        payload.replace("\"version\":1", "\"version\":1,\"version\":1"),
        payload.replace("{\"issuedAt\"", "{ \"issuedAt\""),
        payload.replace("1800000000", "1.8e9"),
        payload.replace("\u{fc}", "\\u00fc"),
        payload.replace("\"transaction\":\"", "\"transaction\":\"1"),
        String::new(),
    ];
    let bent = heads.iter().map(|head| resigned(head, &payload)).chain(payloads.iter().map(|p| resigned(&head, p)));
    for receipt in bent {
        let verified = ReceiptStatement::verify(&receipt, &keys);
        assert_eq!(verified, Err(ReceiptFault::Form), "{:?}", parts(&receipt));
    }
    let whole = text("/receipt");
    for receipt in ["", ".", "..", &whole[1..], &format!("{whole}="), &format!("{whole}.{whole}"), &"a.".repeat(9_000)]
    {
        assert_eq!(ReceiptStatement::verify(receipt, &keys), Err(ReceiptFault::Form), "{receipt:.40}");
    }
}

#[test]
fn a_key_is_read_in_both_spellings_and_no_other() {
    let id = text("/kid");
    let (name, _) = id.split_once('#').expect("a fragment");
    for spelling in [id, name, text("/publicKey")] {
        assert_eq!(ReceiptKey::parse(spelling), Some(public()), "{spelling}");
    }
    let foreign = format!("{name}#{}", name.replace("did:key:z6", "z5"));
    // secp256k1's multicodec.
    let curve = format!("{DID_KEY}{}", bs58::encode([&[0xE7, 0x01][..], &[2; 33]].concat()).into_string());
    for wrong in ["", "did:key:", "did:web:example.com", &foreign, &curve, &format!("{DID_KEY}{}", "1".repeat(90_000))]
    {
        assert_eq!(ReceiptKey::parse(wrong), None, "{wrong:.40}");
    }
}
