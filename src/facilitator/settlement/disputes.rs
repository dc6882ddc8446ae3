//! Landings about which endpoints contradict each other, and that cannot both be true: one has the transaction, another says
//! with a final view of its own that it never landed or failed.
//!
//! Nothing is done about the settlement: it stays landed, and nothing is signed anew. An operator has to find out who is wrong
//! and take that endpoint out. While [`MOST_DISPUTES`] are open no new payment is taken, because each may be one that nobody
//! gets. In memory only: the look that found a dispute finds it again after a restart.

use crate::{
    domain::{reason::PayReason, settlement::SettlementId},
    facilitator::PayRefusal,
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// While so many are open, new payments are refused.
pub(crate) const MOST_DISPUTES: usize = 3;
/// When it may be worth coming back then, in seconds.
const COME_BACK_AFTER: u64 = 30;

/// Who says what of one landing. Endpoints are places in the operator's list, 1 for the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dispute {
    pub(crate) signature: Signature,
    pub(crate) landed: Vec<usize>,
    pub(crate) denied: Vec<usize>,
}

impl fmt::Display for Dispute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signature, landed, denied } = self;
        write!(f, "{signature}: landed, say the endpoints {landed:?}; it never did or failed, say {denied:?}")
    }
}

/// The disputes that are open.
#[derive(Default)]
pub(crate) struct Disputes(Mutex<BTreeMap<SettlementId, Dispute>>);

impl Disputes {
    /// Remembers what was found; true when this settlement was not in dispute before.
    pub(crate) fn open(&self, id: SettlementId, dispute: Dispute) -> bool {
        self.lock().insert(id, dispute).is_none()
    }

    /// Forgets a dispute, which has come to an end or is looked at anew.
    pub(crate) fn close(&self, id: SettlementId) {
        self.lock().remove(&id);
    }

    /// Whether so many are open that no new payment is taken.
    pub(crate) fn are_too_many(&self) -> bool {
        self.lock().len() >= MOST_DISPUTES
    }

    /// The refusal of a new payment while so many are open: it could be the next.
    pub(crate) fn refusal(&self, payer: &Pubkey) -> Option<PayRefusal> {
        let detail = "endpoints of the chain contradict each other; nothing new is taken until the operator has looked";
        let refusal = || PayRefusal { detail: detail.to_owned(), ..PayRefusal::new(PayReason::Overloaded) };
        self.are_too_many().then(|| refusal().of(payer).again_in(Some(COME_BACK_AFTER)))
    }

    /// Every dispute, in words.
    pub(crate) fn tell(&self) -> Vec<String> {
        self.lock().values().map(ToString::to_string).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SettlementId, Dispute>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_settlement_is_in_dispute_once_and_three_are_too_many() {
        let (disputes, id) = (Disputes::default(), |byte| SettlementId::from_random_bytes([byte; 16]));
        let dispute = || Dispute { signature: Signature::default(), landed: vec![1], denied: vec![2, 3] };
        for byte in 1..=3 {
            assert!(!disputes.are_too_many());
            assert!(disputes.open(id(byte), dispute()));
            assert!(!disputes.open(id(byte), dispute()), "found again, it is the same one");
        }
        assert!(disputes.are_too_many());
        assert!(disputes.tell()[0].ends_with("landed, say the endpoints [1]; it never did or failed, say [2, 3]"));
        disputes.close(id(2));
        assert!(!disputes.are_too_many());
        assert_eq!(disputes.tell().len(), 2);
    }
}
