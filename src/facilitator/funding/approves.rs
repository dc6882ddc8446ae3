//! What a transaction does to the delegation of a token account.
//!
//! The transaction is its payer's: they may call `allow` for another handle beside the approve, wrap the approve in a program of
//! theirs, or approve twice. What is not one plain approve is none.

use crate::{
    chain::history::{SeenInstruction, SeenTransaction},
    programs::{Programs, discriminator},
};
use solana_pubkey::Pubkey;
use solana_sdk_ids::system_program;

/// Instructions that leave the approve in its place. (Creating a frozen account anew resets it: then nobody is its delegate until
/// it is approved again, which is not among these.)
const HARMLESS: [&str; 12] = [
    "transfer",
    "transfer_checked",
    "transfer_with_authorization",
    "mint_to",
    "mint_to_checked",
    "burn",
    "burn_checked",
    "create",
    "create_idempotent",
    "initialize_mint",
    "freeze_account",
    "thaw_account",
];
/// Instructions that change the delegation of the account at their first place, and of no other one: whoever approves or revokes
/// may name any account in another place, as the delegate or behind those that the program reads.
const CHANGE_THE_FIRST: [&str; 6] =
    ["approve", "approve_checked", "revoke", "close_account", "set_close_authority", "initialize_account"];

/// An approve that is all that a transaction does to an account's delegation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SingleApprove {
    /// The handle of what it delegated, where the token program let us decrypt it while it ran the approve: it gives that right to
    /// nothing but the amount that it has just written.
    pub(crate) handle: Option<u128>,
}

/// The approve to `spender` of a transaction whose only instruction that approves anything of the account `source`, revokes or
/// closes it is that approve, and its own.
pub(crate) fn single_approve(
    seen: &SeenTransaction,
    programs: &Programs,
    source: &Pubkey,
    spender: &Pubkey,
) -> Option<SingleApprove> {
    let mut changes = seen.instructions.iter().enumerate().filter(|(_, call)| may_change(call, programs, source));
    let (place, approve) = changes.next().filter(|_| !seen.failed)?;
    // After the source stands the delegate, in the checked form the mint and then the delegate.
    let delegate = if is_named(approve, &["approve"]) {
        approve.accounts.get(1)
    } else if is_named(approve, &["approve_checked"]) {
        approve.accounts.get(2)
    } else {
        None
    };
    let is_ours = approve.accounts.first() == Some(source) && delegate == Some(spender);
    if changes.next().is_some() || approve.called_by.is_some() || !is_ours {
        return None;
    }
    let called = || seen.instructions.iter().filter(|call| call.called_by == Some(place));
    if !called().all(|call| [programs.lightning, system_program::ID].contains(&call.program)) {
        return None;
    }
    let mut allowed = called().filter_map(|call| allowed_to(call, programs, spender));
    let (first, second) = (allowed.next(), allowed.next());
    Some(SingleApprove { handle: first.filter(|_| second.is_none()) })
}

/// The handle that a call of Lightning lets `reader` decrypt.
fn allowed_to(call: &SeenInstruction, programs: &Programs, reader: &Pubkey) -> Option<u128> {
    let rest = call.bytes.strip_prefix(&discriminator("allow")).filter(|_| call.program == programs.lightning)?;
    let (handle, rest) = rest.split_first_chunk::<16>()?;
    let (given, reads) = rest.split_first()?;
    (*given == 1 && reads == reader.as_ref()).then(|| u128::from_le_bytes(*handle))
}

/// Whether nothing in a transaction can have replaced what was delegated from `source`.
pub(crate) fn is_harmless(seen: &SeenTransaction, programs: &Programs, source: &Pubkey) -> bool {
    !seen.instructions.iter().any(|call| may_change(call, programs, source))
}

/// Whether an instruction may change what is delegated from `source`. The program refuses what it does not know, so no stranger
/// lands an unknown one; it is taken for a change of every account that it names.
fn may_change(call: &SeenInstruction, programs: &Programs, source: &Pubkey) -> bool {
    if call.program != programs.token || is_named(call, &HARMLESS) {
        return false;
    }
    if is_named(call, &CHANGE_THE_FIRST) {
        call.accounts.first() == Some(source)
    } else {
        call.accounts.contains(source)
    }
}

fn is_named(call: &SeenInstruction, names: &[&str]) -> bool {
    names.iter().any(|name| call.bytes.starts_with(&discriminator(name)))
}

#[cfg(test)]
mod tests;
