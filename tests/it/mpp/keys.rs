//! The keys and names that are derived from the root.

use super::{address, cases, devnet, golden, known, root, text};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer as _, SigningKey};
use sotto::domain::{
    key_pair::KeyPair,
    mpp::{
        channel_id::{ChannelSecret, PublicId},
        root::swig_id,
        voucher::Certified,
    },
    signed,
};

fn channel() -> PublicId {
    text(golden("/derivations"), "channel_id").parse().expect("a public id")
}

#[test]
fn every_key_has_the_seed_of_its_label() {
    let (root, network, buyer) = (root(), devnet(), known("buyer"));
    let chain = network.chain_id();
    let keys = [
        root.channel_key(&channel()),
        root.delegate_key(chain, &buyer, 0),
        root.delegate_key(chain, &buyer, 1),
        root.rent_authority(chain),
        root.issuer(chain),
    ];
    let golden = cases("/derivations/keys");
    assert_eq!(golden.len(), keys.len());
    for (key, golden) in keys.iter().zip(golden) {
        assert_eq!(hex::encode(*key.secret()), text(golden, "seed_hex"), "{}", text(golden, "label"));
        assert_eq!(key.public().to_string(), text(golden, "pubkey"));
    }
}

#[test]
fn names_follow_from_secrets() {
    let secret: ChannelSecret = text(golden("/derivations"), "channel_secret").parse().expect("a secret");
    assert_eq!(secret.public_id(), channel());
    let network = devnet();
    let id = swig_id(network.chain_id(), &known("buyer"));
    assert_eq!(hex::encode(id), text(golden("/derivations/swig_id"), "id_hex"));
    let salted = root().salted_swig_id(network.chain_id(), &known("buyer"));
    assert_eq!(hex::encode(salted), text(golden("/derivations/swig_id_salted"), "id_hex"));
}

#[test]
fn a_certificate_is_the_issuers_over_its_text() {
    let golden = golden("/derivations/certificate");
    let network = devnet();
    let issuer: KeyPair = root().issuer(network.chain_id());
    let certified = Certified {
        channel: channel(),
        signer: root().channel_key(&channel()).public(),
        payer: known("buyer"),
        recipient: known("seller"),
        deposit: sotto::domain::amount::Amount::new(1_000_000).expect("fits"),
        chain_id: network.chain_id().to_owned(),
        channel_program: address("/constants/token_program"),
        expires: 1_775_862_000,
    };
    assert_eq!(certified.text(), text(golden, "text"));
    let signature = SigningKey::from_bytes(&issuer.secret()).sign(certified.text().as_bytes()).to_bytes();
    assert_eq!(STANDARD.encode(signature), text(golden, "signature_base64"));
    assert_eq!(issuer.public().to_string(), text(golden, "issuer"));
    assert!(signed::verify(&issuer.public(), certified.text().as_bytes(), &signature));
}

#[test]
fn debug_shows_no_root() {
    assert_eq!(format!("{:?}", root()), "Root(redacted)");
}
