//! Vouchers: their signed bytes, the published verifier's words, and our rules on top.

use super::{cases, devnet, golden, key, known, mint, pubkey, root, text};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sotto::{
    domain::{
        amount::Amount,
        mpp::voucher::{
            Accepted, Certificate, MAX_SEQUENCE, SIGNED_PREFIX, SeenChannel, SellerTerms, Strictness, Voucher,
            VoucherFault, read_units, verify,
        },
    },
    wire::mpp::voucher::{MAX_VOUCHER_LENGTH, VoucherAnswer, read},
};

/// When the certificates of the vectors are judged.
const NOW: u64 = 1_775_861_400;

fn terms(strictness: Strictness) -> SellerTerms {
    let price_per_unit = Amount::new(10_000).expect("fits");
    SellerTerms { recipient: known("seller"), price_per_unit, meter: "request".to_owned(), strictness }
}

fn certified() -> SellerTerms {
    let issuer = pubkey(text(golden("/vouchers/strict"), "issuer"));
    terms(Strictness::Certified { issuer, chain_id: devnet().chain_id().to_owned() })
}

fn judge(header: &str, terms: &SellerTerms, seen: Option<&SeenChannel>) -> Result<Accepted, VoucherFault> {
    verify(&read(header)?, terms, seen, None, NOW)
}

#[test]
fn signed_bytes_are_canonical_both_ways() {
    assert_eq!(SIGNED_PREFIX, text(golden("/vouchers"), "prefix"));
    for case in cases("/vouchers/cases") {
        let (name, expected) = (text(case, "name"), text(case, "signed_text"));
        let presented = read(text(case, "header_x_mpp_voucher")).expect("a voucher");
        assert_eq!(String::from_utf8_lossy(&presented.signed_bytes), expected, "{name}");
        assert_eq!(expected.len() as u64, case["signed_bytes"].as_u64().expect("a number"), "{name}");
        assert_eq!(hex::encode(Sha256::digest(expected)), text(case, "signed_sha256_hex"), "{name}");
        let is_ours = case["voucher"].as_object().expect("an object").len() == 10;
        assert_eq!(presented.voucher.signed_bytes() == presented.signed_bytes, is_ours, "{name}");
        let signature = key("channel_signer").sign(&presented.signed_bytes).to_bytes();
        assert_eq!(STANDARD.encode(signature), text(case, "signature_base64"), "{name}");
        assert_eq!(
            (presented.signature.as_str(), presented.signer.as_str()),
            (text(case, "signature_base64"), text(case, "signer"))
        );
    }
}

#[test]
fn the_published_verifiers_words_are_ours() {
    for sequence in cases("/vouchers/verifier/sequences") {
        let name = text(sequence, "name");
        let mut seen = None;
        for step in sequence["steps"].as_array().expect("a list") {
            let verdict = judge(&step[0].to_string(), &terms(Strictness::Stock), seen.as_ref());
            let word = verdict.as_ref().err().map(ToString::to_string);
            match (word, step[1].as_str()) {
                (Some(word), Some(expected)) if expected.ends_with('*') => {
                    assert!(word.starts_with(expected.trim_end_matches('*')), "{name}: {word}");
                }
                (word, expected) => assert_eq!(word.as_deref(), expected, "{name}"),
            }
            if let Ok(accepted) = verdict {
                assert_eq!(json!(accepted.amount_paid.to_string()), step[2], "{name}");
                seen = Some(accepted.seen);
            }
        }
    }
}

#[test]
fn a_strict_seller_believes_the_issuer_alone() {
    assert_eq!(golden("/vouchers/strict/now_unix").as_u64(), Some(NOW));
    for case in cases("/vouchers/strict/cases") {
        let verdict = judge(text(case, "x_mpp_voucher"), &certified(), None);
        let word = verdict.err().map(|fault| fault.to_string());
        assert_eq!(word.as_deref(), case["expect"].as_str(), "{}", text(case, "name"));
    }
}

#[test]
fn what_readers_understand_differently_is_no_voucher() {
    for case in cases("/vouchers/malformed/cases") {
        for terms in [certified(), terms(Strictness::Stock)] {
            let word = judge(text(case, "x_mpp_voucher"), &terms, None).err().map(|fault| fault.to_string());
            assert_eq!(word.as_deref(), case["expect"].as_str(), "{}", text(case, "name"));
        }
    }
    let long = format!("{{\"voucher\":\"{}\"}}", "x".repeat(MAX_VOUCHER_LENGTH));
    assert_eq!(read(&long), Err(VoucherFault::Malformed));
    assert_eq!(read("{}"), Err(VoucherFault::MissingFields));
}

#[test]
fn units_are_the_sellers_to_count_where_the_seller_says() {
    let presented = read(text(&cases("/vouchers/strict/cases")[0], "x_mpp_voucher")).expect("a voucher");
    let verdict = |units| verify(&presented, &certified(), None, Some(units), NOW);
    assert!(verdict(1).is_ok() && verdict(0).is_ok());
    assert_eq!(verdict(2).expect_err("refused").to_string(), "underpaid: expected at least 20000, got 10000");
    let most = verdict(u64::MAX).expect_err("refused").to_string();
    assert!(most.contains("184467440737095516150000"), "no sum overflows: {most}");
}

