//! Sign-ins and proofs of the vectors: their texts, their headers, and every check in its order.

use super::{amount, cases, devnet, golden, key, known, pubkey, root, text};
use ed25519_dalek::Signer as _;
use serde_json::Value;
use sotto::{
    domain::{
        clock::UnixMillis,
        mpp::{
            reason::SiwxReason,
            siwx::{Proof, SignIn, SiwxTerms},
            spellings::Spellings,
            timestamp,
        },
        signed,
    },
    wire::mpp::siwx::{SignedIn, status},
};

/// Verifies at a time, on devnet, at the host `localhost`, for a wallet.
struct Scene {
    hosts: Vec<String>,
    network: Spellings,
    now: UnixMillis,
}

impl Scene {
    fn at(now: &str) -> Self {
        Self { hosts: vec!["localhost".to_owned()], network: devnet(), now: timestamp::read(now).expect("a time") }
    }

    fn terms(&self, wallet: &str) -> SiwxTerms<'_> {
        SiwxTerms { hosts: &self.hosts, network: &self.network, now: self.now, wallet: pubkey(wallet) }
    }

    fn verify(&self, header: Option<&str>, wallet: &str) -> Result<(), SiwxReason> {
        let signed = SignedIn::decode(header)?;
        signed.sign_in.verify(&self.terms(wallet), &signed.signature)
    }
}

/// Holds a golden sign-in against its text, its signature and its header, both ways.
fn assert_golden(case: &Value) -> SignedIn {
    let name = text(case, "name");
    let read = SignedIn::decode(Some(text(case, "header_sign_in_with_x"))).expect("a sign-in");
    assert_eq!(read.sign_in.text(), text(case, "signed_text"), "{name}");
    assert_eq!(read.sign_in.text().len() as u64, case["signed_bytes"].as_u64().expect("a number"), "{name}");
    assert_eq!(read.encode(), text(case, "header_sign_in_with_x"), "{name}");
    let signature = key("buyer").sign(read.sign_in.text().as_bytes()).to_bytes();
    assert_eq!(signature, read.signature, "{name}");
    assert_eq!(bs58::encode(signature).into_string(), text(case, "signature"), "{name}");
    assert!(signed::verify(&known("buyer"), read.sign_in.text().as_bytes(), &read.signature), "{name}");
    read
}

#[test]
fn sign_ins_are_those_of_the_published_client() {
    for case in cases("/siwx") {
        assert_golden(case);
    }
}

#[test]
fn every_check_has_its_word_and_its_status() {
    let scene = Scene::at(text(golden("/siwx_checks"), "now"));
    for case in cases("/siwx_checks/cases") {
        let name = text(case, "name");
        let verdict = scene.verify(case["header_sign_in_with_x"].as_str(), text(case, "wallet"));
        assert_eq!(verdict.err().map(SiwxReason::word), case["expect"].as_str(), "{name}");
        let told = verdict.map_or_else(status, |()| 200);
        assert_eq!(u64::from(told), case["status"].as_u64().expect("a status"), "{name}");
    }
}

/// A good sign-in, changed and signed again.
fn changed(change: impl FnOnce(&mut SignIn)) -> Result<(), SiwxReason> {
    let scene = Scene::at("2026-04-10T22:01:00.000Z");
    let mut signed = SignedIn::decode(Some(text(&cases("/siwx")[0], "header_sign_in_with_x"))).expect("a sign-in");
    change(&mut signed.sign_in);
    signed.signature = key("buyer").sign(signed.sign_in.text().as_bytes()).to_bytes();
    scene.verify(Some(&signed.encode()), &known("buyer").to_string())
}

#[test]
fn what_the_vectors_leave_out_is_refused_too() {
    assert_eq!(changed(|_| ()), Ok(()));
    assert_eq!(changed(|it| it.expiration_time = None), Ok(()), "an end is optional");
    assert_eq!(changed(|it| it.resources = vec!["https://example.com".to_owned()]), Ok(()));
    for (verdict, reason) in [
        (changed(|it| it.version = "2".to_owned()), SiwxReason::Malformed),
        (changed(|it| it.issued_at = "now".to_owned()), SiwxReason::Malformed),
        (changed(|it| it.nonce = "x".repeat(129)), SiwxReason::Malformed),
        (changed(|it| it.request_id = Some("a\nb".to_owned())), SiwxReason::Malformed),
        (changed(|it| it.resources = vec!["mpp:leave".to_owned()]), SiwxReason::Malformed),
        (changed(|it| it.resources = vec!["a\u{7f}".to_owned()]), SiwxReason::Malformed),
        (changed(|it| it.uri = "https://localhost@evil.test/".to_owned()), SiwxReason::DomainMismatch),
        (changed(|it| it.not_before = Some("2026-04-10T22:02:00Z".to_owned())), SiwxReason::Expired),
        (changed(|it| it.address = known("seller").to_string()), SiwxReason::InvalidSignature),
    ] {
        assert_eq!(verdict, Err(reason));
    }
    let scene = Scene::at("2026-04-10T22:01:00.000Z");
    let buyer = known("buyer").to_string();
    for header in ["", "e30=", "bm90IEpTT04=", &"A".repeat(9_000)] {
        assert_eq!(scene.verify(Some(header), &buyer), Err(SiwxReason::Malformed), "{header:.20}");
    }
    assert_eq!(scene.verify(None, &buyer), Err(SiwxReason::Required));
}

#[test]
fn a_proof_is_good_for_its_own_act() {
    let proofs = golden("/proofs");
    let open = Proof::Open {
        seller: pubkey(text(&proofs["open"], "seller_wallet")),
        deposit: amount(&proofs["open"], "deposit_atomic"),
    };
    let close = Proof::Close(text(&proofs["open"], "public_id").parse().expect("a public id"));
    let acts = [("open", open), ("close", close), ("leave", Proof::Leave)];
    let scene = Scene::at("2026-04-10T22:01:00.000Z");
    for (name, act) in &acts {
        let signed = assert_golden(&proofs[*name]);
        assert_eq!(signed.sign_in.resources, act.resources(), "{name}");
        let wallet = known("buyer").to_string();
        for (other, other_act) in &acts {
            let verdict = signed.sign_in.verify_proof(other_act, &scene.terms(&wallet), &signed.signature);
            assert_eq!(verdict.is_ok(), name == other, "{name} for {other}");
        }
        let alone = signed.sign_in.verify(&scene.terms(&wallet), &signed.signature);
        assert_eq!(alone, Err(SiwxReason::Malformed), "{name}");
    }
}

#[test]
fn a_proof_opens_the_channel_that_it_always_opens() {
    let open = &golden("/proofs")["open"];
    let nonce = SignedIn::decode(Some(text(open, "header_sign_in_with_x"))).expect("a sign-in").sign_in.nonce;
    let secret = root().channel_secret(devnet().chain_id(), &known("buyer"), &nonce);
    assert_eq!(*secret.expose(), text(open, "channel_id"));
    assert_eq!(secret.public_id().to_string(), text(open, "public_id"));
}
