//! A charge as its buyer has signed it (`spec/mpp.md` §3): anybody may have built it, so it is judged by what it does.
//!
//! Promise: what passes costs us at most its fee, moves the amount of the terms to the seller's associated token account and
//! nothing else, and is signed by whoever pays. Each mistake has one word: the checks stand in the order in which the
//! protocol lists them. Instructions may stand in any order.
//!
//! Not decided here, because it needs the chain: whether the blockhash lives, whether the accounts exist, and whether the
//! source has the money.

mod policy;
mod transfer;

pub use policy::MAX_MEMO_BYTES;

use super::{TransactionRefusal, countersign, decode};
use crate::{
    chain::{
        fees::{self, ComputeBudget},
        keys::Signer,
        transaction::{SignedTransaction, TransactionError},
    },
    domain::mpp::{
        charge::{ChargeOffer, ChargeRefusal, ChargeTerms},
        reason::ChargeReason,
    },
};
use sha2::{Digest as _, Sha256};
use solana_hash::Hash;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;

/// The most compute that we pay for in a charge: two signatures and this are 20,000 lamports.
pub const MAX_COMPUTE: ComputeBudget = ComputeBudget { units: 200_000, price: 50_000 };

/// A charge as a seller hands it on.
#[derive(Clone, Copy, Debug)]
pub struct ChargeRequest<'a> {
    /// The transaction, in standard base64.
    pub transaction: &'a str,
    /// The seller's wallet.
    pub recipient: Pubkey,
    /// Base units, as the request spells them.
    pub amount: &'a str,
    /// The mint; that of the offer where there is none.
    pub asset: Option<Pubkey>,
}

/// What is settled, and by whom.
#[derive(Clone, Copy, Debug)]
pub struct ChargePolicy<'a> {
    /// The tokens and the least amount.
    pub offer: &'a ChargeOffer,
    /// The keys that pay fees.
    pub fee_payers: &'a [Pubkey],
    /// Every address whose key we hold, fee payers or not: no instruction may name them.
    pub our_keys: &'a [Pubkey],
    /// The most compute that we pay for.
    pub compute: ComputeBudget,
}

/// A transaction in its one canonical encoding; nothing of it is compared with anything yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedCharge(VersionedTransaction);

/// A charge that keeps the policy. Only [`ChargePolicy::inspect`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectedCharge {
    received: ReceivedCharge,
    terms: ChargeTerms,
    fee_payer: Pubkey,
    payer: Pubkey,
    source: Pubkey,
    destination: Pubkey,
}

impl ReceivedCharge {
    /// Reads standard base64 of exactly one legacy or version 0 transaction.
    pub fn read(text: &str) -> Result<Self, ChargeRefusal> {
        let refusal = |refusal: TransactionRefusal| {
            let reason = match refusal {
                TransactionRefusal::LookupTable => ChargeReason::LookupTable,
                _ => ChargeReason::InvalidTransactionEncoding,
            };
            ChargeRefusal::because(reason, format!("`transaction`: {refusal}."))
        };
        decode::decode_standard(text).map(Self).map_err(refusal)
    }

    /// The accounts that it names.
    pub fn keys(&self) -> &[Pubkey] {
        self.0.message.static_account_keys()
    }

    /// SHA-256 over its message: what a charge is, once for ever, whatever signatures stand around it.
    pub fn message_hash(&self) -> [u8; 32] {
        Sha256::digest(decode::message(&self.0.message)).into()
    }
}

impl ChargePolicy<'_> {
    /// Checks a request in the order of the protocol, the terms before the bytes; everything that needs no network.
    pub fn inspect(&self, request: &ChargeRequest<'_>) -> Result<InspectedCharge, ChargeRefusal> {
        let terms = self.offer.terms(request.asset.as_ref(), request.recipient, request.amount)?;
        let received = ReceivedCharge::read(request.transaction)?;
        let message = &received.0.message;
        let fee_payer = self.fee_payer(&received.0)?;
        let instructions =
            decode::instructions(message).map_err(|_| ChargeRefusal::from(ChargeReason::InvalidTransactionEncoding))?;
        policy::check(self, message, &instructions)?;
        let paid = transfer::the_one(&instructions)?;
        transfer::check_terms(&paid, &terms)?;
        transfer::check_signers(&received.0, &paid)?;
        transfer::check_rights(message, &fee_payer, &instructions)?;
        let (payer, source, destination) = (paid.authority, paid.source, paid.destination);
        Ok(InspectedCharge { received, terms, fee_payer, payer, source, destination })
    }

    /// The fee payer is ours, and has signed nothing.
    fn fee_payer(&self, transaction: &VersionedTransaction) -> Result<Pubkey, ChargeRefusal> {
        let first = transaction.message.static_account_keys().first().copied().unwrap_or_default();
        if !self.fee_payers.contains(&first) {
            let detail = format!("The fee payer {first} is none of this facilitator's.");
            return Err(ChargeRefusal::because(ChargeReason::FeePayerMismatch, detail));
        }
        if transaction.signatures.first() != Some(&Signature::default()) {
            let detail = "The fee payer's signature has to be empty: this facilitator makes it.";
            return Err(ChargeRefusal::because(ChargeReason::InvalidTransaction, detail));
        }
        Ok(first)
    }
}

impl InspectedCharge {
    /// The transaction with our signature missing, as a simulation takes it.
    pub fn transaction(&self) -> &VersionedTransaction {
        &self.received.0
    }

    /// SHA-256 over its message, by which the charge is known.
    pub fn message_hash(&self) -> [u8; 32] {
        self.received.message_hash()
    }

    /// What is paid to whom.
    pub fn terms(&self) -> &ChargeTerms {
        &self.terms
    }

    /// Who pays the fee: the first key of the message.
    pub fn fee_payer(&self) -> &Pubkey {
        &self.fee_payer
    }

    /// Who pays: the owner or delegate of the source, who has signed.
    pub fn payer(&self) -> &Pubkey {
        &self.payer
    }

    /// The token account that pays; not necessarily an associated one.
    pub fn source(&self) -> &Pubkey {
        &self.source
    }

    /// The recipient's associated token account.
    pub fn destination(&self) -> &Pubkey {
        &self.destination
    }

    /// The blockhash that the buyer signed; to be asked for its life.
    pub fn blockhash(&self) -> &Hash {
        self.received.0.message.recent_blockhash()
    }

    /// The fee, in lamports; what the transaction leaves open is taken at its upper bound.
    pub fn fee(&self) -> u64 {
        fees::fee(&self.received.0.message)
    }

    /// Adds the fee payer's signature; the message stays byte for byte what the buyer signed.
    pub fn countersign(self, fee_payer: &dyn Signer) -> Result<SignedTransaction, TransactionError> {
        countersign(self.received.0, fee_payer)
    }
}
