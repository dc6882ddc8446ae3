//! A single payment: one transfer that its payer signs alone, outside any session (`spec/session.md` §5).
//!
//! The payer signs a message that says what is paid, is given an unsigned transaction for it, and signs that. What was
//! issued is an offer with an end; what the payer has signed of it is a payment, once.

use crate::domain::{
    amount::Amount,
    clock::UnixSeconds,
    funding::{Funding, FundingDemand, FundingProof},
    hold::ContentHash,
    reason::PayReason,
    settlement::{SettlementId, SingleId},
};
use sha2::{Digest as _, Sha256};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

/// The longest message that a payer signs, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 512;
/// The longest nonce, in characters.
pub const MAX_SINGLE_NONCE: usize = 64;
/// What a message begins with that names its details by their hash, so that they do not stand on chain.
pub const SHORT_MESSAGE: &str = "x402-pay:1:";

/// The text that stands for a message on chain.
pub fn short_message(details: &[u8]) -> String {
    format!("{SHORT_MESSAGE}{}", hex::encode(Sha256::digest(details)))
}

/// A single payment as its payer signed it and as the request states it, which are known to agree; the signature is not
/// verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinglePayment {
    /// The wallet that pays.
    pub payer: Pubkey,
    /// The wallet that is paid.
    pub recipient: Pubkey,
    /// The mint.
    pub asset: Pubkey,
    /// In base units, positive.
    pub amount: Amount,
    /// Of the payer's choice, once for ever.
    pub nonce: String,
    /// The network as the caller spelled it; answers echo it.
    pub network: String,
    /// The encrypted amount.
    pub ciphertext: Vec<u8>,
    /// The bytes that were signed.
    pub message: Vec<u8>,
    /// The payer's signature over them.
    pub signature: [u8; 64],
    /// What the payment says, by its hash: that of the JSON, whichever of the two forms was signed.
    pub content: ContentHash,
    /// The account that pays, as the request names it; a hint that has to be right.
    pub source: Option<Pubkey>,
    /// The account or the wallet that is paid, as the request names it; a hint that has to be right.
    pub destination: Option<Pubkey>,
    /// What the payer proves of their balance.
    pub funding: Option<FundingProof>,
    /// Whether only a payment is taken that a proved balance covers.
    pub funding_required: bool,
}

/// What a merchant requires of a single payment, as far as a request states it: what it leaves out is not required.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SingleRequirements {
    /// The mint.
    pub asset: Option<Pubkey>,
    /// The wallet to be paid.
    pub pay_to: Option<Pubkey>,
    /// In base units, positive.
    pub amount: Option<Amount>,
    /// Whether only a payment is taken that a proved balance covers.
    pub funding_required: bool,
}

/// What the second step asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SingleCompletion {
    /// The transaction with its payer's signature, in base64 as received.
    pub transaction: String,
    /// What the first step was asked with, where it is sent again: it may prove that the caller knows more of the payment than
    /// everybody.
    pub authorization: Option<Box<SinglePayment>>,
    /// What has to be paid by it.
    pub required: SingleRequirements,
}

impl SinglePayment {
    /// Whether what was signed is the short text, which does not say what it stands for.
    pub fn is_short(&self) -> bool {
        self.message.starts_with(SHORT_MESSAGE.as_bytes())
    }
}

impl SingleRequirements {
    /// Refuses a payment of another asset, to another recipient or of another amount.
    pub fn check(&self, asset: &Pubkey, recipient: &Pubkey, amount: Amount) -> Result<(), PayReason> {
        let differences = [
            (self.asset.is_some_and(|required| required != *asset), PayReason::AssetMismatch),
            (self.pay_to.is_some_and(|required| required != *recipient), PayReason::RecipientMismatch),
            (self.amount.is_some_and(|required| required != amount), PayReason::AmountMismatch),
        ];
        match differences.into_iter().find_map(|(differs, reason)| differs.then_some(reason)) {
            Some(reason) => Err(reason),
            None => Ok(()),
        }
    }
}

/// From which address an unsigned transaction was asked for, by a hash that tells nobody the address; all zero where none is
/// known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CallerHash(pub [u8; 16]);

