//! The five kinds of transaction that others sign and we co-sign: a user's approve (`spec/session.md` §2), a single payment that
//! we issued ourselves ([`single_payment`]), a user's revoke ([`revoke`]), a charge, which its buyer builds ([`charge`]), and a
//! step of a delegation that we issued ourselves ([`issued`]).
//!
//! Promise of the first: whatever passes is, instruction by instruction and right by right, the transaction that we would have
//! built ourselves for this user, apart from the ciphertext and the decrypt allowance of the approve, a bounded grant,
//! a bounded compute budget, the blockhash, and assertions that can only make it fail. Refused by default: an
//! instruction, account, right or signer that is not accounted for is a reason to refuse, never to ignore.
//!
//! Not decided here, because it needs the chain: whether the blockhash lives, whether the account to be created is
//! frozen or foreign, and whether the decrypt allowance is that of the new delegated amount.

mod additions;
pub mod anchor;
pub mod charge;
mod decode;
pub mod inspected;
pub mod issued;
pub mod payers_transaction;
mod refusal;
pub mod revoke;
pub mod single_payment;
mod template;

pub use refusal::TransactionRefusal;

use crate::{
    chain::{
        fees::{self, ComputeBudget},
        keys::Signer,
        transaction::{SignedTransaction, TransactionError},
    },
    domain::signed,
    programs::Programs,
};
use solana_hash::Hash;
use solana_instruction::Instruction;
use solana_message::{VersionedMessage, v0};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;

/// What an approve transaction has to be. The bounds are the operator's.
#[derive(Clone, Copy, Debug)]
pub struct ApproveTemplate<'a> {
    /// The programs' addresses.
    pub programs: Programs,
    /// The key that pays the fee, the grant and the rent; may be the spender.
    pub fee_payer: Pubkey,
    /// Every address whose key we hold, spender and fee payers: no assertion may name them.
    pub our_keys: &'a [Pubkey],
    /// The delegate.
    pub spender: Pubkey,
    /// Whose account it is.
    pub user: Pubkey,
    /// The asset.
    pub mint: Pubkey,
    /// The asset's decimals.
    pub decimals: u8,
    /// The most SOL that is granted to the user, in lamports.
    pub max_grant: u64,
    /// Whether the user's token account may be created on our account.
    pub may_create: bool,
    /// The most compute we pay for.
    pub compute: ComputeBudget,
}

/// An approve transaction that is exactly the template. Only [`ApproveTemplate::inspect`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectedApprove {
    transaction: VersionedTransaction,
    ciphertext: Vec<u8>,
    allowance: Pubkey,
    grant: u64,
    creates_account: bool,
}

impl ApproveTemplate<'_> {
    /// Reads and checks a user's transaction (base64); everything that needs no network.
    pub fn inspect(&self, text: &str) -> Result<InspectedApprove, TransactionRefusal> {
        if self.is_ours(&self.user) {
            return Err(TransactionRefusal::OurselvesAsUser);
        }
        let transaction = decode::decode(text)?;
        check_signers(&transaction, &self.fee_payer, &self.user)?;
        let mut found = template::Found::default();
        for (index, instruction) in decode::instructions(&transaction.message)?.iter().enumerate() {
            self.accept(&mut found, index, instruction)?;
        }
        let approve = found.approve.take().ok_or(TransactionRefusal::NoApprove)?;
        check_rights(&transaction.message, &self.fee_payer, &found.ours)?;
        Ok(InspectedApprove {
            transaction,
            ciphertext: approve.ciphertext,
            allowance: approve.allowance,
            grant: found.grant.unwrap_or(0),
            creates_account: found.creates,
        })
    }

    /// The user's token account.
    pub fn source(&self) -> Pubkey {
        self.programs.token_account(&self.user, &self.mint)
    }

    fn is_ours(&self, key: &Pubkey) -> bool {
        [self.fee_payer, self.spender].contains(key) || self.our_keys.contains(key)
    }
}

