//! A single payment that its payer has signed (`spec/session.md` §5).
//!
//! Promise: what passes is a transaction that we issued, byte for byte, or that one with nothing but what wallets add while
//! they sign (as for an approve). Nothing that we did not issue is co-signed, whatever it holds.

use super::{
    TransactionRefusal,
    additions::{Additions, foreign, same},
    check_rights, check_signers, decode,
    inspected::Inspected,
    payers_transaction::PayersTransaction,
};
use crate::chain::fees::ComputeBudget;
use solana_message::VersionedMessage;
use solana_pubkey::Pubkey;
use solana_sdk_ids::ed25519_program;

/// What was issued, and what a wallet may have added. The bounds are the operator's.
#[derive(Clone, Copy, Debug)]
pub struct SingleTemplate<'a> {
    /// The message as it was issued, serialised.
    pub issued: &'a [u8],
    /// Whose signature it needs.
    pub payer: Pubkey,
    /// Every address whose key we hold: no assertion may name them.
    pub our_keys: &'a [Pubkey],
    /// The most compute we pay for.
    pub compute: ComputeBudget,
}

/// A transaction that was issued and is signed by its payer. Only [`SingleTemplate::inspect`] makes one.
pub type InspectedSingle = Inspected<Single>;

/// The kind of [`InspectedSingle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Single {}

impl SingleTemplate<'_> {
    /// Compares a transaction with what was issued; everything that needs no network.
    pub fn inspect(&self, transaction: &PayersTransaction) -> Result<InspectedSingle, TransactionRefusal> {
        let transaction = transaction.transaction();
        let issued: VersionedMessage =
            wincode::deserialize_exact(self.issued).map_err(|_| TransactionRefusal::NotATransaction)?;
        let fee_payer = *issued.static_account_keys().first().ok_or(TransactionRefusal::OutOfRange)?;
        check_signers(transaction, &fee_payer, &self.payer)?;
        if transaction.message.recent_blockhash() != issued.recent_blockhash() {
            return Err(TransactionRefusal::Blockhash);
        }
        let mut expected = decode::instructions(&issued)?.into_iter();
        let (mut additions, mut ours) = (Additions::default(), Vec::new());
        let is_ours = |key: &Pubkey| *key == fee_payer || self.our_keys.contains(key);
        for (index, seen) in decode::instructions(&transaction.message)?.iter().enumerate() {
            // A signature is verified by the instruction directly before the one that relies on it.
            let verified = ours
                .last()
                .is_some_and(|last: &solana_instruction::Instruction| last.program_id == ed25519_program::ID);
            let added = additions.accept(index, seen, self.compute, &is_ours)?;
            if added.is_some() && verified {
                return Err(TransactionRefusal::OutOfOrder { index });
            }
            let instruction = if let Some(added) = added {
                added
            } else {
                let next = expected.next().ok_or_else(|| foreign(index, seen))?;
                same(index, seen, next, "it is not the one that was issued")?
            };
            ours.push(instruction);
        }
        if expected.next().is_some() {
            return Err(TransactionRefusal::Missing);
        }
        check_rights(&transaction.message, &fee_payer, &ours)?;
        Ok(Inspected::new(transaction.clone(), fee_payer))
    }
}
