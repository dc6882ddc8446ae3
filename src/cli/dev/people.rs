//! The people of the sandbox, whose keys and secrets outlive it in the state directory.

use super::DevError;
use crate::{
    cli::{
        error::CliError,
        keygen::{Existing, create_private_file, new_pair, write_pair},
        sandbox::SandboxKeys,
    },
    config::read_text,
    domain::{
        chance::{OsChance, draw},
        key_pair::KeyPair,
        mpp::root::Root,
    },
};
use std::{
    io::{self, Write as _},
    path::Path,
};
use zeroize::Zeroizing;

/// The facilitator's key: the delegate of every session.
pub(super) const SPENDER_FILE: &str = "facilitator.json";
/// The key that pays for what buyers sign by MPP.
pub(super) const FEES_FILE: &str = "fees.json";
/// What signs receipts.
pub(super) const RECEIPTS_FILE: &str = "receipts.json";
/// The payer's wallet, who buys by MPP, too.
pub(super) const PAYER_FILE: &str = "payer.json";
/// The root that MPP's keys are derived from.
pub(super) const ROOT_FILE: &str = "mpp.root";
/// What the merchant's challenges are bound with.
const CHALLENGES_FILE: &str = "mpp.secret";
const MERCHANT_FILE: &str = "merchant.json";

/// Everybody who has a key.
pub(super) struct People {
    pub(super) keys: SandboxKeys,
    pub(super) merchant: KeyPair,
    pub(super) payer: KeyPair,
}

impl People {
    /// Those whose keys are in the directory; whoever has none there gets a new one.
    pub(super) fn of(state: &Path) -> Result<Self, CliError> {
        let pair = |name| load_or_make(&state.join(name));
        let secret = |name| load_or_make_secret(&state.join(name));
        Ok(Self {
            keys: SandboxKeys {
                spender: pair(SPENDER_FILE)?,
                fees: pair(FEES_FILE)?,
                receipts: pair(RECEIPTS_FILE)?,
                root: secret(ROOT_FILE)?,
                challenges: secret(CHALLENGES_FILE)?,
            },
            merchant: pair(MERCHANT_FILE)?,
            payer: pair(PAYER_FILE)?,
        })
    }
}

/// The key in the file, which is made if there is none.
fn load_or_make(path: &Path) -> Result<KeyPair, CliError> {
    match read_text(path).map(Zeroizing::new) {
        Ok(text) => Ok(KeyPair::parse(&text).map_err(|source| DevError::Key { path: path.to_owned(), source })?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let pair = new_pair(&OsChance);
            write_pair(&pair, path, Existing::Keep)?;
            Ok(pair)
        }
        Err(source) => Err(DevError::State { path: path.to_owned(), source }.into()),
    }
}

/// The 64 hex digits in the file, which are drawn if there is none.
fn load_or_make_secret(path: &Path) -> Result<Zeroizing<String>, DevError> {
    let unusable = |source| DevError::State { path: path.to_owned(), source };
    match read_text(path).map(Zeroizing::new) {
        Ok(text) if Root::from_hex(&text).is_none() => Err(DevError::Secret(path.to_owned())),
        Ok(text) => Ok(Zeroizing::new(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let digits = new_secret();
            let mut file = create_private_file(path).map_err(unusable)?;
            file.write_all(digits.as_bytes()).and_then(|()| file.sync_all()).map_err(unusable)?;
            Ok(digits)
        }
        Err(source) => Err(unusable(source)),
    }
}

/// A secret of 32 bytes in hex.
pub(in crate::cli) fn new_secret() -> Zeroizing<String> {
    Zeroizing::new(hex::encode(Zeroizing::new(draw::<32>(&OsChance)).as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_drawn_once_and_a_damaged_one_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(ROOT_FILE);
        let drawn = load_or_make_secret(&path).unwrap();
        assert_eq!(*load_or_make_secret(&path).unwrap(), *drawn);
        assert!(Root::from_hex(&drawn).is_some());
        std::fs::write(&path, "abc").unwrap();
        assert!(matches!(load_or_make_secret(&path), Err(DevError::Secret(_))));
    }
}
