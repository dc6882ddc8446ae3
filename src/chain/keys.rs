//! Solana keys: read once, never printed, wiped from memory when dropped.
//!
//! Accepted spellings of a key pair, those of the deployed service and of Solana's tools: a JSON array of 64 numbers
//! (`solana-keygen`), base64 of the 64 bytes, base58 of the 64 bytes. The 64 bytes are the secret seed and the public
//! key; a public half that does not belong to the seed is refused, because whoever signs under a foreign public key
//! gives his secret away.

use crate::domain::chance::{Chance, draw};
use base64::{Engine as _, engine::general_purpose};
use ed25519_dalek::{Signer as _, SigningKey};
use solana_pubkey::Pubkey;
use std::{fmt, path::Path};
use zeroize::Zeroizing;

/// Longest key text we read, in bytes: 64 numbers of three digits with white space around each fit easily.
const MAX_KEY_TEXT: u64 = 4_096;

/// Something that can sign as one Solana address.
pub trait Signer: Send + Sync + 'static {
    /// The address.
    fn pubkey(&self) -> Pubkey;
    /// Ed25519 over `message`.
    fn sign(&self, message: &[u8]) -> [u8; 64];
}

/// Why a text or file is not a key. Never quotes the text.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("the key file cannot be read")]
    Unreadable(#[source] std::io::Error),
    /// Too long to be a key.
    #[error("the key text is longer than {MAX_KEY_TEXT} bytes")]
    TooLong,
    /// Not one of the three spellings of 64 bytes.
    #[error("a key is 64 bytes as a JSON array of numbers, as base64 or as base58")]
    Spelling,
    /// The public half is not the secret half's.
    #[error("the key's public half does not belong to its secret half")]
    Mismatch,
}

/// A key held in this process's memory.
pub struct LocalSigner {
    key: SigningKey,
}

/// A key read from a file.
#[derive(Debug)]
pub struct LoadedKey {
    /// The key.
    pub signer: LocalSigner,
    /// Whether the file's permissions let others than its owner read it: to be warned of.
    pub exposed: bool,
}

impl LocalSigner {
    /// Reads a key from text in any accepted spelling; white space around it is ignored.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        if text.len() as u64 > MAX_KEY_TEXT {
            return Err(KeyError::TooLong);
        }
        // A base58 text may also be readable as base64: the public half tells which reading is meant.
        let readings = [from_json(text), from_base64(text), from_base58(text)];
        let mut fault = KeyError::Spelling;
        for bytes in readings.iter().flatten() {
            let Ok(pair) = <&[u8; 64]>::try_from(bytes.as_slice()) else { continue };
            match SigningKey::from_keypair_bytes(pair) {
                Ok(key) => return Ok(Self { key }),
                Err(_) => fault = KeyError::Mismatch,
            }
        }
        Err(fault)
    }

    /// Reads a key file.
    pub fn from_file(path: &Path) -> Result<LoadedKey, KeyError> {
        let metadata = std::fs::metadata(path).map_err(KeyError::Unreadable)?;
        if metadata.len() > MAX_KEY_TEXT {
            return Err(KeyError::TooLong);
        }
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(KeyError::Unreadable)?);
        Ok(LoadedKey { signer: Self::parse(&text)?, exposed: is_exposed(&metadata) })
    }

    /// The key of a 32-byte secret seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self { key: SigningKey::from_bytes(seed) }
    }

    /// A new key.
    pub fn generate(chance: &dyn Chance) -> Self {
        Self::from_seed(&Zeroizing::new(draw::<32>(chance)))
    }

    /// The key pair as the JSON array that `solana-keygen` writes. Secret.
    pub fn to_json(&self) -> Zeroizing<String> {
        let pair = Zeroizing::new(self.key.to_keypair_bytes());
        // Sized for the longest spelling, so that no growing buffer leaves a copy behind.
        let mut text = Zeroizing::new(String::with_capacity(2 + 64 * 4));
        for (index, byte) in pair.iter().enumerate() {
            text.push(if index == 0 { '[' } else { ',' });
            text.push_str(&Zeroizing::new(byte.to_string()));
        }
        text.push(']');
        text
    }
}

