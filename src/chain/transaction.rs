//! Builds and signs the transactions that are ours from the first byte to the last.
//!
//! Pure: the same inputs give the same bytes. What does not fit into a packet is refused before anything is signed,
//! and a signature is made only over a message whose bytes were measured.

use crate::{
    chain::{
        fees::{self, ComputeBudget},
        keys::Signer,
    },
    programs::{
        Programs,
        inco_token::{self, ed25519_verify},
        spl_token::TransferChecked,
    },
};
use solana_hash::Hash;
use solana_instruction::Instruction;
use solana_message::{VersionedMessage, legacy, v0};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;

/// The most bytes a transaction may have on the wire: one packet.
pub const MAX_TRANSACTION_BYTES: usize = 1_232;
/// The longest an encrypted amount gets, in bytes: 113 and one per decimal digit of a `u128` (`spec/inco.md` §6).
pub const MAX_CIPHERTEXT_BYTES: usize = 113 + 39;

/// Why a transaction cannot be built or signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// It does not fit into a packet.
    #[error("the transaction would have {bytes} bytes, and a packet holds {MAX_TRANSACTION_BYTES}")]
    TooLarge {
        /// How many it would have.
        bytes: usize,
    },
    /// More accounts or longer fields than a message can hold.
    #[error("the instructions do not fit into a transaction message")]
    Uncompilable,
    /// A signature is required that none of the given signers can make.
    #[error("the transaction needs the signature of {0}, which is not at hand")]
    MissingSigner(Pubkey),
}

/// Which instruction moves the money (`spec/inco.md` §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettleInstruction {
    /// `transfer_with_authorization`, directly after the Ed25519 verification of the user's signature.
    TransferWithAuthorization,
    /// The delegate's plain `transfer`.
    Transfer,
}

/// What the user signed, as the Ed25519 program is to verify it.
#[derive(Clone, Copy, Debug)]
pub struct Authorization<'a> {
    /// The user: the source account's owner.
    pub owner: Pubkey,
    /// The signed bytes.
    pub message: &'a [u8],
    /// The signature over them.
    pub signature: &'a [u8; 64],
}

/// A transfer of confidential tokens by their delegate.
#[derive(Clone, Copy, Debug)]
pub struct ConfidentialTransfer<'a> {
    /// The programs' addresses.
    pub programs: &'a Programs,
    /// Which instruction moves the money.
    pub instruction: SettleInstruction,
    /// What the user signed; not part of a [`SettleInstruction::Transfer`].
    pub authorization: Authorization<'a>,
    /// The transfer; its authority is the spender.
    pub transfer: &'a inco_token::Transfer,
}

impl ConfidentialTransfer<'_> {
    /// Ed25519 at index 0 and the transfer at index 1 (or the plain `transfer` alone), so that both readings of "the
    /// instruction before" hold.
    pub(crate) fn instructions(&self) -> Vec<Instruction> {
        match self.instruction {
            SettleInstruction::TransferWithAuthorization => {
                let Authorization { owner, message, signature } = self.authorization;
                vec![
                    ed25519_verify(&owner, message, signature),
                    self.programs.transfer_with_authorization(self.transfer),
                ]
            }
            SettleInstruction::Transfer => vec![self.programs.transfer(self.transfer)],
        }
    }

    /// How many bytes its fields of variable length have.
    const fn carried(&self) -> usize {
        self.authorization.message.len().saturating_add(self.transfer.ciphertext.len())
    }
}

/// What moves the money.
#[derive(Clone, Copy, Debug)]
pub enum Transfer<'a> {
    /// Confidential tokens.
    Confidential(ConfidentialTransfer<'a>),
    /// Tokens of an SPL token program.
    Plain(&'a TransferChecked),
}

impl Transfer<'_> {
    fn instructions(&self) -> Vec<Instruction> {
        match self {
            Self::Confidential(transfer) => transfer.instructions(),
            Self::Plain(transfer) => vec![transfer.instruction()],
        }
    }

    const fn carried(&self) -> usize {
        match self {
            Self::Confidential(transfer) => transfer.carried(),
            Self::Plain(_) => 0,
        }
    }
}

/// Everything a settlement's transaction is made of.
#[derive(Clone, Copy, Debug)]
pub struct SettlementParts<'a> {
    /// Who pays the fee.
    pub fee_payer: Pubkey,
    /// What it moves.
    pub transfer: Transfer<'a>,
    /// What it may compute and pays for it.
    pub compute: ComputeBudget,
}

impl SettlementParts<'_> {
    /// The transaction, unsigned: the transfer first, the compute budget after it.
    pub fn build(&self, blockhash: Hash) -> Result<UnsignedTransaction, TransactionError> {
        // The builders' length fields hold 16 and 32 bits; what could overflow them is refused before they are asked.
        let carried = self.transfer.carried();
        if carried > MAX_TRANSACTION_BYTES {
            return Err(TransactionError::TooLarge { bytes: carried });
        }
        let instructions: Vec<Instruction> =
            self.transfer.instructions().into_iter().chain(self.compute.instructions()).collect();
        UnsignedTransaction::new(&self.fee_payer, &instructions, blockhash)
    }
}

