use super::*;
use crate::{
    client::saved::tests::session,
    domain::{chance::SeededChance, clock::ManualClock, payment as domain, reason::PayReason},
    wire::{self, PaymentPayload, facilitator::PaymentRequest},
};
use solana_pubkey::Pubkey;

const URL: &str = "http://shop/weather";
const NOW: UnixSeconds = 1_000;
const MOST: Amount = match Amount::new(500_000) {
    Some(amount) => amount,
    None => Amount::ZERO,
};

fn requirements() -> Value {
    let session = session();
    json!({"scheme": "session", "network": "solana:devnet", "amount": "500000", "asset": session.asset.to_string(),
        "payTo": session.recipient.to_string(), "maxTimeoutSeconds": 30, "extra": {"x": 1}})
}

fn challenge(version: u64, offers: &[Value]) -> Challenge {
    Challenge::read(&json!({"x402Version": version, "accepts": offers})).expect("a challenge")
}

fn try_pay(challenge: &Challenge) -> Result<Payment, PayRefusal> {
    pay(&session(), challenge, URL, MOST, &ManualClock::at(NOW), &SeededChance::new(3))
}

fn read(payment: &Payment) -> Value {
    header::decode(payment.header()).expect("a header")
}

fn bent(member: &str, value: Value) -> Value {
    let mut offer = requirements();
    offer[member] = value;
    offer
}

/// What the facilitator makes of a payment for the given resource-server requirements.
fn as_facilitator(payment: &Payment, requirements: Value) -> domain::SessionPayment {
    let request =
        PaymentRequest { x402_version: None, payment_payload: read(payment), payment_requirements: requirements };
    let served = crate::domain::network::Network::devnet();
    let read = wire::payment::payment(&serde_json::to_vec(&request).expect("json"), &served);
    let domain::Payment::Session(payment) = read.expect("the facilitator reads it");
    payment
}

#[test]
fn a_payment_echoes_the_offer_and_is_signed_for_this_resource_only() {
    let payment = try_pay(&challenge(2, &[requirements()])).expect("paid");
    let json = read(&payment);
    assert_eq!(json["accepted"], requirements());
    assert_eq!(json["resource"]["url"], URL);
    assert_eq!(json["payload"]["nonce"], json["payload"]["authorization"]["nonce"]);
    assert_eq!(json["payload"]["authorization"]["expiresAt"], NOW + 30 + GRACE_SECONDS);
    let authority = session().authority.expect("a session key");
    let asked = as_facilitator(&payment, requirements());
    let authorization = asked.authorization.expect("signed");
    let message = signed::payment_message(
        &authority.intent,
        asked.session,
        asked.amount,
        &asked.pay_to,
        &authorization.nonce,
        authorization.expires_at,
        Some(URL),
    );
    assert!(signed::verify(&authority.key.pubkey(), message.as_bytes(), &authorization.signature));
    assert_eq!(authorization.resource_hash.as_deref(), Some(signed::resource_hash(URL).as_str()));
}

#[test]
fn two_payments_never_share_a_nonce() {
    let chance = SeededChance::new(3);
    let challenge = challenge(2, &[requirements()]);
    let one = pay(&session(), &challenge, URL, MOST, &ManualClock::at(NOW), &chance).expect("paid");
    let two = pay(&session(), &challenge, URL, MOST, &ManualClock::at(NOW), &chance).expect("paid");
    assert_ne!(one.nonce, two.nonce);
    assert_eq!(one.nonce.len(), 32);
}

#[test]
fn version_one_merchants_of_either_kind_can_read_a_version_one_payment() {
    let mut offer = bent("maxAmountRequired", json!("500000"));
    offer["resource"] = json!(URL);
    let payment = try_pay(&challenge(1, &[offer.clone()])).expect("paid");
    let json = read(&payment);
    assert_eq!((&json["x402Version"], &json["scheme"]), (&json!(1), &json!("session")));
    assert!(matches!(PaymentPayload::read(&json), Ok(PaymentPayload::V2(_))), "the session scheme's own shape");
    let old: x402_v1::PaymentPayload = serde_json::from_value(json).expect("version 1");
    assert_eq!(old.network, "solana:devnet");
    assert_eq!(as_facilitator(&payment, offer).amount, MOST);
}

#[test]
fn r12_only_the_sessions_recipient_asset_and_network_are_paid() {
    let other = json!(Pubkey::new_from_array([9; 32]).to_string());
    for (member, value, refusal) in [
        ("payTo", other.clone(), PayRefusal::Recipient),
        ("asset", other, PayRefusal::Asset),
        ("network", json!("solana:mainnet"), PayRefusal::Network("solana:mainnet".to_owned())),
        ("network", json!("solana:localnet"), PayRefusal::Network("solana:localnet".to_owned())),
        ("scheme", json!("exact"), PayRefusal::NoOffer),
    ] {
        assert_eq!(try_pay(&challenge(2, &[bent(member, value)])), Err(refusal), "{member}");
    }
    assert_eq!(try_pay(&challenge(2, &[])), Err(PayRefusal::NoOffer));
}

#[test]
fn r12_never_more_than_the_maximum_and_nothing_that_is_no_amount() {
    let asked = Amount::new(500_001).expect("fits");
    let dear = try_pay(&challenge(2, &[bent("amount", json!("500001"))]));
    assert_eq!(dear, Err(PayRefusal::TooExpensive { asked, most: MOST }));
    assert!(!dear.expect_err("refused").to_string().contains("500"));
    for amount in ["0", "-1", "0x10", "1e3", "007", "1.5", "", "99999999999999999999"] {
        assert_eq!(try_pay(&challenge(2, &[bent("amount", json!(amount))])), Err(PayRefusal::Amount), "{amount}");
    }
    // Version 1's second word for the amount may not smuggle in another one: what is signed is what was checked.
    let two_words = bent("maxAmountRequired", json!("999999999"));
    let payment = try_pay(&challenge(1, &[two_words])).expect("`amount` is what is paid");
    assert_eq!(read(&payment)["payload"]["amount"], "500000");
}

