//! Every byte that is not free is bound: truncated, extended, re-encoded or bent transactions are refused.

use super::{GRANT, Scene, encode};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use proptest::prelude::*;
use solana_message::VersionedMessage;
use solana_transaction::versioned::VersionedTransaction;
use sotto::chain::inspect::TransactionRefusal;

fn wire(scene: &Scene) -> Vec<u8> {
    encode(&scene.sign(scene.compile(&scene.instructions)))
}

#[test]
fn a_transaction_cut_off_anywhere_is_refused() {
    let scene = Scene::new();
    let wire = wire(&scene);
    for end in 0..wire.len() {
        assert_eq!(scene.inspect_wire(&wire[..end]).unwrap_err(), TransactionRefusal::NotATransaction, "at {end}");
    }
}

#[test]
fn trailing_bytes_are_refused() {
    let scene = Scene::new();
    for more in [vec![0], vec![0; 64], vec![255; 3]] {
        let longer = [wire(&scene), more].concat();
        assert_eq!(scene.inspect_wire(&longer).unwrap_err(), TransactionRefusal::NotATransaction);
    }
}

#[test]
fn oversize_is_refused_before_anything_is_decoded() {
    let scene = Scene::new();
    for length in [1_233, 1_234, 100_000] {
        assert_eq!(scene.inspect_wire(&vec![2; length]).unwrap_err(), TransactionRefusal::TooLarge);
    }
    assert_eq!(scene.template().inspect(&"!".repeat(1_000_000)).unwrap_err(), TransactionRefusal::TooLarge);
}

#[test]
fn a_second_spelling_of_a_length_is_refused() {
    let scene = Scene::new();
    let wire = wire(&scene);
    // The compact length 2 in two bytes, as a careless decoder accepts it.
    let stretched = [&[0x82, 0x00][..], &wire[1..]].concat();
    let refusal = scene.inspect_wire(&stretched).unwrap_err();
    assert!(matches!(refusal, TransactionRefusal::NotATransaction | TransactionRefusal::NotCanonical));
}

#[test]
fn base64_has_one_meaning() {
    let scene = Scene::new();
    let text = STANDARD.encode(wire(&scene));
    let url_safe = text.replace('+', "-").replace('/', "_");
    assert_ne!(url_safe, text, "the case is worth testing");
    for spelling in [text.as_str(), url_safe.as_str(), text.trim_end_matches('=')] {
        assert!(scene.template().inspect(spelling).is_ok(), "FR-17: {spelling}");
    }
    for spelling in [format!(" {text}"), format!("{text}\n"), format!("{text}="), String::from("é")] {
        assert_eq!(scene.template().inspect(&spelling).unwrap_err(), TransactionRefusal::NotBase64, "{spelling:?}");
    }
    assert_eq!(scene.template().inspect("").unwrap_err(), TransactionRefusal::NotATransaction);
}

#[test]
fn other_message_versions_are_refused() {
    let scene = Scene::new();
    let prefixed = encode(&scene.sign(VersionedMessage::V0(scene.compile_v0(&scene.instructions))));
    for version in 1..=127 {
        let mut other = prefixed.clone();
        other[1 + 2 * 64] = 0x80 | version;
        scene.inspect_wire(&other).unwrap_err();
    }
}

#[test]
fn every_single_bent_byte_of_a_signed_transaction_is_refused() {
    let scene = Scene::new();
    let wire = wire(&scene);
    for place in 0..wire.len() {
        for bit in 0..8 {
            let mut bent = wire.clone();
            bent[place] ^= 1 << bit;
            assert!(scene.inspect_wire(&bent).is_err(), "bit {bit} of byte {place}");
        }
    }
}

/// The places a user may choose: blockhash, grant, decrypt allowance, ciphertext.
fn free_places(scene: &Scene, wire: &[u8]) -> Vec<std::ops::Range<usize>> {
    let find = |needle: &[u8]| {
        let mut places = wire.windows(needle.len()).enumerate().filter(|(_, window)| *window == needle);
        let (place, _) = places.next().expect("it is in there");
        assert!(places.next().is_none(), "it is in there once");
        place..place + needle.len()
    };
    vec![find(&[5; 32]), find(&GRANT.to_le_bytes()), find(scene.allowance.as_ref()), find(&scene.ciphertext)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    /// The attacker is the user: they bend any byte of the message and sign it again.
    #[test]
    fn a_user_who_signs_a_bent_message_gets_no_more_than_the_template(place in 0_usize..2_000, value: u8) {
        let scene = Scene::with_payer(6);
        let wire = wire(&scene);
        let free = free_places(&scene, &wire);
        let message = 1 + 2 * 64;
        let place = message + place % (wire.len() - message);
        let mut bent = wire.clone();
        bent[place] = value;
        let Ok(mut transaction) = wincode::deserialize_exact::<VersionedTransaction>(&bent) else { return Ok(()) };
        if transaction.signatures.len() == 2 {
            transaction = scene.sign(transaction.message);
        }
        match scene.inspect_wire(&encode(&transaction)) {
            Ok(inspected) => {
                prop_assert!(bent == wire || free.iter().any(|range| range.contains(&place)), "byte {place}");
                prop_assert!(inspected.grant() <= GRANT);
            }
            Err(_) => prop_assert!(bent != wire),
        }
    }

    /// Every answer is typed.
    #[test]
    fn no_bytes_and_no_text_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..1_300), text: String) {
        let scene = Scene::new();
        prop_assert!(scene.inspect_wire(&bytes).is_err());
        prop_assert!(scene.template().inspect(&text).is_err());
    }
}
