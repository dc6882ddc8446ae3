//! The two compute-budget instructions, for whoever builds a transaction without the server's crates.

use solana_instruction::Instruction;
use solana_sdk_ids::compute_budget;

/// `SetComputeUnitLimit`.
const SET_LIMIT: u8 = 2;
/// `SetComputeUnitPrice`.
const SET_PRICE: u8 = 3;

/// Asks for so many compute units.
pub fn limit(units: u32) -> Instruction {
    set(SET_LIMIT, &units.to_le_bytes())
}

/// Pays so many micro-lamports for each unit.
pub fn price(micro_lamports: u64) -> Instruction {
    set(SET_PRICE, &micro_lamports.to_le_bytes())
}

fn set(tag: u8, value: &[u8]) -> Instruction {
    Instruction { program_id: compute_budget::ID, accounts: Vec::new(), data: [&[tag][..], value].concat() }
}
