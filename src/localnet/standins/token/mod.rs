//! The stand-in for `IncoToken`: mints, token accounts, spend approvals and confidential transfers, with the account
//! orders, layouts, errors and side effects of `spec/inco.md` §3 and §4.
//!
//! Account checks run in Anchor's order: first every account's type from left to right, then the constraints.

mod accounts;
mod approve;
mod authorization;
mod create;
mod custody;
mod encrypted;
mod supply;
mod transfer;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::anchor::{self, Arguments};
use super::host::{Host, Outcome};
use crate::programs::discriminator;

type Instruction = fn(&mut dyn Host, &mut Arguments<'_>) -> Outcome;

static INSTRUCTIONS: LazyLock<HashMap<[u8; 8], (&'static str, Instruction)>> = LazyLock::new(|| {
    let all: [(&'static str, Instruction); 18] = [
        ("initialize_mint", create::initialize_mint),
        ("initialize_account", create::initialize_account),
        ("create", create::create),
        ("create_idempotent", create::create_idempotent),
        ("mint_to", supply::mint_to),
        ("mint_to_checked", supply::mint_to_checked),
        ("burn", supply::burn),
        ("burn_checked", supply::burn_checked),
        ("approve", approve::approve),
        ("approve_checked", approve::approve_checked),
        ("revoke", approve::revoke),
        ("transfer", transfer::transfer),
        ("transfer_checked", transfer::transfer_checked),
        ("transfer_with_authorization", authorization::transfer_with_authorization),
        ("freeze_account", custody::freeze_account),
        ("thaw_account", custody::thaw_account),
        ("close_account", custody::close_account),
        ("set_close_authority", custody::set_close_authority),
    ];
    all.into_iter().map(|(name, instruction)| (discriminator(name), (name, instruction))).collect()
});

/// Runs one instruction of the stand-in.
pub(super) fn run(host: &mut dyn Host) -> Outcome {
    let input = host.input()?;
    let (name, arguments) = input.split_first_chunk::<8>().ok_or(anchor::NO_INSTRUCTION)?;
    let (name, instruction) = INSTRUCTIONS.get(name).ok_or(anchor::UNKNOWN_INSTRUCTION)?;
    host.log(&format!("Program log: IncoToken stand-in: {name}"));
    instruction(host, &mut Arguments(arguments))
}