#[test]
fn a_channel_of_another_network_is_not_served() {
    let elsewhere = Strictness::Certified {
        issuer: pubkey(text(golden("/vouchers/strict"), "issuer")),
        chain_id: "solana:x".to_owned(),
    };
    let verdict = judge(text(&cases("/vouchers/strict/cases")[0], "x_mpp_voucher"), &terms(elsewhere), None);
    assert_eq!(verdict, Err(VoucherFault::UnknownSigner));
}

/// A certificate's text has colons between its members, so a member with one in it could stand for two: of a certificate for
/// `payer` the parts `payer` and `recipient` must not be shifted.
#[test]
fn members_with_colons_are_not_certified() {
    let header: Value = serde_json::from_str(text(&cases("/vouchers/strict/cases")[0], "x_mpp_voucher")).expect("JSON");
    let signer = root().channel_key(&text(&header["voucher"], "channelId").parse().expect("a public id"));
    for (name, value) in [("payer", "a:b"), ("channelId", "ch_x:y"), ("channelProgram", "x:y")] {
        let mut bent = header.clone();
        bent["voucher"][name] = json!(value);
        bent["signature"] = json!("x");
        let signed = read(&bent.to_string()).expect("a voucher").signed_bytes;
        bent["signature"] = json!(STANDARD.encode(SigningKey::from_bytes(&signer.secret()).sign(&signed).to_bytes()));
        assert_eq!(judge(&bent.to_string(), &certified(), None), Err(VoucherFault::UnknownSigner), "{name}");
        assert!(judge(&bent.to_string(), &terms(Strictness::Stock), None).is_ok(), "{name}: its signature is good");
    }
}

#[test]
fn a_missing_type_is_told_as_javascript_tells_it() {
    let mut header: Value =
        serde_json::from_str(text(&cases("/vouchers/cases")[1], "header_x_mpp_voucher")).expect("JSON");
    for (kind, told) in [(json!(null), "null"), (json!(5), "5"), (json!("ES256"), "ES256")] {
        header["signatureType"] = kind;
        let fault = judge(&header.to_string(), &terms(Strictness::Stock), None).expect_err("refused");
        assert_eq!(fault.to_string(), format!("unsupported_signature_type: {told}"));
    }
    header.as_object_mut().expect("an object").remove("signatureType");
    let fault = judge(&header.to_string(), &terms(Strictness::Stock), None).expect_err("refused");
    assert_eq!(fault.to_string(), "unsupported_signature_type: undefined");
}

#[test]
fn the_answers_of_a_whole_channel_are_those_of_the_vectors() {
    let channel = golden("/channel");
    let open = &channel["open"];
    let (issuer, signer) = (pubkey(text(open, "issuer")), pubkey(text(open, "session_pubkey")));
    let bytes = |text: &str| <[u8; 64]>::try_from(STANDARD.decode(text).expect("base64")).expect("64 bytes");
    let certificate = Certificate {
        signature: bytes(text(open, "certificate")),
        deposit: Amount::parse(text(open, "deposit_atomic")).expect("an amount"),
        expires: 1_775_862_000,
    };
    let mut seen = None;
    for golden in channel["vouchers"].as_array().expect("a list") {
        let header = golden.to_string();
        let presented = read(&header).expect("a voucher");
        let voucher = &presented.voucher;
        let public = voucher.channel_id.parse().expect("a public id");
        let key = SigningKey::from_bytes(&root().channel_key(&public).secret());
        assert_eq!(key.verifying_key().to_bytes(), signer.to_bytes());
        let signature = key.sign(&voucher.signed_bytes()).to_bytes();
        let answer = VoucherAnswer::new(voucher, &signature, &signer, &issuer, &certificate);
        assert_eq!(json!(answer), *golden);
        let terms = SellerTerms { meter: voucher.meter.clone(), ..certified() };
        let accepted = judge(&header, &terms, seen.as_ref()).expect("served");
        seen = Some(accepted.seen);
    }
    let text_of_first = serde_json::to_string(&{
        let presented = read(text(&cases("/vouchers/strict/cases")[0], "x_mpp_voucher")).expect("a voucher");
        let signature = bytes(&presented.signature);
        VoucherAnswer::new(&presented.voucher, &signature, &signer, &issuer, &certificate)
    });
    assert_eq!(
        text_of_first.expect("JSON"),
        text(&cases("/vouchers/strict/cases")[0], "x_mpp_voucher"),
        "in this order"
    );
}

#[test]
fn units_and_sequences_have_one_spelling() {
    assert_eq!(read_units("1"), Some(1));
    assert_eq!(read_units("9999999999999999999"), Some(9_999_999_999_999_999_999));
    for text in ["", "0", "01", "+1", " 1", "1e3", "10000000000000000000", "0x1", "１"] {
        assert_eq!(read_units(text), None, "{text:?}");
    }
    let voucher = Voucher {
        channel_id: "ch".to_owned(),
        payer: "p".to_owned(),
        recipient: mint().to_string(),
        cumulative_amount: Amount::MAX,
        sequence: MAX_SEQUENCE,
        meter: "m".to_owned(),
        units: 1,
        server_nonce: "\"\\".to_owned(),
        chain_id: "c".to_owned(),
        channel_program: "x".to_owned(),
    };
    let signed = voucher.signed_bytes();
    let json: Value = serde_json::from_slice(&signed[SIGNED_PREFIX.len()..]).expect("JSON");
    assert_eq!((json["sequence"].as_u64(), json["serverNonce"].as_str()), (Some(MAX_SEQUENCE), Some("\"\\")));
}
