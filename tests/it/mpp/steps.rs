//! What the vectors show of the way to a value: labels, texts and parts that stand in no message, each made by its own rule. So a
//! value that is right by chance, or a rule that is written down wrongly, is found here.

use super::{address, cases, devnet, golden, known, number, pubkey, root, text};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sotto::{
    domain::{
        mpp::{channel_id::ChannelSecret, root::swig_id},
        signed,
    },
    programs::delegation::session_account::RENT,
    wire::mpp::session::{CloseAnswer, OpenAnswer},
};

/// HMAC-SHA256.
fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("takes every key");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// HMAC-SHA256 under the root of the vectors.
fn derived(label: &str) -> Vec<u8> {
    keyed(&hex::decode(text(golden("/derivations"), "root_hex")).expect("hex"), label)
}

#[test]
fn a_challenge_is_bound_by_what_the_vectors_say() {
    for case in cases("/challenges") {
        let id = keyed(text(case, "secret").as_bytes(), text(case, "id_input"));
        assert_eq!(URL_SAFE_NO_PAD.encode(id), text(case, "id"), "{}", case["name"]);
    }
}

#[test]
fn a_channel_is_certified_by_its_text() {
    let (channel, open) = (golden("/channel"), golden("/channel/open"));
    let certificate = STANDARD.decode(text(open, "certificate")).expect("base64").try_into().expect("64 bytes");
    let certified = text(channel, "certificate_text");
    assert!(signed::verify(&pubkey(text(open, "issuer")), certified.as_bytes(), &certificate));
    assert!(certified.contains(text(open, "session_pubkey")) && certified.contains(text(open, "deposit_atomic")));
}

#[test]
fn the_secret_of_a_proof_has_its_label() {
    let (secret, open) = (golden("/derivations/channel_secret_from_proof"), golden("/proofs/open"));
    assert_eq!(text(secret, "label"), text(open, "secret_label"));
    let derived = ChannelSecret::from_bytes(derived(text(secret, "label")).try_into().expect("32 bytes"));
    for shown in [secret, open] {
        assert_eq!(*derived.expose(), text(shown, "channel_id"));
        assert_eq!(derived.public_id().to_string(), text(shown, "public_id"));
    }
}

#[test]
fn a_swigs_ids_are_the_hashes_of_their_texts() {
    let (swig, salted) = (golden("/swig"), golden("/swig/salted"));
    let hash = |of: &Value| hex::encode(Sha256::digest(text(of, "id_text")));
    assert_eq!((hash(swig).as_str(), hash(salted).as_str()), (text(swig, "id_hex"), text(salted, "id_hex")));
    let salt = hex::encode(derived(text(salted, "salt_label")));
    assert_eq!(salt, text(salted, "salt_hmac_hex"));
    assert_eq!(format!("{}:{}", text(swig, "id_text"), &salt[..16]), text(salted, "id_text"));
    assert_eq!(hex::encode(swig_id(devnet().chain_id(), &known("buyer"))), hash(swig));
    assert_eq!(hex::encode(root().salted_swig_id(devnet().chain_id(), &known("buyer"))), hash(salted));
}

#[test]
fn the_parts_of_a_swigs_instructions_stand_in_them() {
    let swig = golden("/swig");
    for (part, whole) in [
        ("ed25519_session_creation_data_hex", "add_authority_v1"),
        ("ed25519_session_creation_data_hex", "add_authority_v1_with_destination"),
        ("sign_v2_compact_hex", "sign_v2_transfer_checked"),
    ] {
        let data = text(&swig["instructions"][whole], "data_hex");
        assert!(data.contains(text(swig, part)), "{part} in {whole}");
    }
    for (name, account) in swig["accounts"].as_object().expect("an object") {
        for role in account["decoded_roles"].as_array().expect("a list") {
            let kind = if role.get("session_key").is_some() { 2 } else { 1 };
            assert_eq!(role["authority_type"], json!(kind), "{name}");
        }
    }
    assert_eq!(address("/constants/swig_program"), sotto::programs::delegation::swig::PROGRAM);
}

#[test]
fn what_a_gift_leaves_of_the_rent_is_what_we_pay() {
    for name in ["onboard_prefunded_transaction", "onboard_overfunded_transaction"] {
        let golden = &golden("/spl_delegate")[name];
        let [gift, missing] = ["gift_lamports", "missing_lamports"].map(|member| number::<u64>(golden, member));
        assert_eq!(RENT.saturating_sub(gift), missing, "{name}");
    }
}

#[test]
fn a_channels_first_and_last_answers_are_read_and_written_as_they_are() {
    let channel = golden("/channel");
    let opened: OpenAnswer = serde_json::from_value(channel["open"].clone()).expect("an answer");
    assert_eq!(json!(opened), channel["open"]);
    let closed: CloseAnswer = serde_json::from_value(channel["close"].clone()).expect("an answer");
    assert_eq!(json!(closed), channel["close"]);
    assert_eq!(closed.close_tx_signature.as_deref(), channel["settlement"]["transaction_signature"].as_str());
    let last = channel["vouchers"].as_array().expect("a list").last().expect("a voucher");
    assert_eq!(closed.settlement.amount_settled, text(&last["voucher"], "cumulativeAmount"));
    assert_eq!(json!(closed.settlement.voucher_count), last["voucher"]["sequence"]);
    let parts = [&closed.settlement.amount_settled, &closed.settlement.buyer_refund, &closed.shortfall];
    let sum: u64 = parts.iter().map(|part| part.parse::<u64>().expect("a number")).sum();
    assert_eq!(sum, number::<u64>(&channel["open"], "deposit_atomic"), "the three parts are the deposit");
}
