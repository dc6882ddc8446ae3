use super::*;
use crate::{
    domain::chance::SeededChance,
    programs::ciphertext::{DecryptionKey, decrypt, encrypt},
};

fn covalidator() -> DecryptionKey {
    DecryptionKey::from_bytes(&[7; 32]).expect("a scalar")
}

fn of(secret: u8) -> IssuedCiphertexts {
    IssuedCiphertexts::new(&[secret; 32], covalidator().public())
}

fn amount(units: u64) -> Amount {
    Amount::new(units).expect("an amount")
}

/// RFC 5869, test case 3: no salt, no info; the first block.
#[test]
fn the_derivation_is_hkdf() {
    let extracted = {
        let mut mac = <Hmac as hmac::digest::KeyInit>::new([0; 64].as_slice().into());
        hmac::Mac::update(&mut mac, &[0x0b; 22]);
        Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()))
    };
    assert_eq!(hex::encode(*extracted), "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04");
    let expanded = hmac(&extracted, &[&[1]]);
    assert_eq!(hex::encode(*expanded), "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
}

#[test]
fn what_was_issued_is_known_again_and_holds_its_amount() {
    let (ours, asset, chance) = (of(1), Pubkey::new_from_array([3; 32]), SeededChance::new(1));
    for units in [1, 290_000, Amount::MAX.get()] {
        let ciphertext = ours.issue(&asset, amount(units), &chance);
        assert!(ours.issued(&asset, amount(units), &ciphertext));
        assert!(of(1).issued(&asset, amount(units), &ciphertext), "by every instance");
        assert_eq!(decrypt(&covalidator(), &ciphertext), Ok(units.into()));
    }
    assert_ne!(ours.issue(&asset, amount(5), &chance), ours.issue(&asset, amount(5), &chance));
}

#[test]
fn nothing_else_is_known_whatever_it_holds() {
    let (ours, asset, chance) = (of(1), Pubkey::new_from_array([3; 32]), SeededChance::new(1));
    let ciphertext = ours.issue(&asset, amount(5), &chance);
    assert!(!ours.issued(&asset, amount(6), &ciphertext), "another amount");
    assert!(!ours.issued(&Pubkey::default(), amount(5), &ciphertext), "another asset");
    assert!(!of(2).issued(&asset, amount(5), &ciphertext), "another service");
    assert!(!ours.issued(&asset, amount(5), &encrypt(&covalidator().public(), 5, &chance)), "a payer's own");
    for place in 0..ciphertext.len() {
        let mut bent = ciphertext.clone();
        bent[place] ^= 1;
        assert!(!ours.issued(&asset, amount(5), &bent), "{place}");
    }
    for length in [0, 64, 65, 80, 81, ciphertext.len() - 1] {
        assert!(!ours.issued(&asset, amount(5), &ciphertext[..length]));
    }
    assert!(!ours.issued(&asset, amount(5), &[ciphertext.as_slice(), &[0]].concat()));
}

/// A point and its negative share their x, so the twin decrypts alike; its bytes are not ours.
#[test]
fn the_twin_of_a_ciphertext_is_not_ours() {
    let (ours, asset) = (of(1), Pubkey::new_from_array([3; 32]));
    let ciphertext = ours.issue(&asset, amount(5), &SeededChance::new(1));
    let mut twin = ciphertext.clone();
    // p - y, byte by byte from the last.
    let prime = hex::decode("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f").expect("hex");
    let mut borrow = 0_i16;
    for place in (0..32).rev() {
        let difference = i16::from(prime[place]) - i16::from(ciphertext[33 + place]) - borrow;
        borrow = i16::from(difference < 0);
        twin[33 + place] = u8::try_from(difference.rem_euclid(256)).expect("a byte");
    }
    assert_eq!(decrypt(&covalidator(), &twin), Ok(5), "it is the twin");
    assert!(!ours.issued(&asset, amount(5), &twin));
}
