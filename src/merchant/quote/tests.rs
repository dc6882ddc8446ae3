use super::*;
use crate::merchant::{gate::Gate, price::Price};
use http::{HeaderMap, Method, Uri};
use serde_json::json;
use solana_pubkey::Pubkey;

const URL: &str = "http://shop/weather?city=Bern";

fn price(text: &str) -> Price {
    Price::decimal(text, 6).expect("a price")
}

fn offer(text: &str) -> Offer {
    Offer::new("solana:devnet", Pubkey::new_from_array([1; 32]), Pubkey::new_from_array([3; 32]), price(text))
        .with_extra("facilitatorAddress", "somebody")
}

fn gate() -> Gate {
    Gate::new("GET /weather", offer("0.5")).expect("a route")
}

fn accepted() -> Value {
    serde_json::to_value(offer("0.5").requirements()).expect("json")
}

fn payload(accepted: &Value, amount: &str) -> Value {
    json!({
        "x402Version": 2,
        "accepted": accepted,
        "payload": {"sessionId": "6c1cf6a4-4a4f-4a35-9e5c-3d9c0f1f0001", "amount": amount, "nonce": "n-1"},
        "resource": {"url": URL},
    })
}

/// What the gate asks for its route.
fn quote(gate: &Gate) -> Quote {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let (method, uri, headers) = (Method::GET, Uri::from_static("/weather"), HeaderMap::new());
    runtime.block_on(gate.quote(&method, &uri, &headers)).expect("it is sold")
}

fn decide(gate: &Gate, payload: &Value) -> Result<Payable, Refusal> {
    match quote(gate).decide(Some(&header::encode(payload).expect("fits")), URL) {
        Decision::Settle(payable) => Ok(*payable),
        Decision::Ask(refusal) => Err(refusal),
    }
}

#[test]
fn a_request_without_payment_is_asked_for_one_in_both_versions() {
    let gate = gate().or(offer("0.7")).expect("a wallet");
    assert!(matches!(quote(&gate).decide(None, URL), Decision::Ask(Refusal::NoPayment)));
    let asked = quote(&gate).ask(URL, "payment is required");
    let v2: x402_v2::PaymentRequired = header::decode(&asked.header.expect("a header")).expect("version 2");
    assert_eq!(v2.accepts.iter().map(|offer| offer.amount.as_str()).collect::<Vec<_>>(), ["500000", "700000"]);
    assert_eq!(v2.resource.url.as_deref(), Some(URL));
    let v1: x402_v1::PaymentRequired = serde_json::from_str(&asked.body).expect("version 1");
    assert_eq!(v1.accepts[0].amount.as_deref(), Some("500000"));
    assert_eq!(v1.accepts[0].max_amount_required, "500000");
}

#[test]
fn a_payment_that_takes_our_offer_is_settled_on_our_own_terms() {
    let paid = decide(&gate(), &payload(&accepted(), "500000")).expect("payable");
    assert_eq!(paid.request.payment_requirements, accepted());
    assert_eq!(paid.amount.get(), 500_000);
    assert!(paid.has_nonce);
}

#[test]
fn r09_the_payer_cannot_name_a_price_asset_or_recipient() {
    for (member, value) in [
        ("amount", json!("1")),
        ("asset", json!(Pubkey::new_from_array([9; 32]).to_string())),
        ("payTo", json!(Pubkey::new_from_array([9; 32]).to_string())),
        ("network", json!("solana:mainnet")),
        ("scheme", json!("exact")),
        ("maxTimeoutSeconds", json!(1)),
        ("maxAmountRequired", json!("1")),
        ("extra", json!({"facilitatorAddress": "me"})),
    ] {
        let mut bent = accepted();
        bent[member] = value;
        assert!(matches!(decide(&gate(), &payload(&bent, "500000")), Err(Refusal::OtherOffer(_))), "{member}");
    }
    let mut cheap = accepted();
    cheap["amount"] = json!("1");
    assert!(decide(&gate(), &payload(&cheap, "1")).is_err());
    assert!(matches!(decide(&gate(), &payload(&accepted(), "1")), Err(Refusal::OtherAmount)));
    assert!(matches!(decide(&gate(), &payload(&accepted(), "0500000")), Err(Refusal::OtherAmount)));
}

#[test]
fn r09_what_an_accepted_offer_leaves_out_is_not_agreed_to() {
    for member in ["amount", "asset", "payTo", "network", "scheme"] {
        let mut bent = accepted();
        bent.as_object_mut().expect("object").remove(member);
        assert!(matches!(decide(&gate(), &payload(&bent, "500000")), Err(Refusal::OtherOffer(_))), "{member}");
    }
    assert!(decide(&gate(), &payload(&json!({}), "500000")).is_err());
}

