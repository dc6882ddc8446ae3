//! The closed lists of words that clients may match on: why a payment and why a session is refused.
//!
//! Words of the deployed service are kept verbatim (`spec/session.md` §2-3). A word is a contract: none is ever
//! renamed, and `docs/ERRORS.md` is generated from here.

use std::fmt;

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal, $retry:literal, $meaning:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $(#[doc = $meaning] $variant,)* }

        impl $name {
            /// Every reason, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable word on the wire.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// What it means, in a sentence for people.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }

            /// Whether the same request may succeed later without being changed.
            pub const fn retry(self) -> bool {
                match self { $(Self::$variant => $retry,)* }
            }

            /// The reason that has this word.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.word() == word)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

reasons! {
    /// Why `/verify` or `/settle` refuses a payment (`invalidReason`, `errorReason`).
    PayReason {
        BadRequest = "bad_request", false, "The body is not what this route reads; the message names the member.";
        SchemeMismatch = "scheme_mismatch", false, "The scheme is not `session` in both the payload and the requirements.";
        NetworkMismatch = "network_mismatch", false, "The network is not the one this facilitator serves.";
        MissingSessionId = "missing_session_id", false, "The payload names no session.";
        SessionNotFound = "session_not_found", false, "No session has this id; open one with POST /sessions.";
        SessionNotOpen = "session_not_open", false, "The session no longer (or not yet) accepts payments; the message tells its state.";
        SessionRevoked = "session_revoked", false, "The payer took the delegation back on chain.";
        SessionExpired = "session_expired", false, "The session's expiration has passed; open a new one.";
        SessionNetworkMismatch = "session_network_mismatch", false, "The session belongs to another network.";
        AssetMismatch = "asset_mismatch", false, "The requirements ask for another asset than the session's.";
        RecipientMismatch = "recipient_mismatch", false, "`payTo` is not the session's recipient.";
        AcceptedMismatch = "accepted_mismatch", false, "What the payer accepted differs from what the merchant requires.";
        AmountMismatch = "amount_mismatch", false, "The payload's amount is not the required amount.";
        InvalidAmount = "invalid_amount", false, "An amount is a plain positive decimal of base units, as a string, and not below this facilitator's minimum for one call.";
        PerCallLimitExceeded = "per_call_limit_exceeded", false, "The amount is above this facilitator's limit for one call.";
        CapExceeded = "cap_exceeded", false, "Captured, held and this amount together pass the session's cap.";
        CapUnverified = "cap_unverified", true, "The approved amount is not known yet, and until it is the session pays up to a small limit; `remaining` tells what. Repeat later, or pay less.";
        NonceConflict = "nonce_conflict", false, "The nonce was used for a payment with other content.";
        DuplicateSettlement = "duplicate_settlement", false, "This payment's success was told before; `transaction` is its signature, or empty while it is held.";
        SessionSignatureRequired = "session_signature_required", false, "The session has a session key, and the payload carries no signature by it.";
        InvalidSessionSignature = "invalid_session_signature", false, "The payload's signature is not the session key's over this payment.";
        PaymentExpired = "payment_expired", false, "The payload's own authorisation has expired.";
        SettlementPending = "settlement_pending", true, "The transfer is signed or sent, and its outcome is not known yet; repeat the same request.";
        SettlementExpired = "settlement_expired", false, "Nothing was sent before the deadline; nothing is charged. Pay again under a new nonce.";
        SimulationFailed = "simulation_failed", false, "The chain refuses the transfer; nothing was sent and nothing is charged.";
        OnchainTransferFailed = "onchain_transfer_failed", false, "The transfer landed with an error; nothing is charged.";
        InsufficientFunds = "insufficient_funds", false, "The proved balance does not cover this payment and all that is held and captured since.";
        FundingUnproven = "funding_unproven", false, "A funding proof is demanded and none counts; send one to POST /sessions/{id}/funding. With a transaction: it landed after the payer had taken from the balance, may have moved nothing, and stays charged.";
        SourceFrozen = "source_frozen", true, "The payer's token account is frozen; payments go on when it is thawed.";
        RecipientNotReady = "recipient_not_ready", false, "The recipient has no token account for this asset, and none is created for this payment; the message tells the remedy.";
        InvalidRecipient = "invalid_recipient", false, "The recipient is no wallet: what is paid to a token account, a program or a derived address is lost; the message tells whose account it is.";
        TransactionTooLarge = "transaction_too_large", false, "The transfer does not fit a transaction of 1,232 bytes.";
        SessionBusy = "session_busy", true, "Too much is waiting for this session; repeat later.";
        SellerSettleCapExceeded = "seller_settle_cap_exceeded", true, "This merchant's sponsoring limit is reached.";
        GlobalSettleCapExceeded = "global_settle_cap_exceeded", true, "This facilitator's sponsoring limit is reached.";
        PayerSettleCapExceeded = "payer_settle_cap_exceeded", true, "This payer's sponsoring limit is reached; a proof of the balance may raise it.";
        TooManyRequests = "too_many_requests", true, "Too many requests from this address, or too many verifications of this session; repeat after Retry-After.";
        InsufficientSponsorBalance = "insufficient_sponsor_balance", true, "No fee payer can pay for this now.";
        Overloaded = "overloaded", true, "More is asked of this facilitator than it can take right now, or its endpoints of the chain contradict each other; repeat the same request after Retry-After.";
        InternalError = "internal_error", true, "Our fault or an outage; what was accepted stays accepted, repeat with the same nonce.";
    }
}

reasons! {
    /// Why `/sessions` and the routes below it refuse (`error`). Two words take a field's name as their end:
    /// see [`SessionReason::MissingField`] and [`SessionReason::FieldMismatch`].
    SessionReason {
        BadRequest = "bad_request", false, "The body is not a JSON object of the documented members.";
        BodyTooLarge = "body_too_large", false, "The body is larger than this route reads.";
        MissingField = "missing_", false, "A required member is missing; its name follows the word, as in `missing_cap`.";
        NetworkMismatch = "network_mismatch", false, "The network is not the one this facilitator serves.";
        AssetNotAllowed = "asset_not_allowed", false, "This facilitator does not serve that asset.";
        InvalidCap = "invalid_cap", false, "The cap is a plain positive decimal of base units, as a string.";
        InvalidUser = "invalid_user", false, "The user is not a base58 public key of 32 bytes.";
        InvalidRecipient = "invalid_recipient", false, "The recipient is not a base58 public key, is the user or this facilitator, or is no wallet; the message tells whose account it is.";
        ExpirationInPast = "expiration_in_past", false, "The expiration must lie in the future.";
        ExpirationTooFar = "expiration_too_far", false, "The expiration is further away than this facilitator allows.";
        InvalidAuthSignature = "invalid_auth_signature", false, "The intent's signature is not the user's over the bytes received.";
        AuthMessageNotJson = "auth_message_not_json", false, "The intent is not the expected JSON object.";
        AuthMessageMissingNonce = "auth_message_missing_nonce", false, "The intent has no nonce of 16 to 64 printable ASCII characters.";
        FieldMismatch = "auth_message_field_mismatch_", false, "A member of the intent is not the body's; its name follows the word.";
        NonceReused = "nonce_reused", false, "The user has already used this nonce for another session.";
        ApproveNotAllowed = "approve_not_allowed", false, "The approve transaction holds something we do not co-sign; the message names it.";
        ApproveUsed = "approve_used", false, "The approve on chain has opened a session or is opening one, or another one has replaced it; approve anew.";
        ApproveSubmitFailed = "approve_submit_failed", false, "The chain refused the approve transaction; no session was opened.";
        ApprovePending = "approve_pending", true, "The approve was sent and its outcome is not known yet; the session opens by itself.";
        DelegateMismatch = "delegate_mismatch", false, "On chain the delegate is not this facilitator.";
        CapMismatch = "cap_mismatch", false, "The approved amount on chain is not the cap of the intent.";
        CapUnverified = "cap_unverified", true, "The Covalidator has not told the approved amount yet; the session opens when it has.";
        SourceNotReady = "source_not_ready", false, "The user has no usable token account for this asset.";
        RecipientNotReady = "recipient_not_ready", false, "The recipient has no usable token account for this asset, and none is created; the message tells the remedy.";
        SessionBusy = "session_busy", true, "Payments or an opening of the user are still under way; repeat.";
        QuotaExceeded = "quota_exceeded", true, "A limit of this facilitator is reached (sessions, sponsored costs, or open streams); repeat later.";
        RefreshTooSoon = "refresh_too_soon", true, "This wallet's balance was made readable lately at our cost, or asked for too often; repeat later.";
        TooManyRequests = "too_many_requests", true, "Too many requests from this address; repeat after Retry-After.";
        InsufficientSponsorBalance = "insufficient_sponsor_balance", true, "The fee payer cannot pay for this now.";
        TransactionTooLarge = "transaction_too_large", false, "A settlement of this session would not fit 1,232 bytes; send a settleMessage.";
        InvalidFundingProof = "invalid_funding_proof", false, "The funding proof is malformed, or the Covalidator's key did not sign it.";
        StaleFundingProof = "stale_funding_proof", false, "The account no longer holds the handle that was proved; decrypt the current one and prove that.";
        SessionNotOpen = "session_not_open", false, "The session does not accept payments any more, so nothing is to be proved for it.";
        SessionNotFound = "session_not_found", false, "No session has this id.";
        SignatureRequired = "signature_required", false, "Amounts, payments, events and a wallet's list of sessions are told only to a signed request.";
        PaymentNotFound = "payment_not_found", false, "The session has no payment of this id or nonce.";
        InvalidCloseSignature = "invalid_close_signature", false, "The close is not signed by who may close (the session key or the user; for all sessions the wallet), or not lately.";
        Overloaded = "overloaded", true, "More is asked of this facilitator than it can take right now; repeat the same request after Retry-After.";
        InternalError = "internal_error", true, "Our fault or an outage; repeat the same request.";
    }
}

impl PayReason {
    /// The reasons that say something about our purse and nothing about the payment.
    pub const OF_THE_SPONSOR: [Self; 4] = [
        Self::SellerSettleCapExceeded,
        Self::GlobalSettleCapExceeded,
        Self::PayerSettleCapExceeded,
        Self::InsufficientSponsorBalance,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn words_are_unique_and_lead_back() {
        let words: HashSet<_> = PayReason::ALL.iter().map(|r| r.word()).collect();
        assert_eq!(words.len(), PayReason::ALL.len());
        assert!(PayReason::ALL.iter().all(|&r| PayReason::from_word(r.word()) == Some(r)));
        let words: HashSet<_> = SessionReason::ALL.iter().map(|r| r.word()).collect();
        assert_eq!(words.len(), SessionReason::ALL.len());
    }
}
