//! `GET /supported`.

use crate::{
    api::App,
    facilitator::Supported,
    wire::{
        DEFERRED, PAYMENT_IDENTIFIER, PER_CALL, SESSION_SCHEME,
        facilitator::{SupportedAnswer, SupportedKind},
        session::{ProgramAddresses, PublishedLimits, SessionTerms},
        signed_receipt::{OFFER_RECEIPT, PublishedReceiptKey},
        x402_v1, x402_v2,
    },
};
use axum::{Json, extract::State};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Tells what is served and on which terms; every caller gets one answer, built once.
pub(super) async fn supported(State(app): State<App>) -> Json<SupportedAnswer> {
    Json(app.supported.clone())
}

/// Version 2 first, in each spelling, then version 1 (`spec/session.md` §1): published clients take the first kind
/// they understand, and look networks up by their exact text.
pub(super) fn answer(served: &Supported) -> SupportedAnswer {
    let extra = serde_json::to_value(terms(served)).ok();
    let asset = served.asset.to_string();
    let kind = |version: u64, network: &str| SupportedKind {
        x402_version: version,
        scheme: SESSION_SCHEME.to_owned(),
        network: network.to_owned(),
        asset: Some(asset.clone()),
        extra: extra.clone(),
    };
    let second = served.network.spellings().map(|network| kind(x402_v2::VERSION, network));
    let first = served.network.spellings().chain(served.network.v1()).map(|network| kind(x402_v1::VERSION, network));
    let keys = served.signers.iter().map(ToString::to_string).collect();
    SupportedAnswer {
        kinds: second.chain(first).collect(),
        extensions: extensions(served),
        signers: BTreeMap::from([("solana:*".to_owned(), keys)]),
    }
}

/// What is read or added; receipts only where a key signs them now.
fn extensions(served: &Supported) -> Vec<String> {
    let signs = served.receipt_keys.iter().any(|key| key.until.is_none());
    let receipts = signs.then_some(OFFER_RECEIPT);
    [PAYMENT_IDENTIFIER].into_iter().chain(receipts).map(str::to_owned).collect()
}

fn terms(served: &Supported) -> SessionTerms {
    SessionTerms {
        facilitator_address: served.spender.to_string(),
        spender: Some(served.spender.to_string()),
        fee_payer: Some(served.fee_payer.to_string()),
        sessions_endpoint: Some("/sessions".to_owned()),
        asset: Some(served.asset.to_string()),
        decimals: Some(served.decimals),
        programs: Some(ProgramAddresses {
            token: served.token_program.to_string(),
            lightning: served.lightning_program.to_string(),
        }),
        encryption_key: Some(served.encryption_key.clone()),
        limits: Some(PublishedLimits {
            max_per_call: served.payments.max_per_call.to_string(),
            min_per_call: Some(served.payments.smallest().to_string()),
            max_unverified: Some(served.payments.unverified_exposure.to_string()),
            max_session_seconds: served.max_session_seconds,
            max_grant_lamports: served.max_grant,
        }),
        receipt_keys: served.receipt_keys.iter().map(PublishedReceiptKey::from).collect(),
        others: policy(served),
    }
}

/// What a caller can rely on beside the limits: how a payment is answered, in which ways a merchant may ask for it to be
/// settled, and what proofs of the payer's balance count for.
fn policy(served: &Supported) -> Map<String, Value> {
    let policy = [
        ("commitment", json!("confirmed")),
        ("settlement", json!(PER_CALL)),
        ("settlements", json!([PER_CALL, DEFERRED])),
        ("funding", json!(served.funding.word())),
        // Who deduplicates by themselves asks for the recorded answer of a repeat; a payer cannot.
        ("idempotency", json!("extra.idempotent")),
    ];
    policy.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
