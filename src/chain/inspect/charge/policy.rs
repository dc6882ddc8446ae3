//! What may stand in a charge beside its transfer, one kind of instruction after the other.

use super::ChargePolicy;
use crate::{
    chain::{
        fees::{self, ComputeBudget, Setting},
        inspect::additions::{LIGHTHOUSE, LIGHTHOUSE_ASSERTIONS, MAX_LIGHTHOUSE},
    },
    domain::mpp::{charge::ChargeRefusal, reason::ChargeReason},
    programs::{
        memo,
        spl_token::{TokenProgram, TransferChecked},
    },
};
use solana_instruction::Instruction;
use solana_message::VersionedMessage;
use solana_pubkey::Pubkey;
use solana_sdk_ids::compute_budget;

/// The longest memo, in bytes: what fits a transaction of one transfer.
pub const MAX_MEMO_BYTES: usize = 566;

/// Checks all instructions, which are those of the message, for one rule before the next rule is looked at.
pub(super) fn check(
    policy: &ChargePolicy<'_>,
    message: &VersionedMessage,
    instructions: &[Instruction],
) -> Result<(), ChargeRefusal> {
    let numbered = || instructions.iter().enumerate();
    for (index, instruction) in numbered() {
        check_program(index, &instruction.program_id)?;
    }
    check_compute(policy, instructions)?;
    check_cost(policy, ComputeBudget::of(message))?;
    for (index, instruction) in numbered().filter(|(_, it)| TokenProgram::at(&it.program_id).is_some()) {
        check_token(index, instruction)?;
    }
    for (index, instruction) in numbered().filter(|(_, it)| memo::is_memo(&it.program_id)) {
        check_memo(index, instruction)?;
    }
    check_lighthouse(instructions)?;
    numbered().try_for_each(|(index, instruction)| check_isolation(policy, index, instruction))
}

fn refuse(reason: ChargeReason, index: usize, what: &str) -> Result<(), ChargeRefusal> {
    Err(ChargeRefusal::because(reason, format!("Instruction {index}: {what}.")))
}

/// The allowlist. The system program and that of associated accounts are none of it: by both a fee payer's lamports could
/// be moved or locked up as rent.
fn check_program(index: usize, program: &Pubkey) -> Result<(), ChargeRefusal> {
    let is_allowed = *program == compute_budget::ID
        || *program == LIGHTHOUSE
        || memo::is_memo(program)
        || TokenProgram::at(program).is_some();
    if is_allowed {
        return Ok(());
    }
    refuse(ChargeReason::ProgramNotAllowed, index, &format!("the program {program} is not sponsored"))
}

fn check_compute(policy: &ChargePolicy<'_>, instructions: &[Instruction]) -> Result<(), ChargeRefusal> {
    let (mut has_limit, mut has_price) = (false, false);
    let most = policy.compute;
    for (index, instruction) in instructions.iter().enumerate().filter(|(_, it)| it.program_id == compute_budget::ID) {
        let (before, within, reason) = match fees::parse(&instruction.data) {
            Some(Setting::Units(units)) => (&mut has_limit, units <= most.units, ChargeReason::ComputeUnitsTooHigh),
            Some(Setting::Price(price)) => (&mut has_price, price <= most.price, ChargeReason::PriorityFeeTooHigh),
            None => {
                let what = "only the compute limit and its price may be set";
                return refuse(ChargeReason::ComputeBudgetNotAllowed, index, what);
            }
        };
        if std::mem::replace(before, true) {
            return refuse(ChargeReason::ComputeBudgetNotAllowed, index, "this was set before");
        }
        if !within {
            let what = format!("at most {} units at {} micro-lamports are sponsored", most.units, most.price);
            return refuse(reason, index, &what);
        }
    }
    Ok(())
}

/// Whoever names a price and no limit pays it for what the runtime gives each instruction, which is more than one limit.
fn check_cost(policy: &ChargePolicy<'_>, asked: ComputeBudget) -> Result<(), ChargeRefusal> {
    let most = policy.compute;
    if asked.priority_fee() <= most.priority_fee() {
        return Ok(());
    }
    let detail = format!(
        "Without a compute limit this has up to {} units; at {} micro-lamports at most {} units are sponsored: set a limit.",
        asked.units, asked.price, most.units
    );
    Err(ChargeRefusal::because(ChargeReason::ComputeUnitsTooHigh, detail))
}

/// Nothing is done with tokens but a checked transfer.
fn check_token(index: usize, instruction: &Instruction) -> Result<(), ChargeRefusal> {
    match instruction.data.first() {
        Some(&TransferChecked::TAG) if instruction.data.len() == 10 && instruction.accounts.len() == 4 => Ok(()),
        Some(&TransferChecked::TAG) => {
            let what = "a TransferChecked has 10 bytes and 4 accounts";
            refuse(ChargeReason::MalformedTransfer, index, what)
        }
        _ => refuse(ChargeReason::UnsupportedTokenInstruction, index, "only TransferChecked may be done with tokens"),
    }
}

/// A memo that begins like one of ours could pass for the anchor or the close of a channel, because we sign it.
fn check_memo(index: usize, instruction: &Instruction) -> Result<(), ChargeRefusal> {
    let reason = ChargeReason::MalformedInstruction;
    if instruction.data.len() > MAX_MEMO_BYTES {
        return refuse(reason, index, &format!("a memo has at most {MAX_MEMO_BYTES} bytes"));
    }
    if instruction.data.starts_with(memo::OURS.as_bytes()) {
        return refuse(reason, index, &format!("a memo may not begin with `{}`", memo::OURS));
    }
    Ok(())
}

fn check_lighthouse(instructions: &[Instruction]) -> Result<(), ChargeRefusal> {
    let assertions = instructions.iter().enumerate().filter(|(_, it)| it.program_id == LIGHTHOUSE);
    for (number, (index, instruction)) in assertions.enumerate() {
        let reason = ChargeReason::MalformedInstruction;
        if number >= MAX_LIGHTHOUSE {
            return refuse(reason, index, &format!("there may be {MAX_LIGHTHOUSE} Lighthouse instructions"));
        }
        if !instruction.data.first().is_some_and(|opcode| LIGHTHOUSE_ASSERTIONS.contains(opcode)) {
            return refuse(reason, index, "a Lighthouse instruction may only assert");
        }
    }
    Ok(())
}

fn check_isolation(policy: &ChargePolicy<'_>, index: usize, instruction: &Instruction) -> Result<(), ChargeRefusal> {
    let is_ours = |key: &Pubkey| policy.our_keys.contains(key) || policy.fee_payers.contains(key);
    let mut named = std::iter::once(&instruction.program_id).chain(instruction.accounts.iter().map(|it| &it.pubkey));
    match named.find(|key| is_ours(key)) {
        Some(key) => {
            refuse(ChargeReason::FeePayerNotIsolated, index, &format!("it names {key}, a key of this facilitator's"))
        }
        None => Ok(()),
    }
}