/// FR-19. A developer who reads the 402 sees which member is wrong.
#[test]
fn what_is_wrong_with_a_payment_is_told_by_its_member() {
    let told = |gate: &Gate, payment: &Value| decide(gate, payment).expect_err("refused").to_string();
    let without = |pointer: &str, member: &str| {
        let mut bent = payload(&accepted(), "500000");
        bent.pointer_mut(pointer).and_then(Value::as_object_mut).expect("an object").remove(member);
        bent
    };
    let with = |pointer: &str, value: Value| {
        let mut bent = payload(&accepted(), "500000");
        *bent.pointer_mut(pointer).expect("is there") = value;
        bent
    };
    for (payment, words) in [
        (without("", "accepted"), "`accepted` is required"),
        (without("", "payload"), "`payload` is required"),
        (without("/payload", "sessionId"), "`payload.sessionId` is required"),
        (without("/payload", "amount"), "`payload.amount` is required"),
        (with("/payload/amount", json!(500_000)), "`payload.amount` must be a string"),
        (with("/payload/nonce", json!({})), "`payload.nonce` must be a string"),
        (with("/payload", json!("x")), "`payload` must be an object"),
        (with("/accepted", json!([])), "`accepted` must be an object"),
        (with("/resource", json!("http://shop")), "`resource` must be an object"),
        (without("/accepted", "payTo"), "`accepted.payTo` is required"),
        (without("/accepted", "amount"), "`accepted.amount` is required"),
        (with("/accepted/asset", json!("x")), "`accepted.asset` differs"),
        (with("/accepted/scheme", json!("exact")), "`accepted.scheme` is `exact` and must be `session`"),
        (with("/accepted/network", json!("solana:mainnet")), "`accepted.network` is `solana:mainnet` and must be"),
        (with("/accepted/extra/facilitatorAddress", json!("me")), "`accepted.extra.facilitatorAddress` differs"),
    ] {
        let text = told(&gate(), &payment);
        assert!(text.contains(words), "{words} in {text}");
    }
    let v1 = |scheme: &str, network: &str| json!({ "x402Version": 1, "scheme": scheme, "network": network, "payload": { "sessionId": "s", "amount": "500000" } });
    assert!(told(&gate(), &v1("exact", "solana-devnet")).contains("`scheme` is `exact`"));
    assert!(told(&gate(), &v1("session", "base")).contains("`network` is `base`"));
    // Of several offers the nearest one's: the second has the asset that was taken, at another price.
    let other =
        Offer::new("solana:devnet", Pubkey::new_from_array([4; 32]), Pubkey::new_from_array([3; 32]), price("1"));
    let gate = Gate::new("GET /weather", other).and_then(|gate| gate.or(offer("0.7"))).expect("a gate");
    assert!(told(&gate, &payload(&accepted(), "500000")).contains("`accepted.amount` differs"));
}

#[test]
fn r09_a_second_offer_is_paid_at_its_own_price() {
    let gate = gate().or(offer("0.7")).expect("a wallet");
    let second = serde_json::to_value(offer("0.7").requirements()).expect("json");
    assert_eq!(decide(&gate, &payload(&second, "700000")).expect("payable").amount.get(), 700_000);
    assert!(matches!(decide(&gate, &payload(&second, "500000")), Err(Refusal::OtherAmount)));
}

#[test]
fn r09_what_another_quote_asks_for_is_asked_for_where_every_term_is_the_same() {
    let quote = quote(&gate().or(offer("0.7").deferred()).expect("a wallet"));
    let asks = |offer: &Offer| {
        let both = [serde_json::to_value(offer.requirements()), serde_json::to_value(offer.requirements_v1(URL))];
        both.map(|requirements| quote.asks_for(&requirements.expect("json")))
    };
    assert_eq!(asks(&offer("0.5").within(7)), [true, true], "how long it waits is no term");
    assert_eq!(asks(&offer("0.7").deferred()), [true, true]);
    for other in [offer("0.6"), offer("0.7"), offer("0.5").deferred(), offer("0.5").with_extra("idempotent", true)] {
        assert_eq!(asks(&other), [false, false], "{other:?}");
    }
    assert!(!quote.asks_for(&json!({})) && !quote.asks_for(&Value::Null));
}

