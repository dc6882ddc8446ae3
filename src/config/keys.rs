//! `[keys]`: who spends, who pays the fees, what signs receipts. References only; a key itself is accepted in `FACILITATOR_KEYPAIR`.

use super::{
    environment::Environment,
    reader::Reader,
    schema::Key,
    secret::{SecretError, SecretReference},
};
use crate::domain::{
    key_pair::{KeyPair, KeyPairError},
    signed_receipt::ReceiptKey,
};
use solana_pubkey::Pubkey;

const SPENDER: Key = Key::text("keys", "spender").reference();
const FEE_PAYERS: Key = Key::list("keys", "fee_payer").reference();
const RECEIPT: Key = Key::text("keys", "receipt").reference();
const RETIRED_RECEIPTS: Key = Key::list("keys", "retired_receipts");

pub(super) const KEYS: &[Key] = &[SPENDER, FEE_PAYERS, RECEIPT, RETIRED_RECEIPTS];

/// The keys.
#[derive(Clone, Debug)]
pub struct KeysConfig {
    /// The delegate of every session.
    pub spender: KeyPair,
    /// The keys that pay fees and rent, the announced one first; the spender when none is configured.
    pub fee_payers: Vec<KeyPair>,
    /// What signs receipts, if anything does; none of the others.
    pub receipt: Option<KeyPair>,
    /// Public keys that signed receipts before, with the last second of each.
    pub retired_receipts: Vec<ReceiptKey>,
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
        let ours: Vec<Pubkey> = [&spender].into_iter().chain(&fee_payers).map(KeyPair::public).collect();
        let receipt = match reader.optional_text(&RECEIPT) {
            Some(text) => Some(read_receipt(reader, text, &ours)?),
            None => None,
        };
        let ours: Vec<Pubkey> = ours.into_iter().chain(receipt.as_ref().map(KeyPair::public)).collect();
        let retired_receipts = read_retired(reader, &ours)?;
        Some(Self { spender, fee_payers, receipt, retired_receipts })
    }
}

/// A key that signs receipts signs nothing else: who verifies receipts trusts it with words, and must never have trusted it
/// with money.
fn read_receipt(reader: &mut Reader<'_>, text: &str, ours: &[Pubkey]) -> Option<KeyPair> {
    let pair = read_pair(reader, &RECEIPT, text)?;
    if ours.contains(&pair.public()) {
        let remedy = "make one of its own with `sotto keygen .keys/receipts.json`";
        reader.fault(&RECEIPT, "it is the spender or a fee payer, which must not sign receipts", remedy);
        return None;
    }
    Some(pair)
}

/// Keys that signed receipts before, each written as `KEY@SECONDS`.
fn read_retired(reader: &mut Reader<'_>, ours: &[Pubkey]) -> Option<Vec<ReceiptKey>> {
    let texts = reader.optional_list(&RETIRED_RECEIPTS).unwrap_or_default();
    let retired: Vec<_> = texts.iter().map(|text| (text, retired(text))).collect();
    for (text, key) in &retired {
        let what = match key {
            None => "is no public key with the last Unix second that it signed for",
            Some(key) if ours.contains(&key.key) => "is a key in use",
            Some(_) => continue,
        };
        reader.fault(
            &RETIRED_RECEIPTS,
            format!("\"{text}\" {what}"),
            "write PUBLIC_KEY@UNIX_SECONDS of a key that is retired",
        );
    }
    retired.into_iter().map(|(_, key)| key.filter(|key| !ours.contains(&key.key))).collect()
}

fn retired(text: &str) -> Option<ReceiptKey> {
    let (key, until) = text.split_once('@')?;
    Some(ReceiptKey { key: ReceiptKey::parse(key)?, until: Some(until.parse().ok()?) })
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
    let file = reference.file_readable_by_others(environment)?;
    Ok((pair, file.map(|path| path.display().to_string())))
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
