//! The seeds of `tests/vectors`: bytes that published clients and the real programs made.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

fn inco() -> Value {
    serde_json::from_str(include_str!("../../../vectors/inco.json")).expect("the vectors are JSON")
}

fn text<'a>(case: &'a Value, member: &str) -> &'a str {
    case[member].as_str().unwrap_or_else(|| panic!("{member} is a text"))
}

fn cases<'a>(vectors: &'a Value, section: &str) -> &'a [Value] {
    vectors.pointer(section).and_then(Value::as_array).unwrap_or_else(|| panic!("{section} is a list"))
}

fn base64(text: &str) -> Vec<u8> {
    STANDARD.decode(text).expect("base64")
}

/// The golden settlement, as it goes to the chain.
pub(super) fn settlement() -> Vec<u8> {
    base64(text(&inco()["settlement_transaction"], "wire_base64"))
}

/// The message that a published client signs to open a session.
pub(super) fn intent() -> String {
    text(&inco()["session_intent"], "text").to_owned()
}

/// Accounts of Inco's program, and accounts and mints of plain tokens.
pub(super) fn accounts() -> Vec<Vec<u8>> {
    let plain: Value = serde_json::from_str(include_str!("../../../vectors/spl_token.json")).expect("JSON");
    let inco = inco();
    let all = cases(&inco, "/inco_accounts").iter().chain(cases(&plain, "/accounts")).chain(cases(&plain, "/mints"));
    all.map(|case| base64(text(case, "data_base64"))).collect()
}

/// Amounts as the published client encrypts them.
pub(super) fn ciphertexts() -> Vec<Vec<u8>> {
    let inco = inco();
    cases(&inco, "/ecies/cases").iter().map(|case| hex::decode(text(case, "ciphertext_hex")).expect("hex")).collect()
}

/// Answers of the Covalidator: golden attestations, and its known refusals.
pub(super) fn attestations() -> Vec<Vec<u8>> {
    let inco = inco();
    let golden = cases(&inco, "/covalidator")
        .iter()
        .map(|case| json!({ "plaintext": case["plaintext"], "signature": case["attestation_signature_base58"] }));
    let refusals = ["address is not allowed to decrypt", "ciphertext not found"].map(|why| json!({ "error": why }));
    golden.chain(refusals).map(|answer| answer.to_string().into_bytes()).collect()
}

/// A receipt of ours and one that the published package made.
pub(super) fn receipts() -> Vec<Vec<u8>> {
    let vectors: Value = serde_json::from_str(include_str!("../../../vectors/receipts.json")).expect("JSON");
    ["receipt", "published"].map(|member| text(&vectors, member).as_bytes().to_vec()).to_vec()
}
