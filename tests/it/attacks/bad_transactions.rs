//! Transactions that are no approve, over HTTP: each is refused by name, before any signature, and leaves no trace.
//! `inspect/attacks` knows many more of them.

use super::{Trace, is_not_opened};
use crate::support::{Wallet, World};
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use serde_json::json;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_instruction::{AccountMeta, Instruction};
use solana_message::{VersionedMessage, v0, v0::MessageAddressTableLookup};
use solana_signature::Signature;
use solana_system_interface::instruction as system;
use solana_transaction::versioned::VersionedTransaction;

/// What an honest payer sends, and how it was made.
struct Honest {
    world: World,
    payer: Wallet,
    other: Wallet,
    opening: crate::support::Opening,
    instructions: Vec<Instruction>,
    transaction: VersionedTransaction,
}

impl Honest {
    async fn new() -> Self {
        let world = World::start().await;
        let (payer, other) = (world.wallet(100).await, world.wallet(100).await);
        let opening = world.opening(&payer, &other.key(), 100);
        let instructions = world.approve_instructions(&opening).await;
        let transaction = world.sign_as_user(&payer, &instructions).await;
        Self { world, payer, other, opening, instructions, transaction }
    }

    async fn refuses_text(&self, text: String) {
        let mut body = self.world.opening_body_with(&self.opening, &self.transaction);
        body["approveTxBase64"] = json!(text);
        is_not_opened(&self.world, &body, 400, "approve_not_allowed").await;
    }

    async fn refuses(&self, transaction: &VersionedTransaction) {
        self.refuses_text(BASE64_STANDARD.encode(wincode::serialize(transaction).unwrap())).await;
    }

    async fn refuses_instructions(&self, bend: impl FnOnce(&mut Vec<Instruction>)) {
        let mut instructions = self.instructions.clone();
        bend(&mut instructions);
        self.refuses(&self.world.sign_as_user(&self.payer, &instructions).await).await;
    }

    /// The honest message, bent, and signed by the user as it then is.
    async fn refuses_message(&self, bend: impl FnOnce(&mut solana_message::legacy::Message)) {
        let VersionedMessage::Legacy(mut message) = self.transaction.message.clone() else { unreachable!() };
        bend(&mut message);
        let mut bent = VersionedTransaction { message: VersionedMessage::Legacy(message), ..self.transaction.clone() };
        bent.signatures[1] = Signature::from(self.payer.sign(&bent.message.serialize()));
        self.refuses(&bent).await;
    }
}

#[tokio::test]
async fn r01_bytes_that_are_no_transaction_are_refused() {
    let honest = Honest::new().await;
    let before = Trace::of(&honest.world).await;
    let bytes = wincode::serialize(&honest.transaction).unwrap();
    for cut in [1, 2, 64, 65, 129, 130, 133, 200, bytes.len() - 1] {
        honest.refuses_text(BASE64_STANDARD.encode(&bytes[..cut])).await;
    }
    let (mut padded, mut oversize) = (bytes.clone(), bytes.clone());
    padded.push(0);
    oversize.resize(1_233, 0);
    let long_count = [&[0xff, 0xff, 0x03], &bytes[1..]].concat();
    for odd in [padded, oversize, vec![0; 10_000], vec![0xff; 1_232], long_count, Vec::from(*b"hello")] {
        honest.refuses_text(BASE64_STANDARD.encode(odd)).await;
    }
    let text = BASE64_STANDARD.encode(&bytes);
    let url_safe = BASE64_URL_SAFE_NO_PAD.encode(&bytes);
    for odd in [
        format!("{text}\n"),
        format!(" {text}"),
        format!("{text}===="),
        hex::encode(&bytes),
        url_safe + "-_",
        "é".to_owned(),
    ] {
        honest.refuses_text(odd).await;
    }
    assert_eq!(Trace::of(&honest.world).await, before);
    honest.world.finish().await;
}

