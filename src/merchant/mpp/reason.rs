//! What a seller answers to charges and vouchers beside the facilitator's own words: a closed list, each with its status and what
//! can be done about it. `docs/ERRORS.md` is written from it.

use crate::domain::mpp::voucher::VoucherFault;

/// Why a seller does not serve for a charge or a voucher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SellerReason {
    /// The facilitator settled to another wallet.
    SettlementRecipient,
    /// The facilitator settled another amount.
    SettlementAmount,
    /// The facilitator settled another token.
    SettlementAsset,
    /// The seller's node does not have the transaction.
    OnchainNotFound,
    /// It landed with an error.
    OnchainFailed,
    /// It moves no tokens.
    OnchainNoTransfer,
    /// It moves other tokens.
    OnchainAsset,
    /// It moves another amount.
    OnchainAmount,
    /// It pays somebody else.
    OnchainRecipient,
    /// It is not what this credential's buyer signed.
    OnchainOtherPayment,
    /// Not what every reader reads alike.
    MalformedVoucher,
    /// The voucher, its signature or its signer is missing.
    MissingVoucherFields,
    /// Not Ed25519.
    UnsupportedSignatureType,
    /// The signature is not the signer's.
    InvalidSignature,
    /// There is no signature or key to verify.
    SignatureVerificationFailed,
    /// Another wallet is paid.
    RecipientMismatch,
    /// Another key signed before.
    SignerChanged,
    /// The sum does not rise.
    AmountNotMonotonic,
    /// The sequence does not rise.
    SequenceNotMonotonic,
    /// Less than this costs.
    Underpaid,
    /// Nobody who is trusted speaks for the key.
    UnknownSigner,
    /// More than the deposit.
    DepositExceeded,
    /// The channel's time is over.
    ChannelExpired,
    /// Something else is counted.
    MeterMismatch,
    /// The nonce is none that was issued, or was used.
    NonceMismatch,
    /// The channel has ended.
    ChannelClosed,
    /// No more channels can be remembered.
    TooManyChannels,
    /// What was paid cannot be remembered.
    StoreUnavailable,
}

impl SellerReason {
    /// All of them, in the order of the document.
    pub const ALL: [Self; 28] = [
        Self::SettlementRecipient,
        Self::SettlementAmount,
        Self::SettlementAsset,
        Self::OnchainNotFound,
        Self::OnchainFailed,
        Self::OnchainNoTransfer,
        Self::OnchainAsset,
        Self::OnchainAmount,
        Self::OnchainRecipient,
        Self::OnchainOtherPayment,
        Self::MalformedVoucher,
        Self::MissingVoucherFields,
        Self::UnsupportedSignatureType,
        Self::InvalidSignature,
        Self::SignatureVerificationFailed,
        Self::RecipientMismatch,
        Self::SignerChanged,
        Self::AmountNotMonotonic,
        Self::SequenceNotMonotonic,
        Self::Underpaid,
        Self::UnknownSigner,
        Self::DepositExceeded,
        Self::ChannelExpired,
        Self::MeterMismatch,
        Self::NonceMismatch,
        Self::ChannelClosed,
        Self::TooManyChannels,
        Self::StoreUnavailable,
    ];