/// Refuses a session whose largest settlement could not be built, and tells the size otherwise.
///
/// The largest settlement of a session moves `largest_amount_digits` decimal digits, grants both decrypt allowances
/// and sets a compute budget; `message` is what its Ed25519 instruction has to carry.
pub fn largest_settlement_size(
    programs: &Programs,
    spender: &Pubkey,
    fee_payer: &Pubkey,
    instruction: SettleInstruction,
    message: &[u8],
    largest_amount_digits: usize,
) -> Result<usize, TransactionError> {
    // Stand-in accounts that collide with nothing: every account of a real settlement that does collide saves bytes.
    let account = |number: u8| Pubkey::new_from_array([number; 32]);
    let allowance = |number| inco_token::Allowance { account: account(number), holder: account(number + 1) };
    let transfer = inco_token::Transfer {
        source: account(0xf0),
        destination: account(0xf1),
        authority: *spender,
        ciphertext: vec![0; (113 + largest_amount_digits).min(MAX_CIPHERTEXT_BYTES)],
        allowances: Some([allowance(0xf2), allowance(0xf4)]),
    };
    let authorization = Authorization { owner: account(0xf2), message, signature: &[0; 64] };
    let transfer = ConfidentialTransfer { programs, instruction, authorization, transfer: &transfer };
    let parts = SettlementParts {
        fee_payer: *fee_payer,
        transfer: Transfer::Confidential(transfer),
        compute: ComputeBudget { units: fees::MAX_UNITS, price: u64::MAX },
    };
    parts.build(Hash::default()).map(|unsigned| unsigned.bytes())
}

/// A transaction of ours without signatures, known to fit into a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsignedTransaction {
    transaction: VersionedTransaction,
    message: Vec<u8>,
}

impl UnsignedTransaction {
    /// Compiles a legacy message; refuses what does not fit into a packet.
    pub fn new(fee_payer: &Pubkey, instructions: &[Instruction], blockhash: Hash) -> Result<Self, TransactionError> {
        // Compiled as version 0 without lookup tables, which has the same keys and instructions, because the legacy
        // compiler panics where this one returns an error.
        let v0::Message { header, account_keys, recent_blockhash, instructions, .. } =
            v0::Message::try_compile(fee_payer, instructions, &[], blockhash)
                .map_err(|_| TransactionError::Uncompilable)?;
        let legacy = legacy::Message { header, account_keys, recent_blockhash, instructions };
        let signatures = vec![Signature::default(); usize::from(header.num_required_signatures)];
        let message = wincode::serialize(&legacy).map_err(|_| TransactionError::Uncompilable)?;
        let transaction = VersionedTransaction { signatures, message: VersionedMessage::Legacy(legacy) };
        Self { transaction, message }.if_it_fits()
    }

    /// Compiles a message of version 0 without lookup tables; refuses what does not fit into a packet.
    pub fn version_0(
        fee_payer: &Pubkey,
        instructions: &[Instruction],
        blockhash: Hash,
    ) -> Result<Self, TransactionError> {
        let compiled = v0::Message::try_compile(fee_payer, instructions, &[], blockhash)
            .map_err(|_| TransactionError::Uncompilable)?;
        let signatures = vec![Signature::default(); usize::from(compiled.header.num_required_signatures)];
        let message = VersionedMessage::V0(compiled);
        let bytes = message.serialize();
        Self { transaction: VersionedTransaction { signatures, message }, message: bytes }.if_it_fits()
    }

    fn if_it_fits(self) -> Result<Self, TransactionError> {
        let bytes = self.bytes();
        if bytes > MAX_TRANSACTION_BYTES { Err(TransactionError::TooLarge { bytes }) } else { Ok(self) }
    }

    /// The size on the wire, signed.
    pub fn bytes(&self) -> usize {
        // One length byte: a packet holds fewer than 128 signatures.
        1 + self.transaction.signatures.len() * 64 + self.message.len()
    }

    /// The transaction with empty signatures, as a simulation takes it.
    pub fn transaction(&self) -> &VersionedTransaction {
        &self.transaction
    }

    /// What its signatures and compute budget cost, in lamports.
    pub fn fee(&self) -> u64 {
        fees::fee(&self.transaction.message)
    }

    /// Signs with the signers the message requires, in its order; signers that it does not require sign nothing.
    pub fn sign(mut self, signers: &[&dyn Signer]) -> Result<SignedTransaction, TransactionError> {
        let required = usize::from(self.transaction.message.header().num_required_signatures);
        let keys = self.transaction.message.static_account_keys().iter().take(required);
        for (slot, key) in self.transaction.signatures.iter_mut().zip(keys) {
            let signer = signers.iter().find(|signer| signer.pubkey() == *key);
            let signer = signer.ok_or(TransactionError::MissingSigner(*key))?;
            *slot = Signature::from(signer.sign(&self.message));
        }
        SignedTransaction::new(&self.transaction)
    }
}

/// A transaction with all its signatures, in the bytes that go over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTransaction {
    /// The wire encoding.
    pub wire: Vec<u8>,
    /// The fee payer's signature, which names the transaction.
    pub signature: Signature,
}

impl SignedTransaction {
    pub(super) fn new(transaction: &VersionedTransaction) -> Result<Self, TransactionError> {
        let wire = wincode::serialize(transaction).map_err(|_| TransactionError::Uncompilable)?;
        let signature = *transaction.signatures.first().ok_or(TransactionError::Uncompilable)?;
        Ok(Self { wire, signature })
    }
}

/// Creates a wallet's token account; `fee_payer` pays the fee and the rent.
///
/// Never to be sent for an account that exists frozen or foreign: the program would initialise it again
/// (`spec/inco.md` §4).
pub fn create_recipient(
    programs: &Programs,
    fee_payer: &Pubkey,
    wallet: &Pubkey,
    mint: &Pubkey,
    compute: ComputeBudget,
    blockhash: Hash,
) -> Result<UnsignedTransaction, TransactionError> {
    let create = programs.create_idempotent(fee_payer, wallet, mint);
    let instructions: Vec<Instruction> = std::iter::once(create).chain(compute.instructions()).collect();
    UnsignedTransaction::new(fee_payer, &instructions, blockhash)
}
