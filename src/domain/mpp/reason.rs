//! The words of the Machine Payments Protocol that clients match on. Those of its vendor are kept verbatim (`spec/mpp.md`
//! §3, §4); a word is a contract and is never renamed.

use crate::domain::reason::reasons;
use std::fmt;

reasons! {
    /// Why `/mpp/prepare` and `/mpp/settle` refuse (`errorCode`, `error`).
    ChargeReason {
        BadRequest = "bad_request", false, "The body is not what this route reads; the detail names the member.",
            "Send the documented members; docs/openapi.json has them.";
        BodyTooLarge = "body_too_large", false, "The body is larger than this route reads.",
            "Send less.";
        MppDisabled = "mpp_disabled", false, "This facilitator does not serve the Machine Payments Protocol.",
            "Use a facilitator that serves it, or have the operator switch it on.";
        UnsupportedNetwork = "unsupported_network", false, "The network is not the one this facilitator serves; `supported` lists its spellings.",
            "Name one of `supported`, or use the facilitator of the other network.";
        AssetNotAllowed = "policy:asset_not_allowed", false, "The asset is none that is served, or the transfer moves another one.",
            "Ask for, and transfer, the asset that POST /mpp/prepare tells.";
        InvalidAmount = "invalid_amount", false, "An amount is a plain positive decimal of base units, as a string.",
            "Write base units as decimal digits in a string.";
        AmountBelowMin = "policy:amount_below_min", false, "The amount is less than the least that is sponsored.",
            "Ask for more in one charge, or sell by a channel.";
        InvalidTransactionEncoding = "invalid_transaction_encoding", false, "The transaction is not standard base64 of exactly one legacy or version 0 transaction of at most 1,232 bytes.",
            "Send the wire bytes of the signed transaction in standard base64 with padding.";
        LookupTable = "policy:address_lookup_table_not_supported", false, "The transaction names accounts by a lookup table.",
            "Build the transaction without lookup tables.";
        FeePayerMismatch = "fee_payer_mismatch", false, "The transaction's fee payer is none of this facilitator's.",
            "Build the transaction with the `feePayer` of POST /mpp/prepare.";
        InvalidTransaction = "invalid_transaction", false, "The signers are not exactly fee payer and buyer, a signature does not verify or is where ours will be, or an account has more rights than it needs.",
            "Sign the transaction as the published client builds it, with the buyer's wallet alone.";
        ProgramNotAllowed = "policy:program_not_allowed", false, "An instruction is of a program that is not sponsored.",
            "Leave the instruction out: compute budget, token transfer, Lighthouse assertions and memos are all there may be.";
        ComputeUnitsTooHigh = "policy:compute_units_too_high", false, "The transaction asks for more compute than is sponsored.",
            "Ask for at most 200,000 compute units.";
        PriorityFeeTooHigh = "policy:priority_fee_too_high", false, "The transaction pays more for compute than is sponsored.",
            "Pay at most 50,000 micro-lamports for a compute unit.";
        ComputeBudgetNotAllowed = "policy:compute_budget_instruction_not_allowed", false, "A compute-budget instruction is neither the one limit nor the one price.",
            "Set the compute limit once and the price once, and nothing else.";
        MalformedTransfer = "policy:malformed_transfer_checked", false, "The transfer has another form than `TransferChecked` of four accounts, or another token program or other decimals than the mint's.",
            "Transfer with the mint's own program and decimals.";
        UnsupportedTokenInstruction = "policy:unsupported_token_instruction", false, "A token instruction is no `TransferChecked`.",
            "Move the tokens by `TransferChecked`, and do nothing else with them.";
        MalformedInstruction = "policy:malformed_instruction", false, "A memo is too long or begins with `sotto-`, or a Lighthouse instruction is one too many or does more than assert.",
            "Shorten the memo, or leave the instruction out.";
        FeePayerNotIsolated = "policy:fee_payer_not_isolated", false, "An instruction names one of this facilitator's keys.",
            "Name the fee payer nowhere but as the fee payer.";
        NoTransferInstruction = "no_transfer_instruction", false, "The transaction transfers nothing.",
            "Add the transfer that the challenge asks for.";
        MultipleTransfers = "policy:multiple_transfers", false, "The transaction has more than one transfer.",
            "Pay each charge by a transaction of its own.";
        RecipientMismatch = "recipient_mismatch", false, "The transfer does not go to the recipient's associated token account.",
            "Transfer to the associated token account of `recipient` for this asset.";
        AmountMismatch = "amount_mismatch", false, "The transfer moves another amount than the charge.",
            "Transfer exactly the amount of the challenge.";
        SimulationFailed = "simulation_failed", false, "The chain refuses the transfer; the detail says why. Nothing was sent.",
            "The recipient needs a token account for this asset, and the buyer the money; then sign anew.";
        BlockhashExpired = "blockhash_expired", false, "The transaction is too old to land; nothing moves.",
            "Ask for a new challenge and sign anew.";
        DuplicateSettlement = "duplicate_settlement", false, "The success of this transaction was told before.",
            "Nothing is to be done: it is paid. A seller who lost the answer repeats with the first request's `idempotencyKey`.";
        SettlementPending = "settlement_pending", true, "The transaction was sent and its outcome is not known yet.",
            "Repeat the same request: it is charged once.";
        SettlementFailed = "settlement_failed", false, "The transaction landed with an error; nothing moved.",
            "Look at the transaction; then ask for a new challenge.";
        InsufficientSponsorBalance = "insufficient_sponsor_balance", true, "No fee payer can pay for this now.",
            "The operator sends SOL to the fee payer; then repeat.";
        GlobalVerifyCap = "global_verify_cap_exceeded", true, "This facilitator prepares no more today.",
            "Repeat after Retry-After; the operator may raise the cap.";
        SellerVerifyCap = "seller_verify_cap_exceeded", true, "No more is verified for this seller today.",
            "Repeat after Retry-After; the operator may raise the cap.";
        PayerVerifyCap = "payer_verify_cap_exceeded", true, "No more is verified for this payer today.",
            "Repeat after Retry-After; the operator may raise the cap.";
        GlobalSettleCap = "global_settle_cap_exceeded", true, "This facilitator settles no more today.",
            "Repeat after Retry-After; the operator may raise the cap.";
        SellerSettleCap = "seller_settle_cap_exceeded", true, "No more is settled for this seller today.",
            "Repeat after Retry-After; the operator may raise the cap.";
        PayerSettleCap = "payer_settle_cap_exceeded", true, "No more is settled for this payer today, or too many of their transactions failed.",
            "Repeat after Retry-After; the operator may raise the cap.";
        GlobalFeeCap = "global_fee_sponsored_cap_exceeded", true, "This facilitator's budget for fees is used up.",
            "Repeat after Retry-After; the operator may raise the budget.";
        SellerFeeCap = "seller_fee_sponsored_cap_exceeded", true, "The budget for this seller's fees is used up.",
            "Repeat after Retry-After; the operator may raise the budget.";
        PayerFeeCap = "payer_fee_sponsored_cap_exceeded", true, "The budget for this payer's fees is used up.",
            "Repeat after Retry-After; the operator may raise the budget.";
        GlobalConcurrencyCap = "global_concurrency_cap_exceeded", true, "Too many transactions are in flight.",
            "Repeat after Retry-After.";
        SellerConcurrencyCap = "seller_concurrency_cap_exceeded", true, "Too many transactions to this seller are in flight.",
            "Repeat after Retry-After.";
        PayerConcurrencyCap = "payer_concurrency_cap_exceeded", true, "Too many transactions of this payer are in flight.",
            "Repeat after Retry-After.";
        Unavailable = "unavailable", true, "An endpoint of the chain does not answer as it must; nothing was sent for this request.",
            "Repeat after Retry-After.";
        InternalError = "internal_error", true, "Our fault; what was sent stays sent, and is charged once.",
            "Repeat the same request; if it stays, tell the operator the x-request-id.";
    }
}