#[test]
fn the_published_clients_mixture_of_versions_is_read() {
    let mut echoed = serde_json::to_value(offer("0.5").requirements_v1(URL)).expect("json");
    echoed["network"] = json!("solana-devnet");
    let mut mixed = payload(&echoed, "500000");
    mixed["x402Version"] = json!(1);
    mixed["resource"] = json!({});
    mixed["payload"].as_object_mut().expect("object").remove("nonce");
    let paid = decide(&gate(), &mixed).expect("payable");
    assert_eq!(paid.request.x402_version, Some(1));
    assert!(!paid.has_nonce, "a repeat of this one would be a second payment");
}

/// Only an identifier that the facilitator reads makes a payment repeatable.
#[test]
fn an_identifier_that_names_nothing_makes_no_payment_repeatable() {
    for (identifier, repeatable) in [
        (json!({}), false),
        (json!({"info": {"required": false}}), false),
        (json!({"info": {"id": 7}}), false),
        (json!({"info": {"id": "0123456789abcdef"}}), true),
        (json!({"info": {"paymentIdentifier": "0123456789abcdef"}}), true),
        (json!({"paymentIdentifier": "0123456789abcdef"}), true),
    ] {
        let mut unnamed = payload(&accepted(), "500000");
        unnamed["payload"].as_object_mut().expect("object").remove("nonce");
        unnamed["extensions"] = json!({ "payment-identifier": identifier });
        assert_eq!(decide(&gate(), &unnamed).expect("payable").has_nonce, repeatable, "{unnamed:#}");
    }
}

#[test]
fn version_one_without_accepted_is_matched_by_scheme_network_and_amount() {
    let v1 = json!({"x402Version": 1, "scheme": "session", "network": "solana-devnet",
        "payload": {"sessionId": "s", "amount": "500000"}});
    let paid = decide(&gate(), &v1).expect("payable");
    assert_eq!(paid.request.payment_requirements["resource"], URL);
    let mut other = v1.clone();
    other["scheme"] = json!("exact");
    assert!(matches!(decide(&gate(), &other), Err(Refusal::OtherOffer(_))));
    other = v1;
    other["payload"]["amount"] = json!("1");
    assert!(matches!(decide(&gate(), &other), Err(Refusal::OtherOffer(_))));
}

#[test]
fn r12_a_server_that_knows_its_url_refuses_payments_for_other_resources() {
    let open = gate();
    let known = gate().public_base("http://shop/");
    let here = known.resource_url(Some("forged"), "/weather?city=Bern");
    assert_eq!(here, URL);
    let mut elsewhere = payload(&accepted(), "500000");
    elsewhere["resource"] = json!({"url": "http://shop/other"});
    assert!(matches!(decide(&known, &elsewhere), Err(Refusal::OtherResource)));
    assert!(decide(&open, &elsewhere).is_ok());
    let mut bound = payload(&accepted(), "500000");
    bound["payload"]["authorization"] =
        json!({"nonce": "n-1", "expiresAt": 1, "resourceHash": signed::resource_hash("http://shop/other")});
    assert!(matches!(decide(&known, &bound), Err(Refusal::OtherResource)));
    bound["payload"]["authorization"]["resourceHash"] = json!(signed::resource_hash(URL));
    assert!(decide(&known, &bound).is_ok());
    elsewhere["resource"] = json!({"url": "/weather"});
    assert!(decide(&known, &elsewhere).is_ok(), "published clients send relative URLs");
}

#[test]
fn hostile_headers_are_refusals() {
    let refused = |text: &str| matches!(quote(&gate()).decide(Some(text), URL), Decision::Ask(_));
    let long = "A".repeat(header::MAX_HEADER_LENGTH + 1);
    for text in ["", "%%%", "e30", "e30=", "bnVsbA==", "W10=", &long] {
        assert!(refused(text), "{} characters", text.len());
    }
    for json in [
        json!({"x402Version": 3, "accepted": accepted(), "payload": {"sessionId": "s", "amount": "500000"}}),
        json!({"x402Version": 2, "accepted": [], "payload": {"sessionId": "s", "amount": "500000"}}),
        json!({"x402Version": 2, "accepted": accepted(), "payload": {"sessionId": 1, "amount": "500000"}}),
        json!({"x402Version": 2, "accepted": accepted(), "payload": {"sessionId": "s", "amount": 500_000}}),
        json!({"x402Version": 2, "accepted": accepted()}),
    ] {
        assert!(refused(&header::encode(&json).expect("fits")), "{json}");
    }
}
