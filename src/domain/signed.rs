//! Ed25519 keys, signatures and the short messages of the session scheme, byte for byte.

use crate::domain::{amount::Amount, clock::UnixSeconds, intent::IntentHash, session::SessionId};
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};
use solana_pubkey::Pubkey;

/// Reads a base58 public key; `None` unless it is 32 bytes in their one canonical spelling.
pub fn parse_key(text: &str) -> Option<Pubkey> {
    // 44 characters hold 32 bytes; the bound keeps base58's quadratic decoding away from long hostile texts.
    if text.len() > 44 {
        return None;
    }
    text.parse().ok()
}

/// Reads a base58 signature; `None` unless it is 64 bytes.
pub fn parse_signature(text: &str) -> Option<[u8; 64]> {
    // 88 characters hold 64 bytes; see `parse_key` for the bound.
    if text.len() > 88 {
        return None;
    }
    text.parse::<solana_signature::Signature>().ok().map(Into::into)
}

/// Whether `signature` is `signer`'s over `message`, by the strict rules of RFC 8032 (no malleable encodings, no weak
/// keys).
pub fn verify(signer: &Pubkey, message: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(&signer.to_bytes())
        .is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
}

/// The text a session key signs for one payment (`spec/session.md` §4).
///
/// The intent hash binds spender, network and asset, so another facilitator cannot reuse it.
pub fn payment_message(
    intent: &IntentHash,
    session: SessionId,
    amount: Amount,
    pay_to: &Pubkey,
    nonce: &str,
    expires_at: UnixSeconds,
    resource: Option<&str>,
) -> String {
    let resource = resource.map_or_else(|| "-".to_owned(), resource_hash);
    format!("x402-session-pay:1:{}:{session}:{amount}:{pay_to}:{nonce}:{expires_at}:{resource}", intent.hex())
}

/// Lower-case hex of SHA-256 over the resource's URL.
pub fn resource_hash(url: &str) -> String {
    hex::encode(Sha256::digest(url.as_bytes()))
}

/// The text a session key or user signs to read what is not public (`spec/session.md` §4): `subject` is a session id
/// or a user's key, valid five minutes from `at`.
pub fn read_message(subject: &str, at: UnixSeconds) -> String {
    format!("x402-session-read:1:{subject}:{at}")
}

/// The text a session key or user signs to close a session (`spec/session.md` §4).
pub fn close_message(intent: &IntentHash, session: SessionId, nonce: &str) -> String {
    format!("x402-session-close:1:{}:{session}:{nonce}", intent.hex())
}

/// The text a wallet signs to be told of its sessions at the facilitator of this spender (`spec/session.md` §4); without the
/// spender another service that asks for the same words could read ours.
pub fn list_message(spender: &Pubkey, user: &Pubkey, at: UnixSeconds) -> String {
    format!("x402-session-list:1:{spender}:{user}:{at}")
}

/// The text a wallet signs to close all its sessions of an asset at the facilitator of this spender (`spec/session.md` §4).
pub fn close_all_message(spender: &Pubkey, user: &Pubkey, asset: &Pubkey, at: UnixSeconds) -> String {
    format!("x402-session-close-all:1:{spender}:{user}:{asset}:{at}")
}

/// How long a signed read is good for, in seconds, either side of its time.
pub const READ_VALID_SECONDS: u64 = 300;

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer as _, SigningKey};

    #[test]
    fn only_the_signer_over_the_same_bytes_verifies() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let signer = Pubkey::new_from_array(key.verifying_key().to_bytes());
        let signature = key.sign(b"hello").to_bytes();
        assert!(verify(&signer, b"hello", &signature));
        assert!(!verify(&signer, b"hellp", &signature));
        assert!(!verify(&Pubkey::new_from_array([7; 32]), b"hello", &signature));
        let mut bent = signature;
        bent[63] ^= 1;
        assert!(!verify(&signer, b"hello", &bent));
    }

    #[test]
    fn weak_keys_sign_nothing() {
        // The all-zero point has small order: with lax rules one signature would fit any message.
        assert!(!verify(&Pubkey::new_from_array([0; 32]), b"anything", &[0; 64]));
    }

    #[test]
    fn keys_have_one_length() {
        assert!(parse_key("11111111111111111111111111111111").is_some());
        for text in ["", "1", "0OIl", "AKnL4NNf3DGWZJS6cPknBuEGnVsV4A4m5tgebLHaRSZ9A", &"1".repeat(100_000)] {
            assert!(parse_key(text).is_none(), "{}", text.len());
        }
    }

    #[test]
    fn a_payment_message_names_everything_it_pays_for() {
        let session = SessionId::from_random_bytes([0; 16]);
        let text = payment_message(
            &IntentHash([0xab; 32]),
            session,
            Amount::new(5).unwrap_or_default(),
            &Pubkey::new_from_array([0; 32]),
            "n-1",
            1_900_000_000,
            None,
        );
        assert_eq!(
            text,
            format!(
                "x402-session-pay:1:{}:{session}:5:11111111111111111111111111111111:n-1:1900000000:-",
                "ab".repeat(32)
            )
        );
    }

    #[test]
    fn no_nonce_moves_what_stands_beside_it() {
        let text = |nonce: &str, expires_at, resource| {
            let (key, amount) = (Pubkey::new_from_array([0; 32]), Amount::new(5).unwrap_or_default());
            let session = SessionId::from_random_bytes([0; 16]);
            payment_message(&IntentHash([0xab; 32]), session, amount, &key, nonce, expires_at, resource)
        };
        // A nonce may hold what divides the text. Read from its end it has one meaning still: neither of the two members behind it
        // can hold a colon.
        let url = "http://x/";
        let nonces = ["a".to_owned(), "a:5".to_owned(), format!("a:5:{}", resource_hash(url)), "a:5:-".to_owned()];
        let mut texts: Vec<_> = nonces
            .iter()
            .flat_map(|nonce| [5, 50].map(|expires_at| [None, Some(url)].map(|url| text(nonce, expires_at, url))))
            .flatten()
            .collect();
        let all = texts.len();
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), all);
    }

    #[test]
    fn signatures_have_one_length() {
        let spelled = |bytes: &[u8]| bs58::encode(bytes).into_string();
        for bytes in [[7; 64], [0; 64], [255; 64]] {
            assert_eq!(parse_signature(&spelled(&bytes)), Some(bytes));
        }
        for text in ["", "0OIl", &spelled(&[7; 63]), &spelled(&[7; 65]), &"1".repeat(65), &"1".repeat(100_000)] {
            assert!(parse_signature(text).is_none(), "{}", text.len());
        }
    }
}
