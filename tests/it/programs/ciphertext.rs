//! Ciphertexts: whatever was not encrypted to the key is refused, and no bytes make the decryption panic.

use super::golden_key;
use proptest::prelude::*;
use sotto::{
    domain::chance::SeededChance,
    programs::ciphertext::{
        CIPHERTEXT_OVERHEAD, CiphertextError, DecryptionKey, EncryptionKey, MAX_CIPHERTEXT_BYTES, canonical_decimal,
        decrypt, encrypt,
    },
};

#[test]
fn any_altered_bit_and_any_other_length_is_refused() {
    let key = golden_key();
    let ciphertext = encrypt(&key.public(), 42, &SeededChance::new(1));
    for at in 0..ciphertext.len() {
        let mut bent = ciphertext.clone();
        bent[at] ^= 1;
        let refusal = decrypt(&key, &bent).expect_err("altered");
        assert!(matches!(refusal, CiphertextError::EphemeralKey | CiphertextError::Tag), "{at}: {refusal}");
        assert!(decrypt(&key, &ciphertext[..at]).is_err());
    }
    assert_eq!(decrypt(&key, &[0; CIPHERTEXT_OVERHEAD]), Err(CiphertextError::Length(CIPHERTEXT_OVERHEAD)));
    let long = [4; MAX_CIPHERTEXT_BYTES + 1];
    assert_eq!(decrypt(&key, &long), Err(CiphertextError::Length(MAX_CIPHERTEXT_BYTES + 1)));
    let other = DecryptionKey::from_bytes(&[9; 32]).expect("a scalar");
    assert_eq!(decrypt(&other, &ciphertext), Err(CiphertextError::Tag));
}

#[test]
fn a_ciphertext_with_the_negated_ephemeral_point_holds_the_same_amount() {
    let mut twin = encrypt(&golden_key().public(), 42, &SeededChance::new(1));
    // -y modulo the field's prime 2^256 - 2^32 - 977, byte by byte.
    let prime = [[0xff; 27].as_slice(), &[0xfe, 0xff, 0xff, 0xfc, 0x2f]].concat();
    let mut borrow = 0;
    for at in (0..32).rev() {
        let digit = prime[at] - i32::from(twin[33 + at]) - borrow;
        borrow = i32::from(digit < 0);
        twin[33 + at] = u8::try_from(digit.rem_euclid(256)).expect("a byte");
    }
    assert_eq!(decrypt(&golden_key(), &twin), Ok(42));
}

#[test]
fn keys_that_are_not_keys_are_refused_and_secrets_are_not_printed() {
    assert_eq!(DecryptionKey::from_bytes(&[0; 32]).expect_err("zero"), CiphertextError::Key);
    assert_eq!(DecryptionKey::from_bytes(&[0xff; 32]).expect_err("above the order"), CiphertextError::Key);
    let point = golden_key().public().to_hex();
    let compressed = format!("02{}", &point[2..66]);
    let off_curve = format!("{}00", &point[..128]);
    for text in ["", "04", &point[2..], &compressed, &off_curve, &format!("0x{point}"), &format!("{point}00")] {
        assert_eq!(EncryptionKey::from_hex(text), Err(CiphertextError::Key), "{text}");
    }
    assert_eq!(format!("{:?}", golden_key()), "DecryptionKey(secret)");
}

#[test]
fn a_number_has_one_decimal_spelling() {
    assert_eq!(canonical_decimal(b"0"), Some(0));
    assert_eq!(canonical_decimal(u128::MAX.to_string().as_bytes()), Some(u128::MAX));
    for text in
        ["", "00", "01", "+1", "-1", "1.0", " 1", "1 ", "0x1", "1e3", "١", "340282366920938463463374607431768211456"]
    {
        assert_eq!(canonical_decimal(text.as_bytes()), None, "{text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn every_amount_survives_encryption(amount in any::<u128>(), digits in 0_u32..39, seed in any::<u64>()) {
        // A random u128 nearly always has 38 digits; dividing spreads the lengths.
        let amount = amount / 10_u128.pow(digits);
        let ciphertext = encrypt(&golden_key().public(), amount, &SeededChance::new(seed));
        prop_assert_eq!(ciphertext.len(), CIPHERTEXT_OVERHEAD + amount.to_string().len());
        prop_assert_eq!(decrypt(&golden_key(), &ciphertext), Ok(amount));
    }

    #[test]
    fn no_bytes_make_the_decryption_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        point in any::<bool>(),
    ) {
        let mut bytes = bytes;
        let honest = encrypt(&golden_key().public(), 1, &SeededChance::new(7));
        if point && bytes.len() >= 65 {
            bytes[..65].copy_from_slice(&honest[..65]);
        }
        prop_assert!(decrypt(&golden_key(), &bytes).is_err());
    }
}
