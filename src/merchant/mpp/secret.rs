//! The seller's secret, which binds challenges.

use std::{fmt, path::Path};
use zeroize::Zeroizing;

/// The fewest bytes of a secret.
const LEAST_BYTES: usize = 32;

/// What challenges are bound with; shows nothing of itself, and is wiped when dropped.
///
/// Take another one, or another realm, for each price where a published seller shares it: that one takes the credential of a
/// cheap route on a dear one.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<Vec<u8>>);

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Too short to be one.
    #[error("the secret has fewer than {LEAST_BYTES} bytes; `openssl rand -hex 32` writes one")]
    Short,
    /// The file cannot be read.
    #[error("the file of the secret cannot be read")]
    File(#[source] std::io::Error),
}

impl SecretKey {
    /// The secret with this text, of 32 bytes or more, such as an environment variable holds.
    pub fn new(text: &str) -> Result<Self, SecretError> {
        if text.len() < LEAST_BYTES {
            Err(SecretError::Short)
        } else {
            Ok(Self(Zeroizing::new(text.as_bytes().to_vec())))
        }
    }

    /// The secret in a file, without the white space around it.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, SecretError> {
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(SecretError::File)?);
        Self::new(text.trim())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(redacted)")
    }
}
