//! What a facilitator is built of: the outside world, and the keys that sign.

use crate::{
    chain::{Chain, keys::Signer},
    covalidator::Covalidator,
    domain::{chance::Chance, clock::Clock, signed_receipt::ReceiptKey},
    ledger::Ledger,
};
use std::sync::Arc;

/// The outside world, as the facilitator needs it.
#[derive(Clone)]
pub struct Ports {
    /// Durability.
    pub ledger: Arc<dyn Ledger>,
    /// Solana.
    pub chain: Arc<dyn Chain>,
    /// The decrypt service.
    pub covalidator: Arc<dyn Covalidator>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub chance: Arc<dyn Chance>,
}

/// The kinds of key (`spec/security.md` §1.1): the spender is delegate of every session; fee payers may be other keys; what
/// signs receipts is neither.
#[derive(Clone)]
pub struct Keys {
    /// The delegate key. Signs only transactions we built.
    pub spender: Arc<dyn Signer>,
    /// The announced fee payer: co-signs approves that match the template, which clients compile with this key.
    pub fee_payer: Arc<dyn Signer>,
    /// Keys that share the other fees with it.
    pub further_fee_payers: Vec<Arc<dyn Signer>>,
    /// What signs receipts; it signs no transaction.
    pub receipts: ReceiptKeys,
}

/// The keys of signed receipts.
#[derive(Clone, Default)]
pub struct ReceiptKeys {
    /// The key that signs; without it no receipt is made.
    pub current: Option<Arc<dyn Signer>>,
    /// Keys that signed before, with the last second that each signed for.
    pub retired: Vec<ReceiptKey>,
}

impl ReceiptKeys {
    /// Every key that receipts are believed under, the current one first.
    pub fn all(&self) -> Vec<ReceiptKey> {
        let current = self.current.as_ref().map(|signer| ReceiptKey::current(signer.pubkey()));
        current.into_iter().chain(self.retired.iter().copied()).collect()
    }
}
