//! MPP over JSON-RPC, as tools of the Model Context Protocol are sold: challenges in an error, the credential and the receipt in
//! `_meta`.

use super::{
    challenge::Challenge,
    credential::{Credential, CredentialFault, read_challenge},
    problem::{Problem, ProblemDocument},
    receipt::ChargeReceipt,
};
use crate::{domain::base64_text, wire::json};
use serde_json::{Map, Value, json};

/// Nothing was paid, or what was paid is not enough.
pub const PAYMENT_REQUIRED: i64 = -32042;
/// The payment was refused.
pub const VERIFICATION_FAILED: i64 = -32043;
/// JSON-RPC's own code for parameters that cannot be read.
pub const INVALID_PARAMS: i64 = -32602;
/// Where a call's parameters carry the credential.
pub const CREDENTIAL: &str = "org.paymentauth/credential";
/// Where a result carries the receipt.
pub const RECEIPT: &str = "org.paymentauth/receipt";

/// The error of a call that was not paid, with the challenges by which it can be.
pub fn error(problem: &Problem, challenges: &[Challenge]) -> Value {
    let code = match problem {
        Problem::MalformedCredential => INVALID_PARAMS,
        Problem::VerificationFailed(_) => VERIFICATION_FAILED,
        Problem::PaymentRequired
        | Problem::InvalidChallenge
        | Problem::PaymentExpired
        | Problem::InvalidPayload
        | Problem::MethodUnsupported
        | Problem::BadRequest => PAYMENT_REQUIRED,
    };
    let document = problem.document(challenges.first().map(|challenge| challenge.id.as_str()));
    let message = document.title.clone();
    let offered: Vec<Value> = challenges.iter().map(as_object).collect();
    let mut about = json!({ "httpStatus": document.status, "challenges": offered });
    if *problem != Problem::PaymentRequired {
        about["problem"] = json!(document);
    }
    json!({ "code": code, "message": message, "data": about })
}

/// The challenges of an error, those that can be read, and its problem.
pub fn read_error(error: &Value) -> (Vec<Challenge>, Option<ProblemDocument>) {
    let about = error.get("data");
    let offered = about.and_then(|about| about.get("challenges")).and_then(Value::as_array);
    let read = |value: &Value| read_challenge(&json::Object::root(value).ok()?).ok();
    let challenges = offered.into_iter().flatten().filter_map(read).collect();
    let problem = about.and_then(|about| about.get("problem")).cloned();
    (challenges, problem.and_then(|problem| serde_json::from_value(problem).ok()))
}

/// Puts a credential into the parameters of a call.
pub fn add_credential(parameters: &mut Map<String, Value>, credential: &Credential) {
    put(parameters, CREDENTIAL, credential.value());
}

/// The credential in the parameters of a call.
pub fn read_credential(parameters: &Value) -> Result<Credential, CredentialFault> {
    let found = parameters.get("_meta").and_then(|meta| meta.get(CREDENTIAL));
    Credential::from_value(found.ok_or(CredentialFault::Absent)?)
}

/// Puts the receipt of a challenge into a result.
pub fn add_receipt(result: &mut Map<String, Value>, receipt: &ChargeReceipt, challenge_id: &str) {
    let mut told = json!(receipt);
    told["challengeId"] = json!(challenge_id);
    put(result, RECEIPT, told);
}

/// The receipt in a result, and the id of the challenge that it is for.
pub fn read_receipt(result: &Value) -> Option<(ChargeReceipt, String)> {
    let told = result.get("_meta")?.get(RECEIPT)?;
    let challenge_id = told.get("challengeId")?.as_str()?.to_owned();
    Some((serde_json::from_value(told.clone()).ok()?, challenge_id))
}

/// Puts a member into the object `_meta`, made where there is none; whatever else stood there gives way.
fn put(of: &mut Map<String, Value>, name: &str, value: Value) {
    let slot = of.entry("_meta").or_insert(Value::Null);
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    if let Some(meta) = slot.as_object_mut() {
        meta.insert(name.to_owned(), value);
    }
}

/// A challenge as an object, with its request and the seller's own JSON decoded.
fn as_object(challenge: &Challenge) -> Value {
    let mut object = Map::new();
    let texts = [
        ("id", Some(&challenge.id)),
        ("realm", Some(&challenge.realm)),
        ("method", Some(&challenge.method)),
        ("intent", Some(&challenge.intent)),
        ("description", challenge.description.as_ref()),
        ("digest", challenge.digest.as_ref()),
        ("expires", challenge.expires.as_ref()),
    ];
    for (name, text) in texts {
        object.extend(text.map(|text| (name.to_owned(), Value::from(text.as_str()))));
    }
    for (name, text) in [("request", Some(&challenge.request)), ("opaque", challenge.opaque.as_ref())] {
        object.extend(text.map(|text| (name.to_owned(), decoded(text))));
    }
    Value::Object(object)
}

/// The JSON inside; what holds none stays as it is.
fn decoded(text: &str) -> Value {
    let bytes = base64_text::decode(text).ok();
    bytes.and_then(|bytes| json::read(&bytes).ok()).unwrap_or_else(|| Value::from(text))
}
