//! Every member of a signed message is bound to what the request says, and decimals are exact (R-23, R-24).

use super::*;
use crate::domain::single_payment::SingleRequirements;
use serde_json::json;

const RECIPIENT: &str = "EdmxWPmx2WH6WgFfTdu9xfkYf3k1g5wD1zccTVySEEh1";
const PAYER: &str = "AKnL4NNf3DGWZJS6cPknBuEGnVsV4A4m5tgebLHaRSZ9";

fn ciphertext_text() -> String {
    hex::encode((0..114).collect::<Vec<u8>>())
}

fn message() -> Value {
    json!({
        "ciphertext": PayMessage::named(&ciphertext_text()),
        "amount": 0.29,
        "decimals": 6,
        "recipient": RECIPIENT,
        "network": "solana:devnet",
        "nonce": "1700000000000",
    })
}

fn body(message: &Value) -> Value {
    json!({
        "paymentPayload": { "payload": {
            "signature": STANDARD.encode([7; 64]),
            "message": message.to_string(),
            "payer": PAYER,
            "ciphertext": ciphertext_text(),
        } },
        "paymentRequirements": { "network": "solana:devnet", "price": "$0.29" },
    })
}

fn on<T>(read: impl Fn(&[u8], Served<'_>) -> Result<T, Refused>, body: &Value) -> Result<T, Refused> {
    let network = Network::devnet();
    let asset = Pubkey::from_str_const("GyGKxMyg1p9SsHfm15MkNUu1u9TN2JtTspcdmrtGUdse");
    read(body.to_string().as_bytes(), Served { network: &network, asset, decimals: 6 })
}

fn reason(body: &Value) -> PayReason {
    on(verify, body).expect_err("refused").reason
}

#[test]
fn a_published_body_is_read_in_base_units() {
    let payment = on(verify, &body(&message())).expect("reads");
    assert_eq!(payment.amount.get(), 290_000);
    assert_eq!((payment.nonce.as_str(), payment.network.as_str()), ("1700000000000", "solana:devnet"));
    assert_eq!(payment.message, message().to_string().as_bytes());
    assert!(!payment.funding_required && payment.funding.is_none());
}

#[test]
fn another_spelling_is_the_same_network_and_another_network_is_refused() {
    let mut spelled = message();
    spelled["network"] = json!("solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1");
    assert!(on(verify, &body(&spelled)).is_ok());
    spelled["network"] = json!("solana:mainnet");
    assert_eq!(reason(&body(&spelled)), PayReason::MessageMismatch);
    let mut elsewhere = body(&message());
    elsewhere["paymentRequirements"]["network"] = json!("solana:mainnet");
    assert_eq!(reason(&elsewhere), PayReason::NetworkMismatch);
}

#[test]
fn a_message_has_its_six_members_once_and_no_other() {
    for name in ["ciphertext", "amount", "decimals", "recipient", "network", "nonce"] {
        let mut without = message();
        without.as_object_mut().expect("an object").remove(name);
        assert_eq!(reason(&body(&without)), PayReason::InvalidMessage, "{name}");
    }
    let mut more = message();
    more["expires"] = json!(1);
    assert_eq!(reason(&body(&more)), PayReason::InvalidMessage);
    let mut twice = body(&message());
    let text = message().to_string().replacen('{', r#"{"nonce":"2","#, 1);
    twice["paymentPayload"]["payload"]["message"] = json!(text);
    assert_eq!(reason(&twice), PayReason::InvalidMessage);
    let mut long = message();
    long["nonce"] = json!("n".repeat(65));
    assert_eq!(reason(&body(&long)), PayReason::InvalidMessage);
    let mut padded = body(&message());
    padded["paymentPayload"]["payload"]["message"] = json!(format!("{}{}", message(), " ".repeat(512)));
    assert_eq!(reason(&padded), PayReason::InvalidMessage);
}

#[test]
fn whatever_else_says_an_amount_an_asset_or_a_recipient_says_what_was_signed() {
    for (place, value, expected) in [
        ("/paymentRequirements/amount", json!("290001"), PayReason::AmountMismatch),
        ("/paymentRequirements/maxAmountRequired", json!("29"), PayReason::AmountMismatch),
        ("/paymentRequirements/amount", json!("-1"), PayReason::InvalidAmount),
        ("/paymentRequirements/price", json!("$1"), PayReason::AmountMismatch),
        ("/paymentRequirements/price", json!("one"), PayReason::AmountMismatch),
        ("/paymentRequirements/asset", json!(PAYER), PayReason::AssetMismatch),
        ("/paymentRequirements/payTo", json!(PAYER), PayReason::RecipientMismatch),
        ("/paymentPayload/payload/mint", json!(PAYER), PayReason::AssetMismatch),
        ("/paymentPayload/payload/mint", json!("nonsense"), PayReason::BadRequest),
        ("/paymentPayload/payload/ciphertext", json!(hex::encode([9; 114])), PayReason::MessageMismatch),
        ("/paymentPayload/payload/ciphertext", json!("00"), PayReason::CiphertextNotOurs),
        ("/paymentPayload/payload/ciphertext", Value::Null, PayReason::MissingCiphertext),
        ("/paymentPayload/payload/signature", json!(STANDARD.encode([7; 65])), PayReason::InvalidSignature),
        ("/paymentPayload/payload/signature", json!(STANDARD.encode([7; 63])), PayReason::InvalidSignature),
        ("/paymentPayload/payload/payer", Value::Null, PayReason::BadRequest),
    ] {
        let mut bent = body(&message());
        let (parent, name) = place.rsplit_once('/').expect("a path");
        bent.pointer_mut(parent).expect("is there")[name] = value;
        assert_eq!(reason(&bent), expected, "{place}");
    }
    let mut hexadecimal = body(&message());
    hexadecimal["paymentPayload"]["payload"]["signature"] = json!(hex::encode([7; 64]));
    assert!(on(verify, &hexadecimal).is_ok());
}

#[test]
fn the_short_message_stands_for_its_details_and_for_no_other() {
    let details = message().to_string();
    let mut short = body(&message());
    let payload = &mut short["paymentPayload"]["payload"];
    payload["message"] = json!(crate::domain::single_payment::short_message(details.as_bytes()));
    assert_eq!(reason(&short), PayReason::InvalidMessage, "without its details");
    short["paymentPayload"]["payload"]["details"] = json!(details);
    let payment = on(verify, &short).expect("reads");
    assert!(payment.message.starts_with(b"x402-pay:1:"));
    assert_eq!(payment.content, on(verify, &body(&message())).expect("reads").content, "one payment in both forms");
    short["paymentPayload"]["payload"]["details"] = json!(format!("{details} "));
    assert_eq!(reason(&short), PayReason::InvalidMessage, "of something else");
}

#[test]
fn r23_amounts_are_decimal_digits_and_never_floats() {
    let asked = |amount: Value| on(|body, served| super::amount(body, &[], served), &json!({ "amount": amount }));
    for (written, units) in [
        (json!(0.29), 290_000),
        (json!("0.29"), 290_000),
        (json!(1), 1_000_000),
        (json!("0.000001"), 1),
        (json!(4.35), 4_350_000),
        (json!("9223372036854.775807"), i64::MAX as u64),
    ] {
        assert_eq!(asked(written.clone()).map(|asked| asked.amount.get()), Ok(units), "{written}");
    }
    for written in [
        json!(0),
        json!("0.0000001"),
        json!(0.000_000_1),
        json!(-1),
        json!("-1"),
        json!("1e3"),
        json!(1e21),
        json!(9_007_199_254_740.993),
        json!("0x10"),
        json!("NaN"),
        json!(""),
        json!(" 1"),
        json!("9223372036854.775808"),
        json!([1]),
        Value::Null,
    ] {
        let refused = asked(written.clone()).expect_err("refused");
        assert_eq!(refused.reason, PayReason::InvalidAmount, "{written}");
    }
    for decimals in [json!(9), json!(5), json!(-6), json!(6.0), json!(u64::MAX), json!("9"), json!("6.")] {
        let body = json!({ "amount": "1", "decimals": decimals });
        let refused = on(|body, served| super::amount(body, &[], served), &body).expect_err("refused");
        assert_eq!(refused.reason, PayReason::InvalidDecimals, "{decimals}");
    }
}

#[test]
fn an_amount_may_stand_in_the_query_where_there_is_no_body() {
    let network = Network::devnet();
    let served = Served { network: &network, asset: Pubkey::default(), decimals: 6 };
    let query = [("amount".to_owned(), "0.5".to_owned()), ("decimals".to_owned(), "6".to_owned())];
    assert_eq!(amount(b"", &query, served).map(|asked| asked.amount.get()), Ok(500_000));
    assert_eq!(amount(b"", &[], served).map_err(|refused| refused.reason), Err(PayReason::InvalidAmount));
}

#[test]
fn a_settlement_is_one_step_or_the_other() {
    let transaction = json!({
        "paymentPayload": { "payload": { "transaction": "AA==" } },
        "paymentRequirements": { "network": "solana-devnet" },
    });
    let completion = SingleCompletion {
        transaction: "AA==".to_owned(),
        authorization: None,
        required: SingleRequirements::default(),
    };
    let expected =
        |completion| Settling::Transaction { completion: Box::new(completion), network: "solana-devnet".to_owned() };
    assert_eq!(on(settle, &transaction), Ok(expected(completion.clone())));
    let mut relayed = transaction.clone();
    relayed["paymentRequirements"] = json!({
        "network": "solana-devnet", "asset": PAYER, "payTo": RECIPIENT, "amount": "290000", "price": "$0.29",
        "extra": { "funding": "required" },
    });
    let required = SingleRequirements {
        asset: parse_key(PAYER),
        pay_to: parse_key(RECIPIENT),
        amount: Amount::new(290_000),
        funding_required: true,
    };
    assert_eq!(on(settle, &relayed), Ok(expected(SingleCompletion { required, ..completion })));
    for (member, value, reason) in [
        ("payTo", json!("nobody"), PayReason::BadRequest),
        ("amount", json!("0"), PayReason::InvalidAmount),
        ("maxAmountRequired", json!("290001"), PayReason::AmountMismatch),
    ] {
        let mut bent = relayed.clone();
        bent["paymentRequirements"][member] = value;
        assert_eq!(on(settle, &bent).expect_err("refused").reason, reason, "{member}");
    }
    let mut authorization = body(&message());
    let payload = authorization["paymentPayload"]["payload"].take();
    authorization["paymentPayload"]["payload"] = json!({ "authorization": payload });
    let Ok(Settling::Authorization(payment)) = on(settle, &authorization) else { panic!("the first step") };
    // Both: the second step, with what the first was asked with.
    authorization["paymentPayload"]["payload"]["transaction"] = json!("AA==");
    let Ok(Settling::Transaction { completion, .. }) = on(settle, &authorization) else { panic!("the second step") };
    assert_eq!(completion.authorization, Some(payment));
    for neither in [json!({}), json!({ "paymentPayload": {} }), json!([])] {
        assert_eq!(on(settle, &neither).expect_err("refused").reason, PayReason::BadRequest);
    }
}
