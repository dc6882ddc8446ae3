//! What is fuzzed: one function for each format that strangers write. None may panic; what is read is written and read the same.
//!
//! Shared by the bounded run of every test run (`tests/it/fuzz.rs`) and the long one (`fuzz/README.md`).

#[path = "cosigned.rs"]
pub(crate) mod cosigned;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use sotto::{
    chain::{
        answers,
        inspect::{anchor, charge::ReceivedCharge, payers_transaction::PayersTransaction},
    },
    client::{OpenSession, Opening},
    covalidator::attested,
    domain::{
        amount::Amount,
        chance::SeededChance,
        intent::Intent,
        network::Network,
        signed_receipt::{ReceiptKey, ReceiptStatement},
    },
    programs::{
        account_discriminator,
        attestation::verify_attestation,
        ciphertext::{DecryptionKey, decrypt, encrypt},
        inco_token::{IncoAccount, IncoMint},
        spl_token::{TokenAccount, TokenProgram},
    },
    wire::{Challenge, PaymentPayload, header, opening, pay, payment, prepare, x402_v2},
};

/// What reads one format.
pub(crate) type Target = fn(&[u8]);

/// Every target by its name.
pub(crate) const TARGETS: [(&str, Target); 14] = [
    ("transactions", transactions),
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
    ("receipts", receipts),
    ("covalidator_answers", covalidator_answers),
    ("rpc_answers", rpc_answers),
];

/// The attestation key, the receipt key and the decryption key of the vectors (`tests/vectors`), and the handle that is attested there.
const ATTESTATION_KEY: Pubkey = Pubkey::from_str_const("8SFqwqnq4whPhs8icwHA2hQg3hUoN1qrCLK1SBx3WKwe");
const RECEIPT_KEY: Pubkey = Pubkey::from_str_const("J2xccRtuG43drESLYznHhLhQkLTdfepcKYbiQ9BsJVaf");
const DECRYPTION_KEY: [u8; 32] = [0x11; 32];
const HANDLE: u128 = 0;

/// Transactions that we are asked to sign or read as our own: as they come, and signed anew when they are bent.
pub(crate) fn transactions(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    drop(PayersTransaction::read(&text));
    drop(ReceivedCharge::read(&text));
    assert_eq!(anchor::read(bytes, &[]), None, "without a key nothing is ours");
    assert!(cosigned::passes_as(bytes).len() <= 1, "each kind is for itself");
}

/// Bodies of `POST /sessions` and of `POST /sessions/prepare`.
pub(crate) fn openings(bytes: &[u8]) {
    drop(opening::opening(bytes));
    drop(prepare::preparing(bytes));
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

/// Accounts of the token programs, as they are and behind the discriminators that a fuzzer would need long to find.
pub(crate) fn accounts(bytes: &[u8]) {
    let [account, mint] = ["IncoAccount", "IncoMint"].map(|name| [&account_discriminator(name)[..], bytes].concat());
    for bytes in [bytes, &account] {
        if let Ok(account) = IncoAccount::decode(bytes) {
            assert_eq!(IncoAccount::decode(&account.encode()).as_ref(), Ok(&account));
        }
    }
    for bytes in [bytes, &mint] {
        if let Ok(mint) = IncoMint::decode(bytes) {
            assert_eq!(IncoMint::decode(&mint.encode()).as_ref(), Ok(&mint));
        }
    }
    for program in [TokenProgram::Token, TokenProgram::Token2022] {
        let _account = TokenAccount::decode(program, bytes);
    }
}

/// Encrypted amounts: as they are, and laid over an honest one, which gets past its length and its point. An altered one is never
/// taken for another amount.
pub(crate) fn ciphertexts(bytes: &[u8]) {
    let Ok(key) = DecryptionKey::from_bytes(&DECRYPTION_KEY) else { return };
    let _answer = decrypt(&key, bytes);
    let honest = encrypt(&key.public(), 1_000_000, &SeededChance::new(1));
    let altered = honest.iter().enumerate().map(|(at, byte)| byte ^ bytes.get(at).copied().unwrap_or(0));
    if let Ok(amount) = decrypt(&key, &altered.collect::<Vec<_>>()) {
        assert_eq!(amount, 1_000_000);
    }
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

/// Signed receipts, as a merchant hands them on.
pub(crate) fn receipts(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(statement) = ReceiptStatement::verify(&text, &[ReceiptKey::current(RECEIPT_KEY)]) {
        // What verifies has one text.
        let payload = text.rsplit_once('.').map(|(signed, _)| signed.to_owned());
        let anew = statement.sign(&RECEIPT_KEY, |_| [0; 64]);
        assert_eq!(anew.rsplit_once('.').map(|(signed, _)| signed.to_owned()), payload);
    }
}

/// What the Covalidator answers to a request to decrypt.
pub(crate) fn covalidator_answers(bytes: &[u8]) {
    if let Ok(value) = attested(bytes, &ATTESTATION_KEY, HANDLE) {
        assert!(verify_attestation(&ATTESTATION_KEY, HANDLE, value.plaintext, &value.signature));
    }
}

/// What an endpoint answers: the `result` of every method whose answer is more than a number or a text.
pub(crate) fn rpc_answers(bytes: &[u8]) {
    let keys = [Pubkey::new_from_array([1; 32])];
    if let Ok(accounts) = answers::accounts(bytes, &keys) {
        assert_eq!(accounts.len(), keys.len());
    }
    if let Ok(simulation) = answers::simulation(bytes, &keys) {
        assert_eq!(simulation.accounts.len(), if simulation.error.is_none() { keys.len() } else { 0 });
    }
    if let Ok(known) = answers::known_statuses(bytes, &[Signature::default()]) {
        assert!(known <= 1);
    }
    drop(answers::listed(bytes));
    drop(answers::transaction(bytes));
}
