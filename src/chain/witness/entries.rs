//! What one transaction did to the balance of an account, as its record tells: from the calls into Inco Lightning that its
//! token instructions made, and from what these gave back.
//!
//! A new balance is the result of one operation whose first operand is the balance before: `e_sub` where the account gives,
//! `e_add` where it receives. Everything that is not understood to the end is told as unreadable; nothing is guessed.

use crate::{
    chain::{
        history::{SeenInstruction, SeenTransaction},
        witness::returns::{Invoked, invocations},
    },
    programs::{Programs, discriminator},
};
use solana_pubkey::Pubkey;
use solana_sdk_ids::{ed25519_program, secp256k1_program, secp256r1_program};
use std::{collections::HashMap, sync::LazyLock};

/// From one handle to another, as an operation made it.
pub(super) type Edge = (u128, u128);

/// What a transaction did to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// One for each instruction that may have changed the balance, in their order: the operations of which one did. None
    /// where an instruction, or what it called, cannot be read.
    pub(super) steps: Option<Vec<Vec<Edge>>>,
    /// Whether the account began anew: it was closed, or made.
    pub(super) begins: bool,
    /// Handles of zero that were made on the way.
    pub(super) zeros: Vec<u128>,
}

/// What an instruction of the token program does to an account that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    /// Its balance stays.
    Nothing,
    /// The account at the first place gives to the one at the second.
    Moves(usize, usize),
    /// The account at this place receives.
    Adds(usize),
    /// The account at this place loses.
    Takes(usize),
    /// The account at this place begins anew, or ends.
    Begins(usize),
    /// The account at this place begins anew where it did not exist or is frozen, and else stays.
    MayBegin(usize),
}

static INSTRUCTIONS: LazyLock<HashMap<[u8; 8], Does>> = LazyLock::new(|| {
    let all = [
        ("transfer", Does::Moves(0, 1)),
        ("transfer_checked", Does::Moves(0, 2)),
        ("transfer_with_authorization", Does::Moves(0, 1)),
        ("mint_to", Does::Adds(1)),
        ("mint_to_checked", Does::Adds(1)),
        ("burn", Does::Takes(0)),
        ("burn_checked", Does::Takes(0)),
        ("approve", Does::Nothing),
        ("approve_checked", Does::Nothing),
        ("revoke", Does::Nothing),
        ("freeze_account", Does::Nothing),
        ("thaw_account", Does::Nothing),
        ("set_close_authority", Does::Nothing),
        ("initialize_mint", Does::Nothing),
        ("initialize_account", Does::Begins(0)),
        ("create", Does::Begins(1)),
        ("close_account", Does::Begins(0)),
        ("create_idempotent", Does::MayBegin(1)),
    ];
    all.into_iter().map(|(name, does)| (discriminator(name), does)).collect()
});

fn does(instruction: &SeenInstruction) -> Option<Does> {
    INSTRUCTIONS.get(instruction.bytes.first_chunk::<8>()?).copied()
}

/// Reads what a transaction that succeeded did to `account`. `logs` are none where the node keeps none.
pub(super) fn read(seen: &SeenTransaction, logs: Option<&[String]>, account: &Pubkey, programs: &Programs) -> Entry {
    let calls = logs.and_then(invocations).and_then(|invoked| calls(seen, &invoked, programs));
    let names = |instruction: &&SeenInstruction| {
        instruction.program == programs.token && instruction.accounts.contains(account)
    };
    let begins = seen.instructions.iter().enumerate().filter(|(_, instruction)| names(instruction)).any(
        |(place, instruction)| {
            // Beside it another account of anybody's may begin or end: of a close this one may be the destination.
            let is = |at: usize| instruction.accounts.get(at) == Some(account);
            match does(instruction) {
                Some(Does::Begins(at)) => is(at),
                // What it calls tells whether it made anything; of one that another program called that is not told apart.
                Some(Does::MayBegin(at)) => {
                    let is_called = instruction.called_by.is_some();
                    let makes = |calls: &Vec<Call>| calls.iter().any(|call| call.by == place);
                    is(at) && (is_called || calls.as_ref().is_none_or(makes))
                }
                _ => false,
            }
        },
    );
    let zeros = calls.iter().flatten().filter(|call| call.makes_zero()).filter_map(|call| call.result).collect();
    let steps = calls.and_then(|calls| steps(seen, &calls, account, names));
    Entry { steps, begins, zeros }
}

