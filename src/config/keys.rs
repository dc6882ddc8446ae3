//! `[keys]`: who spends and who pays the fees. References only; a key itself is accepted in `FACILITATOR_KEYPAIR`.

use super::{
    environment::Environment,
    reader::Reader,
    schema::Key,
    secret::{SecretError, SecretReference},
};
use crate::domain::key_pair::{KeyPair, KeyPairError};
use solana_pubkey::Pubkey;
use std::path::Path;

const SPENDER: Key = Key::text("keys", "spender").reference();
const FEE_PAYERS: Key = Key::list("keys", "fee_payer").reference();

pub(super) const KEYS: &[Key] = &[SPENDER, FEE_PAYERS];

/// The keys.
#[derive(Clone, Debug)]
pub struct KeysConfig {
    /// The delegate of every session.
    pub spender: KeyPair,
    /// The keys that pay fees and rent, the announced one first; the spender when none is configured.
    pub fee_payers: Vec<KeyPair>,
}

impl KeysConfig {
    /// Reads the section and fetches the keys.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let spender = reader.text(&SPENDER).and_then(|text| read_pair(reader, &SPENDER, text));
        let references = reader.optional_list(&FEE_PAYERS).unwrap_or_default();
        let fee_payers: Vec<_> = references.iter().map(|text| read_pair(reader, &FEE_PAYERS, text)).collect();
        let fee_payers = fee_payers.into_iter().collect::<Option<Vec<_>>>()?;
        let spender = spender?;
        warn_of_doubles(reader, &spender, &fee_payers);
        Some(Self { spender, fee_payers })
    }
}

/// What a pool is for is lost where one key stands twice, or where the spender is in it; and published clients know one key.
fn warn_of_doubles(reader: &mut Reader<'_>, spender: &KeyPair, fee_payers: &[KeyPair]) {
    let keys: Vec<Pubkey> = fee_payers.iter().map(KeyPair::public).collect();
    if keys.contains(&spender.public()) {
        reader.warn(&FEE_PAYERS, "the spender is a fee payer too: a leak of the hot key costs its SOL as well");
    }
    if keys.first().is_some_and(|announced| *announced != spender.public()) {
        let text = "published clients (solana-x402-sessions) know the spender alone and name it as fee payer of their approve, \
                    so they cannot open sessions here; leave the key out, or name the spender first, if they are to";
        reader.warn(&FEE_PAYERS, text);
    }
    if keys.iter().enumerate().any(|(index, key)| keys[..index].contains(key)) {
        reader.warn(&FEE_PAYERS, "a key stands twice; it is used once");
    }
}

fn read_pair(reader: &mut Reader<'_>, key: &Key, text: &str) -> Option<KeyPair> {
    let environment = reader.environment();
    match fetch(text, environment) {
        Ok((pair, readable_by_others)) => {
            if let Some(path) = readable_by_others {
                reader.warn(key, format!("{path} can be read by other users of this machine; chmod 600 {path}"));
            }
            Some(pair)
        }
        Err(error) => {
            reader.fault(key, error.to_string(), remedy(&error));
            None
        }
    }
}

fn fetch(text: &str, environment: &Environment) -> Result<(KeyPair, Option<String>), SecretError> {
    let reference = SecretReference::parse(text)?;
    let pair = reference.read_key_pair(environment)?;
    let file = reference.existing_file(environment)?;
    Ok((pair, file.filter(|path| is_readable_by_others(path)).map(|path| path.display().to_string())))
}

fn remedy(error: &SecretError) -> &'static str {
    match error {
        SecretError::NotAReference => "write file:PATH or env:NAME, or put the key into FACILITATOR_KEYPAIR",
        SecretError::NoFile { .. } => {
            "set FACILITATOR_KEYPAIR or FACILITATOR_KEYPAIR_PATH, or make a key with `sotto keygen PATH`"
        }
        SecretError::Unreadable { .. } => "let the service's user read the file",
        SecretError::NoVariable(_) => "set that variable, or refer to a file with file:PATH",
        SecretError::BadLine { .. } => "mend that line, or refer to a file with file:PATH",
        SecretError::TooLarge(_) | SecretError::KeyPair(KeyPairError::Spelling) => {
            "use a key pair as `sotto keygen` or `solana-keygen` write it: a JSON array of 64 numbers"
        }
        SecretError::KeyPair(KeyPairError::HalvesDiffer) => "the key pair is damaged: restore it from its backup",
    }
}

#[cfg(unix)]
fn is_readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_readable_by_others(_: &Path) -> bool {
    false
}