reasons! {
    /// Why a `SIGN-IN-WITH-X` is refused (`error`), in the order in which it is checked.
    SiwxReason {
        Required = "siwx_required", false, "The header `SIGN-IN-WITH-X` is missing.",
            "Sign in with the wallet and send the header.";
        Malformed = "siwx_malformed", false, "The header is not base64 of the documented JSON, a member of it is no single line of printable ASCII, the nonce has not 8 to 128 characters, or its resources are for another act.",
            "Sign in as the published client does.";
        DomainMismatch = "siwx_domain_mismatch", false, "The sign-in is for another host.",
            "Sign for the host of this facilitator's URL, without its port.";
        ChainMismatch = "siwx_chain_mismatch", false, "The sign-in is for another network.",
            "Sign for the network that this facilitator serves.";
        Expired = "siwx_expired", false, "The sign-in is too old, lies in the future, or is good for more than ten minutes.",
            "Sign in anew; if it happens at once, set the clock.";
        InvalidSignature = "siwx_invalid_signature", false, "The signature is not the wallet's over the sign-in's text.",
            "Sign the text of CAIP-122 with the wallet that `address` names.";
        NonceExhausted = "siwx_nonce_exhausted", false, "The nonce was used eight times, or by another wallet.",
            "Sign in anew with a new nonce.";
        WalletMismatch = "siwx_wallet_mismatch", false, "The sign-in is of another wallet than the request names.",
            "Sign in with the wallet of the request.";
    }
}

