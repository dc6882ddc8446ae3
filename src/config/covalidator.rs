//! `[covalidator]`: the decrypt service and the keys it is pinned to.

use super::{reader::Reader, schema::Key, secret::Endpoint};
use solana_pubkey::Pubkey;

const ENDPOINT: Key = Key::text("covalidator", "endpoint").endpoint().of_network();
const ATTESTATION_KEY: Key = Key::text("covalidator", "attestation_key").of_network();
const ENCRYPTION_KEY: Key = Key::text("covalidator", "encryption_key").of_network();

pub(super) const KEYS: &[Key] = &[ENDPOINT, ATTESTATION_KEY, ENCRYPTION_KEY];

/// The Covalidator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CovalidatorConfig {
    /// Where decrypt requests are posted.
    pub endpoint: Endpoint,
    /// Ed25519: every answer must verify against it.
    pub attestation_key: Pubkey,
    /// secp256k1, uncompressed, lower-case hex (130 digits): amounts are encrypted to it.
    pub encryption_key: String,
}

impl CovalidatorConfig {
    /// Reads the section.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let endpoint = reader.parsed(&ENDPOINT, "write the whole http(s) URL of the decrypt endpoint", |text| {
            Endpoint::parse(text, &["http", "https"]).ok_or_else(|| "it is not an http(s) URL".to_owned())
        });
        let attestation_key = reader.address(&ATTESTATION_KEY);
        let remedy = "write the uncompressed secp256k1 key in hex: 130 digits that begin with 04";
        let encryption_key = reader.parsed(&ENCRYPTION_KEY, remedy, parse_encryption_key);
        Some(Self { endpoint: endpoint?, attestation_key: attestation_key?, encryption_key: encryption_key? })
    }
}

fn parse_encryption_key(text: &str) -> Result<String, String> {
    let bytes = hex::decode(text).map_err(|_| "it is not hex".to_owned())?;
    if bytes.len() != 65 {
        return Err(format!("it has {} bytes, not 65", bytes.len()));
    }
    k256::PublicKey::from_sec1_bytes(&bytes).map_err(|_| "it is not a point of secp256k1".to_owned())?;
    Ok(hex::encode(bytes))
}
