//! The anchor of a channel, as anybody finds it on chain (`spec/mpp.md` §7): a memo alone proves nothing, because whoever pays a
//! fee can write one.

use super::decode;
use crate::{
    chain::fees::{self, Setting},
    domain::signed,
    programs::memo::{Anchor, MEMO},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_sdk_ids::compute_budget;

/// What a transaction anchors: it has exactly a compute limit, a price and the memo, and one of our fee payers is its one
/// signer. `None` for every other.
pub fn read(wire: &[u8], fee_payers: &[Pubkey]) -> Option<Anchor> {
    let transaction = decode::transaction(wire).ok()?;
    let [signature] = transaction.signatures.as_slice() else { return None };
    let payer = transaction.message.static_account_keys().first().filter(|payer| fee_payers.contains(payer))?;
    if !signed::verify(payer, &decode::message(&transaction.message), &(*signature).into()) {
        return None;
    }
    let instructions = decode::instructions(&transaction.message).ok()?;
    let [limit, price, memo] = instructions.as_slice() else { return None };
    let is_ours = matches!(setting(limit), Some(Setting::Units(_)))
        && matches!(setting(price), Some(Setting::Price(_)))
        && memo.program_id == MEMO
        && memo.accounts.is_empty();
    Anchor::read(std::str::from_utf8(&memo.data).ok().filter(|_| is_ours)?)
}

fn setting(instruction: &Instruction) -> Option<Setting> {
    (instruction.program_id == compute_budget::ID).then(|| fees::parse(&instruction.data)).flatten()
}