impl Signer for LocalSigner {
    fn pubkey(&self) -> Pubkey {
        Pubkey::new_from_array(self.key.verifying_key().to_bytes())
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for LocalSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalSigner").field("pubkey", &self.pubkey()).finish_non_exhaustive()
    }
}

fn from_json(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    serde_json::from_str(text).ok().map(Zeroizing::new)
}

fn from_base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let unpadded = text.trim_end_matches('=');
    general_purpose::STANDARD_NO_PAD.decode(unpadded).ok().map(Zeroizing::new)
}

fn from_base58(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    // 88 characters hold 64 bytes; the bound keeps base58's quadratic decoding away from long texts.
    if text.len() > 88 {
        return None;
    }
    bs58::decode(text).into_vec().ok().map(Zeroizing::new)
}

#[cfg(unix)]
fn is_exposed(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn is_exposed(_: &std::fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{chance::SeededChance, signed};

    fn pair() -> [u8; 64] {
        SigningKey::from_bytes(&[7; 32]).to_keypair_bytes()
    }

    #[test]
    fn every_accepted_spelling_gives_the_same_key() {
        let expected = LocalSigner::from_seed(&[7; 32]).pubkey();
        let base64 = general_purpose::STANDARD.encode(pair());
        let spellings = [
            serde_json::to_string(&pair().to_vec()).unwrap(),
            format!("\n {}\n", serde_json::to_string_pretty(&pair().to_vec()).unwrap()),
            base64.trim_end_matches('=').to_owned(),
            base64,
            bs58::encode(pair()).into_string(),
        ];
        for text in spellings {
            assert_eq!(LocalSigner::parse(&text).unwrap().pubkey(), expected);
        }
    }

    #[test]
    fn a_foreign_public_half_is_refused() {
        let mut bytes = pair();
        bytes[63] ^= 1;
        let texts = [
            serde_json::to_string(&bytes.to_vec()).unwrap(),
            general_purpose::STANDARD.encode(bytes),
            bs58::encode(bytes).into_string(),
        ];
        for text in texts {
            assert!(matches!(LocalSigner::parse(&text), Err(KeyError::Mismatch)));
        }
    }

    #[test]
    fn other_lengths_and_texts_are_refused() {
        for text in ["", "[]", "[1,2,3]", "[256]", "{}", "not a key", &bs58::encode([7; 32]).into_string()] {
            assert!(matches!(LocalSigner::parse(text), Err(KeyError::Spelling)), "{text:?}");
        }
        assert!(matches!(LocalSigner::parse(&"1".repeat(5_000)), Err(KeyError::TooLong)));
    }

    #[test]
    fn debug_and_errors_do_not_tell_the_secret() {
        let shown = format!("{:?}", LocalSigner::from_seed(&[7; 32]));
        assert!(shown.contains("pubkey"));
        assert!(!shown.contains("7, 7") && !shown.contains(&hex::encode([7; 4])));
        let error = LocalSigner::parse("secret words").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret words"));
    }

    #[test]
    fn a_written_key_reads_back_and_exposed_files_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.json");
        let made = LocalSigner::generate(&SeededChance::new(1));
        std::fs::write(&path, made.to_json().as_bytes()).unwrap();
        for (mode, exposed) in [(0o600, false), (0o400, false), (0o644, true), (0o640, true)] {
            #[cfg(unix)]
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
            let read = LocalSigner::from_file(&path).unwrap();
            assert_eq!(read.signer.pubkey(), made.pubkey());
            assert_eq!(read.exposed, exposed && cfg!(unix), "{mode:o}");
        }
        assert!(matches!(LocalSigner::from_file(&folder.path().join("none")), Err(KeyError::Unreadable(_))));
    }

    #[test]
    fn signatures_verify() {
        let signer = LocalSigner::generate(&SeededChance::new(2));
        assert!(signed::verify(&signer.pubkey(), b"message", &signer.sign(b"message")));
    }
}
