//! Encrypting an amount for the Covalidator: ECIES over secp256k1 as the published client does it
//! (`spec/inco.md` §6). It is not the format of the `ecies` crate.
//!
//! ```text
//! ephemeral public key (65, uncompressed) | IV (16) | AES-128-CTR(decimal digits) | HMAC-SHA-256 tag (32)
//! K = SHA-256(00000001 | x(ECDH)),  cipher key = K[..16],  MAC key = SHA-256(K[16..]),  tag over IV and cipher text
//! ```
//!
//! The length tells the number of digits: the format hides an amount's value, not its order of magnitude.

use crate::domain::chance::{Chance, draw};
use aes::cipher::{KeyIvInit as _, StreamCipher as _};
use hmac::Mac as _;
use k256::{PublicKey, SecretKey, elliptic_curve::sec1::ToEncodedPoint as _};
use sha2::{Digest as _, Sha256};
use std::fmt;
use zeroize::Zeroizing;

const POINT: usize = 65;
/// The IV, in bytes.
pub(super) const IV: usize = 16;
const TAG: usize = 32;
/// What a ciphertext has beside the digits, in bytes.
pub const CIPHERTEXT_OVERHEAD: usize = POINT + IV + TAG;
/// The digits of the largest amount, `u128::MAX`.
const MAX_DIGITS: usize = 39;
/// The longest ciphertext, in bytes.
pub const MAX_CIPHERTEXT_BYTES: usize = CIPHERTEXT_OVERHEAD + MAX_DIGITS;

type Cipher = ctr::Ctr128BE<aes::Aes128>;
type Tag = hmac::Hmac<Sha256>;

/// Why a key or a ciphertext is refused. Says nothing about the plaintext.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CiphertextError {
    /// Not an uncompressed secp256k1 point in hex, or not a secret scalar.
    #[error("not a secp256k1 key")]
    Key,
    /// Shorter than one digit or longer than `u128::MAX` needs.
    #[error("a ciphertext is 114 to 152 bytes long, not {0}")]
    Length(usize),
    /// The first 65 bytes are not an uncompressed point of the curve.
    #[error("the ciphertext does not begin with an ephemeral key")]
    EphemeralKey,
    /// The tag does not match: another key, or altered bytes.
    #[error("the ciphertext is not authentic under this key")]
    Tag,
    /// Authentic, but not one plain decimal number.
    #[error("the ciphertext does not hold an amount")]
    Plaintext,
}

/// The Covalidator's public key, to which amounts are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncryptionKey(PublicKey);

impl EncryptionKey {
    /// Reads an uncompressed point: 130 hex digits, the first two `04`.
    pub fn from_hex(text: &str) -> Result<Self, CiphertextError> {
        let mut bytes = [0; POINT];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| CiphertextError::Key)?;
        PublicKey::from_sec1_bytes(&bytes).map(Self).map_err(|_| CiphertextError::Key)
    }

    /// The uncompressed point in lower-case hex.
    pub fn to_hex(self) -> String {
        hex::encode(self.0.to_encoded_point(false).as_bytes())
    }
}

/// The Covalidator's secret key. Only the local network's stand-in and tests have one. Cleared from memory on drop.
#[derive(Clone)]
pub struct DecryptionKey(SecretKey);

impl DecryptionKey {
    /// A key from 32 secret bytes; refuses zero and what is not below the curve's order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, CiphertextError> {
        SecretKey::from_slice(bytes).map(Self).map_err(|_| CiphertextError::Key)
    }

    /// The key that others encrypt to.
    pub fn public(&self) -> EncryptionKey {
        EncryptionKey(self.0.public_key())
    }
}

impl fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DecryptionKey(secret)")
    }
}

/// Encrypts `amount`, given in base units, to `key`.
///
/// Draws the ephemeral secret (32 bytes) and then the IV (16 bytes) from `chance`; an ephemeral draw that is not a
/// secret scalar is drawn again, which real randomness does once in 2^128 times.
pub fn encrypt(key: &EncryptionKey, amount: u128, chance: &dyn Chance) -> Vec<u8> {
    let ephemeral = loop {
        let bytes = Zeroizing::new(draw::<32>(chance));
        if let Ok(secret) = SecretKey::from_slice(bytes.as_slice()) {
            break secret;
        }
    };
    let iv = draw::<IV>(chance);
    encrypt_under(key, amount, &ephemeral, &iv)
}

/// Encrypts `amount`, given in base units, to `key` under a given ephemeral secret and IV; `None` where the 32 bytes are no
/// secret scalar. Neither may ever be used for two amounts.
pub(super) fn encrypt_with(key: &EncryptionKey, amount: u128, ephemeral: &[u8; 32], iv: &[u8; IV]) -> Option<Vec<u8>> {
    SecretKey::from_slice(ephemeral).ok().map(|secret| encrypt_under(key, amount, &secret, iv))
}