#[tokio::test]
async fn r01_every_part_of_a_transaction_is_accounted_for() {
    let honest = Honest::new().await;
    let (world, payer, other) = (&honest.world, &honest.payer, &honest.other);
    let before = Trace::of(world).await;
    let fee_payer = world.fee_payer();
    honest.refuses_message(|message| message.instructions.clear()).await;
    honest.refuses_instructions(|list| list.truncate(2)).await;
    honest.refuses_instructions(|list| list.push(list[2].clone())).await;
    honest.refuses_instructions(|list| list.swap(0, 2)).await;
    honest.refuses_instructions(|list| list.insert(1, list[0].clone())).await;
    honest.refuses_instructions(|list| list.push(system::transfer(&fee_payer, &other.key(), 1))).await;
    honest.refuses_instructions(|list| list[0] = system::transfer(&fee_payer, &other.key(), 1)).await;
    honest.refuses_instructions(|list| list.insert(0, system::advance_nonce_account(&other.key(), &payer.key()))).await;
    honest.refuses_instructions(|list| list[2].accounts.push(AccountMeta::new_readonly(other.key(), true))).await;
    honest
        .refuses_instructions(|list| {
            let limit = ComputeBudgetInstruction::set_compute_unit_limit(200_000);
            list.insert(0, limit.clone());
            list.insert(0, limit);
        })
        .await;
    honest
        .refuses_instructions(|list| list.insert(0, ComputeBudgetInstruction::set_compute_unit_price(u64::MAX)))
        .await;
    honest.refuses_instructions(|list| list.insert(0, ComputeBudgetInstruction::request_heap_frame(64 * 1024))).await;
    // Another user's account, another mint, another delegate.
    let theirs = world.programs.token_account(&other.key(), &world.faucet.mint());
    honest.refuses_instructions(|list| list[2].accounts[0].pubkey = theirs).await;
    honest.refuses_instructions(|list| list[2].accounts[1].pubkey = other.key()).await;
    honest.refuses_instructions(|list| list[2].accounts[2].pubkey = other.key()).await;
    honest
        .refuses_instructions(|list| {
            list[1] = world.programs.create_idempotent(&fee_payer, &other.key(), &world.faucet.mint());
        })
        .await;
    let own = world.programs.token_account(&payer.key(), &world.faucet.mint());
    honest.refuses_instructions(|list| list.push(world.programs.close_account(&own, &fee_payer, &payer.key()))).await;
    honest.refuses_instructions(|list| list.push(world.programs.revoke(&own, &payer.key()))).await;
    assert_eq!(Trace::of(world).await, before);
    honest.world.finish().await;
}

#[tokio::test]
async fn r22_headers_indexes_signatures_and_tables_are_as_we_would_have_made_them() {
    let honest = Honest::new().await;
    let (world, payer, other) = (&honest.world, &honest.payer, &honest.other);
    let before = Trace::of(world).await;
    honest.refuses_message(|message| message.instructions[0].program_id_index = 200).await;
    honest.refuses_message(|message| message.instructions[0].accounts[0] = 200).await;
    honest.refuses_message(|message| message.header.num_required_signatures = 3).await;
    honest.refuses_message(|message| message.header.num_readonly_signed_accounts = 9).await;
    honest.refuses_message(|message| message.header.num_readonly_unsigned_accounts = 200).await;
    honest.refuses_message(|message| message.account_keys[0] = other.key()).await;
    honest.refuses_message(|message| message.account_keys.push(other.key())).await;
    honest.refuses_message(|message| message.account_keys.swap(0, 1)).await;
    honest.refuses_message(|message| message.instructions[2].data.truncate(20)).await;
    honest.refuses_message(|message| message.instructions[2].data.push(0)).await;
    for bend in 0..4 {
        let mut bent = honest.transaction.clone();
        match bend {
            0 => bent.signatures[0] = Signature::from(payer.sign(b"anything")),
            1 => bent.signatures[1] = Signature::default(),
            2 => bent.signatures[1] = Signature::from(other.sign(&bent.message.serialize())),
            _ => bent.signatures.push(Signature::default()),
        }
        honest.refuses(&bent).await;
    }
    let hash = *honest.transaction.message.recent_blockhash();
    let mut hiding = v0::Message::try_compile(&world.fee_payer(), &honest.instructions, &[], hash).unwrap();
    hiding.address_table_lookups.push(MessageAddressTableLookup {
        account_key: other.key(),
        writable_indexes: vec![0],
        readonly_indexes: Vec::new(),
    });
    let message = VersionedMessage::V0(hiding);
    let signature = Signature::from(payer.sign(&message.serialize()));
    honest.refuses(&VersionedTransaction { signatures: vec![Signature::default(), signature], message }).await;
    assert_eq!(Trace::of(world).await, before);
    honest.world.finish().await;
}

/// Guards: `simulate_approve`: a dead blockhash, and an allowance that is not ours for the approved amount.
#[tokio::test]
async fn r05_what_only_the_chain_can_tell_is_told_by_a_simulation_and_costs_nothing() {
    let honest = Honest::new().await;
    let before = Trace::of(&honest.world).await;
    let VersionedMessage::Legacy(mut message) = honest.transaction.message.clone() else { unreachable!() };
    message.recent_blockhash = solana_hash::Hash::new_from_array([9; 32]);
    let mut dead = VersionedTransaction { message: VersionedMessage::Legacy(message), ..honest.transaction.clone() };
    dead.signatures[1] = Signature::from(honest.payer.sign(&dead.message.serialize()));
    let body = honest.world.opening_body_with(&honest.opening, &dead);
    is_not_opened(&honest.world, &body, 400, "approve_submit_failed").await;
    let mut instructions = honest.instructions.clone();
    let place = instructions[2].accounts.len() - 2;
    instructions[2].accounts[place].pubkey = honest.world.programs.decrypt_allowance(1, &honest.world.spender());
    let other = honest.world.sign_as_user(&honest.payer, &instructions).await;
    let body = honest.world.opening_body_with(&honest.opening, &other);
    let (status, answer) = honest.world.post("/sessions", &body).await;
    assert_eq!(status, 400, "{answer:#}");
    assert!(["approve_not_allowed", "approve_submit_failed"].contains(&answer["error"].as_str().unwrap()));
    assert_eq!(Trace::of(&honest.world).await, before);
    honest.world.finish().await;
}
