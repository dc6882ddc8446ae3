//! The closed lists of words that clients may match on: why a payment and why a session is refused.
//!
//! Words of the deployed service are kept verbatim (`spec/session.md` §2-3). A word is a contract: none is ever
//! renamed, and `docs/ERRORS.md` and `docs/errors.json` are generated from here.

use std::fmt;

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal, $retry:literal, $meaning:literal, $remedy:literal;)* }) => {
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

            /// What whoever is told of it can do, in a sentence or two.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy,)* }
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

pub(crate) use reasons;

reasons! {
    /// Why `/verify`, `/settle` and the routes below `/pay` refuse a payment (`invalidReason`, `errorReason`).
    PayReason {
        BadRequest = "bad_request", false, "The body is not what this route reads; the message names the member.",
            "Send the documented members; docs/openapi.json has them.";
        SchemeMismatch = "scheme_mismatch", false, "The scheme is not `session` in both the payload and the requirements.",
            "Pay with a client of the scheme `session`, or ask for it in the requirements.";
        NetworkMismatch = "network_mismatch", false, "The network is not the one this facilitator serves.",
            "Name a network of GET /supported on both sides, or use the facilitator of the other network.";
        MissingSessionId = "missing_session_id", false, "The payload names no session.",
            "Open a session and put its id into `payload.sessionId`.";
        SessionNotFound = "session_not_found", false, "No session has this id; open one with POST /sessions.",
            "Check the id, or open a session at this facilitator.";
        SessionNotOpen = "session_not_open", false, "The session no longer (or not yet) accepts payments; the message tells its state.",
            "Wait while it is `opening`; otherwise open a new session.";
        SessionRevoked = "session_revoked", false, "The payer took the delegation back on chain.",
            "Open a new session with a new approve.";
        DelegationReplaced = "delegation_replaced", false, "A newer approve of the payer stands in the place of the one that this payment was promised on, and does not cover it; it is booked as lost.",
            "The merchant asks the payer to pay again from a session on their newer approve.";
        SessionExpired = "session_expired", false, "The session's expiration has passed; open a new one.",
            "Open a new session.";
        SessionNetworkMismatch = "session_network_mismatch", false, "The session belongs to another network.",
            "Pay from a session of the network that the merchant asks for.";
        AssetMismatch = "asset_mismatch", false, "The requirements ask for another asset than the session's.",
            "Pay from a session of the asset that the merchant asks for.";
        RecipientMismatch = "recipient_mismatch", false, "`payTo` is not the session's recipient.",
            "Pay from the session that was opened for this merchant; the merchant asks for payment to the wallet that sessions name.";
        AcceptedMismatch = "accepted_mismatch", false, "What the payer accepted differs from what the merchant requires.",
            "Ask the merchant for the price again, and send its offer back as it is.";
        AmountMismatch = "amount_mismatch", false, "The payload's amount is not the required amount.",
            "Pay exactly the amount that was asked for.";
        InvalidAmount = "invalid_amount", false, "An amount is a plain positive decimal of base units, as a string, and not below this facilitator's minimum for one call.",
            "Write base units as decimal digits in a string; GET /supported tells the least for one call.";
        PerCallLimitExceeded = "per_call_limit_exceeded", false, "The amount is above this facilitator's limit for one call.",
            "Ask for less in one call; GET /supported tells the most.";
        CapExceeded = "cap_exceeded", false, "Captured, held and this amount together pass the session's cap.",
            "Open a session with a higher cap; `remaining` tells what this one can still pay.";
        CapUnverified = "cap_unverified", true, "The approved amount is not known yet, and until it is the session pays up to a small limit; `remaining` tells what. Repeat later, or pay less.",
            "Repeat after Retry-After, or pay no more than `remaining`.";
        NonceConflict = "nonce_conflict", false, "The nonce was used for a payment with other content.",
            "Use a new nonce for each payment.";
        DuplicateSettlement = "duplicate_settlement", false, "This payment's success was told before; `transaction` is its signature, or empty while it is held.",
            "Nothing is to be done: it is paid. A merchant that lost the first answer asks GET /sessions/{id}/payments/{nonce}; of a single payment it repeats the transaction with the payer's `authorization`.";
        SessionSignatureRequired = "session_signature_required", false, "The session has a session key, and the payload carries no signature by it.",
            "Sign the payment with the session key, as the published client does when it has one.";
        InvalidSessionSignature = "invalid_session_signature", false, "The payload's signature is not the session key's over this payment.",
            "Sign what is sent, with the key of this session; compare the clock and the resource.";
        PaymentExpired = "payment_expired", false, "The payload's own authorisation has expired.",
            "Make a new payment; if it happens at once, set the payer's clock.";
        SettlementPending = "settlement_pending", true, "The transfer is signed or sent, and its outcome is not known yet; repeat the same request.",
            "Repeat the same request with the same nonce: it is charged once.";
        SettlementExpired = "settlement_expired", false, "Nothing was sent before the deadline; nothing is charged. Pay again under a new nonce.",
            "Make a new payment with a new nonce.";
        SimulationFailed = "simulation_failed", false, "The chain refuses the transfer; nothing was sent and nothing is charged.",
            "Look at the payer's and the merchant's token accounts: frozen, closed, or the delegation replaced; then make a new payment.";
        OnchainTransferFailed = "onchain_transfer_failed", false, "The transfer landed with an error; nothing is charged.",
            "Look at the transaction; then make a new payment.";
        InsufficientFunds = "insufficient_funds", false, "The proved balance does not cover this payment and all that is held and captured since.",
            "The payer tops the account up and proves the balance again (POST /sessions/{id}/funding).";
        FundingUnproven = "funding_unproven", false, "A funding proof is demanded and none counts; send one to POST /sessions/{id}/funding. With a transaction: it landed after the payer had taken from the balance, may have moved nothing, and stays charged.",
            "The payer proves the balance (POST /sessions/{id}/funding, `sotto session prove`) and repeats the same payment.";
        SourceFrozen = "source_frozen", true, "The payer's token account is frozen; payments go on when it is thawed.",
            "Whoever froze the account thaws it; then repeat.";
        RecipientNotReady = "recipient_not_ready", false, "The recipient has no token account for this asset, and none is created for this payment; the message tells the remedy.",
            "The merchant makes a token account for this asset, or the payer proves a balance.";
        InvalidRecipient = "invalid_recipient", false, "The recipient is no wallet: what is paid to a token account, a program or a derived address is lost; the message tells whose account it is.",
            "The merchant names the wallet that the message tells.";
        TransactionTooLarge = "transaction_too_large", false, "The transfer does not fit a transaction of 1,232 bytes.",
            "Open a session with a `settleMessage`, which makes settlements shorter.";
        SessionBusy = "session_busy", true, "Too much is waiting for this session; repeat later.",
            "Repeat after Retry-After with the same nonce.";
        SellerSettleCapExceeded = "seller_settle_cap_exceeded", true, "This merchant's sponsoring limit is reached.",
            "Repeat after Retry-After; the operator may raise the merchant's budget.";
        GlobalSettleCapExceeded = "global_settle_cap_exceeded", true, "This facilitator's sponsoring limit is reached.",
            "Repeat after Retry-After; the operator may raise the budget.";
        PayerSettleCapExceeded = "payer_settle_cap_exceeded", true, "This payer's sponsoring limit is reached; a proof of the balance may raise it.",
            "Prove the balance, or repeat after Retry-After.";
        TooManyRequests = "too_many_requests", true, "Too many requests from this address, of this payer, or too many verifications of this session; repeat after Retry-After.",
            "Repeat after Retry-After; behind a proxy the operator names it in `server.trusted_proxies`.";
        InsufficientSponsorBalance = "insufficient_sponsor_balance", true, "No fee payer can pay for this now.",
            "The operator sends SOL to the fee payer; then repeat.";
        Overloaded = "overloaded", true, "More is asked of this facilitator than it can take right now, or its endpoints of the chain contradict each other; repeat the same request after Retry-After.",
            "Repeat the same request after Retry-After.";
        PayNotServed = "pay_not_served", false, "Single payments are not served here: they are switched off, or the token program does not do what they rely on.",
            "Pay from a session, or use a facilitator that serves them.";
        InvalidDecimals = "invalid_decimals", false, "The decimals are not those of the asset.",
            "Leave them out, or name those of GET /supported.";
        MissingCiphertext = "missing_ciphertext", false, "The payload carries no encrypted amount; without it nothing can be said of the payment.",
            "Send the `ciphertext` that POST /pay/getAmount gave.";
        CiphertextNotOurs = "ciphertext_not_ours", false, "The encrypted amount is not one that this facilitator made for this amount: it may hold another.",
            "Ask POST /pay/getAmount for one of this amount.";
        CiphertextUsed = "ciphertext_used", false, "The encrypted amount was used for another payment.",
            "Ask POST /pay/getAmount for a new one, and sign a new message.";
        InvalidSignature = "invalid_signature", false, "The signature is not the payer's over the message as it was sent.",
            "Sign exactly the bytes of `message` with the payer's wallet, and send all 64 bytes.";
        InvalidMessage = "invalid_message", false, "The signed message is not the expected JSON object of at most 512 bytes; the answer names the member.",
            "Sign ciphertext, amount, decimals, recipient, network and nonce, and nothing else.";
        MessageMismatch = "message_mismatch", false, "A member of the signed message is not what the request says; the answer names it.",
            "Send what was signed, or sign what is sent.";
        SourceNotReady = "source_not_ready", false, "The payer has no usable token account for this asset.",
            "The payer makes a token account for this asset and puts tokens into it.";
        TransactionNotIssued = "transaction_not_issued", false, "The transaction is none that this facilitator issued to this payer, its time is over, or it was used.",
            "Begin again with `authorization`, and sign what comes back.";
        TransactionNotAllowed = "transaction_not_allowed", false, "The transaction is not what was issued, with nothing but what wallets add; the answer names the difference.",
            "Sign the transaction as it was issued.";
        InternalError = "internal_error", true, "Our fault or an outage; what was accepted stays accepted, repeat with the same nonce.",
            "Repeat with the same nonce after Retry-After; if it stays, tell the operator the x-request-id.";
    }
}

reasons! {
    /// Why `/sessions` and the routes below it refuse (`error`). Two words take a field's name as their end:
    /// see [`SessionReason::MissingField`] and [`SessionReason::FieldMismatch`].
    SessionReason {
        BadRequest = "bad_request", false, "The body is not a JSON object of the documented members.",
            "Send the documented members; docs/openapi.json has them.";
        BodyTooLarge = "body_too_large", false, "The body is larger than this route reads.",
            "Send less; GET /sessions needs no body at all.";
        MissingField = "missing_", false, "A required member is missing; its name follows the word, as in `missing_cap`.",
            "Send the member whose name ends the word.";
        NetworkMismatch = "network_mismatch", false, "The network is not the one this facilitator serves.",
            "Name a network of GET /supported, or use the facilitator of the other network.";
        AssetNotAllowed = "asset_not_allowed", false, "This facilitator does not serve that asset.",
            "Use the asset of GET /supported, or the facilitator of the other asset.";
        InvalidCap = "invalid_cap", false, "The cap is a plain positive decimal of base units, as a string.",
            "Write base units as decimal digits in a string, above zero.";
        InvalidUser = "invalid_user", false, "The user is not a base58 public key of 32 bytes.",
            "Name the wallet's public key in base58.";
        InvalidRecipient = "invalid_recipient", false, "The recipient is not a base58 public key, is the user or this facilitator, or is no wallet; the message tells whose account it is.",
            "Name the merchant's wallet, not its token account.";
        ExpirationInPast = "expiration_in_past", false, "The expiration must lie in the future.",
            "Name a later time in Unix seconds; if it is late enough, set the payer's clock.";
        ExpirationTooFar = "expiration_too_far", false, "The expiration is further away than this facilitator allows.",
            "Name an earlier time; GET /supported tells the longest life.";
        InvalidAuthSignature = "invalid_auth_signature", false, "The intent's signature is not the user's over the bytes received.",
            "Sign exactly the bytes that are sent as `authMessage`, with the user's wallet.";
        AuthMessageNotJson = "auth_message_not_json", false, "The intent is not the expected JSON object.",
            "Sign the intent as the published client writes it.";
        AuthMessageMissingNonce = "auth_message_missing_nonce", false, "The intent has no nonce of 16 to 64 printable ASCII characters.",
            "Put a nonce of 16 to 64 printable ASCII characters into the intent.";
        FieldMismatch = "auth_message_field_mismatch_", false, "A member of the intent is not the body's; its name follows the word.",
            "Send the member whose name ends the word as it is in the signed intent.";
        NonceReused = "nonce_reused", false, "The user has already used this nonce for another session.",
            "Sign a new intent with a new nonce.";
        ApproveNotAllowed = "approve_not_allowed", false, "The approve transaction holds something we do not co-sign; the message names it.",
            "Build the approve as GET /supported says, with nothing beside it but what wallets add.";
        ApproveUsed = "approve_used", false, "The approve on chain has opened a session or is opening one, or may have been used before approvals were kept; approve anew.",
            "Approve anew; an approve that is to back several sessions is named with `approved` in each intent.";
        ApproveStale = "approve_stale", false, "The named approve no longer stands: another approve, a revoke or a new beginning of the account has followed it.",
            "Name the newest approve of the account, or approve anew.";
        ApprovedMismatch = "approved_mismatch", false, "The total that the intent names is not what was approved on chain.",
            "Name in `approved` exactly what the approve delegates.";
        ApprovalExhausted = "approval_exhausted", false, "The cap does not fit into what the standing approval has left.",
            "Open with a smaller cap, close sessions that are not needed, or approve anew.";
        AuthSignatureRequired = "auth_signature_required", false, "The short message alone opens nothing here: it goes together with an approve transaction and a session key.",
            "Sign the intent itself too, and send it as `authSignature`.";
        ApproveSubmitFailed = "approve_submit_failed", false, "The chain refused the approve transaction; no session was opened.",
            "Look at what the message says of the wallet's account and balance; then approve anew.";
        ApprovePending = "approve_pending", true, "The approve was sent and its outcome is not known yet; the session opens by itself.",
            "Repeat the same request after Retry-After: it opens the same session.";
        DelegateMismatch = "delegate_mismatch", false, "On chain the delegate is not this facilitator.",
            "Approve for the spender of GET /supported, and open before another service's approve replaces it. To a revoke: there is nothing to take back.";
        CapMismatch = "cap_mismatch", false, "The approved amount on chain is not the cap of the intent.",
            "Approve the amount that the intent names as cap.";
        CapUnverified = "cap_unverified", true, "The Covalidator has not told the approved amount yet; the session opens when it has.",
            "Repeat the same request after Retry-After.";
        SourceNotReady = "source_not_ready", false, "The user has no usable token account for this asset.",
            "Make a token account for this asset, thaw it, or let the approve make it where the facilitator pays for that.";
        RecipientNotReady = "recipient_not_ready", false, "The recipient has no usable token account for this asset, and none is created; the message tells the remedy.",
            "The merchant makes a token account, the operator lists the merchant, or the opening brings a funding proof.";
        SessionBusy = "session_busy", true, "Payments, an opening or a revoke of the user are still under way, or the history of their account is not read to its end yet; repeat. To a revoke, with 409: a session is live or holds something; with 503: a payment is not final yet.",
            "Repeat the same request after Retry-After; before a revoke, close all sessions.";
        QuotaExceeded = "quota_exceeded", true, "A limit of this facilitator is reached (sessions, sponsored costs, or open streams); repeat later.",
            "Repeat after Retry-After, or end sessions that are not needed.";
        RefreshTooSoon = "refresh_too_soon", true, "This wallet's balance was made readable lately at our cost, or asked for too often; repeat later.",
            "Repeat after Retry-After; the balance as it was last readable is still readable.";
        TooManyRequests = "too_many_requests", true, "Too many requests from this address; repeat after Retry-After.",
            "Repeat after Retry-After; behind a proxy the operator names it in `server.trusted_proxies`.";
        InsufficientSponsorBalance = "insufficient_sponsor_balance", true, "The fee payer cannot pay for this now.",
            "The operator sends SOL to the fee payer; then repeat.";
        TransactionTooLarge = "transaction_too_large", false, "A settlement of this session would not fit 1,232 bytes; send a settleMessage.",
            "Send a `settleMessage` with the opening.";
        InvalidFundingProof = "invalid_funding_proof", false, "The funding proof is malformed, or the Covalidator's key did not sign it.",
            "Send the Covalidator's attestation as it was given, for this facilitator's Covalidator.";
        StaleFundingProof = "stale_funding_proof", false, "The account no longer holds the handle that was proved; decrypt the current one and prove that.",
            "Decrypt the current balance and prove that.";
        SessionNotOpen = "session_not_open", false, "The session does not accept payments any more, so nothing is to be proved for it.",
            "Open a new session.";
        SessionNotFound = "session_not_found", false, "No session has this id.",
            "Check the id, and that the session is of this facilitator.";
        SignatureRequired = "signature_required", false, "Amounts, payments, events and a wallet's list of sessions are told only to a signed request.",
            "Sign the request with the session key or the wallet, in `session-read-at` and `session-read-signature`.";
        PaymentNotFound = "payment_not_found", false, "The session has no payment of this id or nonce.",
            "Nothing of it is charged. A payment that was sent can still arrive until it expires.";
        InvalidCloseSignature = "invalid_close_signature", false, "The close, or the request for a revoke, is not signed by who may (the session key or the user; for all sessions the wallet), or not lately.",
            "Sign with the session key or the wallet (for all sessions the wallet), and set the clock.";
        RevokeNotAllowed = "revoke_not_allowed", false, "The transaction is not one revoke of the signing wallet's own token account, with nothing but what wallets add, or its blockhash is dead, about to be, or none that was told here; the message names what differs.",
            "Ask POST /sessions/revoke-offer for a transaction, sign it as it is, and send it within 45 seconds.";
        RevokePending = "revoke_pending", true, "The revoke was sent and its outcome is not known yet.",
            "Repeat the same request after Retry-After: it is one transaction.";
        RevokeSubmitFailed = "revoke_submit_failed", false, "The revoke came to nothing: the chain refused it, or it did not land in time.",
            "Ask for a new transaction; a wallet with SOL revokes at any time without us.";
        Overloaded = "overloaded", true, "More is asked of this facilitator than it can take right now; repeat the same request after Retry-After.",
            "Repeat the same request after Retry-After.";
        InternalError = "internal_error", true, "Our fault or an outage; repeat the same request.",
            "Repeat the same request after Retry-After; if it stays, tell the operator the x-request-id.";
    }
}

impl PayReason {
    /// The reasons that say something about our own balance and budgets, and nothing about the payment.
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
