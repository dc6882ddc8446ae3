//! The session intent: the message a payer signs once, and the small messages that refer to it.

use crate::domain::{amount::Amount, clock::UnixSeconds, signed};
use sha2::{Digest as _, Sha256};
use solana_pubkey::Pubkey;

/// The longest intent we read, in bytes (`spec/session.md` §2).
pub const MAX_INTENT_BYTES: usize = 512;
/// The shortest and longest intent nonce, in ASCII characters.
pub const INTENT_NONCE_LENGTH: std::ops::RangeInclusive<usize> = 16..=64;

/// What the payer agreed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// What the payer approved on chain in all, in base units, where other sessions may take from it too: at least the cap
    /// (`spec/session.md` §7). Without it the approve is of the cap.
    pub approved: Option<Amount>,
    /// The mint of the session's asset.
    pub asset: Pubkey,
    /// The most that may be captured, in base units.
    pub cap: Amount,
    /// When the session stops accepting payments.
    pub expires_at: UnixSeconds,
    /// The network as the payer spelled it.
    pub network: String,
    /// Unique for this user, for ever.
    pub nonce: String,
    /// The wallet that is paid.
    pub recipient: Pubkey,
    /// The facilitator's delegate key.
    pub spender: Pubkey,
    /// The payer's wallet.
    pub user: Pubkey,
    /// The key that must sign every payment, when the payer chose one (`spec/session.md` §4).
    pub session_key: Option<Pubkey>,
}

/// Why bytes are not an intent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntentError {
    /// Longer than [`MAX_INTENT_BYTES`].
    #[error("the intent is {0} bytes long; at most {MAX_INTENT_BYTES} are read")]
    TooLong(usize),
    /// Not a JSON object of exactly the known members with the right types, each once.
    #[error("the intent is not the expected JSON object: {0}")]
    NotJson(String),
    /// No nonce, or one that is not 16 to 64 printable ASCII characters.
    #[error("the intent's nonce must be 16 to 64 printable ASCII characters")]
    Nonce,
    /// A member that is there but does not hold what it must.
    #[error("the intent's {0} is malformed")]
    Field(&'static str),
}

/// The wire form. `deny_unknown_fields` and serde's own duplicate check make it exact.
#[derive(serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct IntentJson {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    approved: Option<String>,
    asset: String,
    cap: String,
    expiration_unix: u64,
    network: String,
    #[serde(default)]
    nonce: String,
    recipient: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_key: Option<String>,
    spender: String,
    user: String,
}

impl Intent {
    /// Reads an intent from the bytes that were signed.
    pub fn parse(bytes: &[u8]) -> Result<Self, IntentError> {
        if bytes.len() > MAX_INTENT_BYTES {
            return Err(IntentError::TooLong(bytes.len()));
        }
        let json: IntentJson =
            serde_json::from_slice(bytes).map_err(|error| IntentError::NotJson(error.to_string()))?;
        if !INTENT_NONCE_LENGTH.contains(&json.nonce.len()) || !json.nonce.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(IntentError::Nonce);
        }
        let cap = Amount::parse_positive(&json.cap).map_err(|_| IntentError::Field("cap"))?;
        Ok(Self {
            approved: json.approved.as_deref().map(|text| approved(text, cap)).transpose()?,
            asset: key("asset", &json.asset)?,
            cap,
            expires_at: json.expiration_unix,
            network: json.network,
            nonce: json.nonce,
            recipient: key("recipient", &json.recipient)?,
            spender: key("spender", &json.spender)?,
            user: key("user", &json.user)?,
            session_key: json.session_key.as_deref().map(|text| key("sessionKey", text)).transpose()?,
        })
    }

    /// What the payer says was approved on chain: the total, or the cap where the intent names none.
    pub fn said_approved(&self) -> Amount {
        self.approved.unwrap_or(self.cap)
    }

    /// The canonical bytes a client signs: sorted keys, no spaces.
    pub fn to_bytes(&self) -> Vec<u8> {
        let json = IntentJson {
            approved: self.approved.map(|approved| approved.to_string()),
            asset: self.asset.to_string(),
            cap: self.cap.to_string(),
            expiration_unix: self.expires_at,
            network: self.network.clone(),
            nonce: self.nonce.clone(),
            recipient: self.recipient.to_string(),
            session_key: self.session_key.map(|k| k.to_string()),
            spender: self.spender.to_string(),
            user: self.user.to_string(),
        };
        // The struct's members stand in alphabetical order, so serde writes them sorted; strings and one integer
        // cannot fail to serialise.
        serde_json::to_vec(&json).unwrap_or_default()
    }
}

/// A total in base units that a cap fits into.
fn approved(text: &str, cap: Amount) -> Result<Amount, IntentError> {
    Amount::parse(text).ok().filter(|approved| *approved >= cap).ok_or(IntentError::Field("approved"))
}

/// A base58 public key in its one canonical spelling.
fn key(field: &'static str, text: &str) -> Result<Pubkey, IntentError> {
    signed::parse_key(text).ok_or(IntentError::Field(field))
}

