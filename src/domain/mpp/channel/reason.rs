//! The words of channels that clients match on. Those of the vendor are kept verbatim (`spec/mpp.md` §7).

use crate::domain::reason::reasons;
use std::fmt;

reasons! {
    /// Why `/mpp/session/*` refuses (`error`).
    ChannelReason {
        BadRequest = "bad_request", false, "The body is no JSON object, or has a member twice.",
            "Send the documented members; docs/openapi.json has them.";
        BodyTooLarge = "body_too_large", false, "The body is larger than this route reads.",
            "Send less.";
        MppDisabled = "mpp_disabled", false, "This facilitator does not serve the Machine Payments Protocol.",
            "Use a facilitator that serves it, or have the operator switch it on.";
        UnsupportedNetwork = "unsupported_network", false, "The network is not the one this facilitator serves; `supported` lists its spellings.",
            "Name one of `supported`, or use the facilitator of the other network.";
        InvalidRequest = "invalid_request", false, "A member is missing or is not what it must be; the detail names it.",
            "Send the documented members: amounts as plain decimal digits of base units in a string, addresses in base58.";
        InsufficientDeposit = "insufficient_deposit", false, "The deposit is below the least that a channel may have.",
            "Open with a larger deposit; GET /mpp/keys tells the least.";
        SellerNotRegistered = "seller_not_registered", false, "This facilitator pays no such seller.",
            "The operator lists sellers in `mpp.sellers`.";
        RoleNotFound = "swig_role_not_found", false, "There is no live delegation of this buyer's from which a channel to this seller can be settled, or it ends too soon.",
            "Onboard the wallet again.";
        OpenNotAuthorized = "open_not_authorized", false, "Nothing shows that the wallet wants this channel.",
            "Call onboard() again from the same place within 15 minutes before, or bring a proof of the wallet's for this seller and deposit.";
        SellerTokenAccountMissing = "seller_token_account_missing", false, "The seller has no account that can receive the token.",
            "The seller makes an associated token account for the token.";
        InsufficientBalance = "insufficient_balance", false, "The buyer's account has less than what is reserved or owed with this.",
            "The buyer puts money into the session account, or closes a channel.";
        SessionOpenFailed = "session_open_failed", true, "The channel's anchor has not landed in time; the deposit is free.",
            "Open anew.";
        SessionNotFound = "session_not_found", false, "There is no such channel.",
            "Name the channel by what the opening answered.";
        SessionNotOpen = "session_not_open", false, "The channel gives no vouchers; the detail says where it stands and why.",
            "Open a new channel.";
        AmountNotMonotonic = "amount_not_monotonic", false, "The amount is not above what the channel's last voucher says.",
            "Ask for what is owed in all, and for more than before.";
        DepositExceeded = "deposit_exceeded", false, "The amount is above the channel's deposit.",
            "Close the channel, and open one with a larger deposit.";
        VoucherConflict = "voucher_conflict", false, "The channel has a voucher of this amount with another nonce, meter or units.",
            "Repeat the request as it was, or ask for more.";
        ClosePending = "close_pending", true, "The channel is closing, and its settlement is not confirmed yet.",
            "Repeat the same request.";
        InsufficientSponsorBalance = "insufficient_sponsor_balance", true, "No fee payer can pay for this now.",
            "The operator sends SOL to the fee payer; then repeat.";
        GlobalSettleCap = "global_settle_cap_exceeded", true, "There are as many channels as there may be, or nothing more is settled today.",
            "Repeat after Retry-After; the operator may raise the cap.";
        SellerSettleCap = "seller_settle_cap_exceeded", true, "There are as many channels to this seller as there may be, or nothing more is settled for them today.",
            "Repeat after Retry-After; the operator may raise the cap.";
        PayerSettleCap = "payer_settle_cap_exceeded", true, "This buyer has as many channels as there may be, or nothing more is settled for them today.",
            "Close a channel, or repeat after Retry-After; the operator may raise the cap.";
        GlobalVerifyCap = "global_verify_cap_exceeded", true, "As many vouchers and preparations were given today as there may be in all.",
            "Repeat after Retry-After; the operator may raise the cap.";
        SellerVerifyCap = "seller_verify_cap_exceeded", true, "As many vouchers to this seller were given today as there may be.",
            "Repeat after Retry-After; the operator may raise the cap.";
        PayerVerifyCap = "payer_verify_cap_exceeded", true, "This buyer, or this channel, has drawn as many vouchers as there may be for now.",
            "Repeat after Retry-After; the operator may raise the cap.";
        GlobalFeeCap = "global_fee_sponsored_cap_exceeded", true, "This facilitator's budget for fees is used up.",
            "Repeat after Retry-After; the operator may raise the budget.";
        SellerFeeCap = "seller_fee_sponsored_cap_exceeded", true, "The budget for this seller's fees is used up.",
            "Repeat after Retry-After; the operator may raise the budget.";
        PayerFeeCap = "payer_fee_sponsored_cap_exceeded", true, "The budget for this buyer's fees is used up.",
            "Repeat after Retry-After; the operator may raise the budget.";
        GlobalConcurrencyCap = "global_concurrency_cap_exceeded", true, "Too many transactions are in flight.",
            "Repeat after Retry-After.";
        SellerConcurrencyCap = "seller_concurrency_cap_exceeded", true, "Too many transactions to this seller are in flight.",
            "Repeat after Retry-After.";
        PayerConcurrencyCap = "payer_concurrency_cap_exceeded", true, "Too many transactions of this buyer are in flight.",
            "Repeat after Retry-After.";
        Unavailable = "unavailable", true, "An endpoint of the chain does not answer as it must, or something has to land first: what is owed, or a renewal; nothing was signed.",
            "Repeat after Retry-After.";
        InternalError = "internal_error", true, "Our fault; what was signed stays signed, and is paid once.",
            "Repeat the same request; if it stays, tell the operator the x-request-id.";
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn words_are_unique_and_lead_back() {
        let words: HashSet<_> = ChannelReason::ALL.iter().map(|reason| reason.word()).collect();
        assert_eq!(words.len(), ChannelReason::ALL.len());
        assert!(ChannelReason::ALL.iter().all(|&reason| ChannelReason::from_word(reason.word()) == Some(reason)));
    }
}