/// The IV of a ciphertext, where it is long enough to have one.
pub(super) fn iv(ciphertext: &[u8]) -> Option<[u8; IV]> {
    ciphertext.get(POINT..POINT + IV)?.try_into().ok()
}

fn encrypt_under(key: &EncryptionKey, amount: u128, ephemeral: &SecretKey, iv: &[u8; IV]) -> Vec<u8> {
    let keys = derive(ephemeral, &key.0);
    let digits = Zeroizing::new(amount.to_string());

    let mut ciphertext = Vec::with_capacity(CIPHERTEXT_OVERHEAD + digits.len());
    ciphertext.extend_from_slice(ephemeral.public_key().to_encoded_point(false).as_bytes());
    ciphertext.extend_from_slice(iv);
    ciphertext.extend_from_slice(digits.as_bytes());
    if let Some(body) = ciphertext.get_mut(POINT + IV..) {
        keys.cipher(iv).apply_keystream(body);
    }
    let tag = keys.tag(ciphertext.get(POINT..).unwrap_or_default()).finalize().into_bytes();
    ciphertext.extend_from_slice(&tag);
    ciphertext
}

/// Decrypts an amount; refuses whatever [`encrypt`] could not have written. The tag is compared in constant time,
/// and before anything is decrypted.
///
/// The format's tag does not cover the ephemeral key, and a point and its negative share their x: every ciphertext
/// has a twin for the same amount. Never take two ciphertexts for two amounts because their bytes differ.
pub fn decrypt(key: &DecryptionKey, ciphertext: &[u8]) -> Result<u128, CiphertextError> {
    let length = CiphertextError::Length(ciphertext.len());
    if !(CIPHERTEXT_OVERHEAD + 1..=MAX_CIPHERTEXT_BYTES).contains(&ciphertext.len()) {
        return Err(length);
    }
    let (point, rest) = ciphertext.split_first_chunk::<POINT>().ok_or(length)?;
    let (body, tag) = rest.split_last_chunk::<TAG>().ok_or(length)?;
    let (iv, encrypted) = body.split_first_chunk::<IV>().ok_or(length)?;
    let ephemeral = PublicKey::from_sec1_bytes(point).map_err(|_| CiphertextError::EphemeralKey)?;
    let keys = derive(&key.0, &ephemeral);
    keys.tag(body).verify_slice(tag).map_err(|_| CiphertextError::Tag)?;
    let mut digits = Zeroizing::new(encrypted.to_vec());
    keys.cipher(iv).apply_keystream(&mut digits);
    canonical_decimal(&digits).ok_or(CiphertextError::Plaintext)
}

/// Reads a number in its one decimal spelling: ASCII digits without leading zeros, at most `u128::MAX`.
pub fn canonical_decimal(text: &[u8]) -> Option<u128> {
    let canonical = match text {
        [] => false,
        [only] => only.is_ascii_digit(),
        [first, ..] => *first != b'0' && text.iter().all(u8::is_ascii_digit),
    };
    if !canonical {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

struct Keys {
    cipher: Zeroizing<[u8; 16]>,
    /// Padded with zeros to SHA-256's block, which is what HMAC does to a 32-byte key anyway.
    mac: Zeroizing<[u8; 64]>,
}

fn derive(secret: &SecretKey, public: &PublicKey) -> Keys {
    let shared = k256::ecdh::diffie_hellman(secret.to_nonzero_scalar(), public.as_affine());
    let k: Zeroizing<[u8; 32]> = Zeroizing::new(
        Sha256::new().chain_update([0, 0, 0, 1]).chain_update(shared.raw_secret_bytes()).finalize().into(),
    );
    let mut keys = Keys { cipher: Zeroizing::new([0; 16]), mac: Zeroizing::new([0; 64]) };
    let (left, right) = k.split_at(16);
    keys.cipher.copy_from_slice(left);
    let hashed = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(right)));
    let (used, _) = keys.mac.split_at_mut(32);
    used.copy_from_slice(hashed.as_slice());
    keys
}

impl Keys {
    fn cipher(&self, iv: &[u8; IV]) -> Cipher {
        Cipher::new(self.cipher.as_slice().into(), iv.into())
    }

    fn tag(&self, body: &[u8]) -> Tag {
        let mut tag = <Tag as hmac::digest::KeyInit>::new(self.mac.as_slice().into());
        hmac::Mac::update(&mut tag, body);
        tag
    }
}
