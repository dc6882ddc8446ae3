//! The Machine Payments Protocol against its golden bytes (`tests/vectors/mpp.json`): published clients made those that they can
//! make, and the real programs ran those that they run.

mod arithmetic;
mod at_once;
mod buyer;
mod challenges;
mod channel_delegations;
mod channel_grants;
mod channel_monitor;
mod channel_rounds;
mod channel_voices;
mod channels;
mod charge_attacks;
mod charges;
mod clock;
mod close_witness;
mod credentials;
mod debts;
mod delegation;
mod forks;
mod gifts;
mod grant_terms;
mod keys;
mod policy;
mod repeats;
mod serving;
mod session_accounts;
mod sign_ins;
mod sponsoring;
mod steps;
mod swig;
mod swig_channels;
mod voices;
mod vouchers;

use crate::programs::published_order;
use ed25519_dalek::SigningKey;
use serde_json::Value;
use solana_instruction::{AccountMeta, Instruction};
use solana_message::Message;
use solana_pubkey::Pubkey;
use sotto::{
    domain::{
        amount::Amount,
        mpp::{root::Root, spellings::Spellings},
        network::Network,
        signed,
    },
    programs::spl_token::TokenProgram,
};
use std::sync::LazyLock;

static GOLDEN: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../vectors/mpp.json")).expect("the vectors are JSON"));

/// What stands at a pointer of the vectors.
pub(super) fn golden(pointer: &str) -> &'static Value {
    GOLDEN.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is in the vectors"))
}

pub(super) fn cases(pointer: &str) -> &'static Vec<Value> {
    golden(pointer).as_array().expect("a list")
}

pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("`{name}` is a text in {value}"))
}

fn number<T: std::str::FromStr>(value: &Value, name: &str) -> T {
    text(value, name).parse().ok().expect("a number")
}

fn amount(value: &Value, name: &str) -> Amount {
    Amount::parse(text(value, name)).expect("an amount")
}

pub(super) fn pubkey(text: &str) -> Pubkey {
    signed::parse_key(text).expect("a base58 key")
}

fn address(pointer: &str) -> Pubkey {
    pubkey(golden(pointer).as_str().expect("a text"))
}

/// The key pair of a name in `keys`.
fn key(name: &str) -> SigningKey {
    let seed = golden(&format!("/keys/{name}/seed_byte")).as_u64().expect("a byte");
    SigningKey::from_bytes(&[u8::try_from(seed).expect("a byte"); 32])
}

/// The address of a name in `keys`.
pub(super) fn known(name: &str) -> Pubkey {
    let public = Pubkey::new_from_array(key(name).verifying_key().to_bytes());
    assert_eq!(public, address(&format!("/keys/{name}/pubkey")), "{name}");
    public
}

fn mint() -> Pubkey {
    address("/constants/mint")
}

pub(super) fn devnet() -> Spellings {
    Spellings::of(&Network::devnet())
}

pub(super) fn root() -> Root {
    let bytes = hex::decode(golden("/derivations/root_hex").as_str().expect("a text")).expect("hex");
    Root::new(bytes.try_into().expect("32 bytes"))
}

/// An instruction of the vectors.
fn instruction(golden: &Value) -> Instruction {
    let meta = |meta: &Value| AccountMeta {
        pubkey: pubkey(text(meta, "pubkey")),
        is_signer: meta["signer"].as_bool().expect("a flag"),
        is_writable: meta["writable"].as_bool().expect("a flag"),
    };
    let accounts = golden["accounts"].as_array().expect("a list").iter().map(meta).collect();
    let bytes = hex::decode(text(golden, "data_hex")).expect("hex");
    Instruction { program_id: pubkey(text(golden, "program")), accounts, data: bytes }
}

/// Version 0 without lookup tables, its accounts in the published client's order; programs see no difference.
fn message_hex(instructions: &[Instruction]) -> String {
    let blockhash = text(golden("/constants"), "blockhash").parse().expect("a blockhash");
    let mut message = Message::new_with_blockhash(instructions, Some(&known("fee_payer")), &blockhash);
    published_order(&mut message);
    hex::encode([&[0x80][..], &message.serialize(), &[0]].concat())
}

/// The size on the wire of a message with so many signatures.
fn wire_bytes(message_hex: &str) -> u64 {
    let signatures = u64::from_str_radix(&message_hex[2..4], 16).expect("a byte");
    1 + 64 * signatures + u64::try_from(message_hex.len() / 2).expect("short")
}

#[test]
fn the_addresses_are_those_of_the_vectors() {
    let program = TokenProgram::Token;
    assert_eq!(program.address(), address("/constants/token_program"));
    let associated = |wallet| sotto::programs::spl_token::associated_account(program, &known(wallet), &mint());
    assert_eq!(associated("buyer"), address("/constants/buyer_token_account"));
    assert_eq!(associated("seller"), address("/constants/seller_token_account"));
    assert_eq!(sotto::programs::memo::MEMO, address("/constants/memo_program"));
    assert_eq!(sotto::programs::delegation::swig::PROGRAM, address("/constants/swig_program"));
    assert_eq!(sotto::wire::mpp::USDC_DEVNET, mint().to_string());
}
