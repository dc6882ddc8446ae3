//! What is fuzzed: one function for each format that strangers write. None may panic; what is read is written and read the same.
//!
//! Shared by the bounded run of every test run (`tests/it/fuzz.rs`) and the long one (`fuzz/README.md`).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use solana_pubkey::Pubkey;
use sotto::{
    chain::{fees::ComputeBudget, inspect::ApproveTemplate},
    client::{OpenSession, Opening},
    domain::{amount::Amount, intent::Intent, network::Network},
    programs::{
        Programs,
        ciphertext::{DecryptionKey, decrypt},
        inco_token::{IncoAccount, IncoMint},
        spl_token::{TokenAccount, TokenProgram},
    },
    wire::{Challenge, PaymentPayload, header, opening, pay, payment, x402_v2},
};

/// What reads one format.
pub(crate) type Target = fn(&[u8]);

/// Every target by its name.
pub(crate) const TARGETS: [(&str, Target); 11] = [
    ("approves", approves),
    ("openings", openings),
    ("payments", payments),
    ("single_payments", single_payments),
    ("headers", headers),
    ("challenges", challenges),
    ("intents", intents),
    ("accounts", accounts),
    ("ciphertexts", ciphertexts),
    ("amounts", amounts),
    ("session_files", session_files),
];

/// Transactions that we are asked to sign.
pub(crate) fn approves(bytes: &[u8]) {
    let [fee_payer, spender, user, mint] = [1, 2, 3, 4].map(|byte| Pubkey::new_from_array([byte; 32]));
    let template = ApproveTemplate {
        programs: Programs::default(),
        fee_payer,
        our_keys: &[fee_payer, spender],
        spender,
        user,
        mint,
        decimals: 6,
        max_grant: 2_000_000,
        may_create: true,
        compute: ComputeBudget { units: 400_000, price: 50_000 },
    };
    // Of a user whose key nobody has here nothing can be signed.
    assert!(template.inspect(&STANDARD.encode(bytes)).is_err());
    assert!(template.inspect(&String::from_utf8_lossy(bytes)).is_err());
}

/// Bodies of `POST /sessions`.
pub(crate) fn openings(bytes: &[u8]) {
    drop(opening::opening(bytes));
}

/// Bodies of `/verify` and `/settle`.
pub(crate) fn payments(bytes: &[u8]) {
    drop(payment::payment(bytes, &Network::devnet()));
}

/// Bodies of the routes below `/pay`.
pub(crate) fn single_payments(bytes: &[u8]) {
    let asset = Pubkey::from_str_const("GNWFDGfGxwwHcwAEaz6TJZn5RyzFSvaZyFpvRU2djcY5");
    let served = pay::Served { network: &Network::devnet(), asset, decimals: 6 };
    if let Ok(asked) = pay::amount(bytes, &[], served) {
        assert!(asked.amount > Amount::ZERO);
    }
    drop(pay::verify(bytes, served));
    drop(pay::settle(bytes, served));
}

/// Payment headers, as they come and wrapped in base64.
pub(crate) fn headers(bytes: &[u8]) {
    drop(header::decode::<Value>(&String::from_utf8_lossy(bytes)));
    drop(header::decode::<x402_v2::PaymentPayload>(&STANDARD.encode(bytes)));
    let Ok(json) = serde_json::from_slice::<Value>(bytes) else { return };
    drop(PaymentPayload::read(&json));
}

/// What a merchant answers with 402.
pub(crate) fn challenges(bytes: &[u8]) {
    let Ok(json) = serde_json::from_slice::<Value>(bytes) else { return };
    drop(Challenge::read(&json));
}

/// Messages that a payer signs to open a session.
pub(crate) fn intents(bytes: &[u8]) {
    if let Ok(intent) = Intent::parse(bytes) {
        assert_eq!(Intent::parse(&intent.to_bytes()).as_ref(), Ok(&intent));
    }
}

/// Accounts of the token programs.
pub(crate) fn accounts(bytes: &[u8]) {
    if let Ok(account) = IncoAccount::decode(bytes) {
        assert_eq!(IncoAccount::decode(&account.encode()).as_ref(), Ok(&account));
    }
    if let Ok(mint) = IncoMint::decode(bytes) {
        assert_eq!(IncoMint::decode(&mint.encode()).as_ref(), Ok(&mint));
    }
    for program in [TokenProgram::Token, TokenProgram::Token2022] {
        let _account = TokenAccount::decode(program, bytes);
    }
}

/// Encrypted amounts.
pub(crate) fn ciphertexts(bytes: &[u8]) {
    let Ok(key) = DecryptionKey::from_bytes(&[7; 32]) else { return };
    let _answer = decrypt(&key, bytes);
}

/// Amounts in base units and in whole tokens.
pub(crate) fn amounts(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(amount) = Amount::parse(&text) {
        assert_eq!(amount.to_string(), text, "an amount has one spelling");
    }
    for decimals in [0, 6, 18] {
        if let Ok(amount) = Amount::parse_decimal(&text, decimals) {
            assert_eq!(Amount::parse_decimal(&amount.to_decimal(decimals), decimals).as_ref(), Ok(&amount));
        }
    }
}

/// Files in which a payer keeps sessions and openings.
pub(crate) fn session_files(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(session) = OpenSession::from_json(&text) {
        assert!(session.to_json().is_ok());
    }
    if let Ok(opening) = Opening::from_json(&text) {
        assert!(opening.to_json().is_ok());
    }
}
