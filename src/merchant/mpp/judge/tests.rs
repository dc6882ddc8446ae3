//! Which credentials pay for an offer: that of the vectors, and bent ones.

use super::*;
use crate::{
    domain::amount::Amount,
    merchant::price::Price,
    wire::mpp::{challenge::ChallengeParts, credential::Credential},
};
use serde_json::Value;

const REALM: &str = "api.example.com";

fn golden() -> Value {
    serde_json::from_str(include_str!("../../../../tests/vectors/mpp.json")).unwrap()
}

fn secret() -> Vec<u8> {
    golden()["challenges"][0]["secret"].as_str().unwrap().as_bytes().to_vec()
}

fn requested() -> ChargeRequested {
    serde_json::from_value(golden()["challenges"][0]["challenge"]["request"].clone()).unwrap()
}

fn offer(network: &str, mint: &str, recipient: &str, amount: u64) -> Offer {
    let price = Price::base_units(Amount::new(amount).unwrap()).unwrap();
    Offer::new(network, mint.parse().unwrap(), recipient.parse().unwrap(), price)
}

/// The offer that the challenge of the vectors is for.
fn ours() -> Offer {
    let asked = requested();
    offer(&asked.method_details.network, &asked.method_details.spl_token, &asked.recipient, 10_000)
}

fn expires() -> UnixMillis {
    timestamp::read(golden()["challenges"][0]["challenge"]["expires"].as_str().unwrap()).unwrap()
}

fn judge(challenge: &Challenge, offers: &[Offer], now: UnixMillis) -> Result<(), Problem> {
    accepted(challenge, (REALM, &secret()), offers, now).map(drop)
}

/// A challenge that the secret of the vectors binds.
fn bound(request: &ChargeRequested, parts: &ChallengeParts<'_>) -> Challenge {
    Challenge::charge(&secret(), request, parts).unwrap()
}

#[test]
fn the_credential_of_the_vectors_pays_its_own_offer_until_it_expires() {
    let golden = golden();
    let credential = Credential::read(golden["credential"]["authorization"].as_str().unwrap()).unwrap();
    let challenge = &credential.challenge;
    let (asked, _) = accepted(challenge, (REALM, &secret()), &[ours()], expires() - 1).unwrap();
    assert_eq!(asked, requested());
    assert_eq!(judge(challenge, &[ours()], expires()), Err(Problem::PaymentExpired));
    assert_eq!(currency(&ours()), "USDC");
    let settle = &golden["charge"]["settle_request"];
    assert_eq!(settle["transaction"].as_str(), Some(credential.transaction.as_str()));
    assert_eq!((settle["recipient"].as_str(), settle["amount"].as_str()), (Some(&*asked.recipient), Some("10000")));
}

/// The published seller compares a challenge with itself: its cheap route's credential opens a dear one.
#[test]
fn a_credential_pays_nothing_but_the_offer_that_it_was_made_for() {
    let asked = requested();
    let (network, mint, recipient) =
        (&*asked.method_details.network, &*asked.method_details.spl_token, &*asked.recipient);
    let other = "F25s3DdjXdCxYBhh2z8FBusVEMT4b9bGNFVKJi3wFoF4";
    let parts = ChallengeParts { realm: REALM, expires: Some("2026-04-10T22:05:00.000Z"), ..ChallengeParts::default() };
    let challenge = bound(&asked, &parts);
    assert_eq!(judge(&challenge, &[ours()], 0), Ok(()));
    for wrong in [
        offer(network, mint, recipient, 5_000_000),
        offer(network, mint, recipient, 9_999),
        offer(network, mint, other, 10_000),
        offer(network, other, recipient, 10_000),
        offer("mainnet-beta", mint, recipient, 10_000),
    ] {
        assert_eq!(judge(&challenge, std::slice::from_ref(&wrong), 0), Err(Problem::InvalidChallenge), "{wrong:?}");
        assert_eq!(judge(&challenge, &[wrong, ours()], 0), Ok(()), "of several offers one is taken");
    }
    assert_eq!(judge(&challenge, &[], 0), Err(Problem::InvalidChallenge));
    let renamed = ChargeRequested { currency: "EURC".to_owned(), ..asked };
    assert_eq!(judge(&bound(&renamed, &parts), &[ours()], 0), Err(Problem::InvalidChallenge));
}

#[test]
fn a_challenge_that_is_not_ours_or_never_ends_is_refused() {
    let asked = requested();
    let parts = ChallengeParts { realm: REALM, expires: Some("2026-04-10T22:05:00.000Z"), ..ChallengeParts::default() };
    let challenge = bound(&asked, &parts);
    let bent = |change: fn(&mut Challenge)| {
        let mut bent = challenge.clone();
        change(&mut bent);
        judge(&bent, &[ours()], 0)
    };
    assert_eq!(bent(|it| it.request.push('A')), Err(Problem::InvalidChallenge));
    assert_eq!(bent(|it| it.id.push('A')), Err(Problem::InvalidChallenge));
    assert_eq!(bent(|it| it.expires = Some("2027-04-10T22:05:00.000Z".to_owned())), Err(Problem::InvalidChallenge));
    assert_eq!(bent(|it| it.method = "tempo".to_owned()), Err(Problem::MethodUnsupported));
    assert_eq!(bent(|it| it.intent = "session".to_owned()), Err(Problem::MethodUnsupported));
    for parts in [
        ChallengeParts { realm: "elsewhere", ..parts.clone() },
        ChallengeParts { expires: None, ..parts.clone() },
        ChallengeParts { expires: Some("tomorrow"), ..parts.clone() },
        ChallengeParts { digest: Some("sha-256=x"), ..parts.clone() },
    ] {
        assert_eq!(judge(&bound(&asked, &parts), &[ours()], 0), Err(Problem::InvalidChallenge), "{parts:?}");
    }
    assert_eq!(accepted(&challenge, (REALM, b"another"), &[ours()], 0).map(drop), Err(Problem::InvalidChallenge));
}