#[test]
fn the_offer_that_fits_is_found_among_others() {
    let offers = [bent("network", json!("solana:mainnet")), bent("amount", json!("9999999")), requirements()];
    assert_eq!(try_pay(&challenge(2, &offers)).expect("paid").amount, MOST);
    assert!(matches!(try_pay(&challenge(2, &offers[..2])), Err(PayRefusal::TooExpensive { .. })), "the nearest miss");
}

/// FR-19. An offer that is ours and cannot be read is no reason to say that the merchant does not take the scheme.
#[test]
fn a_malformed_offer_is_told_by_its_member() {
    let missing = |member: &str| {
        let mut offer = requirements();
        offer.as_object_mut().expect("an object").remove(member);
        offer
    };
    for (offer, told) in [
        (bent("amount", json!(500_000)), "`accepts[0].amount` must be a string"),
        (bent("maxAmountRequired", json!(500_000)), ""),
        (missing("amount"), "`accepts[0].amount` is required"),
        (bent("payTo", json!(["a"])), "`accepts[0].payTo` must be a string"),
        (missing("asset"), "`accepts[0].asset` is required"),
        (missing("network"), "`accepts[0].network` is required"),
    ] {
        match (try_pay(&challenge(2, &[offer])), told) {
            (Ok(_), "") => {}
            (Err(refused), _) => assert_eq!(refused, PayRefusal::Malformed(told.to_owned())),
            (paid, _) => panic!("{told}: {paid:?}"),
        }
    }
    let other = bent("scheme", json!("exact"));
    let second = [other.clone(), bent("amount", json!(5))];
    let told = "`accepts[1].amount` must be a string".to_owned();
    assert_eq!(try_pay(&challenge(2, &second)), Err(PayRefusal::Malformed(told)));
    // One that can be read and does not fit is nearer, and one that fits is paid.
    let foreign = bent("network", json!("solana:mainnet\u{1b}[2J"));
    let refused = try_pay(&challenge(2, &[bent("amount", json!(5)), foreign])).expect_err("refused");
    assert_eq!(refused.to_string(), r"the merchant is on another network, `solana:mainnet\u001b[2J`");
    assert!(try_pay(&challenge(2, &[bent("amount", json!(5)), requirements()])).is_ok());
    for (accepts, told) in [(json!({}), "`accepts` must be a list"), (Value::Null, "`accepts` is required")] {
        let challenge = Challenge::read(&json!({ "x402Version": 2, "accepts": accepts })).expect("a challenge");
        assert_eq!(try_pay(&challenge), Err(PayRefusal::Malformed(told.to_owned())));
    }
}

#[test]
fn an_expired_session_pays_nothing() {
    let challenge = challenge(2, &[requirements()]);
    let late = pay(&session(), &challenge, URL, MOST, &ManualClock::at(session().expires_at), &SeededChance::new(3));
    assert_eq!(late, Err(PayRefusal::Expired));
}

#[test]
fn a_session_without_a_key_pays_with_its_bare_id_and_a_nonce() {
    let keyless = OpenSession { authority: None, ..session() };
    let challenge = challenge(2, &[requirements()]);
    let payment = pay(&keyless, &challenge, URL, MOST, &ManualClock::at(NOW), &SeededChance::new(3)).expect("paid");
    let asked = as_facilitator(&payment, requirements());
    assert!(asked.authorization.is_none());
    assert_eq!(asked.nonce, Some(payment.nonce));
}

#[test]
fn a_required_payment_identifier_is_the_nonce() {
    let challenge = Challenge::read(&json!({"x402Version": 2, "accepts": [requirements()],
        "extensions": {"payment-identifier": {"info": {"required": true}}, "other": {"info": 1}}}))
    .expect("a challenge");
    let payment = try_pay(&challenge).expect("paid");
    assert_eq!(read(&payment)["extensions"]["payment-identifier"]["info"]["id"], payment.nonce);
    assert_eq!(read(&payment)["extensions"]["other"]["info"], 1);
    assert_eq!(as_facilitator(&payment, requirements()).nonce, Some(payment.nonce));
}

#[test]
fn r12_the_signature_does_not_fit_another_payment() {
    let payment = try_pay(&challenge(2, &[requirements()])).expect("paid");
    let asked = as_facilitator(&payment, requirements());
    let (payer, network) = (session(), crate::domain::network::Network::devnet());
    let mut stored = crate::domain::samples::session(1);
    stored.id = payer.id;
    stored.network = network.canonical().to_owned();
    stored.intent = crate::domain::intent::Intent {
        asset: payer.asset,
        recipient: payer.recipient,
        spender: payer.spender,
        user: payer.user,
        session_key: payer.authority.map(|authority| authority.key.pubkey()),
        ..stored.intent
    };
    stored.signed.bytes = stored.intent.to_bytes();
    // The test session's intent hash is not this intent's: the same signature at another facilitator, or for another
    // session of the same payer, is refused.
    let limits = domain::PaymentLimits {
        max_per_call: Amount::MAX,
        min_per_call: Amount::ZERO,
        unverified_exposure: Amount::MAX,
    };
    let verdict = domain::check_terms(&asked, &stored, &network, &limits, NOW);
    assert_eq!(verdict, Err(PayReason::InvalidSessionSignature));
}
