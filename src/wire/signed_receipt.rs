//! Signed receipts on the wire: where an answer carries one, where `/supported` tells their keys, and whether the receipt of
//! an answer may be believed. The receipt itself is [`crate::domain::signed_receipt`].
//!
//! A reader pins the facilitator's receipt key, or takes it from `/supported` over TLS; never from the receipt.

use crate::{
    domain::signed_receipt::{ReceiptFault, ReceiptKey, ReceiptStatement},
    wire::{
        agreement,
        facilitator::{AnswerExtensions, SettleAnswer, SupportedAnswer},
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// x402's extension for signed offers and receipts.
pub const OFFER_RECEIPT: &str = "offer-receipt";
/// The only form of a receipt here.
const FORMAT: &str = "jws";

/// A receipt key as `extra.receiptKeys` of `/supported` tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedReceiptKey {
    /// The key as a `did:key`, which receipts name in their header.
    pub kid: String,
    /// The last second that it signed for, Unix seconds; absent while it is in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
}

impl From<&ReceiptKey> for PublishedReceiptKey {
    fn from(key: &ReceiptKey) -> Self {
        Self { kid: key.id(), until: key.until }
    }
}

/// Why the receipt of an answer may not be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerReceiptFault {
    /// The answer has none: the facilitator signs none, or the payer's key did not bind the URL, or the payment is held.
    #[error("the answer carries no signed receipt")]
    Absent,
    /// It is no receipt of a key that is believed.
    #[error(transparent)]
    Receipt(#[from] ReceiptFault),
    /// It is of another payment than the answer.
    #[error("the receipt is of another {0} than the answer it came with")]
    OfAnother(&'static str),
}

impl AnswerExtensions {
    /// The answer with a receipt in it.
    #[must_use]
    pub fn with_receipt(mut self, receipt: &str) -> Self {
        let extension = json!({ "info": { "receipt": { "format": FORMAT, "signature": receipt } }, "schema": { "type": "object" } });
        self.others.insert(OFFER_RECEIPT.to_owned(), extension);
        self
    }

    /// The receipt in the answer, as it stands there.
    pub fn receipt(&self) -> Option<&str> {
        let receipt = self.others.get(OFFER_RECEIPT)?.pointer("/info/receipt")?;
        receipt.get("signature").filter(|_| receipt.get("format").is_some_and(|format| format == FORMAT))?.as_str()
    }
}

/// The receipt keys that `/supported` tells, each once. Believe it only where it came over TLS or from this machine.
pub fn published_keys(supported: &SupportedAnswer) -> Vec<ReceiptKey> {
    let mut keys: Vec<ReceiptKey> = Vec::new();
    for kind in &supported.kinds {
        let told = kind.extra.as_ref().and_then(|extra| extra.get("receiptKeys")).and_then(Value::as_array);
        for told in told.into_iter().flatten() {
            let Ok(told) = serde_json::from_value::<PublishedReceiptKey>(told.clone()) else { continue };
            let Some(key) = ReceiptKey::parse(&told.kid) else { continue };
            if keys.iter().all(|known| known.key != key) {
                keys.push(ReceiptKey { key, until: told.until });
            }
        }
    }
    keys
}

/// What the receipt of an answer of `/settle` (or of a `PAYMENT-RESPONSE`) states, if one of `keys` signed it and it is of
/// the answer's transaction, network and payer. Whether the transaction is final is the chain's to say, and which URL was
/// paid for is the reader's to compare.
pub fn verify_answer(answer: &SettleAnswer, keys: &[ReceiptKey]) -> Result<ReceiptStatement, AnswerReceiptFault> {
    let receipt = answer.extensions.as_ref().and_then(AnswerExtensions::receipt).ok_or(AnswerReceiptFault::Absent)?;
    let statement = ReceiptStatement::verify(receipt, keys)?;
    let of_another = |what| Err(AnswerReceiptFault::OfAnother(what));
    if statement.transaction.to_string() != answer.transaction {
        return of_another("transaction");
    }
    if !agreement::same_network(&answer.network, &statement.network, None) {
        return of_another("network");
    }
    if answer.payer.as_ref().is_some_and(|payer| *payer != statement.payer.to_string()) {
        return of_another("payer");
    }
    Ok(statement)
}
