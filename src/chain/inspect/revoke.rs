//! A revoke of our delegation that its user has signed (`spec/session.md` §4).
//!
//! Promise: what passes is one `revoke` of this user's own token account, paid for by a key of ours that may pay for it, with
//! nothing but what wallets add while they sign (as for an approve). Nothing that was issued is remembered: each is judged by
//! the template alone.

use super::{
    TransactionRefusal,
    additions::{Additions, foreign, same},
    check_rights, check_signers, decode,
    inspected::Inspected,
    payers_transaction::PayersTransaction,
};
use crate::{chain::fees::ComputeBudget, programs::Programs};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

/// What a revoke has to be. The bounds are the operator's.
#[derive(Clone, Copy, Debug)]
pub struct RevokeTemplate<'a> {
    /// The programs' addresses.
    pub programs: &'a Programs,
    /// Whose account it is.
    pub user: Pubkey,
    /// The asset.
    pub mint: Pubkey,
    /// The keys of ours that pay for what others sign.
    pub fee_payers: &'a [Pubkey],
    /// Every address whose key we hold: no assertion may name them.
    pub our_keys: &'a [Pubkey],
    /// The most compute we pay for.
    pub compute: ComputeBudget,
}

/// A revoke that is exactly the template. Only [`RevokeTemplate::inspect`] makes one.
pub type InspectedRevoke = Inspected<Revoke>;

/// The kind of [`InspectedRevoke`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoke {}

impl RevokeTemplate<'_> {
    /// The one instruction of the template.
    pub fn instruction(&self) -> Instruction {
        let source = self.programs.token_account(&self.user, &self.mint);
        self.programs.revoke(&source, &self.user)
    }

    /// Compares a transaction with the template; everything that needs no network.
    pub fn inspect(&self, transaction: &PayersTransaction) -> Result<InspectedRevoke, TransactionRefusal> {
        let transaction = transaction.transaction();
        if self.is_ours(&self.user) {
            return Err(TransactionRefusal::OurselvesAsUser);
        }
        let fee_payer = *transaction.message.static_account_keys().first().ok_or(TransactionRefusal::OutOfRange)?;
        if !self.fee_payers.contains(&fee_payer) {
            return Err(TransactionRefusal::FeePayer(fee_payer));
        }
        check_signers(transaction, &fee_payer, &self.user)?;
        let (mut expected, mut additions, mut ours) = (Some(self.instruction()), Additions::default(), Vec::new());
        for (index, seen) in decode::instructions(&transaction.message)?.iter().enumerate() {
            let added = additions.accept(index, seen, self.compute, &|key| self.is_ours(key))?;
            let instruction = if let Some(added) = added {
                added
            } else {
                let next = expected.take().ok_or_else(|| foreign(index, seen))?;
                same(index, seen, next, "it is not the revoke of the user's own account")?
            };
            ours.push(instruction);
        }
        if expected.is_some() {
            return Err(TransactionRefusal::NoRevoke);
        }
        check_rights(&transaction.message, &fee_payer, &ours)?;
        Ok(Inspected::new(transaction.clone(), fee_payer))
    }

    fn is_ours(&self, key: &Pubkey) -> bool {
        self.fee_payers.contains(key) || self.our_keys.contains(key)
    }
}
