//! Transactions that we issue for a wallet to sign, and take back only as they were (`spec/mpp.md` §5).
//!
//! Promise: what passes is the message that was issued, byte for byte, signed by its wallet; nothing is compared by what it does.

use super::payers_transaction::PayersTransaction;
use crate::{
    chain::{
        fees,
        keys::Signer,
        transaction::{MAX_TRANSACTION_BYTES, SignedTransaction, TransactionError},
    },
    domain::signed,
};
use solana_hash::Hash;
use solana_instruction::Instruction;
use solana_message::{VersionedMessage, v0};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;

/// A transaction of version 0 that waits for a wallet's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedTransaction {
    /// Its message, serialised: what the wallet signs.
    pub message: Vec<u8>,
    /// Its wire encoding, with empty signatures.
    pub wire: Vec<u8>,
}

impl IssuedTransaction {
    /// Compiles a message of version 0; refuses what does not fit into a packet.
    pub fn new(fee_payer: &Pubkey, instructions: &[Instruction], blockhash: Hash) -> Result<Self, TransactionError> {
        let message = v0::Message::try_compile(fee_payer, instructions, &[], blockhash)
            .map_err(|_| TransactionError::Uncompilable)?;
        let signatures = vec![Signature::default(); usize::from(message.header.num_required_signatures)];
        let transaction = VersionedTransaction { signatures, message: VersionedMessage::V0(message) };
        let message = wincode::serialize(&transaction.message).map_err(|_| TransactionError::Uncompilable)?;
        let wire = wincode::serialize(&transaction).map_err(|_| TransactionError::Uncompilable)?;
        if wire.len() > MAX_TRANSACTION_BYTES {
            return Err(TransactionError::TooLarge { bytes: wire.len() });
        }
        Ok(Self { message, wire })
    }

    /// The wire encoding of a message that was issued, with empty signatures.
    pub fn wire_of(message: &[u8]) -> Vec<u8> {
        // Of version 0: a byte for the version, then how many sign, who are fewer than 128.
        let signatures = message.get(1).copied().unwrap_or(0);
        let empty = vec![0; usize::from(signatures) * 64];
        [&[signatures][..], &empty, message].concat()
    }
}

/// An issued transaction that its wallet has signed. Only [`SignedIssue::read`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIssue(VersionedTransaction);

impl SignedIssue {
    /// The transaction, where its message is the issued one and the wallet's signature is over it.
    pub fn read(transaction: &PayersTransaction, issued: &[u8], wallet: &Pubkey) -> Option<Self> {
        let transaction = transaction.transaction();
        let is_issued = wincode::serialize(&transaction.message).is_ok_and(|message| message == issued);
        let signers = usize::from(transaction.message.header().num_required_signatures);
        let mut keys = transaction.message.static_account_keys().iter().take(signers);
        let signature: [u8; 64] = (*transaction.signatures.get(keys.position(|key| key == wallet)?)?).into();
        (is_issued && signed::verify(wallet, issued, &signature)).then(|| Self(transaction.clone()))
    }

    /// The transaction as a simulation takes it.
    pub fn transaction(&self) -> &VersionedTransaction {
        &self.0
    }

    /// Its blockhash.
    pub fn blockhash(&self) -> &Hash {
        self.0.message.recent_blockhash()
    }

    /// Who pays its fee.
    pub fn fee_payer(&self) -> Option<&Pubkey> {
        self.0.message.static_account_keys().first()
    }

    /// What its signatures and compute budget cost, in lamports.
    pub fn fee(&self) -> u64 {
        fees::fee(&self.0.message)
    }

    /// Adds our signatures; those of others stay as they are. Refuses where one is missing that none of these signers makes.
    pub fn countersign(
        mut self,
        wallet: &Pubkey,
        signers: &[&dyn Signer],
    ) -> Result<SignedTransaction, TransactionError> {
        let message = wincode::serialize(&self.0.message).map_err(|_| TransactionError::Uncompilable)?;
        let required = usize::from(self.0.message.header().num_required_signatures);
        let keys = self.0.message.static_account_keys().iter().take(required);
        for (slot, key) in self.0.signatures.iter_mut().zip(keys).filter(|(_, key)| *key != wallet) {
            let signer = signers.iter().find(|signer| signer.pubkey() == *key);
            *slot = Signature::from(signer.ok_or(TransactionError::MissingSigner(*key))?.sign(&message));
        }
        SignedTransaction::new(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use solana_instruction::AccountMeta;

    #[test]
    fn a_message_that_is_known_makes_its_transaction_again() {
        let [payer, wallet, program] = [1, 2, 3].map(|byte| Pubkey::new_from_array([byte; 32]));
        let instruction =
            Instruction { program_id: program, accounts: vec![AccountMeta::new_readonly(wallet, true)], data: vec![7] };
        let issued = IssuedTransaction::new(&payer, &[instruction], Hash::default()).expect("fits");
        assert_eq!(IssuedTransaction::wire_of(&issued.message), issued.wire);
        assert_eq!(issued.wire[0], 2, "the fee payer and the wallet sign");
    }
}