fn steps(
    seen: &SeenTransaction,
    calls: &[Call],
    account: &Pubkey,
    names: impl Fn(&&SeenInstruction) -> bool,
) -> Option<Vec<Vec<Edge>>> {
    let mut steps = Vec::new();
    for (place, instruction) in seen.instructions.iter().enumerate().filter(|(_, instruction)| names(instruction)) {
        // Which calls are whose is told for instructions of the transaction itself only.
        if instruction.called_by.is_some() {
            return None;
        }
        let is = |at: usize| instruction.accounts.get(at) == Some(account);
        let operation = match does(instruction)? {
            Does::Moves(from, to) if is(from) && is(to) => continue,
            Does::Moves(from, _) | Does::Takes(from) if is(from) => &*SUB,
            Does::Moves(_, to) | Does::Adds(to) if is(to) => &*ADD,
            Does::Moves(..) | Does::Takes(_) | Does::Adds(_) | Does::Nothing | Does::Begins(_) | Does::MayBegin(_) => {
                continue;
            }
        };
        let own = calls.iter().filter(|call| call.by == place && call.operation == *operation);
        let edges: Option<Vec<Edge>> = own.map(|call| Some((call.first?, call.result?))).collect();
        // One that calls nothing moves nothing: a stub.
        let edges = edges?;
        if !edges.is_empty() {
            steps.push(edges);
        }
    }
    Some(steps)
}

static SUB: LazyLock<[u8; 8]> = LazyLock::new(|| discriminator("e_sub"));
static ADD: LazyLock<[u8; 8]> = LazyLock::new(|| discriminator("e_add"));
static CLEAR: LazyLock<[u8; 8]> = LazyLock::new(|| discriminator("as_euint128"));

/// A call into Inco Lightning.
#[derive(Clone, Copy, Debug)]
struct Call {
    /// The place of the transaction's own instruction that made it.
    by: usize,
    operation: [u8; 8],
    /// Its first operand.
    first: Option<u128>,
    /// The handle that it gave back.
    result: Option<u128>,
}

impl Call {
    fn makes_zero(&self) -> bool {
        self.operation == *CLEAR && self.first == Some(0)
    }
}

/// Every call into Inco Lightning that a transaction's own instructions made; none where record and log differ.
fn calls(seen: &SeenTransaction, invoked: &[Invoked], programs: &Programs) -> Option<Vec<Call>> {
    let mut invoked = invoked.iter().peekable();
    let mut calls = Vec::new();
    let own = seen.instructions.iter().enumerate().filter(|(_, instruction)| instruction.called_by.is_none());
    for (place, instruction) in own {
        let is_logged = invoked.peek().is_some_and(|next| next.depth == 1 && next.program == instruction.program);
        if !is_logged {
            // The runtime checks signatures by itself and may write no line for it.
            let is_precompile = [ed25519_program::ID, secp256k1_program::ID, secp256r1_program::ID];
            if is_precompile.contains(&instruction.program) {
                continue;
            }
            return None;
        }
        invoked.next();
        for called in seen.instructions.iter().filter(|called| called.called_by == Some(place)) {
            let logged = invoked.next_if(|next| next.depth > 1 && next.program == called.program)?;
            if called.program == programs.lightning {
                let (operation, rest) = called.bytes.split_first_chunk::<8>()?;
                let first = rest.first_chunk::<16>().copied().map(u128::from_le_bytes);
                let result =
                    logged.returned.as_deref().and_then(|bytes| bytes.try_into().ok()).map(u128::from_le_bytes);
                calls.push(Call { by: place, operation: *operation, first, result });
            }
        }
    }
    invoked.next().is_none().then_some(calls)
}

#[cfg(test)]
mod tests;
