//! The stand-in for Inco Lightning: encrypted operations and decrypt allowances (`spec/inco.md` §2 and §5).
//!
//! A handle is derived from the operation and its inputs, so the same operation on the same inputs gives the same
//! handle. Who may call `allow` for a handle is not published; here anybody may, so nothing may rely on a refusal.

mod allowance;
mod attestation;
mod operation;

use std::collections::HashMap;
use std::sync::LazyLock;

use solana_instruction_error::InstructionError;

pub(super) use self::allowance::is_granted;
use self::operation::{Kind, Operation};
use super::anchor::{self, Arguments};
use super::host::{Host, Outcome, digest_to_handle, signer};
use crate::programs::discriminator;

/// A code of the stand-in's own: that the program refuses a ciphertext which was used before is unproven, and so is how.
const CIPHERTEXT_USED: InstructionError = InstructionError::Custom(9_001);

#[derive(Clone, Copy)]
enum Instruction {
    Operate(Kind),
    Allow,
    TransientAllow,
    IsAllowed,
    IsValidSignature,
}

static INSTRUCTIONS: LazyLock<HashMap<[u8; 8], (&'static str, Instruction)>> = LazyLock::new(|| {
    let operations = Kind::ALL.iter().map(|(name, kind)| (*name, Instruction::Operate(*kind)));
    let others = [
        ("allow", Instruction::Allow),
        ("transient_allow", Instruction::TransientAllow),
        ("is_allowed", Instruction::IsAllowed),
        ("is_validsignature", Instruction::IsValidSignature),
    ];
    operations.chain(others).map(|(name, instruction)| (discriminator(name), (name, instruction))).collect()
});

/// Runs one instruction of the stand-in.
pub(super) fn run(host: &mut dyn Host) -> Outcome {
    let input = host.input()?;
    let (name, arguments) = input.split_first_chunk::<8>().ok_or(anchor::NO_INSTRUCTION)?;
    let (name, instruction) = INSTRUCTIONS.get(name).ok_or(anchor::UNKNOWN_INSTRUCTION)?;
    host.log(&format!("Program log: Lightning stand-in: {name}"));
    let mut arguments = Arguments(arguments);
    match instruction {
        Instruction::Operate(kind) => operate(host, &Operation::read(*kind, &mut arguments)?, &input),
        Instruction::Allow => allowance::allow(host, &mut arguments),
        Instruction::TransientAllow => allowance::transient_allow(host, &mut arguments),
        Instruction::IsAllowed => allowance::is_allowed(host, &mut arguments),
        Instruction::IsValidSignature => attestation::is_valid_signature(host, &mut arguments),
    }
}

fn operate(host: &mut dyn Host, operation: &Operation, input: &[u8]) -> Outcome {
    signer(host, 0)?;
    if !host.account(0)?.is_writable {
        return Err(anchor::NOT_WRITABLE);
    }
    let (handle, plaintext) = if let Operation::Rand = operation {
        let (number, value) = host.draw();
        (digest_to_handle(&[b"stand-in handle", input, &number.to_le_bytes(), &value.to_le_bytes()]), Some(value))
    } else {
        let plaintext = operation.evaluate(|handle| host.plaintext(handle), |ciphertext| host.decrypt(ciphertext))?;
        (digest_to_handle(&[b"stand-in handle", input]), plaintext)
    };
    if operation.is_of_ciphertext() && host.rules().single_use_ciphertexts && host.is_made(handle) {
        host.log("Program log: Lightning stand-in: this ciphertext was used before, and is refused as configured");
        return Err(CIPHERTEXT_USED);
    }
    host.make(handle, plaintext);
    host.give_back(handle.to_le_bytes().to_vec())
}
