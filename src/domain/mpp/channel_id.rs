//! The two names of a channel: the secret that only its buyer knows, and the public id that stands on chain.
//!
//! Whoever knows the secret draws vouchers and closes; sellers, memos and logs see the public id alone, which is a hash of it.

use sha2::{Digest as _, Sha256};
use std::{fmt, str::FromStr};
use zeroize::Zeroizing;

/// What both names begin with.
const PREFIX: &str = "ch_";
/// What the secret is hashed behind.
const DOMAIN: &str = "sotto-mpp-channel:1:";

/// The text is not the name of a channel in its one spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a channel")]
pub struct NotAChannel;

/// A channel's bearer secret: `ch_` and 64 lower-case hex digits. Shows nothing of itself, and is wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct ChannelSecret(Zeroizing<[u8; 32]>);

/// A channel's public id: `ch_` and 32 lower-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicId([u8; 16]);

impl ChannelSecret {
    /// The secret of 32 random or derived bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The text of it, for the answer to its buyer and nothing else.
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{PREFIX}{}", hex::encode(*self.0)))
    }

    /// The public id that belongs to it.
    pub fn public_id(&self) -> PublicId {
        let digest = Sha256::new().chain_update(DOMAIN).chain_update(self.expose().as_bytes()).finalize();
        PublicId(std::array::from_fn(|at| digest[at]))
    }
}

impl FromStr for ChannelSecret {
    type Err = NotAChannel;

    fn from_str(text: &str) -> Result<Self, NotAChannel> {
        read(text).map(Self::from_bytes)
    }
}

impl fmt::Debug for ChannelSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChannelSecret({}, secret redacted)", self.public_id())
    }
}

impl PublicId {
    /// The id that was written as these 16 bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its 16 bytes.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// The hex digits alone, as memos write them.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl FromStr for PublicId {
    type Err = NotAChannel;

    fn from_str(text: &str) -> Result<Self, NotAChannel> {
        read(text).map(Self)
    }
}

impl fmt::Display for PublicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.hex())
    }
}

/// The bytes behind the prefix, in lower-case hex digits alone, so that a channel has one name.
fn read<const N: usize>(text: &str) -> Result<[u8; N], NotAChannel> {
    let digits = text.strip_prefix(PREFIX).filter(|digits| !digits.bytes().any(|byte| byte.is_ascii_uppercase()));
    let mut bytes = [0; N];
    hex::decode_to_slice(digits.ok_or(NotAChannel)?, &mut bytes).map_err(|_| NotAChannel)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_spelling_and_neither_is_the_other() {
        let secret = ChannelSecret::from_bytes([0xab; 32]);
        let text = secret.expose();
        assert_eq!(text.parse(), Ok(secret.clone()));
        let public = secret.public_id();
        assert_eq!(public.to_string().parse(), Ok(public));
        assert_eq!(PublicId::from_bytes(public.to_bytes()), public);
        assert!(text.parse::<PublicId>().is_err() && public.to_string().parse::<ChannelSecret>().is_err());
        for wrong in ["", "ch_", &text[1..], &text.to_uppercase(), &text.replace('a', "A"), &format!("{}0", *text)] {
            assert_eq!(wrong.parse::<ChannelSecret>(), Err(NotAChannel), "{wrong}");
        }
    }

    #[test]
    fn debug_shows_the_public_id_and_nothing_else() {
        let secret = ChannelSecret::from_bytes([0xab; 32]);
        let shown = format!("{secret:?}");
        assert!(shown.contains(&secret.public_id().hex()) && !shown.contains("abababab"));
    }
}
