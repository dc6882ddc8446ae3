//! Whether a seller serves for a voucher: the rules of the published verifier in its order and words, and ours on top.

use super::{Certified, Presented};
use crate::domain::{
    amount::Amount,
    clock::UnixSeconds,
    signed::{self, parse_key},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use solana_pubkey::Pubkey;

/// What a seller sells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SellerTerms {
    /// The seller's wallet.
    pub recipient: Pubkey,
    /// What one unit costs, in base units.
    pub price_per_unit: Amount,
    /// What is counted.
    pub meter: String,
    /// Whose word is needed for a channel's key.
    pub strictness: Strictness,
}

/// Which rules hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// Those of the published verifier, by which anybody can sign themselves vouchers.
    Stock,
    /// Those and a certificate of this issuer for this network.
    Certified {
        /// The facilitator's issuer key.
        issuer: Pubkey,
        /// The network, CAIP-2.
        chain_id: String,
    },
}

/// What was accepted of a channel before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenChannel {
    /// The key that signed.
    pub signer: String,
    /// The last sum.
    pub cumulative: Amount,
    /// The last sequence.
    pub sequence: u64,
}

/// A voucher that is served for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// What it pays on top of the one before.
    pub amount_paid: Amount,
    /// What is to be remembered of the channel, before anything is served.
    pub seen: SeenChannel,
}

/// Why a voucher is not served for. The texts are the published verifier's where it has one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VoucherFault {
    /// Not what each reader of JSON and of numbers reads alike.
    #[error("malformed_voucher")]
    Malformed,
    /// The voucher, its signature or its signer is missing.
    #[error("missing_voucher_fields")]
    MissingFields,
    /// Not Ed25519.
    #[error("unsupported_signature_type: {0}")]
    SignatureType(String),
    /// The signature is not the signer's.
    #[error("invalid_signature")]
    InvalidSignature,
    /// What is there cannot be a signature or a key.
    #[error("signature_verification_failed: {0}")]
    VerificationFailed(&'static str),
    /// Another wallet is paid.
    #[error("recipient_mismatch: expected {expected}, got {got}")]
    RecipientMismatch {
        /// The seller's wallet.
        expected: Pubkey,
        /// The voucher's.
        got: String,
    },
    /// The channel's earlier vouchers were signed by another key.
    #[error("signer_changed_mid_session")]
    SignerChanged,
    /// The sum does not rise.
    #[error("amount_not_monotonic")]
    AmountNotMonotonic,
    /// The sequence does not rise.
    #[error("sequence_not_monotonic")]
    SequenceNotMonotonic,
    /// Less on top than this costs.
    #[error("underpaid: expected {expected}, got {got}")]
    Underpaid {
        /// The price.
        expected: u128,
        /// What is on top.
        got: Amount,
    },
    /// The first sum of a channel is less than this costs.
    #[error("underpaid: expected at least {expected}, got {got}")]
    UnderpaidFirst {
        /// The price.
        expected: u128,
        /// The sum.
        got: Amount,
    },
    /// No certificate of the pinned issuer for this key and these members.
    #[error("unknown_signer")]
    UnknownSigner,
    /// More than is certified.
    #[error("deposit_exceeded")]
    DepositExceeded,
    /// The channel's time is over.
    #[error("channel_expired")]
    ChannelExpired,
    /// Something else is counted.
    #[error("meter_mismatch")]
    MeterMismatch,
}

