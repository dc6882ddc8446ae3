//! Ciphertexts that one service issued, and that it knows again without keeping any (`spec/session.md` §5).
//!
//! Nobody but the Covalidator can read a ciphertext, so one that a payer brings may hold zero. Ours is made of 16 random
//! bytes and what nobody else can derive from them: the ephemeral key is HKDF-SHA256 of a secret of the service over those
//! bytes, the asset and the amount, and the bytes themselves are the IV. To check one is to make it again for the amount
//! that is claimed, and to compare every byte.

use crate::{
    domain::{
        amount::Amount,
        chance::{Chance, draw},
    },
    programs::ciphertext::{EncryptionKey, IV, encrypt_with, iv},
};
use hmac::Mac as _;
use sha2::Sha256;
use solana_pubkey::Pubkey;
use zeroize::Zeroizing;

/// What the derivation is for: no other use of the secret gives the same bytes.
const LABEL: &[u8] = b"sotto-pay-amount:1";

type Hmac = hmac::Hmac<Sha256>;

/// The ciphertexts of one service: every instance with the same secret knows those of the others.
pub struct IssuedCiphertexts {
    /// HKDF's pseudorandom key of the service's secret.
    key: Zeroizing<[u8; 32]>,
    encryption_key: EncryptionKey,
}

impl IssuedCiphertexts {
    /// Those that are made from this secret, for the Covalidator of this key.
    pub fn new(secret: &[u8; 32], encryption_key: EncryptionKey) -> Self {
        // HKDF-Extract with the salt that stands for none.
        Self { key: hmac(&[0; 32], &[secret]), encryption_key }
    }

    /// A ciphertext of `amount` that [`IssuedCiphertexts::issued`] knows again.
    pub fn issue(&self, asset: &Pubkey, amount: Amount, chance: &dyn Chance) -> Vec<u8> {
        loop {
            // Not a secret scalar once in 2^128 times.
            if let Some(ciphertext) = self.make(asset, amount, &draw(chance)) {
                return ciphertext;
            }
        }
    }

    /// Whether this is a ciphertext that [`IssuedCiphertexts::issue`] made for this asset and amount.
    pub fn issued(&self, asset: &Pubkey, amount: Amount, ciphertext: &[u8]) -> bool {
        iv(ciphertext).and_then(|random| self.make(asset, amount, &random)).is_some_and(|ours| ours == ciphertext)
    }

    fn make(&self, asset: &Pubkey, amount: Amount, random: &[u8; IV]) -> Option<Vec<u8>> {
        // HKDF-Expand to one block.
        let info: [&[u8]; 5] = [LABEL, random, asset.as_ref(), &amount.get().to_le_bytes(), &[1]];
        encrypt_with(&self.encryption_key, amount.get().into(), &hmac(&self.key, &info), random)
    }
}

fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    // HMAC pads a short key with zeros to SHA-256's block, and a key of that length cannot be refused.
    let mut block = Zeroizing::new([0; 64]);
    let (used, _) = block.split_at_mut(32);
    used.copy_from_slice(key);
    let mut mac = <Hmac as hmac::digest::KeyInit>::new(block.as_slice().into());
    for part in parts {
        hmac::Mac::update(&mut mac, part);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
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
}
