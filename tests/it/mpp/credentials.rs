//! Credentials and receipts of the published client, over HTTP and over MCP.

use super::{cases, golden, text};
use base64::{
    Engine as _,
    engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD},
};
use serde_json::{Map, Value, json};
use sotto::wire::mpp::{
    challenge::{Challenge, read_all},
    credential::{Credential, CredentialFault},
    mcp,
    problem::Problem,
    receipt::ChargeReceipt,
};

fn header() -> &'static str {
    text(golden("/credential"), "authorization")
}

fn credential() -> Credential {
    Credential::read(header()).expect("a credential")
}

fn challenge(number: usize) -> Challenge {
    read_all(text(&cases("/challenges")[number], "www_authenticate")).remove(0)
}

fn in_header(json: &Value) -> String {
    format!("Payment {}", URL_SAFE_NO_PAD.encode(json.to_string()))
}

#[test]
fn credentials_are_the_published_clients_both_ways() {
    let read = credential();
    assert_eq!(read.header(), header());
    assert_eq!(read.value(), *golden("/credential/decoded"));
    assert_eq!(read.challenge, challenge(0));
    assert_eq!(read.transaction, text(golden("/charge"), "wire_base64"));
    assert!(read.challenge.is_of(text(&cases("/challenges")[0], "secret").as_bytes()));
}

#[test]
fn every_spelling_of_a_credential_is_read() {
    let decoded = golden("/credential/decoded");
    let padded = format!("Payment {}", URL_SAFE.encode(decoded.to_string()));
    for spelled in [
        padded,
        header().replace("Payment ", "payment   "),
        format!("Bearer abc, {}", header()),
        format!("{}, Basic dXNlcg==", header()),
    ] {
        assert_eq!(Credential::read(&spelled), Ok(credential()), "{spelled:.40}");
    }
    let mut told = decoded.clone();
    told["source"] = json!("did:pkh:x");
    told["payload"].as_object_mut().expect("an object").remove("type");
    told["challenge"]["description"] = json!("not bound, not read");
    let read = Credential::read(&in_header(&told)).expect("a credential");
    assert_eq!((read.source.as_deref(), read.challenge.description), (Some("did:pkh:x"), None));
}

#[test]
fn parts_that_were_decoded_are_written_again_canonically() {
    let case = &cases("/challenges")[1];
    let told = json!({ "challenge": case["challenge"], "payload": { "transaction": "AA==" } });
    let read = Credential::read(&in_header(&told)).expect("a credential").challenge;
    assert_eq!(read.request, text(case, "request_base64url"));
    assert!(read.is_of(text(case, "secret").as_bytes()), "the opaque object is bound as its text is");
}

#[test]
fn what_is_no_credential_is_told_apart() {
    let with = |pointer: &str, value: Value| {
        let mut told = golden("/credential/decoded").clone();
        *told.pointer_mut(pointer).expect("a member") = value;
        Credential::read(&in_header(&told)).expect_err("refused")
    };
    assert_eq!(with("/payload/type", json!("signature")), CredentialFault::UnsupportedType);
    assert_eq!(CredentialFault::UnsupportedType.to_string(), "Unsupported credential type");
    for (pointer, value) in [
        ("/payload/type", json!(5)),
        ("/payload/transaction", json!(null)),
        ("/payload", json!("x")),
        ("/challenge", json!([])),
        ("/challenge/id", json!(null)),
        ("/challenge/realm", json!(1)),
        ("/challenge/request", json!(1.5)),
        ("/challenge/request", json!({ "a": 1.5 })),
    ] {
        assert_eq!(with(pointer, value.clone()), CredentialFault::Malformed, "{pointer} {value}");
    }
    for absent in ["", "Bearer x", "Payments x", "Payment"] {
        assert_eq!(Credential::read(absent), Err(CredentialFault::Absent), "{absent}");
    }
    for malformed in ["Payment !", "Payment bm8", "Payment e30", &format!("Payment {}", "A".repeat(70_000))] {
        assert_eq!(Credential::read(malformed), Err(CredentialFault::Malformed), "{malformed:.20}");
    }
}

#[test]
fn receipts_are_the_published_clients_both_ways() {
    let told = golden("/receipt/receipt");
    let ours = ChargeReceipt::new(text(told, "reference"), text(told, "timestamp"));
    assert_eq!(json!(ours), *told);
    let header = text(golden("/receipt"), "payment_receipt");
    assert_eq!(ours.header(), header);
    assert_eq!(ChargeReceipt::read(header), Some(ours));
    for nothing in ["", "e30", "!", &"A".repeat(70_000)] {
        assert_eq!(ChargeReceipt::read(nothing), None);
    }
}

#[test]
fn mcp_carries_challenges_credentials_and_receipts() {
    let challenges = [challenge(0), challenge(1)];
    let required = mcp::error(&Problem::PaymentRequired, &challenges);
    assert_eq!((&required["code"], &required["data"]["httpStatus"]), (&json!(-32_042), &json!(402)));
    assert_eq!(required["data"]["challenges"][0], cases("/challenges")[0]["challenge"], "with its request decoded");
    assert!(required["data"].get("problem").is_none());
    assert_eq!(mcp::read_error(&required), (challenges.to_vec(), None));

    let failed = mcp::error(&Problem::VerificationFailed("amount_mismatch".to_owned()), &challenges[..1]);
    assert_eq!(failed["code"], json!(-32_043));
    let problem = mcp::read_error(&failed).1.expect("a problem");
    assert_eq!(problem.challenge_id.as_deref(), Some(challenges[0].id.as_str()));
    assert_eq!(mcp::error(&Problem::MalformedCredential, &[])["code"], json!(-32_602));

    let mut parameters = Map::new();
    parameters.insert("name".to_owned(), json!("weather"));
    mcp::add_credential(&mut parameters, &credential());
    let parameters = Value::Object(parameters);
    assert_eq!(mcp::read_credential(&parameters), Ok(credential()));
    assert_eq!(mcp::read_credential(&json!({ "_meta": {} })), Err(CredentialFault::Absent));

    let receipt = ChargeReceipt::new("signature", "2026-04-10T22:00:05.000Z");
    let mut result = Map::new();
    result.insert("_meta".to_owned(), json!({ "other": 1 }));
    mcp::add_receipt(&mut result, &receipt, "id-1");
    let result = Value::Object(result);
    assert_eq!(mcp::read_receipt(&result), Some((receipt, "id-1".to_owned())));
    assert_eq!(result["_meta"]["other"], json!(1), "what else stood there stays");
}
