//! `sotto::programs` against the golden bytes of the published client (`tests/vectors/inco.json`).

mod accounts;
mod ciphertext;
mod spl_token;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use ed25519_dalek::{Signer as _, SigningKey};
use serde::Deserialize;
use serde_json::Value;
use solana_instruction::{AccountMeta, Instruction};
use solana_message::Message;
use solana_pubkey::Pubkey;
use sotto::{
    domain::{chance::Chance, intent::Intent, signed},
    programs::{
        Programs, account_discriminator,
        attestation::{attestation_digest, request_message, verify_attestation},
        ciphertext::{DecryptionKey, EncryptionKey, decrypt, encrypt},
        discriminator,
        inco_token::{AccountState, Allowance, IncoAccount, Transfer, ed25519_verify},
    },
};
use std::sync::Mutex;

const USER: u8 = 1;
const FACILITATOR: u8 = 2;
const MINT: u8 = 3;
const MERCHANT: u8 = 4;
const COVALIDATOR: u8 = 5;
/// The handle that the golden allowances of both sides are derived from.
const SOURCE_HANDLE: u128 = 1_234_567_890_123_456_789_012_345_678_901_234_567;

fn golden() -> Value {
    serde_json::from_str(include_str!("../vectors/inco.json")).expect("the vectors are JSON")
}

/// One section of the vectors, typed.
fn section<T: for<'de> Deserialize<'de>>(name: &str) -> T {
    serde_json::from_value(golden()[name].take()).expect("the section has this form")
}

fn signing_key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn public_key(seed: u8) -> Pubkey {
    Pubkey::new_from_array(signing_key(seed).verifying_key().to_bytes())
}

fn pubkey(text: &str) -> Pubkey {
    signed::parse_key(text).expect("a base58 key")
}

fn number(text: &str) -> u128 {
    text.parse().expect("a decimal number")
}

/// Hands out given bytes, in order, and nothing else.
struct Given(Mutex<Vec<u8>>);

impl Given {
    fn new(bytes: Vec<u8>) -> Self {
        Self(Mutex::new(bytes))
    }
}

impl Chance for Given {
    fn fill(&self, bytes: &mut [u8]) {
        let mut left = self.0.lock().expect("one thread");
        bytes.copy_from_slice(&left.drain(..bytes.len()).collect::<Vec<_>>());
    }
}

#[test]
fn discriminators_are_anchors() {
    let golden = golden();
    for program in ["inco_token", "inco_lightning"] {
        for (name, bytes) in golden["discriminators"][program].as_object().expect("an object") {
            assert_eq!(serde_json::json!(discriminator(name)), *bytes, "{name}");
        }
    }
    for (name, bytes) in golden["discriminators"]["accounts"].as_object().expect("an object") {
        assert_eq!(serde_json::json!(account_discriminator(name)), *bytes, "{name}");
    }
}

#[test]
fn token_accounts_and_decrypt_allowances_are_where_the_published_client_finds_them() {
    #[derive(Deserialize)]
    struct TokenAccount {
        wallet: String,
        mint: String,
        address: String,
    }
    #[derive(Deserialize)]
    struct DecryptAllowance {
        handle: String,
        address: String,
        pda: String,
        bump: u8,
    }
    let programs = Programs::default();
    for case in section::<Vec<TokenAccount>>("token_accounts") {
        assert_eq!(programs.token_account(&pubkey(&case.wallet), &pubkey(&case.mint)), pubkey(&case.address));
    }
    for case in section::<Vec<DecryptAllowance>>("decrypt_allowances") {
        let (handle, allowed) = (number(&case.handle), pubkey(&case.address));
        assert_eq!(programs.decrypt_allowance_with_bump(handle, &allowed), (pubkey(&case.pda), case.bump));
        assert_eq!(programs.decrypt_allowance(handle, &allowed), pubkey(&case.pda));
    }
}

#[derive(Deserialize)]
struct Ecies {
    recipient_private_hex: String,
    recipient_public_uncompressed_hex: String,
    ephemeral_private_hex: String,
    iv_hex: String,
    cases: Vec<EciesCase>,
}

#[derive(Deserialize)]
struct EciesCase {
    plaintext: String,
    ciphertext_hex: String,
    length: usize,
}

fn golden_key() -> DecryptionKey {
    DecryptionKey::from_bytes(&[0x11; 32]).expect("a scalar")
}

