//! An Ed25519 key pair and the texts that people keep it in.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use ed25519_dalek::SigningKey;
use solana_pubkey::Pubkey;
use std::fmt;
use zeroize::Zeroizing;

/// A pair of 64 bytes: secret half, then public half. Wiped when dropped; shows its public key only.
#[derive(Clone)]
pub struct KeyPair(Zeroizing<[u8; 64]>);

/// Why a text is not a key pair. Never quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyPairError {
    /// Not 64 bytes in any accepted spelling.
    #[error("it is neither a JSON array of 64 numbers nor base64 or base58 of 64 bytes")]
    Spelling,
    /// The second half is not the public key of the first.
    #[error("its public half does not belong to its secret half")]
    HalvesDiffer,
}

impl KeyPair {
    /// Reads the spellings of the deployed service (a JSON array of 64 numbers as `solana-keygen` writes it, or base64
    /// of 64 bytes) and that of wallets (base58 of 64 bytes); white space around them is ignored.
    ///
    /// Refuses halves that do not belong together: with such a pair a signature can give the secret away.
    pub fn parse(text: &str) -> Result<Self, KeyPairError> {
        let text = text.trim();
        let json = serde_json::from_str::<Vec<u8>>(text).ok();
        // A base58 text may be readable as base64 too: the public half tells which reading is meant.
        let readings = [json, from_base64(text), from_base58(text)].map(|bytes| bytes.map(Zeroizing::new));
        let mut fault = KeyPairError::Spelling;
        for bytes in readings.into_iter().flatten() {
            let Ok(pair) = <[u8; 64]>::try_from(bytes.as_slice()).map(Zeroizing::new) else { continue };
            match SigningKey::from_keypair_bytes(&pair) {
                Ok(_) => return Ok(Self(pair)),
                Err(_) => fault = KeyPairError::HalvesDiffer,
            }
        }
        Err(fault)
    }

    /// The pair of a secret half.
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        Self(Zeroizing::new(SigningKey::from_bytes(secret).to_keypair_bytes()))
    }

    /// The public key.
    pub fn public(&self) -> Pubkey {
        let mut public = [0; 32];
        public.copy_from_slice(&self.0[32..]);
        Pubkey::new_from_array(public)
    }

    /// The secret half.
    pub fn secret(&self) -> Zeroizing<[u8; 32]> {
        let mut secret = Zeroizing::new([0; 32]);
        secret.copy_from_slice(&self.0[..32]);
        secret
    }

    /// The 64 bytes themselves.
    pub fn expose(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({}, secret redacted)", self.public())
    }
}

/// Base64 as lenient as the deployed service's runtime: either alphabet, padding optional.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet = if text.contains(['-', '_']) { alphabet::URL_SAFE } else { alphabet::STANDARD };
    GeneralPurpose::new(&alphabet, config).decode(text).ok()
}

fn from_base58(text: &str) -> Option<Vec<u8>> {
    // 88 characters hold 64 bytes; the bound keeps base58's quadratic decoding away from long texts.
    if text.len() > 88 {
        return None;
    }
    bs58::decode(text).into_vec().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> KeyPair {
        KeyPair::from_secret(&[7; 32])
    }

    #[test]
    fn every_accepted_spelling_is_the_same_key() {
        let bytes = pair().expose().to_vec();
        let json = serde_json::to_string(&bytes).unwrap();
        let base64 = base64::engine::general_purpose::STANDARD.encode(&bytes);
        let bare = base64.trim_end_matches('=').to_owned();
        let url_safe = base64.replace('+', "-").replace('/', "_");
        for text in [format!(" {json}\n"), base64, bare, url_safe, bs58::encode(&bytes).into_string()] {
            let read = KeyPair::parse(&text).unwrap();
            assert_eq!(read.public(), pair().public());
            assert_eq!(read.expose(), pair().expose());
            assert_eq!(*read.secret(), [7; 32]);
        }
    }

    #[test]
    fn what_is_not_a_key_pair_is_refused() {
        for text in ["", "[1,2,3]", "[300]", "c2VjcmV0", "not a key", "[\"hunter2\"]", &"1".repeat(100_000)] {
            assert_eq!(KeyPair::parse(text).unwrap_err(), KeyPairError::Spelling, "{}", text.len());
        }
        let mut bent = pair().expose().to_vec();
        bent[40] ^= 1;
        let bent = serde_json::to_string(&bent).unwrap();
        assert_eq!(KeyPair::parse(&bent).unwrap_err(), KeyPairError::HalvesDiffer);
    }

    #[test]
    fn debug_shows_the_public_key_and_nothing_else() {
        let shown = format!("{:?}", pair());
        assert!(shown.contains(&pair().public().to_string()));
        assert!(!shown.contains("7, 7"));
    }
}
