//! The one secret that all keys of channels are derived from (`spec/mpp.md` §6), so that no table of keys has to be kept.
//!
//! A key's seed is HMAC-SHA256 of the root over a label that says what the key is for. Whoever knows the root can pay anybody
//! up to what each buyer has granted; without it nothing can be settled any more.

use crate::domain::{
    key_pair::KeyPair,
    mpp::channel_id::{ChannelSecret, PublicId},
};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use solana_pubkey::Pubkey;
use std::fmt;
use zeroize::Zeroizing;

/// How many hex digits of the salt stand in a Swig's second id.
const SALT_DIGITS: usize = 16;

/// The root: 32 bytes. Wiped when dropped, never shown.
#[derive(Clone)]
pub struct Root(Zeroizing<[u8; 32]>);

impl Root {
    /// The root of these bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The root that is written as 64 hex digits; white space around them is ignored.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim(), bytes.as_mut_slice()).ok()?;
        Some(Self(bytes))
    }

    /// The key that signs the vouchers of a channel.
    pub fn channel_key(&self, channel: &PublicId) -> KeyPair {
        self.key(&format!("sotto-mpp-channel:1:{channel}"))
    }

    /// The key that a buyer delegates to; the first generation is 0, and a renewal has the next.
    pub fn delegate_key(&self, chain_id: &str, buyer: &Pubkey, generation: u32) -> KeyPair {
        self.key(&format!("sotto-mpp-delegate:1:{chain_id}:{buyer}:{generation}"))
    }

    /// The key that may close session accounts, so that our rent comes back.
    pub fn rent_authority(&self, chain_id: &str) -> KeyPair {
        self.key(&format!("sotto-mpp-rent:1:{chain_id}"))
    }

    /// The key that certifies channels.
    pub fn issuer(&self, chain_id: &str) -> KeyPair {
        self.key(&format!("sotto-mpp-issuer:1:{chain_id}"))
    }

    /// The secret of the channel that a wallet opens by a proof with this nonce: the same proof opens the same channel.
    pub fn channel_secret(&self, chain_id: &str, wallet: &Pubkey, nonce: &str) -> ChannelSecret {
        ChannelSecret::from_bytes(*self.derive(&format!("sotto-mpp-secret:1:{chain_id}:{wallet}:{nonce}")))
    }

    /// What callers' addresses are hashed with, so that the ledger tells them apart and nobody reads them there.
    pub fn caller_key(&self, chain_id: &str) -> Zeroizing<[u8; 32]> {
        self.derive(&format!("sotto-mpp-caller:1:{chain_id}"))
    }

    /// The id of a buyer's Swig where the one of [`swig_id`] was taken by somebody else: nobody can know it in advance.
    pub fn salted_swig_id(&self, chain_id: &str, buyer: &Pubkey) -> [u8; 32] {
        let salt = hex::encode(*self.derive(&format!("sotto-mpp-swig-salt:1:{chain_id}:{buyer}")));
        let salt: String = salt.chars().take(SALT_DIGITS).collect();
        Sha256::digest(format!("{}:{salt}", swig_text(chain_id, buyer))).into()
    }

    fn key(&self, label: &str) -> KeyPair {
        KeyPair::from_secret(&self.derive(label))
    }

    fn derive(&self, label: &str) -> Zeroizing<[u8; 32]> {
        let mut mac = keyed(self.0.as_slice());
        mac.update(label.as_bytes());
        Zeroizing::new(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Root(redacted)")
    }
}

/// The root in use, and those that were in use before it: what they granted is settled, closed and taken back, and nothing new
/// stands on them.
#[derive(Clone, Debug)]
pub struct Roots {
    /// The one in use.
    pub current: Root,
    /// Those from before.
    pub previous: Vec<Root>,
}

/// HMAC-SHA256 under a key of any length.
#[expect(clippy::expect_used, reason = "HMAC takes keys of every length; the error is that of other codes")]
pub(crate) fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of every length")
}

/// The id of a buyer's Swig, which anybody can derive and so create first.
pub fn swig_id(chain_id: &str, buyer: &Pubkey) -> [u8; 32] {
    Sha256::digest(swig_text(chain_id, buyer)).into()
}

fn swig_text(chain_id: &str, buyer: &Pubkey) -> String {
    format!("sotto-mpp-swig:1:{chain_id}:{buyer}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_read_from_its_digits_and_from_nothing_else() {
        let (text, buyer) = ("5a".repeat(32), Pubkey::new_from_array([7; 32]));
        let read = Root::from_hex(&format!(" {text}\n")).expect("64 digits");
        let made = Root::new([0x5a; 32]);
        assert_eq!(
            read.delegate_key("solana:x", &buyer, 0).public(),
            made.delegate_key("solana:x", &buyer, 0).public()
        );
        for other in ["", &text[1..], &format!("{text}0"), &"5g".repeat(32)] {
            assert!(Root::from_hex(other).is_none(), "{other}");
        }
        assert_eq!(format!("{made:?}"), "Root(redacted)");
    }
}