#[test]
fn ciphertexts_are_the_published_clients_both_ways() {
    let golden: Ecies = section("ecies");
    let secret: [u8; 32] = hex::decode(golden.recipient_private_hex).expect("hex").try_into().expect("32 bytes");
    let key = DecryptionKey::from_bytes(&secret).expect("a scalar");
    let public = EncryptionKey::from_hex(&golden.recipient_public_uncompressed_hex).expect("a point");
    assert_eq!(key.public(), public);
    assert_eq!(public.to_hex(), golden.recipient_public_uncompressed_hex);
    // The documented draw order: the ephemeral secret, then the IV.
    let draws = hex::decode(golden.ephemeral_private_hex + &golden.iv_hex).expect("hex");
    for case in golden.cases {
        let ciphertext = encrypt(&public, number(&case.plaintext), &Given::new(draws.clone()));
        assert_eq!(hex::encode(&ciphertext), case.ciphertext_hex, "{}", case.plaintext);
        assert_eq!(ciphertext.len(), case.length);
        assert_eq!(decrypt(&key, &ciphertext), Ok(number(&case.plaintext)));
    }
}

#[test]
fn an_ephemeral_draw_that_is_no_scalar_is_drawn_again() {
    let draws = [vec![0; 32], vec![0xff; 32], vec![0x22; 32], vec![0x33; 16]].concat();
    let ciphertext = encrypt(&golden_key().public(), 500_000, &Given::new(draws));
    let golden: Ecies = section("ecies");
    assert!(golden.cases.iter().any(|case| case.ciphertext_hex == hex::encode(&ciphertext)));
}

#[test]
fn attestations_and_requests_are_signed_over_the_published_bytes() {
    #[derive(Deserialize)]
    struct Case {
        handle: String,
        address: String,
        request_signature_base58: String,
        plaintext: String,
        attestation_sha256_hex: String,
        attestation_signature_base58: String,
    }
    let attestation_key = public_key(COVALIDATOR);
    for case in section::<Vec<Case>>("covalidator") {
        let (handle, plaintext) = (number(&case.handle), number(&case.plaintext));
        assert_eq!(request_message(handle), case.handle);
        let request = signing_key(USER).sign(request_message(handle).as_bytes()).to_bytes();
        assert_eq!(bs58::encode(request).into_string(), case.request_signature_base58);
        assert_eq!(public_key(USER).to_string(), case.address);

        let digest = attestation_digest(handle, plaintext);
        assert_eq!(hex::encode(digest), case.attestation_sha256_hex);
        let attestation = signing_key(COVALIDATOR).sign(&digest).to_bytes();
        assert_eq!(bs58::encode(attestation).into_string(), case.attestation_signature_base58);
        assert!(verify_attestation(&attestation_key, handle, plaintext, &attestation));
        assert!(!verify_attestation(&attestation_key, handle ^ 1, plaintext, &attestation));
        assert!(!verify_attestation(&attestation_key, handle, plaintext ^ 1, &attestation));
        assert!(!verify_attestation(&public_key(USER), handle, plaintext, &attestation));
    }
}

struct GoldenIntent {
    bytes: Vec<u8>,
    signature: [u8; 64],
}

fn golden_intent() -> GoldenIntent {
    let section = golden()["session_intent"].take();
    let decode = |name: &str| BASE64.decode(section[name].as_str().expect("text")).expect("base64");
    GoldenIntent {
        bytes: decode("auth_message_base64"),
        signature: decode("auth_signature_base64").try_into().expect("64 bytes"),
    }
}

#[test]
fn the_session_intent_is_the_text_that_was_signed() {
    let golden = golden_intent();
    let intent = Intent::parse(&golden.bytes).expect("an intent");
    assert_eq!(intent.to_bytes(), golden.bytes);
    assert_eq!(golden.bytes.len(), 339);
    assert_eq!(signing_key(USER).sign(&golden.bytes).to_bytes(), golden.signature);
    assert!(signed::verify(&intent.user, &golden.bytes, &golden.signature));
}

/// The ciphertext of 500000 in the vectors, which every golden instruction carries.
fn golden_ciphertext() -> Vec<u8> {
    let golden: Ecies = section("ecies");
    let case = golden.cases.into_iter().find(|case| case.plaintext == "500000").expect("the case");
    hex::decode(case.ciphertext_hex).expect("hex")
}

/// What we build where the vectors have `name`.
fn ours(name: &str) -> Instruction {
    let programs = Programs::default();
    let (user, facilitator, mint) = (public_key(USER), public_key(FACILITATOR), public_key(MINT));
    let source = programs.token_account(&user, &mint);
    let ciphertext = golden_ciphertext();
    let delegate = Allowance { account: pubkey("EVwnyMBGjwZ3uK8KA9J1C7W7gMCfxq8mg6ET4XvKn7vr"), holder: facilitator };
    let merchant = public_key(MERCHANT);
    let transfer = Transfer {
        source,
        destination: programs.token_account(&merchant, &mint),
        authority: facilitator,
        ciphertext: ciphertext.clone(),
        allowances: Some([
            Allowance { account: programs.decrypt_allowance(SOURCE_HANDLE, &user), holder: user },
            Allowance { account: pubkey("BYbrh6bzVAhf5agEvfZ6rZ6uUBPfKSaFBWb1VUfqvSyr"), holder: merchant },
        ]),
    };
    match name {
        "ed25519_verify" => {
            let golden = golden_intent();
            ed25519_verify(&user, &golden.bytes, &golden.signature)
        }
        "create_idempotent" => programs.create_idempotent(&facilitator, &user, &mint),
        "approve" => programs.approve(&source, &facilitator, &user, &ciphertext, Some(delegate)),
        "approve_checked" => {
            programs.approve_checked(&source, &mint, &facilitator, &user, &ciphertext, 6, Some(delegate))
        }
        "revoke" => programs.revoke(&source, &user),
        "transfer" => programs.transfer(&transfer),
        "transfer_with_authorization" => programs.transfer_with_authorization(&transfer),
        unknown => panic!("the vectors have an instruction that we do not build: {unknown}"),
    }
}