reasons! {
    /// Why the routes below `/api/sessions` refuse (`error`), beside [`SiwxReason`].
    OnboardReason {
        InvalidRequest = "invalid_request", false, "A member is missing, has another type than documented, or lies outside its range; the detail names it.",
            "Send the documented members; docs/openapi.json has them and their ranges.";
        InvalidWallet = "invalid_wallet", false, "The wallet, or the seller, is no address.",
            "Send the base58 address of the wallet that signs.";
        TxExpired = "tx_expired", false, "The transaction was issued too long ago; nothing was sent.",
            "Call onboard (or leave) again and sign what it answers.";
        NotIssued = "transaction_not_issued", false, "The transaction is not byte for byte one that was issued to this wallet last, or not the number that was issued.",
            "Call onboard (or leave) again, sign what it answers unchanged, and send that alone.";
        InvalidSignature = "invalid_signature", false, "The transaction is not signed by the wallet.",
            "Sign the issued message with the wallet of the request.";
        SimulationFailed = "simulation_failed", false, "The chain would refuse the transaction; the detail says why. Nothing was sent.",
            "See that the wallet still has what it had, then call onboard (or leave) again.";
        SettlementFailed = "settlement_failed", false, "The transaction landed with an error, or never; nothing changed.",
            "Look at the transaction, then call onboard (or leave) again.";
        Pending = "onboard_pending", true, "The transaction was sent and its outcome is not known yet.",
            "Repeat the same request, or call onboard: it knows.";
        ChannelsOpen = "channels_open", false, "Channels of this wallet hold something, or count on what the transaction would take away.",
            "Close the channels of the wallet first, and repeat.";
        RoleNotFound = "swig_role_not_found", false, "The wallet has no delegation here that could be taken back.",
            "Nothing is to be done: this facilitator can move nothing of the wallet.";
        WalletCap = "payer_settle_cap_exceeded", true, "This wallet, or this address, has had its onboardings or leaves of the day.",
            "Repeat after Retry-After; the operator may raise the limit.";
        GlobalCap = "global_settle_cap_exceeded", true, "As many wallets as may be were onboarded in this hour.",
            "Repeat after Retry-After; the operator may raise the limit.";
        RentCap = "global_fee_sponsored_cap_exceeded", true, "The rent that is lent in a day, or the budget for fees, is used up.",
            "Repeat after Retry-After; the operator may raise the limit.";
        InsufficientSponsorBalance = "insufficient_sponsor_balance", true, "No fee payer can pay for this now.",
            "The operator sends SOL to the fee payer; then repeat.";
        Unavailable = "unavailable", true, "An endpoint of the chain does not answer as it must; nothing was sent for this request.",
            "Repeat after Retry-After.";
        InternalError = "internal_error", true, "Our fault; what was sent stays sent, and is carried to its end.",
            "Call onboard: it reads what stands; if it stays, tell the operator the x-request-id.";
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn words_are_unique_and_lead_back() {
        let words: HashSet<_> = ChargeReason::ALL.iter().map(|reason| reason.word()).collect();
        assert_eq!(words.len(), ChargeReason::ALL.len());
        assert!(ChargeReason::ALL.iter().all(|&reason| ChargeReason::from_word(reason.word()) == Some(reason)));
        let words: HashSet<_> = SiwxReason::ALL.iter().map(|reason| reason.word()).collect();
        assert_eq!(words.len(), SiwxReason::ALL.len());
        let words: HashSet<_> = OnboardReason::ALL.iter().map(|reason| reason.word()).collect();
        assert_eq!(words.len(), OnboardReason::ALL.len());
    }

    #[test]
    fn every_cap_has_its_word_for_each_of_the_three() {
        for whose in ["global", "seller", "payer"] {
            for what in ["verify", "settle", "fee_sponsored", "concurrency"] {
                let word = format!("{whose}_{what}_cap_exceeded");
                assert!(ChargeReason::from_word(&word).is_some_and(ChargeReason::retry), "{word}");
            }
        }
    }
}
