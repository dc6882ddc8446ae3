//! Which charges are settled: the transactions of the vectors, each with its word; and the bodies around them.

use super::{cases, devnet, golden, key, known, message_hex, mint, pubkey, text};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::Signer as _;
use serde_json::{Value, json};
use sotto::{
    chain::{
        inspect::charge::{ChargePolicy, ChargeRequest, InspectedCharge, MAX_COMPUTE, ReceivedCharge},
        keys::LocalSigner,
    },
    domain::{
        amount::Amount,
        mpp::{
            charge::{ChargeAsset, ChargeOffer, ChargeRefusal, DEFAULT_MIN_AMOUNT},
            reason::ChargeReason,
        },
    },
    programs::{
        charge::ChargeDraft,
        spl_token::{TokenProgram, TransferChecked},
    },
    wire::mpp::charge::{
        ChargeRefused, Landed, PrepareRequest, SettleAnswer, SettleBody, SettleRequest, prepare_status, settle_status,
    },
};
use std::collections::BTreeSet;

fn inspect(request: &ChargeRequest<'_>) -> Result<InspectedCharge, ChargeRefusal> {
    let asset = ChargeAsset { mint: mint(), token_program: TokenProgram::Token.address(), decimals: 6 };
    let min_amount = Amount::new(DEFAULT_MIN_AMOUNT).expect("fits");
    let offer = ChargeOffer { asset, others: Vec::new(), min_amount };
    let our_keys = ["fee_payer", "delegate", "rent_authority"].map(known);
    let policy = ChargePolicy { offer: &offer, fee_payers: &our_keys[..1], our_keys: &our_keys, compute: MAX_COMPUTE };
    policy.inspect(request)
}

fn request(case: &Value) -> ChargeRequest<'_> {
    ChargeRequest {
        transaction: text(case, "wire_base64"),
        recipient: pubkey(text(case, "recipient")),
        amount: text(case, "amount"),
        asset: Some(pubkey(text(case, "asset"))),
    }
}

#[test]
fn each_transaction_of_the_vectors_has_its_word() {
    let cases = cases("/policy_cases/cases");
    assert_eq!(cases.len(), 69);
    let mut words = BTreeSet::new();
    for case in cases {
        let (name, expected) = (text(case, "name"), text(case, "expect"));
        let verdict = inspect(&request(case));
        let word = verdict.as_ref().map_or_else(|refusal| refusal.reason.word(), |_| "accept");
        assert_eq!(word, expected, "{name}: {:?}", verdict.as_ref().err());
        words.insert(word);
        let received = ReceivedCharge::read(text(case, "wire_base64"));
        if let (Ok(received), Some(hash)) = (received, case["message_sha256_hex"].as_str()) {
            assert_eq!(hex::encode(received.message_hash()), hash, "{name}");
        }
    }
    assert!(words.len() > 18, "{words:?}");
}

#[test]
fn what_the_published_client_builds_is_settled_byte_for_byte() {
    let charge = golden("/charge");
    let body = serde_json::to_vec(&charge["settle_request"]).expect("JSON");
    let read = SettleRequest::read(&body).expect("a request");
    let (transaction, amount) = (read.transaction.as_str(), read.amount.as_str());
    let request = ChargeRequest { transaction, recipient: read.recipient, amount, asset: read.asset };
    let inspected = inspect(&request).expect("a charge");
    assert_eq!(hex::encode(inspected.message_hash()), text(charge, "message_sha256_hex"));
    assert_eq!((*inspected.fee_payer(), *inspected.payer()), (known("fee_payer"), known("buyer")));
    assert_eq!(*inspected.source(), pubkey(text(golden("/constants"), "buyer_token_account")));
    assert_eq!(*inspected.destination(), pubkey(text(golden("/constants"), "seller_token_account")));
    assert_eq!(inspected.fee(), 10_001);
    let terms = *inspected.terms();
    let signed = inspected.countersign(&LocalSigner::from_seed(&key("fee_payer").to_bytes())).expect("signed");
    let cosigned = &charge["cosigned"];
    assert_eq!(signed.signature.to_string(), text(cosigned, "transaction_signature"));
    assert_eq!(STANDARD.encode(&signed.wire), text(cosigned, "wire_base64"));

    let landed = Landed { signature: signed.signature, payer: known("buyer"), fee_payer: known("fee_payer"), slot: 7 };
    let answer = json!(SettleAnswer::new((&terms.recipient, terms.amount, &terms.asset.mint), &landed, &devnet()));
    let asked = &charge["settle_request"];
    for (member, proof) in [("recipient", "recipient"), ("amount", "amount"), ("asset", "asset")] {
        assert_eq!(answer["settlement"][proof], asked[member], "echoed as it was asked");
        assert_eq!(answer[member], asked[member]);
    }
    assert_eq!(answer["settlement"]["feePayer"], json!(known("fee_payer").to_string()));
    assert_eq!(answer["network"], json!(devnet().chain_id()));
    assert_eq!((&answer["success"], &answer["ok"], &answer["confirmedSlot"]), (&json!(true), &json!(true), &json!(7)));
}