#[test]
fn every_instruction_is_the_published_clients() {
    #[derive(Deserialize)]
    struct Golden {
        name: String,
        #[serde(default)]
        program: Option<String>,
        accounts: Vec<Meta>,
        data_hex: String,
    }
    #[derive(Deserialize)]
    struct Meta {
        pubkey: String,
        signer: bool,
        writable: bool,
    }
    let instructions: Vec<Golden> = section("instructions");
    assert_eq!(instructions.len(), 7);
    for golden in instructions {
        let program_id = golden.program.as_deref().map_or(Programs::default().token, pubkey);
        let accounts = golden
            .accounts
            .iter()
            .map(|meta| AccountMeta {
                pubkey: pubkey(&meta.pubkey),
                is_signer: meta.signer,
                is_writable: meta.writable,
            })
            .collect();
        let expected = Instruction { program_id, accounts, data: hex::decode(&golden.data_hex).expect("hex") };
        assert_eq!(ours(&golden.name), expected, "{}", golden.name);
    }
}

/// The order in which the published client's library lists accounts of one kind: base58 by locale, small letters
/// first. Rust's sorts by bytes; programs see no difference.
pub(crate) fn published_order(message: &mut Message) {
    let before = message.account_keys.clone();
    let signers = usize::from(message.header.num_required_signatures);
    let writable_signers = signers - usize::from(message.header.num_readonly_signed_accounts);
    let writable = before.len() - usize::from(message.header.num_readonly_unsigned_accounts);
    // The fee payer stays first.
    for class in [1..writable_signers, writable_signers..signers, signers..writable, writable..before.len()] {
        message.account_keys[class].sort_by_cached_key(|key| {
            let text = key.to_string();
            let small_first = text.bytes().map(|byte| byte.is_ascii_uppercase()).collect::<Vec<_>>();
            (text.to_ascii_lowercase(), small_first)
        });
    }
    let moved = |index: &mut u8| {
        let key = before[usize::from(*index)];
        let position = message.account_keys.iter().position(|other| *other == key).expect("only moved");
        *index = u8::try_from(position).expect("few keys");
    };
    for instruction in &mut message.instructions {
        moved(&mut instruction.program_id_index);
        instruction.accounts.iter_mut().for_each(moved);
    }
}

#[test]
fn the_settlement_transaction_is_the_published_clients_byte_for_byte() {
    let golden = golden()["settlement_transaction"].take();
    let blockhash = golden["recent_blockhash"].as_str().expect("text").parse().expect("a blockhash");
    let instructions = [ours("ed25519_verify"), ours("transfer_with_authorization")];
    let mut message = Message::new_with_blockhash(&instructions, Some(&public_key(FACILITATOR)), &blockhash);
    assert_eq!(1 + 64 + message.serialize().len(), 1087, "whatever the order of accounts");
    published_order(&mut message);
    let message = message.serialize();
    let signature = signing_key(FACILITATOR).sign(&message).to_bytes();
    let wire = [&[1][..], &signature, &message].concat();
    assert_eq!(BASE64.encode(&wire), golden["wire_base64"].as_str().expect("text"));
}

#[test]
fn token_accounts_read_and_write_as_published() {
    #[derive(Deserialize)]
    struct Golden {
        amount: String,
        delegate: Option<String>,
        delegated_amount: String,
        state: u8,
        data_base64: String,
    }
    let cases: Vec<Golden> = section("inco_accounts");
    assert_eq!(cases.len(), 3);
    for golden in cases {
        let expected = IncoAccount {
            mint: public_key(MINT),
            owner: public_key(USER),
            amount: number(&golden.amount),
            delegate: golden.delegate.as_deref().map(pubkey),
            state: [AccountState::Uninitialised, AccountState::Initialised, AccountState::Frozen]
                [usize::from(golden.state)],
            is_native: None,
            delegated_amount: number(&golden.delegated_amount),
            close_authority: None,
        };
        let bytes = BASE64.decode(&golden.data_base64).expect("base64");
        assert_eq!(IncoAccount::decode(&bytes), Ok(expected.clone()));
        assert_eq!(expected.encode(), bytes);
        assert_eq!(bytes.len(), IncoAccount::SIZE);
    }
}