/// An unsigned transaction that was issued for a single payment, until its payer has signed it or its time is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SingleOffer {
    /// The payment's id, once it is one.
    pub id: SingleId,
    /// The wallet that pays.
    pub payer: Pubkey,
    /// The wallet that is paid.
    pub recipient: Pubkey,
    /// The mint.
    pub asset: Pubkey,
    /// The signed message's nonce.
    pub nonce: String,
    /// The signed message's hash.
    pub content: ContentHash,
    /// In base units, positive.
    pub amount: Amount,
    /// The encrypted amount.
    pub ciphertext: Vec<u8>,
    /// The transaction's message, serialised.
    pub message: Vec<u8>,
    /// The block height after which its blockhash is dead.
    pub last_valid_block_height: u64,
    /// Whether the payment is taken only from a balance that is proved to cover it.
    pub proof_demanded: bool,
    /// Who asked for it.
    pub caller: CallerHash,
    /// When it was issued, Unix seconds.
    pub issued_at: UnixSeconds,
    /// From when on it is worth nothing, Unix seconds.
    pub until: UnixSeconds,
}

/// How many offers there may be at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfferLimits {
    /// Of one payer.
    pub of_payer: u64,
    /// Of all payers.
    pub in_all: u64,
    /// Of all payers who have earned no credit. One more of them takes the place of another: the oldest of the address that has
    /// most, and there of the payer who has most; one that may still be about to be signed ([`OfferLimits::SPARED`]) and the only
    /// one of its address last.
    pub of_newcomers: u64,
}

impl OfferLimits {
    /// How long an offer is spared while there are older ones to forget, in seconds: about as long as a payer takes to sign.
    pub const SPARED: u64 = 20;
    /// Four of one payer and a thousand in all, half of them for payers with credit.
    pub const DEFAULT: Self = Self { of_payer: 4, in_all: 1_000, of_newcomers: 500 };
}

/// An offer that its payer has signed, about to be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SinglePlan {
    /// The offer.
    pub offer: SingleId,
    /// The settlement that carries it.
    pub settlement: SettlementId,
    /// The hash of the transaction's message as its payer signed it, with what their wallet added.
    pub signed: ContentHash,
    /// What is asked of the payer's balance.
    pub demand: FundingDemand,
    /// Until when its success is kept for the request that records it, Unix seconds.
    pub kept_until: UnixSeconds,
}

/// Who asks for the one success of a single payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimant {
    /// The request that recorded it.
    Recorder,
    /// A later one that proves to know more of it than what the chain shows everybody.
    Prover,
}

/// Where a single payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SingleState {
    /// Its transaction is recorded, and may or may not have landed.
    OnItsWay,
    /// Its transaction has landed in this slot.
    Landed {
        /// The slot.
        slot: u64,
    },
    /// Nothing moved and nothing will.
    Released {
        /// Why.
        reason: PayReason,
    },
}

/// A single payment that was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedSingle {
    /// Its id.
    pub id: SingleId,
    /// The settlement that carries it.
    pub settlement: SettlementId,
    /// The wallet that pays.
    pub payer: Pubkey,
    /// The wallet that is paid.
    pub recipient: Pubkey,
    /// The mint.
    pub asset: Pubkey,
    /// In base units.
    pub amount: Amount,
    /// The signed message's hash.
    pub content: ContentHash,
    /// The hash of the transaction's message as it was signed.
    pub signed: ContentHash,
    /// What was known of the payer's balance when it was recorded, and is not known any more where it was lost since.
    pub funding: Funding,
    /// Whether it is a success only where a proved balance covered it.
    pub proof_demanded: bool,
    /// Whether its success was told.
    pub told: bool,
    /// Where it stands.
    pub state: SingleState,
    /// Its transaction.
    pub transaction: Signature,
}

/// By what a single payment is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SingleKey {
    /// The payer, and the nonce of their message.
    Nonce(Pubkey, String),
    /// The hash of the transaction's message as it was signed.
    Signed(ContentHash),
    /// The encrypted amount.
    Ciphertext(Vec<u8>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_message_names_its_details_and_nothing_of_them() {
        let text = short_message(b"{}");
        assert_eq!(text, format!("x402-pay:1:{}", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"));
        assert_ne!(text, short_message(b"{} "));
    }
}
