//! Signed receipts: what a facilitator states of a landed payment, under a key that signs nothing else.
//!
//! The form is that of x402's extension `offer-receipt` (`spec/schemes.md` §8): a compact JWS (RFC 7515) with `EdDSA` over
//! Ed25519, around one object in canonical JSON (RFC 8785). Header and members are fixed, so a statement has exactly one
//! text for each key: whatever is spelled otherwise is no receipt. A receipt states no amount and no delivery
//! (`spec/session.md` §7), and the key it names is believed only where the reader had it from somewhere else.

use crate::domain::{clock::UnixSeconds, signed};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

/// The longest URL that a receipt is made for, in bytes: the whole is to fit into a header.
pub const MAX_RESOURCE_URL: usize = 2048;
/// The longest receipt that is read, in characters.
pub const MAX_RECEIPT_LENGTH: usize = 8 * 1024;
/// The media type in every header, so that no other JWS under the key can be taken for a receipt.
const TYPE: &str = "x402-receipt+jws";
/// The algorithm in every header.
const ALGORITHM: &str = "EdDSA";
/// The version of the statement.
const VERSION: u64 = 1;
/// What a `did:key` of an Ed25519 key begins with, and the multicodec of such a key.
const DID_KEY: &str = "did:key:z";
const ED25519_CODEC: [u8; 2] = [0xED, 0x01];

/// What a receipt states: this payer's payment for this resource was captured by this transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptStatement {
    /// The network, as CAIP-2 spells it or as the request did.
    pub network: String,
    /// The URL that was paid for; the payer's session key signed its hash.
    pub resource_url: String,
    /// The wallet that paid.
    pub payer: Pubkey,
    /// When the transfer landed, Unix seconds.
    pub issued_at: UnixSeconds,
    /// The transfer.
    pub transaction: Signature,
}

/// The members in the order of RFC 8785. Their values are texts and whole numbers, which `serde_json` writes as it wants
/// them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct StatementJson {
    issued_at: u64,
    network: String,
    payer: String,
    resource_url: String,
    transaction: String,
    version: u64,
}

/// The protected header.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderJson {
    alg: String,
    kid: String,
    typ: String,
}

/// A key that receipts are believed under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiptKey {
    /// The Ed25519 public key.
    pub key: Pubkey,
    /// The last second that it signed for, Unix seconds; none while it is in use.
    pub until: Option<UnixSeconds>,
}

/// Why a text is no receipt that may be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptFault {
    /// Not a compact JWS with the header and the members of a receipt, each in its one spelling.
    #[error("it is not a receipt: a compact JWS with the members of x402's offer-receipt")]
    Form,
    /// Signed by a key that the reader does not know as the facilitator's.
    #[error("it is signed by {0}, which is none of the keys that are believed")]
    UnknownKey(Pubkey),
    /// The signature is not that key's over this text.
    #[error("its signature does not verify")]
    Signature,
    /// Signed by a key for a time after it was retired.
    #[error("it was issued at {issued_at}, after its key was retired at {until}")]
    Retired {
        /// When the receipt says it was issued.
        issued_at: UnixSeconds,
        /// The last second of the key.
        until: UnixSeconds,
    },
}

impl ReceiptStatement {
    /// The receipt under `key`: `sign` makes its Ed25519 signature.
    pub fn sign(&self, key: &Pubkey, sign: impl FnOnce(&[u8]) -> [u8; 64]) -> String {
        let input = format!("{}.{}", header(key), self.encode());
        let signature = URL_SAFE_NO_PAD.encode(sign(input.as_bytes()));
        format!("{input}.{signature}")
    }

    /// Reads a receipt that one of `keys` signed.
    pub fn verify(receipt: &str, keys: &[ReceiptKey]) -> Result<Self, ReceiptFault> {
        if receipt.len() > MAX_RECEIPT_LENGTH {
            return Err(ReceiptFault::Form);
        }
        let (input, signature) = receipt.rsplit_once('.').ok_or(ReceiptFault::Form)?;
        let (head, payload) = input.split_once('.').ok_or(ReceiptFault::Form)?;
        let named = read_header(head).ok_or(ReceiptFault::Form)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok().and_then(|bytes| bytes.try_into().ok());
        let signature: [u8; 64] = signature.ok_or(ReceiptFault::Form)?;
        let statement = Self::decode(payload).ok_or(ReceiptFault::Form)?;
        let known = keys.iter().find(|known| known.key == named).ok_or(ReceiptFault::UnknownKey(named))?;
        if !signed::verify(&named, input.as_bytes(), &signature) {
            return Err(ReceiptFault::Signature);
        }
        match known.until {
            Some(until) if statement.issued_at > until => {
                Err(ReceiptFault::Retired { issued_at: statement.issued_at, until })
            }
            _ => Ok(statement),
        }
    }

    fn encode(&self) -> String {
        json(&StatementJson {
            issued_at: self.issued_at,
            network: self.network.clone(),
            payer: self.payer.to_string(),
            resource_url: self.resource_url.clone(),
            transaction: self.transaction.to_string(),
            version: VERSION,
        })
    }

    /// The statement of a payload, if it is spelled as ours are.
    fn decode(payload: &str) -> Option<Self> {
        let told: StatementJson = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
        let statement = Self {
            network: told.network,
            resource_url: told.resource_url,
            payer: signed::parse_key(&told.payer)?,
            issued_at: told.issued_at,
            transaction: signed::parse_signature(&told.transaction)?.into(),
        };
        (told.version == VERSION && statement.encode() == payload).then_some(statement)
    }
}

impl ReceiptKey {
    /// A key that is in use.
    pub const fn current(key: Pubkey) -> Self {
        Self { key, until: None }
    }

    /// Its name in receipts and in `/supported`: a `did:key` with itself as fragment, which every reader of the published
    /// verifier resolves by itself.
    pub fn id(&self) -> String {
        key_id(&self.key)
    }

    /// Reads a key: a `did:key` of an Ed25519 key, with its fragment or without, or base58 as Solana writes it.
    pub fn parse(text: &str) -> Option<Pubkey> {
        let Some(rest) = text.strip_prefix(DID_KEY) else { return signed::parse_key(text) };
        let (name, fragment) = rest.split_once('#').map_or((rest, None), |(name, after)| (name, Some(after)));
        if name.len() > 64 || fragment.is_some_and(|fragment| fragment.strip_prefix('z') != Some(name)) {
            return None;
        }
        let bytes = bs58::decode(name).into_vec().ok()?;
        let key: [u8; 32] = bytes.strip_prefix(&ED25519_CODEC)?.try_into().ok()?;
        Some(Pubkey::new_from_array(key))
    }
}

fn key_id(key: &Pubkey) -> String {
    let name = bs58::encode([&ED25519_CODEC[..], key.as_ref()].concat()).into_string();
    format!("{DID_KEY}{name}#z{name}")
}

fn header(key: &Pubkey) -> String {
    json(&HeaderJson { alg: ALGORITHM.to_owned(), kid: key_id(key), typ: TYPE.to_owned() })
}

/// The key that a header names, if it is spelled as ours are.
fn read_header(text: &str) -> Option<Pubkey> {
    let told: HeaderJson = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    let key = ReceiptKey::parse(&told.kid)?;
    (header(&key) == text).then_some(key)
}

fn json(value: &impl Serialize) -> String {
    // Texts and whole numbers: serialising cannot fail.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap_or_default())
}

#[cfg(test)]
mod tests;
