//! `docs/openapi.json` is written by hand and held to the code: the same routes, the same words, and (through
//! [`check_answer`], which the API's tests call on every answer) the same bodies.

use serde_json::Value;
use sotto::domain::{
    mpp::{
        channel::reason::ChannelReason,
        reason::{ChargeReason, OnboardReason, SiwxReason},
    },
    reason::{PayReason, SessionReason},
};
use sotto::wire::mpp::{
    charge::{prepare_status, settle_status},
    onboard, session,
};
use std::{collections::BTreeSet, sync::LazyLock};

/// The document.
pub(crate) fn document() -> &'static Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
        serde_json::from_str(include_str!("../../docs/openapi.json")).expect("docs/openapi.json is JSON")
    });
    &DOCUMENT
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => {
            let target =
                document.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("{reference} exists"));
            resolve(document, target)
        }
        None => schema,
    }
}

/// Fails unless `body` is what the document says this route answers with this status.
#[track_caller]
pub(crate) fn check_answer(path: &str, method: &str, status: u16, body: &Value) {
    let document = document();
    let response = &document["paths"][path][method.to_lowercase()]["responses"][status.to_string()];
    let schema = response.pointer("/content/application~1json/schema");
    let schema = schema.unwrap_or_else(|| panic!("{method} {path} does not document {status}: {body}"));
    let mut faults = Vec::new();
    check(document, schema, body, "", &mut faults);
    assert!(faults.is_empty(), "{method} {path} {status}: {faults:?} in {body}");
}

/// [`check_answer`] for a path as it was asked for. What no route is documented for is left alone.
#[track_caller]
pub(crate) fn check_answer_at(asked: &str, method: &str, status: u16, body: &Value) {
    let asked = asked.split('?').next().unwrap_or_default();
    let fits = |pattern: &str| {
        let (pattern, asked) = (pattern.split('/'), asked.split('/'));
        pattern.clone().count() == asked.clone().count()
            && pattern.zip(asked).all(|(known, part)| known == part || known.starts_with('{'))
    };
    let paths = document()["paths"].as_object().expect("paths");
    let known = paths.iter().find(|(pattern, item)| fits(pattern) && item.get(method.to_lowercase()).is_some());
    if let Some((pattern, _)) = known {
        check_answer(pattern, method, status, body);
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The part of JSON Schema that the document uses for answers.
fn check(document: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let schema = resolve(document, schema);
    if let Some(choices) = schema["anyOf"].as_array() {
        let fits = choices.iter().any(|choice| {
            let mut inner = Vec::new();
            check(document, choice, value, at, &mut inner);
            inner.is_empty()
        });
        if !fits {
            faults.push(format!("{at} fits no choice"));
        }
    }
    if let Some(wanted) = schema["type"].as_str()
        && wanted != type_name(value)
    {
        faults.push(format!("{at} is not a {wanted}"));
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value))
        || schema.get("const").is_some_and(|wanted| wanted != value)
    {
        faults.push(format!("{at} is not one of the documented values"));
    }
    if let Some(pattern) = schema["pattern"].as_str()
        && !value.as_str().is_some_and(|text| matches(pattern, text))
    {
        faults.push(format!("{at} does not match {pattern}"));
    }
    if let Some(items) = value.as_array() {
        for item in items {
            check(document, &schema["items"], item, &format!("{at}[]"), faults);
        }
    }
    let Some(members) = value.as_object() else { return };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !members.contains_key(name) {
            faults.push(format!("{at}.{name} is missing"));
        }
    }
    for (name, member) in members {
        match schema["properties"].get(name) {
            Some(known) => check(document, known, member, &format!("{at}.{name}"), faults),
            None => match schema.get("additionalProperties") {
                Some(Value::Bool(false)) => faults.push(format!("{at}.{name} is not documented")),
                Some(other) if other.is_object() => check(document, other, member, &format!("{at}.{name}"), faults),
                _ => {}
            },
        }
    }
}

/// The patterns that answers use, by hand: a regular-expression engine for them alone would be another dependency.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern {
        "^[1-9A-HJ-NP-Za-km-z]{32,44}$" => sotto::domain::signed::parse_key(text).is_some(),
        "^[1-9A-HJ-NP-Za-km-z]{64,88}$" => sotto::domain::signed::parse_signature(text).is_some(),
        "^(0|[1-9][0-9]{0,18})$" => sotto::domain::amount::Amount::parse(text).is_ok(),
        words => {
            let words = words.trim_start_matches('^').trim_end_matches(")$");
            let (head, tails) = words.split_once('(').unwrap_or_else(|| panic!("teach this test {pattern}"));
            text.strip_prefix(head).is_some_and(|tail| tails.split('|').any(|known| known == tail))
        }
    }
}

