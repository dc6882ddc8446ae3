//! The golden transactions of `tests/vectors/mpp.json` on a network of ours: its mint, the token accounts that they name,
//! and everybody's keys.

use std::sync::LazyLock;

use super::world::{SOL, World};
use serde_json::Value;
use solana_account::Account;
use solana_keypair::Keypair;
use solana_message::VersionedMessage;
use solana_pubkey::Pubkey;
use solana_signer::Signer as _;
use solana_transaction::versioned::VersionedTransaction;
use sotto::programs::spl_token::{Mint, TokenAccount, TokenProgram};

/// What the buyer has at first, in base units.
pub(super) const PURSE: u64 = 1_000_000_000;

pub(super) static VECTORS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../vectors/mpp.json")).expect("JSON"));

pub(super) fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

pub(super) fn address(value: &Value) -> Pubkey {
    text(value).parse().expect("an address")
}

pub(super) fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(text(value)).expect("hex")
}

/// Somebody's key, by their name in the vectors.
pub(super) fn key(name: &str) -> Keypair {
    let seed = VECTORS["keys"][name]["seed_byte"].as_u64().expect("a seed");
    Keypair::new_from_array([u8::try_from(seed).expect("a byte"); 32])
}

/// A network with the golden mint, a fee payer with SOL, and token accounts of the buyer and the seller.
pub(super) async fn world() -> World {
    let world = World::new().await;
    let constants = &VECTORS["constants"];
    let (mint, fee_payer) = (address(&constants["mint"]), key("fee_payer"));
    world.net.network().airdrop(&fee_payer.pubkey(), 10 * SOL).expect("the faucet gives");
    let supply = [&[0; 36][..], &PURSE.to_le_bytes(), &[6, 1], &[0; 36]].concat();
    assert_eq!(supply.len(), Mint::SIZE);
    put(&world, mint, 1_461_600, supply);
    for (account, owner, units) in [("buyer_token_account", "buyer", PURSE), ("seller_token_account", "seller", 0)] {
        let owner = key(owner).pubkey();
        let fields = [mint.as_ref(), owner.as_ref(), &units.to_le_bytes(), &[0; 36], &[1], &[0; 56]].concat();
        put(&world, address(&constants[account]), 2_039_280, fields);
    }
    world.net.tick();
    world
}

fn put(world: &World, key: Pubkey, lamports: u64, data: Vec<u8>) {
    let owner = TokenProgram::Token.address();
    world.net.network().put_account(key, Account { lamports, data, owner, ..Account::default() });
}

/// A golden message with a blockhash of this network, signed by everybody who has to sign.
pub(super) fn transaction(world: &World, golden: &Value) -> VersionedTransaction {
    let mut message: VersionedMessage =
        wincode::deserialize(&bytes(&golden["message_hex"])).expect("a message of version 0");
    message.set_recent_blockhash(world.net.network().latest_blockhash());
    let count = usize::from(message.header().num_required_signatures);
    let names = VECTORS["keys"].as_object().expect("keys").keys();
    let keys: Vec<_> = names.map(|name| key(name)).collect();
    let signer = |address: &Pubkey| keys.iter().find(|key| key.pubkey() == *address).expect("a known key");
    let signers: Vec<_> = message.static_account_keys()[..count].iter().map(signer).collect();
    VersionedTransaction::try_new(message, signers.as_slice()).expect("it is signed")
}

/// A token account of this network.
pub(super) fn token_account(world: &World, key: &Pubkey) -> TokenAccount {
    let stored = world.net.network().account(key).expect("the account is there");
    TokenAccount::decode(TokenProgram::Token, &stored.data).expect("a token account")
}
