//! The header `Payment-Receipt`: base64url of what a seller states of a settled charge.

use crate::{
    domain::base64_text,
    wire::{
        json,
        mpp::{MAX_HEADER_LENGTH, METHOD},
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

/// The header's name.
pub const PAYMENT_RECEIPT: &str = "payment-receipt";

/// A receipt, its members in the published order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeReceipt {
    /// How it was paid.
    pub method: String,
    /// The transaction.
    pub reference: String,
    /// `success`.
    pub status: String,
    /// When, RFC 3339.
    pub timestamp: String,
}

impl ChargeReceipt {
    /// The receipt of a charge that this transaction settled.
    pub fn new(signature: &str, timestamp: &str) -> Self {
        Self {
            method: METHOD.to_owned(),
            reference: signature.to_owned(),
            status: "success".to_owned(),
            timestamp: timestamp.to_owned(),
        }
    }

    /// Writes the header's value.
    pub fn header(&self) -> String {
        // Texts: serialising cannot fail.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Reads the header's value; `None` where it is no receipt.
    pub fn read(header: &str) -> Option<Self> {
        let bytes = (header.len() <= MAX_HEADER_LENGTH).then(|| base64_text::decode(header).ok()).flatten()?;
        serde_json::from_value(json::read(&bytes).ok()?).ok()
    }
}
