//! Single payments: transfers that their payers sign alone, outside any session (`spec/session.md` §5, ADR 0050).
//!
//! Owns the secret by which issued ciphertexts are known again, and how often each payer asked lately. Everything else of a
//! payment is in the ledger: the unsigned transaction that was offered, and what was signed of it. Takes wait permits, and has
//! what is recorded carried by [`super::dispatch`].
//!
//! Promises: nothing is co-signed but what was offered here, to this payer, once and before its end; and no transfer is
//! sent whose amount we did not encrypt ourselves.

pub(crate) mod answer;
pub(crate) mod check;
pub(crate) mod offer;
pub(crate) mod pay;
pub(crate) mod payer_rate;

use crate::{
    domain::{amount::Amount, budget::OverBudget, reason::PayReason},
    facilitator::{
        PayError, PayRefusal,
        core::Core,
        dispatch::Dispatch,
        funding::FundingMonitor,
        locks::Locks,
        settlement::Settlements,
        sponsor::{Sponsor, budget::again_in},
    },
    programs::issued_ciphertext::IssuedCiphertexts,
};
pub use answer::SingleReceipt;
pub use offer::UnsignedSingle;
use payer_rate::PayerRate;
use sha2::{Digest as _, Sha256};
use solana_pubkey::Pubkey;
use std::sync::Arc;

/// Takes single payments.
pub(crate) struct SinglePayments {
    core: Arc<Core>,
    locks: Arc<Locks>,
    sponsor: Arc<Sponsor>,
    settlements: Arc<Settlements>,
    dispatch: Arc<Dispatch>,
    funding: Arc<FundingMonitor>,
    issued: IssuedCiphertexts,
    rate: PayerRate,
    /// The key of the hashes of callers' addresses.
    callers: [u8; 32],
}

impl SinglePayments {
    pub(crate) fn new(
        core: Arc<Core>,
        locks: Arc<Locks>,
        sponsor: Arc<Sponsor>,
        settlements: Arc<Settlements>,
        dispatch: Arc<Dispatch>,
        funding: Arc<FundingMonitor>,
    ) -> Self {
        // Ed25519 signatures are deterministic, so every process and every replica derives the same secret.
        let secret = Sha256::digest(core.keys.spender.sign(b"sotto pay amounts")).into();
        let issued = IssuedCiphertexts::new(&secret, core.settings.served.encryption_key);
        let callers = Sha256::digest(core.keys.spender.sign(b"sotto pay callers")).into();
        Self { core, locks, sponsor, settlements, dispatch, funding, issued, rate: PayerRate::new(), callers }
    }

    /// Encrypts an amount so that it is known again.
    pub(crate) fn encrypt_amount(&self, amount: Amount) -> Result<Vec<u8>, PayError> {
        if self.core.single_payment_instruction().is_none() {
            return Err(PayRefusal::new(PayReason::PayNotServed).into());
        }
        Ok(self.issued.issue(&self.core.settings.served.asset, amount, &*self.core.chance))
    }

    /// Refuses while too many landings are in dispute.
    fn refuse_in_dispute(&self, payer: &Pubkey) -> Result<(), PayError> {
        self.settlements.disputes().refusal(payer).map_or(Ok(()), |refusal| Err(refusal.into()))
    }
}

/// A refusal with a sentence of its own.
fn because(reason: PayReason, detail: impl Into<String>) -> PayRefusal {
    PayRefusal { detail: detail.into(), ..PayRefusal::new(reason) }
}

/// A payment whose fee a budget does not cover.
fn over_budget(over: &OverBudget) -> PayRefusal {
    PayRefusal::new(over.scope.reason()).again_in(Some(again_in(over)))
}
