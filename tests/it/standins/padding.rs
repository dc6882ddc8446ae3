//! Whether leading zeros keep the number of digits of an amount secret (A14, ADR 0061). They would: the format is that of a
//! stream cipher, and says nothing of what is in it. But a number has one spelling, and whoever writes another one pays nothing.

use super::bench::Bench;
use aes::cipher::{KeyIvInit as _, StreamCipher as _};
use hmac::Mac as _;
use k256::{PublicKey, SecretKey, elliptic_curve::sec1::ToEncodedPoint as _};
use sha2::{Digest as _, Sha256};
use solana_keypair::Signer as _;
use sotto::{
    localnet::standins::Rules,
    programs::ciphertext::{CIPHERTEXT_OVERHEAD, CiphertextError, DecryptionKey, EncryptionKey, decrypt},
};

/// The digits of the largest amount, `u128::MAX`: what every amount would be padded to.
const WIDTH: usize = 39;

/// Any text in the format of an amount, written from `spec/inco.md` §6 and not by the code that is tested. Not for use: the
/// ephemeral secret and the IV are always the same.
fn sealed(key: &EncryptionKey, text: &str) -> Vec<u8> {
    let public = PublicKey::from_sec1_bytes(&hex::decode(key.to_hex()).unwrap()).unwrap();
    let ephemeral = SecretKey::from_slice(&[5; 32]).unwrap();
    let shared = k256::ecdh::diffie_hellman(ephemeral.to_nonzero_scalar(), public.as_affine());
    let derived = Sha256::new().chain_update([0, 0, 0, 1]).chain_update(shared.raw_secret_bytes()).finalize();
    let mut body = [[9; 16].as_slice(), text.as_bytes()].concat();
    ctr::Ctr128BE::<aes::Aes128>::new((&derived[..16]).into(), (&[9; 16]).into()).apply_keystream(&mut body[16..]);
    let mut tag = hmac::Hmac::<Sha256>::new_from_slice(&Sha256::digest(&derived[16..])).unwrap();
    tag.update(&body);
    [ephemeral.public_key().to_encoded_point(false).as_bytes(), &body, &tag.finalize().into_bytes()].concat()
}

/// Guard: `canonical_decimal`, and that the format's length is all that tells of the number.
#[test]
fn a14_padded_amounts_are_of_one_length_and_are_no_amounts() {
    let secret = DecryptionKey::from_bytes(&[7; 32]).unwrap();
    for amount in [1_u128, 12_345, 123_456_789, u128::from(u64::MAX)] {
        let plain = sealed(&secret.public(), &amount.to_string());
        assert_eq!(plain.len(), CIPHERTEXT_OVERHEAD + amount.to_string().len(), "one byte for each digit");
        assert_eq!(decrypt(&secret, &plain), Ok(amount), "it is the format");
        let padded = sealed(&secret.public(), &format!("{amount:0WIDTH$}"));
        assert_eq!(padded.len(), CIPHERTEXT_OVERHEAD + WIDTH, "every amount looks the same");
        assert_eq!(decrypt(&secret, &padded), Err(CiphertextError::Plaintext), "{amount}");
        for other in [format!("0{amount}"), format!("+{amount}"), format!(" {amount}"), format!("{amount}.0")] {
            assert_eq!(decrypt(&secret, &sealed(&secret.public(), &other)), Err(CiphertextError::Plaintext), "{other}");
        }
    }
}

/// What a padded amount costs on a network that takes none: its transfer lands without an error and moves nothing.
#[test]
fn a14_a_transfer_of_a_padded_amount_lands_and_moves_nothing() {
    let mut bench = Bench::funded(Rules::default(), 1_000);
    let (user, key) = (bench.user.insecure_clone(), bench.stand_ins.encryption_key());
    for (text, moved) in [("000300", 0), ("300", 300)] {
        let transfer = bench.programs.transfer(&bench.payment(&user, sealed(&key, text)));
        bench.land(&[transfer], &[&user]).unwrap();
        assert_eq!(bench.balance(&bench.merchant), moved, "{text}");
    }
    assert_eq!(bench.balance(&user), 700, "{}", user.pubkey());
}
