//! Challenges: what the published client parses and verifies is what we write, and what anybody may write is read.

use super::{cases, text};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use sotto::wire::mpp::{
    canonical,
    challenge::{Challenge, ChallengeError, ChallengeParts, ChargeRequested, is_quotable, read_all},
    problem::Problem,
};

fn requested(case: &Value) -> ChargeRequested {
    serde_json::from_value(case["challenge"]["request"].clone()).expect("a charge")
}

fn challenge(case: &Value) -> Challenge {
    let told = &case["challenge"];
    let parts = ChallengeParts {
        realm: text(told, "realm"),
        description: told["description"].as_str(),
        digest: told["digest"].as_str(),
        expires: told["expires"].as_str(),
        opaque: told.get("opaque"),
    };
    Challenge::charge(text(case, "secret").as_bytes(), &requested(case), &parts).expect("a challenge")
}

#[test]
fn challenges_are_the_published_clients_both_ways() {
    for case in cases("/challenges") {
        let (name, ours) = (text(case, "name"), challenge(case));
        assert_eq!(ours.request, text(case, "request_base64url"), "{name}");
        let json = String::from_utf8(URL_SAFE_NO_PAD.decode(&ours.request).expect("base64")).expect("text");
        assert_eq!(json, text(case, "request_jcs"), "{name}");
        assert_eq!(canonical::text(&json!(requested(case))).as_deref(), Ok(text(case, "request_jcs")), "{name}");
        assert_eq!(ours.id, text(case, "id"), "{name}");
        assert_eq!(ours.header(), text(case, "www_authenticate"), "{name}");
        assert_eq!(read_all(text(case, "www_authenticate")), std::slice::from_ref(&ours), "{name}");
        assert_eq!(ours.requested(), Ok(requested(case)), "{name}");
        assert!(ours.is_of(text(case, "secret").as_bytes()), "{name}");
    }
}

#[test]
fn every_part_but_the_description_is_bound() {
    let case = &cases("/challenges")[1];
    let (ours, secret) = (challenge(case), text(case, "secret").as_bytes());
    let bent = |change: fn(&mut Challenge)| {
        let mut bent = ours.clone();
        change(&mut bent);
        bent.is_of(secret)
    };
    assert!(bent(|it| it.description = Some("Something else".to_owned())));
    let changes: [fn(&mut Challenge); 9] = [
        |it| it.id.push('A'),
        |it| it.id.clear(),
        |it| it.realm.push('x'),
        |it| it.method.push('x'),
        |it| it.intent.push('x'),
        |it| it.request.push('A'),
        |it| it.digest = None,
        |it| it.expires = None,
        |it| it.opaque = None,
    ];
    for change in changes {
        assert!(!bent(change));
    }
    assert!(!ours.is_of(b"another secret"));
}

/// A writer with the same secret may have bound a realm with a joint in it, which means two realms.
#[test]
fn a_part_with_a_joint_in_it_is_bound_by_nothing() {
    let case = &cases("/challenges")[0];
    let secret = text(case, "secret").as_bytes();
    let bound = |realm: &str| {
        let mut challenge = Challenge { realm: realm.to_owned(), expires: None, ..challenge(case) };
        let joined = format!("{realm}|dexter|charge|{}|||", challenge.request);
        let mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key").chain_update(joined);
        challenge.id = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        challenge
    };
    assert!(bound("api").is_of(secret));
    assert!(!bound("a|b").is_of(secret));
}

#[test]
fn what_the_published_parser_would_take_apart_wrongly_is_not_written() {
    let case = &cases("/challenges")[0];
    let (request, secret) = (requested(case), text(case, "secret").as_bytes());
    for realm in ["a|b", "a\"b", "a\\b", "Payment api", "caf\u{e9}", "a\nb"] {
        let made = Challenge::charge(secret, &request, &ChallengeParts { realm, ..ChallengeParts::default() });
        assert_eq!(made, Err(ChallengeError::NotQuotable("realm")), "{realm:?}");
    }
    for description in ["Payment for \"tea\"", "One Payment here", "caf\u{e9}", "a\u{7f}"] {
        let parts = ChallengeParts { realm: "api", description: Some(description), ..ChallengeParts::default() };
        let made = Challenge::charge(secret, &request, &parts).expect("a challenge");
        assert_eq!(made.description, None, "{description:?}");
    }
    assert!(is_quotable("Weather, one call") && is_quotable("Payments"));
    let half = json!({ "a": 0.5 });
    let parts = ChallengeParts { realm: "api", opaque: Some(&half), ..ChallengeParts::default() };
    assert!(matches!(Challenge::charge(secret, &request, &parts), Err(ChallengeError::NotCanonical(_))));
}

#[test]
fn challenges_are_found_among_others_and_with_quotes_of_all_kinds() {
    let ours = challenge(&cases("/challenges")[1]);
    let header = ours.header();
    let others = [
        format!("Bearer realm=\"x, Payment id=\\\"1\\\"\", {header}"),
        format!("{header}, Basic realm=\"x\""),
        format!("Negotiate, {header}, Digest qop=\"auth, auth-int\", nonce=1"),
        format!(" ,, {}", header.replace("Payment ", "payment\t")),
        header.replace("realm=\"", "realm = \""),
    ];
    for header in others {
        assert_eq!(read_all(&header), std::slice::from_ref(&ours), "{header}");
    }
    let two = read_all(&format!("{header}, {header}"));
    assert_eq!(two.len(), 2);
    for (written, meant) in [
        ("say \"hi\" now", "say \"hi\" now"),
        (r#"say \"hi\" now"#, "say \"hi\" now"),
        ("One Payment id", "One Payment id"),
    ] {
        let header = header.replace("Weather, one call", written);
        assert_eq!(read_all(&header).first().and_then(|it| it.description.as_deref()), Some(meant), "{written}");
    }
    for nothing in ["", ",", "Payment", "Payment id=\"1\"", "\"", "=", "Bearer x", "Payment =\"\"", "a b c=d"] {
        assert!(read_all(nothing).is_empty(), "{nothing}");
    }
    assert!(read_all(&format!("{header}{}", " ".repeat(70_000))).is_empty(), "too long");
}

#[test]
fn nothing_behind_a_challenge_changes_it() {
    let ours = challenge(&cases("/challenges")[0]);
    let read = read_all(&format!("{}, realm=\"other\", ID=\"other\"", ours.header()));
    assert_eq!(read, [ours]);
}

#[test]
fn problems_are_documents_with_the_published_types() {
    for (problem, name, status) in [
        (Problem::PaymentRequired, "payment-required", 402),
        (Problem::MalformedCredential, "malformed-credential", 402),
        (Problem::InvalidChallenge, "invalid-challenge", 402),
        (Problem::PaymentExpired, "payment-expired", 402),
        (Problem::InvalidPayload, "invalid-payload", 402),
        (Problem::VerificationFailed("amount_mismatch".to_owned()), "verification-failed", 402),
        (Problem::MethodUnsupported, "method-unsupported", 400),
        (Problem::BadRequest, "bad-request", 400),
    ] {
        let document = json!(problem.document(Some("id-1")));
        assert_eq!(document["type"], json!(format!("https://paymentauth.org/problems/{name}")));
        assert_eq!((&document["status"], &document["challengeId"]), (&json!(status), &json!("id-1")));
        assert!(document["title"].is_string() && document["detail"].is_string());
    }
    let failed = Problem::VerificationFailed("amount_mismatch".to_owned()).document(None);
    assert_eq!(failed.detail, "Payment verification failed: amount_mismatch.");
    assert!(json!(failed).get("challengeId").is_none());
}