/// Judges a voucher. `seen` is what was accepted of its channel before, and `units` what is really asked for; without it the
/// buyer's word counts.
pub fn verify(
    presented: &Presented,
    terms: &SellerTerms,
    seen: Option<&SeenChannel>,
    units: Option<u64>,
    now: UnixSeconds,
) -> Result<Accepted, VoucherFault> {
    let signer = check_signature(presented)?;
    let voucher = &presented.voucher;
    if voucher.recipient != terms.recipient.to_string() {
        let got = voucher.recipient.clone();
        return Err(VoucherFault::RecipientMismatch { expected: terms.recipient, got });
    }
    let units = units.unwrap_or(voucher.units);
    let expected = u128::from(terms.price_per_unit.get()) * u128::from(units);
    let amount_paid = match seen {
        Some(seen) => check_next(presented, seen, expected)?,
        None => check_first(voucher.cumulative_amount, expected)?,
    };
    if let Strictness::Certified { issuer, chain_id } = &terms.strictness {
        check_certificate(presented, signer, issuer, chain_id, now)?;
        if voucher.meter != terms.meter {
            return Err(VoucherFault::MeterMismatch);
        }
    }
    let seen = SeenChannel {
        signer: presented.signer.clone(),
        cumulative: voucher.cumulative_amount,
        sequence: voucher.sequence,
    };
    Ok(Accepted { amount_paid, seen })
}

fn check_signature(presented: &Presented) -> Result<Pubkey, VoucherFault> {
    if presented.signature_type != "ed25519" {
        return Err(VoucherFault::SignatureType(presented.signature_type.clone()));
    }
    let failed = VoucherFault::VerificationFailed;
    let signature = STANDARD.decode(&presented.signature).map_err(|_| failed("the signature is not base64"))?;
    let signature: [u8; 64] = signature.try_into().map_err(|_| failed("the signature has not 64 bytes"))?;
    let signer = parse_key(&presented.signer).ok_or_else(|| failed("the signer is not base58 of 32 bytes"))?;
    if signed::verify(&signer, &presented.signed_bytes, &signature) {
        Ok(signer)
    } else {
        Err(VoucherFault::InvalidSignature)
    }
}

fn check_next(presented: &Presented, seen: &SeenChannel, expected: u128) -> Result<Amount, VoucherFault> {
    let voucher = &presented.voucher;
    if presented.signer != seen.signer {
        return Err(VoucherFault::SignerChanged);
    }
    let delta = voucher.cumulative_amount.checked_sub(seen.cumulative).filter(|delta| *delta != Amount::ZERO);
    let got = delta.ok_or(VoucherFault::AmountNotMonotonic)?;
    if voucher.sequence <= seen.sequence {
        return Err(VoucherFault::SequenceNotMonotonic);
    }
    if u128::from(got.get()) < expected { Err(VoucherFault::Underpaid { expected, got }) } else { Ok(got) }
}

fn check_first(got: Amount, expected: u128) -> Result<Amount, VoucherFault> {
    if u128::from(got.get()) < expected { Err(VoucherFault::UnderpaidFirst { expected, got }) } else { Ok(got) }
}

/// The certificate's text is rebuilt from the voucher's members, each in its one form: a member with a colon in it could
/// else stand for two.
fn check_certificate(
    presented: &Presented,
    signer: Pubkey,
    issuer: &Pubkey,
    chain_id: &str,
    now: UnixSeconds,
) -> Result<(), VoucherFault> {
    let voucher = &presented.voucher;
    let certificate = presented.certificate.as_ref().ok_or(VoucherFault::UnknownSigner)?;
    let key = |text: &str| parse_key(text).ok_or(VoucherFault::UnknownSigner);
    let certified = Certified {
        channel: voucher.channel_id.parse().map_err(|_| VoucherFault::UnknownSigner)?,
        signer,
        payer: key(&voucher.payer)?,
        recipient: key(&voucher.recipient)?,
        deposit: certificate.deposit,
        chain_id: voucher.chain_id.clone(),
        channel_program: key(&voucher.channel_program)?,
        expires: certificate.expires,
    };
    let is_of_issuer = signed::verify(issuer, certified.text().as_bytes(), &certificate.signature);
    if !is_of_issuer || voucher.chain_id != chain_id {
        return Err(VoucherFault::UnknownSigner);
    }
    if voucher.cumulative_amount > certificate.deposit {
        return Err(VoucherFault::DepositExceeded);
    }
    if now >= certificate.expires { Err(VoucherFault::ChannelExpired) } else { Ok(()) }
}