    /// The word: a contract that is never renamed. Some vouchers' words are followed by a colon and more.
    pub const fn word(self) -> &'static str {
        self.told().0
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::TooManyChannels | Self::StoreUnavailable => 503,
            _ => 402,
        }
    }

    /// Whether the same request may succeed later.
    pub const fn retry(self) -> bool {
        self.status() == 503
    }

    /// What it means, in a sentence.
    pub const fn meaning(self) -> &'static str {
        self.told().1
    }

    /// What can be done about it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::SettlementRecipient | Self::SettlementAmount | Self::SettlementAsset => {
                "Nothing that a buyer can do: the seller's facilitator contradicts the challenge. The signature is in the seller's log."
            }
            Self::OnchainNotFound
            | Self::OnchainFailed
            | Self::OnchainNoTransfer
            | Self::OnchainAsset
            | Self::OnchainAmount
            | Self::OnchainRecipient
            | Self::OnchainOtherPayment => {
                "Do not pay again before the seller was asked: the facilitator says that it is settled. The signature is in the seller's log."
            }
            Self::MalformedVoucher | Self::MissingVoucherFields => {
                "Send the facilitator's whole answer of POST /mpp/session/voucher as the header `x-mpp-voucher`."
            }
            Self::UnsupportedSignatureType
            | Self::InvalidSignature
            | Self::SignatureVerificationFailed
            | Self::SignerChanged
            | Self::UnknownSigner => {
                "Open the channel at the facilitator that the seller names, and send its vouchers unchanged, with their certificate."
            }
            Self::RecipientMismatch => "Open a channel with this seller's wallet.",
            Self::AmountNotMonotonic | Self::SequenceNotMonotonic | Self::Underpaid => {
                "Draw a voucher whose sum is higher than the last one by the price, and send vouchers in their order."
            }
            Self::DepositExceeded | Self::ChannelExpired | Self::ChannelClosed => {
                "Close the channel and open another one."
            }
            Self::MeterMismatch => "Draw vouchers for the meter of the seller's challenge.",
            Self::NonceMismatch => {
                "Ask without a voucher, and draw one for the `serverNonce` of the answer, within five minutes."
            }
            Self::TooManyChannels | Self::StoreUnavailable => {
                "Send the same voucher again later; it is counted once. The seller finds the cause in the log."
            }
        }
    }

    /// Its word and what it means.
    const fn told(self) -> (&'static str, &'static str) {
        match self {
            Self::SettlementRecipient => ("settlement_recipient_mismatch", "The settlement names another recipient."),
            Self::SettlementAmount => ("settlement_amount_mismatch", "The settlement names another amount."),
            Self::SettlementAsset => ("settlement_asset_mismatch", "The settlement names another token."),
            Self::OnchainNotFound => {
                ("onchain_verification_tx_not_found", "The seller's own node does not have the transaction.")
            }
            Self::OnchainFailed => ("onchain_verification_tx_failed", "The transaction landed with an error."),
            Self::OnchainNoTransfer => ("onchain_verification_no_transfer", "The transaction moves no tokens."),
            Self::OnchainAsset => ("onchain_verification_asset_mismatch", "The transaction moves another token."),
            Self::OnchainAmount => ("onchain_verification_amount_mismatch", "The transaction moves another amount."),
            Self::OnchainRecipient => {
                ("onchain_verification_recipient_mismatch", "The transaction pays another token account.")
            }
            Self::OnchainOtherPayment => {
                ("onchain_verification_other_payment", "The transaction is not the one that the buyer signed for this.")
            }
            Self::MalformedVoucher => ("malformed_voucher", "The voucher is not what every reader reads alike."),
            Self::MissingVoucherFields => {
                ("missing_voucher_fields", "The voucher, its signature or its signer is missing.")
            }
            Self::UnsupportedSignatureType => {
                ("unsupported_signature_type", "The signature is not said to be Ed25519.")
            }
            Self::InvalidSignature => ("invalid_signature", "The signature is not the signer's."),
            Self::SignatureVerificationFailed => {
                ("signature_verification_failed", "There is no signature or no key to verify.")
            }
            Self::RecipientMismatch => ("recipient_mismatch", "The voucher pays another wallet."),
            Self::SignerChanged => ("signer_changed_mid_session", "Earlier vouchers had another signer."),
            Self::AmountNotMonotonic => ("amount_not_monotonic", "The sum is not higher than the last one."),
            Self::SequenceNotMonotonic => ("sequence_not_monotonic", "The sequence is not higher than the last one."),
            Self::Underpaid => ("underpaid", "The voucher pays less than this costs."),
            Self::UnknownSigner => ("unknown_signer", "No facilitator that the seller trusts speaks for the signer."),
            Self::DepositExceeded => ("deposit_exceeded", "The sum is higher than the channel's deposit."),
            Self::ChannelExpired => ("channel_expired", "The channel's time is over."),
            Self::MeterMismatch => ("meter_mismatch", "The voucher counts something else than what is sold."),
            Self::NonceMismatch => {
                ("nonce_mismatch", "The nonce is none that this seller issued, is too old, or was used.")
            }
            Self::ChannelClosed => ("channel_closed", "The facilitator says that the channel has ended."),
            Self::TooManyChannels => ("too_many_channels", "The seller can remember no more channels now."),
            Self::StoreUnavailable => ("store_unavailable", "The seller cannot remember now what was paid."),
        }
    }
}

impl From<&VoucherFault> for SellerReason {
    fn from(fault: &VoucherFault) -> Self {
        match fault {
            VoucherFault::Malformed => Self::MalformedVoucher,
            VoucherFault::MissingFields => Self::MissingVoucherFields,
            VoucherFault::SignatureType(_) => Self::UnsupportedSignatureType,
            VoucherFault::InvalidSignature => Self::InvalidSignature,
            VoucherFault::VerificationFailed(_) => Self::SignatureVerificationFailed,
            VoucherFault::RecipientMismatch { .. } => Self::RecipientMismatch,
            VoucherFault::SignerChanged => Self::SignerChanged,
            VoucherFault::AmountNotMonotonic => Self::AmountNotMonotonic,
            VoucherFault::SequenceNotMonotonic => Self::SequenceNotMonotonic,
            VoucherFault::Underpaid { .. } | VoucherFault::UnderpaidFirst { .. } => Self::Underpaid,
            VoucherFault::UnknownSigner => Self::UnknownSigner,
            VoucherFault::DepositExceeded => Self::DepositExceeded,
            VoucherFault::ChannelExpired => Self::ChannelExpired,
            VoucherFault::MeterMismatch => Self::MeterMismatch,
        }
    }
}