/// SHA-256 of the intent bytes, which binds user, spender, network and asset into every later message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IntentHash(pub [u8; 32]);

impl IntentHash {
    /// The hash of the signed bytes.
    pub fn of(intent_bytes: &[u8]) -> Self {
        Self(Sha256::digest(intent_bytes).into())
    }

    /// Lower-case hex.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// The short text the user signs so that the intent itself (with the cap) need not appear on chain
    /// (`spec/session.md` §4, `settleMessage`).
    pub fn settle_message(&self) -> String {
        format!("x402-session:1:{}", self.hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"asset":"GyGKxMyg1p9SsHfm15MkNUu1u9TN2JtTspcdmrtGUdse","cap":"1000000","expirationUnix":1893456000,"network":"solana:devnet","nonce":"000102030405060708090a0b0c0d0e0f","recipient":"EdmxWPmx2WH6WgFfTdu9xfkYf3k1g5wD1zccTVySEEh1","spender":"9hSR6S7WPtxmTojgo6GG3k4yDPecgJY292j7xrsUGWBu","user":"AKnL4NNf3DGWZJS6cPknBuEGnVsV4A4m5tgebLHaRSZ9"}"#;

    #[test]
    fn canonical_bytes_survive_a_round_trip() {
        let intent = Intent::parse(TEXT.as_bytes()).expect("the golden intent is valid");
        assert_eq!(intent.to_bytes(), TEXT.as_bytes());
        assert_eq!(intent.cap.get(), 1_000_000);
    }

    #[test]
    fn a_session_key_sorts_between_recipient_and_spender() {
        let mut intent = Intent::parse(TEXT.as_bytes()).expect("valid");
        intent.session_key = Some(intent.user);
        let bytes = intent.to_bytes();
        assert!(
            String::from_utf8_lossy(&bytes)
                .contains(r#","sessionKey":"AKnL4NNf3DGWZJS6cPknBuEGnVsV4A4m5tgebLHaRSZ9","spender":"#)
        );
        assert_eq!(Intent::parse(&bytes), Ok(intent));
    }

    #[test]
    fn a_total_sorts_first_and_is_not_less_than_the_cap() {
        let mut intent = Intent::parse(TEXT.as_bytes()).expect("valid");
        assert_eq!(intent.said_approved(), intent.cap);
        for total in [1_000_000, 10_000_000] {
            intent.approved = Amount::new(total);
            let bytes = intent.to_bytes();
            assert!(bytes.starts_with(format!(r#"{{"approved":"{total}","asset":"#).as_bytes()));
            assert_eq!(Intent::parse(&bytes), Ok(intent.clone()));
        }
        for wrong in [r#""999999""#, r#""9223372036854775808""#, r#""010000000""#, "10000000", r#""""#, r#""-1""#] {
            let text = TEXT.replacen('{', &format!(r#"{{"approved":{wrong},"#), 1);
            assert!(Intent::parse(text.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn anything_but_exactly_the_known_members_is_refused() {
        let refused = |from: &str, to: &str| {
            let text = TEXT.replacen(from, to, 1);
            assert_ne!(text, TEXT, "the case must change something: {from}");
            assert!(Intent::parse(text.as_bytes()).is_err(), "{text}");
        };
        refused(r#"{"asset""#, r#"{"x":1,"asset""#);
        refused(r#""cap":"1000000""#, r#""cap":"1000000","cap":"2000000""#);
        refused(r#""cap":"1000000""#, r#""cap":1000000"#);
        refused(r#""1000000""#, r#""0x10""#);
        refused(r#""1000000""#, r#""-1""#);
        refused(r#""1000000""#, r#""0""#);
        refused("1893456000", "1893456000.0");
        refused("1893456000", "1.8e9");
        refused("1893456000", "-1");
        refused("1893456000", r#""1893456000""#);
        refused("000102030405060708090a0b0c0d0e0f", "short");
        refused("AKnL4NNf3DGWZJS6cPknBuEGnVsV4A4m5tgebLHaRSZ9", "AKnL4NNf3DGWZJS6cPknBuEGnVsV4A4m5tgebLHaRSZ0");
        refused("AKnL4NNf3DGWZJS6cPknBuEGnVsV4A4m5tgebLHaRSZ9", "AKnL4NNf3DGWZJS6cPknBuEGnVsV4A4m5tgebLHaRS");
        refused(r#","user""#, r#","uzer""#);
    }

    #[test]
    fn long_truncated_and_non_utf8_bytes_are_refused() {
        assert_eq!(Intent::parse(&[b' '; MAX_INTENT_BYTES + 1]), Err(IntentError::TooLong(MAX_INTENT_BYTES + 1)));
        for cut in 0..TEXT.len() {
            assert!(Intent::parse(&TEXT.as_bytes()[..cut]).is_err());
        }
        assert!(Intent::parse(&[0xff; 40]).is_err());
        assert!(Intent::parse(format!("{TEXT} {{}}").as_bytes()).is_err());
    }
}
