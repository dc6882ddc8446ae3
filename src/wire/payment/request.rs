//! What makes two requests equal: payload and requirements as they were read, whatever their bytes were.

use crate::domain::hold::RequestHash;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The hash of a body's `paymentPayload` and `paymentRequirements`, every member of them, known to us or not.
pub(super) fn hash(json: &Value) -> RequestHash {
    let mut hash = Sha256::new();
    for side in ["paymentPayload", "paymentRequirements"] {
        add(&mut hash, json.get(side).unwrap_or(&Value::Null));
    }
    RequestHash(hash.finalize().into())
}

/// Adds one value, its kind and its length first, so that no two values share their bytes. The depth is bounded by
/// [`crate::wire::json::read`].
fn add(hash: &mut Sha256, value: &Value) {
    match value {
        Value::Object(members) => {
            begin(hash, b'{', members.len());
            // The order of members says nothing.
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            for (name, value) in members {
                text(hash, name);
                add(hash, value);
            }
        }
        Value::Array(items) => {
            begin(hash, b'[', items.len());
            for item in items {
                add(hash, item);
            }
        }
        Value::String(string) => text(hash, string),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            let word = value.to_string();
            begin(hash, b'#', word.len());
            hash.update(word);
        }
    }
}

fn text(hash: &mut Sha256, text: &str) {
    begin(hash, b'"', text.len());
    hash.update(text);
}

fn begin(hash: &mut Sha256, kind: u8, length: usize) {
    hash.update([kind]);
    hash.update((length as u64).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(payload: &Value, requirements: &Value) -> RequestHash {
        hash(&json!({ "paymentPayload": payload, "paymentRequirements": requirements }))
    }

    #[test]
    fn equal_requests_have_one_hash_however_they_are_written() {
        let read = |text: &str| hash(&crate::wire::json::read(text.as_bytes()).expect("is JSON"));
        let one = read(r#"{"x402Version":2,"paymentPayload":{"a":[1,"x"],"b":{}},"paymentRequirements":{"c":null}}"#);
        let other = read(r#"{"paymentRequirements":{ "c":null },"paymentPayload":{"b":{},"a":[1,"\u0078"]}}"#);
        assert_eq!(one, other);
    }

    #[test]
    fn whatever_differs_is_another_request() {
        let one = (json!({ "a": "1", "b": [["x"], []] }), json!({ "extra": { "idempotent": true } }));
        let others = [
            (json!({ "a": 1, "b": [["x"], []] }), one.1.clone()),
            (json!({ "a": "1", "b": [[], ["x"]] }), one.1.clone()),
            (json!({ "a": "1", "b": [["x", []]] }), one.1.clone()),
            (json!({ "a": "1", "b": [["x"], []], "c": null }), one.1.clone()),
            (json!({ "b": "1", "a": [["x"], []] }), one.1.clone()),
            (one.0.clone(), json!({ "extra": { "idempotent": "true" } })),
            (one.0.clone(), json!({ "extra": { "idempotent": true }, "description": "" })),
            (one.1.clone(), one.0.clone()),
        ];
        for (payload, requirements) in &others {
            assert_ne!(of(payload, requirements), of(&one.0, &one.1), "{payload} {requirements}");
        }
    }
}
