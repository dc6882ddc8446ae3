//! A charge's transaction as the published client builds it (`spec/mpp.md` §14). Facilitators take other orders too.

use crate::programs::{compute_budget, memo, spl_token::TransferChecked};
use solana_instruction::Instruction;

/// What the published client pays for compute, in micro-lamports a unit.
pub const DEFAULT_UNIT_PRICE: u64 = 1;
/// What it asks for, in compute units.
pub const DEFAULT_UNITS: u32 = 50_000;

/// A charge that its buyer is about to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeDraft {
    /// What moves.
    pub transfer: TransferChecked,
    /// The challenge's reference, where it has one.
    pub reference: Option<String>,
    /// Micro-lamports a unit.
    pub unit_price: u64,
    /// Compute units.
    pub units: u32,
}

impl ChargeDraft {
    /// A charge with the published client's compute budget.
    pub fn new(transfer: TransferChecked, reference: Option<String>) -> Self {
        Self { transfer, reference, unit_price: DEFAULT_UNIT_PRICE, units: DEFAULT_UNITS }
    }

    /// Price, limit, transfer, and the memo that names the reference; in this order.
    pub fn instructions(&self) -> Vec<Instruction> {
        let compute = [compute_budget::price(self.unit_price), compute_budget::limit(self.units)];
        let memo = self.reference.iter().map(|reference| memo::memo(&format!("mppx:{reference}")));
        compute.into_iter().chain([self.transfer.instruction()]).chain(memo).collect()
    }
}