/// Exactly two sign: the fee payer, whose slot is empty, and the user, over these bytes.
fn check_signers(
    transaction: &VersionedTransaction,
    fee_payer: &Pubkey,
    user: &Pubkey,
) -> Result<(), TransactionRefusal> {
    let keys = transaction.message.static_account_keys();
    match keys.first() {
        Some(payer) if payer == fee_payer => {}
        Some(other) => return Err(TransactionRefusal::FeePayer(*other)),
        None => return Err(TransactionRefusal::OutOfRange),
    }
    let [ours, theirs] = transaction.signatures.as_slice() else { return Err(TransactionRefusal::Signers) };
    if keys.get(1) != Some(user) {
        return Err(TransactionRefusal::Signers);
    }
    // What is there could be kept by a relay, or be mistaken for ours in a look-up by signature.
    if *ours != Signature::default() {
        return Err(TransactionRefusal::FilledSlot);
    }
    let message = wincode::serialize(&transaction.message).map_err(|_| TransactionRefusal::NotATransaction)?;
    if signed::verify(user, &message, &(*theirs).into()) { Ok(()) } else { Err(TransactionRefusal::UserSignature) }
}

/// Compiled messages merge rights over all instructions, so the whole set is compared with that of our own
/// compilation of the same sequence.
fn check_rights(
    message: &VersionedMessage,
    fee_payer: &Pubkey,
    ours: &[Instruction],
) -> Result<(), TransactionRefusal> {
    let ours = v0::Message::try_compile(fee_payer, ours, &[], *message.recent_blockhash())
        .map_err(|_| TransactionRefusal::OutOfRange)?;
    let (ours, theirs) = (decode::rights(&VersionedMessage::V0(ours)), decode::rights(message));
    let differing = theirs.iter().find(|(key, rights)| ours.get(*key) != Some(*rights));
    let differing = differing.or_else(|| ours.iter().find(|(key, _)| !theirs.contains_key(*key)));
    differing.map_or(Ok(()), |(key, _)| Err(TransactionRefusal::AccountRights(*key)))
}

/// Adds the fee payer's signature; the message stays byte for byte what the user signed.
fn countersign(
    mut transaction: VersionedTransaction,
    fee_payer: &dyn Signer,
) -> Result<SignedTransaction, TransactionError> {
    let expected = transaction.message.static_account_keys().first().copied().unwrap_or_default();
    if fee_payer.pubkey() != expected {
        return Err(TransactionError::MissingSigner(expected));
    }
    let message = wincode::serialize(&transaction.message).map_err(|_| TransactionError::Uncompilable)?;
    if let Some(slot) = transaction.signatures.first_mut() {
        *slot = Signature::from(fee_payer.sign(&message));
    }
    SignedTransaction::new(&transaction)
}

impl InspectedApprove {
    /// The transaction with our signature missing, as a simulation takes it.
    pub fn transaction(&self) -> &VersionedTransaction {
        &self.transaction
    }

    /// The encrypted cap.
    pub fn ciphertext(&self) -> &[u8] {
        &self.ciphertext
    }

    /// The decrypt allowance it asks for; to be compared with that of the simulated delegated amount.
    pub fn allowance(&self) -> &Pubkey {
        &self.allowance
    }

    /// Lamports granted to the user.
    pub fn grant(&self) -> u64 {
        self.grant
    }

    /// Whether it creates the user's token account if that is missing.
    pub fn creates_account(&self) -> bool {
        self.creates_account
    }

    /// The blockhash the user chose; to be asked for its life.
    pub fn blockhash(&self) -> &Hash {
        self.transaction.message.recent_blockhash()
    }

    /// The fee, in lamports; what the transaction leaves open is taken at its upper bound.
    pub fn fee(&self) -> u64 {
        fees::fee(&self.transaction.message)
    }

    /// Adds the fee payer's signature; the message stays byte for byte what the user signed.
    pub fn countersign(self, fee_payer: &dyn Signer) -> Result<SignedTransaction, TransactionError> {
        countersign(self.transaction, fee_payer)
    }
}
