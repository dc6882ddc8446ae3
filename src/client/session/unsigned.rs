//! A transaction that the facilitator asks a wallet to sign, taken apart; nothing of it is compared with anything yet.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use solana_message::{VersionedMessage, legacy};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;

/// The longest transaction in base64, in characters.
const MAX_TRANSACTION_TEXT: usize = 1_232_usize.div_ceil(3) * 4;

/// A legacy transaction that nobody has signed.
pub(super) struct Unsigned {
    pub(super) transaction: VersionedTransaction,
    /// What it says.
    pub(super) message: legacy::Message,
    /// Who is to pay its fee.
    pub(super) fee_payer: Pubkey,
}

impl Unsigned {
    /// Reads base64; says what is wrong with what is told.
    pub(super) fn read(told: &str) -> Result<Self, &'static str> {
        let told = Some(told).filter(|told| told.len() <= MAX_TRANSACTION_TEXT);
        let bytes = told.and_then(|told| STANDARD.decode(told).ok());
        let transaction: Option<VersionedTransaction> = bytes.and_then(|bytes| wincode::deserialize_exact(&bytes).ok());
        let transaction = transaction.ok_or("it holds no transaction")?;
        let VersionedMessage::Legacy(message) = transaction.message.clone() else {
            return Err("its transaction is no legacy one");
        };
        if transaction.signatures.iter().any(|signature| *signature != Signature::default()) {
            return Err("its transaction is signed already");
        }
        let fee_payer = *message.account_keys.first().ok_or("nobody pays its fee")?;
        Ok(Self { transaction, message, fee_payer })
    }
}
