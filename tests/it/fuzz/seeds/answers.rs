//! The seeds of an endpoint's answers, in the forms that Solana's nodes give them.

use super::vectors;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use sotto::chain::answers;

fn account() -> Value {
    let bytes = vectors::accounts().remove(0);
    let (space, data) = (bytes.len(), STANDARD.encode(bytes));
    let owner = Pubkey::new_from_array([3; 32]).to_string();
    json!({ "lamports": 2_429_040, "owner": owner, "data": [data, "base64"], "executable": false, "rentEpoch": 0, "space": space })
}

fn with_context(value: &Value) -> Value {
    json!({ "context": { "apiVersion": "2.2.0", "slot": 7 }, "value": value })
}

fn accounts() -> Value {
    with_context(&json!([account()]))
}

fn simulation() -> Value {
    with_context(&json!({ "err": null, "logs": ["Program log: ok"], "accounts": [account()], "unitsConsumed": 1_234 }))
}

fn statuses() -> Value {
    let status = json!({ "slot": 7, "confirmations": null, "err": null, "status": { "Ok": null }, "confirmationStatus": "finalized" });
    with_context(&json!([status]))
}

fn listed() -> Value {
    let entry = |error: Value| {
        let signature = Signature::from([9; 64]).to_string();
        json!({ "signature": signature, "slot": 7, "err": error, "memo": null, "blockTime": 1_795_292_182, "confirmationStatus": "finalized" })
    };
    json!([entry(Value::Null), entry(json!({ "InstructionError": [0, { "Custom": 6001 }] }))])
}

fn transaction() -> Value {
    let inner = json!([{ "index": 0, "instructions": [{ "programIdIndex": 1, "accounts": [0], "data": "3Bxs", "stackHeight": 2 }] }]);
    let meta = json!({
        "err": null, "status": { "Ok": null }, "fee": 10_000, "preBalances": [20_000, 0], "postBalances": [10_000, 0],
        "innerInstructions": inner, "logMessages": [], "loadedAddresses": { "writable": [], "readonly": [] },
    });
    let wire = STANDARD.encode(vectors::settlement());
    json!({ "slot": 7, "blockTime": 1_795_292_182, "transaction": [wire, "base64"], "meta": meta, "version": "legacy" })
}

/// One of each.
pub(super) fn all() -> Vec<Vec<u8>> {
    let all = [accounts(), simulation(), statuses(), listed(), transaction()];
    all.iter().map(|answer| answer.to_string().into_bytes()).collect()
}

/// A seed that is no answer would be mutated in vain.
#[test]
fn every_seed_is_an_answer_that_is_read() {
    let bytes = |answer: Value| answer.to_string().into_bytes();
    let keys = [Pubkey::new_from_array([1; 32])];
    assert!(answers::accounts(&bytes(accounts()), &keys).unwrap()[0].is_some());
    assert!(answers::simulation(&bytes(simulation()), &keys).unwrap().accounts[0].is_some());
    assert_eq!(answers::known_statuses(&bytes(statuses()), &[Signature::default()]).unwrap(), 1);
    assert_eq!(answers::listed(&bytes(listed())).unwrap().iter().filter(|entry| entry.failed).count(), 1);
    let seen = answers::transaction(&bytes(transaction())).unwrap();
    assert!(seen.instructions.iter().any(|instruction| instruction.called_by == Some(0)));
}
