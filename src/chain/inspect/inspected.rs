//! A payer's own transaction that has passed its template, and waits for our signature.

use super::countersign;
use crate::chain::{
    fees,
    keys::Signer,
    transaction::{SignedTransaction, TransactionError},
};
use solana_hash::Hash;
use solana_pubkey::Pubkey;
use solana_transaction::versioned::VersionedTransaction;
use std::marker::PhantomData;

/// A transaction that its payer has signed and that is what its kind has to be; only the template of that kind makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected<Kind> {
    transaction: VersionedTransaction,
    fee_payer: Pubkey,
    kind: PhantomData<Kind>,
}

impl<Kind> Inspected<Kind> {
    pub(super) fn new(transaction: VersionedTransaction, fee_payer: Pubkey) -> Self {
        Self { transaction, fee_payer, kind: PhantomData }
    }

    /// The transaction with our signature missing, as a simulation takes it.
    pub fn transaction(&self) -> &VersionedTransaction {
        &self.transaction
    }

    /// Who pays its fee.
    pub fn fee_payer(&self) -> &Pubkey {
        &self.fee_payer
    }

    /// The blockhash it was signed with; to be asked for its life.
    pub fn blockhash(&self) -> &Hash {
        self.transaction.message.recent_blockhash()
    }

    /// The fee, in lamports; what the transaction leaves open is taken at its upper bound.
    pub fn fee(&self) -> u64 {
        fees::fee(&self.transaction.message)
    }

    /// Adds the fee payer's signature; the message stays byte for byte what the payer signed.
    pub fn countersign(self, fee_payer: &dyn Signer) -> Result<SignedTransaction, TransactionError> {
        countersign(self.transaction, fee_payer)
    }
}