#[test]
fn every_route_is_documented_and_every_documented_route_is_served() {
    let document = document();
    let paths = document["paths"].as_object().expect("paths");
    let documented: BTreeSet<(String, String)> = paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().expect("a path item").keys();
            methods.map(move |method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    let served: BTreeSet<(String, String)> =
        sotto::api::served().into_iter().map(|(method, path)| (method.to_owned(), path.to_owned())).collect();
    assert_eq!(documented, served);
}

#[test]
fn the_document_lists_exactly_the_words_there_are() {
    let document = document();
    let words = |pointer: &str| -> Vec<String> {
        let list = document.pointer(pointer).and_then(Value::as_array).unwrap_or_else(|| panic!("{pointer}"));
        list.iter().map(|word| word.as_str().expect("a word").to_owned()).collect()
    };
    let pay: Vec<_> = PayReason::ALL.iter().map(|reason| reason.word().to_owned()).collect();
    assert_eq!(words("/components/schemas/PayReason/enum"), pay);
    let open: Vec<_> =
        SessionReason::ALL.iter().map(|r| r.word().to_owned()).filter(|word| !word.ends_with('_')).collect();
    assert_eq!(words("/components/schemas/OpenReason/anyOf/0/enum"), open);
    let charges: Vec<_> = ChargeReason::ALL.iter().map(|reason| reason.word().to_owned()).collect();
    assert_eq!(words("/components/schemas/ChargeReason/enum"), charges);
    let channels: Vec<_> = ChannelReason::ALL.iter().map(|reason| reason.word().to_owned()).collect();
    assert_eq!(words("/components/schemas/ChannelReason/enum"), channels);
    let sign_ins = SiwxReason::ALL.iter().map(|reason| reason.word());
    let onboarding: Vec<_> =
        sign_ins.chain(OnboardReason::ALL.iter().map(|reason| reason.word())).map(str::to_owned).collect();
    assert_eq!(words("/components/schemas/OnboardReason/anyOf/0/enum"), onboarding);
}

#[test]
fn every_status_a_reason_has_is_documented() {
    let document = document();
    for path in ["/verify", "/settle"] {
        for &reason in PayReason::ALL {
            let status = sotto::api::pay_status(reason).as_u16().to_string();
            assert!(document["paths"][path]["post"]["responses"].get(&status).is_some(), "{path} {reason} {status}");
        }
    }
    for &reason in ChargeReason::ALL {
        let (settle, prepare) = (settle_status(reason), prepare_status(reason));
        for (path, status) in [("/mpp/settle", settle), ("/mpp/prepare", prepare)] {
            let responses = &document["paths"][path]["post"]["responses"];
            assert!(responses.get(status.to_string()).is_some(), "{path} {reason} {status}");
        }
    }
    for &reason in ChannelReason::ALL {
        let status = session::status(reason).to_string();
        for path in ["/mpp/session/open", "/mpp/session/voucher", "/mpp/session/close"] {
            assert!(document["paths"][path]["post"]["responses"].get(&status).is_some(), "{path} {reason} {status}");
        }
    }
    let confirms = &document["paths"]["/api/sessions/onboard/confirm"]["post"]["responses"];
    let leaves = &document["paths"]["/api/sessions/leave"]["post"]["responses"];
    for &reason in OnboardReason::ALL {
        let status = onboard::status(reason).to_string();
        assert!(confirms.get(&status).or(leaves.get(&status)).is_some(), "{reason} {status}");
    }
    for &reason in SessionReason::ALL {
        let status = sotto::api::session_status(reason).as_u16().to_string();
        let documented = |path: &str, method: &str| document["paths"][path][method]["responses"].get(&status).is_some();
        assert!(documented("/sessions", "post") || documented("/sessions/{id}", "get"), "{reason} {status}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(document: &Value, value: &Value) {
        match value {
            Value::Object(members) => {
                resolve(document, value);
                members.values().for_each(|member| walk(document, member));
            }
            Value::Array(items) => {
                for item in items {
                    walk(document, item);
                }
            }
            _ => {}
        }
    }
    let document = document();
    walk(document, document);
}