#[test]
fn a_charge_is_built_as_the_published_client_builds_it() {
    let request = &cases("/challenges")[0]["challenge"]["request"];
    let accounts = golden("/constants");
    let transfer = TransferChecked {
        program: TokenProgram::Token,
        source: pubkey(text(accounts, "buyer_token_account")),
        mint: mint(),
        destination: pubkey(text(accounts, "seller_token_account")),
        authority: known("buyer"),
        amount: 10_000,
        decimals: 6,
    };
    let reference = text(&request["methodDetails"], "reference").to_owned();
    let message = message_hex(&ChargeDraft::new(transfer, Some(reference)).instructions());
    assert_eq!(message, text(golden("/charge"), "message_hex"));
    let signature = key("buyer").sign(&hex::decode(message).expect("hex")).to_bytes();
    let expected = &golden("/charge")["signatures"][known("buyer").to_string()];
    assert_eq!(json!(bs58::encode(signature).into_string()), *expected);
}

#[test]
fn a_body_is_written_as_it_is_read() {
    let asked = &golden("/charge")["settle_request"];
    let owned = |name: &str| Some(text(asked, name).to_owned());
    let body = SettleBody {
        transaction: text(asked, "transaction").to_owned(),
        recipient: text(asked, "recipient").to_owned(),
        amount: text(asked, "amount").to_owned(),
        asset: owned("asset"),
        network: owned("network"),
        idempotency_key: None,
    };
    assert_eq!(json!(body), *asked);
    let keyed = SettleBody { idempotency_key: Some("0123456789abcdef".to_owned()), ..body };
    let read = SettleRequest::read(json!(keyed).to_string().as_bytes()).expect("a request");
    assert_eq!(read.idempotency_key, keyed.idempotency_key);
}

#[test]
fn a_body_that_is_no_request_is_told_which_member_is_wrong() {
    let good = golden("/charge")["settle_request"].clone();
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        SettleRequest::read(body.to_string().as_bytes())
    };
    assert!(with("asset", Value::Null).is_ok_and(|read| read.asset.is_none()));
    for (name, value) in [
        ("transaction", json!(null)),
        ("transaction", json!(5)),
        ("recipient", json!("x")),
        ("recipient", json!(format!("{}1", known("seller")))),
        ("amount", json!(10_000)),
        ("asset", json!("0OIl")),
        ("network", json!(["devnet"])),
        ("idempotencyKey", json!("short")),
        ("idempotencyKey", json!("0123456789abcde\u{7f}")),
        ("idempotencyKey", json!("x".repeat(65))),
    ] {
        let refusal = with(name, value.clone()).expect_err("refused");
        assert_eq!(refusal.reason, ChargeReason::BadRequest, "{name} {value}");
        assert!(refusal.detail.contains(name), "{}", refusal.detail);
    }
    for body in ["", "[]", "{", r#"{"network":"devnet","network":"devnet"}"#] {
        assert_eq!(
            PrepareRequest::read(body.as_bytes()).expect_err("refused").reason,
            ChargeReason::BadRequest,
            "{body}"
        );
    }
    let read = |body: &str| PrepareRequest::read(body.as_bytes()).expect("a request").network;
    assert_eq!((read("{}"), read(r#"{"network":"devnet"}"#)), (None, Some("devnet".to_owned())));
}

#[test]
fn a_refusal_says_its_word_and_its_sentence_twice() {
    let refusal = ChargeRefusal::from(ChargeReason::AmountMismatch);
    let body = json!(ChargeRefused::new(&refusal));
    assert_eq!((&body["success"], &body["ok"]), (&json!(false), &json!(false)));
    for member in ["errorCode", "error"] {
        assert_eq!(body[member], json!("amount_mismatch"));
    }
    assert!(body["detail"] == body["details"] && body.get("signature").is_none());
    let unsupported = json!(ChargeRefused::unsupported(&devnet()));
    assert_eq!(unsupported["supported"], json!(["devnet", devnet().chain_id()]));
}

#[test]
fn refusals_of_a_settlement_keep_the_status_that_keeps_their_word() {
    let not_200: Vec<_> = ChargeReason::ALL.iter().filter(|reason| settle_status(**reason) != 200).collect();
    assert_eq!(
        not_200,
        [
            &ChargeReason::BadRequest,
            &ChargeReason::BodyTooLarge,
            &ChargeReason::MppDisabled,
            &ChargeReason::UnsupportedNetwork
        ]
    );
    for (reason, status) in [
        (ChargeReason::UnsupportedNetwork, 400),
        (ChargeReason::MppDisabled, 404),
        (ChargeReason::BodyTooLarge, 413),
        (ChargeReason::GlobalVerifyCap, 429),
        (ChargeReason::InternalError, 500),
        (ChargeReason::Unavailable, 503),
        (ChargeReason::InsufficientSponsorBalance, 503),
    ] {
        assert_eq!(prepare_status(reason), status, "{reason}");
    }
}
