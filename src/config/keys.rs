//! `[keys]`: who spends and who pays the fees. References only; a key itself is accepted in `FACILITATOR_KEYPAIR`.

use super::{
    environment::Environment,
    reader::Reader,
    schema::Key,
    secret::{SecretError, SecretReference},
};
use crate::domain::key_pair::{KeyPair, KeyPairError};
use std::path::Path;

const SPENDER: Key = Key::text("keys", "spender").reference();
const FEE_PAYER: Key = Key::text("keys", "fee_payer").reference();

pub(super) const KEYS: &[Key] = &[SPENDER, FEE_PAYER];

/// The keys.
#[derive(Clone, Debug)]
pub struct KeysConfig {
    /// The delegate of every session.
    pub spender: KeyPair,
    /// Who pays fees and rent; the spender when none is configured.
    pub fee_payer: Option<KeyPair>,
}

impl KeysConfig {
    /// Reads the section and fetches the keys.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let spender = read_pair(reader, &SPENDER);
        if reader.optional_text(&FEE_PAYER).is_none() {
            return Some(Self { spender: spender?, fee_payer: None });
        }
        let fee_payer = read_pair(reader, &FEE_PAYER);
        Some(Self { spender: spender?, fee_payer: Some(fee_payer?) })
    }
}

fn read_pair(reader: &mut Reader<'_>, key: &Key) -> Option<KeyPair> {
    let environment = reader.environment();
    let text = reader.text(key)?;
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
