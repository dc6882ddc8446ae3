//! What a transaction costs its fee payer besides rent and grants, in lamports.

use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_instruction::Instruction;
use solana_message::VersionedMessage;
use solana_sdk_ids::{compute_budget, ed25519_program};

/// Per signature, those that the Ed25519 program verifies included.
pub const LAMPORTS_PER_SIGNATURE: u64 = 5_000;
/// The most compute units a transaction can ask for, and what it gets when it asks for more.
pub const MAX_UNITS: u32 = 1_400_000;
/// What an instruction is given when nothing is asked for; an upper bound, builtin programs are given less.
const DEFAULT_UNITS: u32 = 200_000;

/// The compute units a transaction asks for, and what it pays for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComputeBudget {
    /// Compute units, at most [`MAX_UNITS`].
    pub units: u32,
    /// Micro-lamports per compute unit.
    pub price: u64,
}

impl ComputeBudget {
    /// The two instructions that ask for it.
    pub fn instructions(self) -> [Instruction; 2] {
        [
            ComputeBudgetInstruction::set_compute_unit_limit(self.units),
            ComputeBudgetInstruction::set_compute_unit_price(self.price),
        ]
    }

    /// The priority fee in lamports, rounded up as the runtime does.
    pub fn priority_fee(self) -> u64 {
        let micro = u128::from(self.units.min(MAX_UNITS)) * u128::from(self.price);
        u64::try_from(micro.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }

    /// What a message asks for; what it leaves out is taken at the runtime's upper bound.
    ///
    /// Duplicates are refused by the runtime; here the last one counts.
    pub fn of(message: &VersionedMessage) -> Self {
        let keys = message.static_account_keys();
        let (mut units, mut price, mut others) = (None, 0, 0_u32);
        for instruction in message.instructions() {
            if keys.get(usize::from(instruction.program_id_index)) != Some(&compute_budget::ID) {
                others = others.saturating_add(1);
                continue;
            }
            match parse(&instruction.data) {
                Some(Setting::Units(asked)) => units = Some(asked),
                Some(Setting::Price(asked)) => price = asked,
                None => {}
            }
        }
        let units = units.unwrap_or_else(|| others.saturating_mul(DEFAULT_UNITS));
        Self { units: units.min(MAX_UNITS), price }
    }
}

/// One thing a compute-budget instruction sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// `SetComputeUnitLimit`.
    Units(u32),
    /// `SetComputeUnitPrice`, in micro-lamports.
    Price(u64),
}

/// Reads a compute-budget instruction; `None` for one that sets something else or is malformed.
pub fn parse(bytes: &[u8]) -> Option<Setting> {
    match bytes.split_first()? {
        (2, rest) => rest.try_into().ok().map(|le| Setting::Units(u32::from_le_bytes(le))),
        (3, rest) => rest.try_into().ok().map(|le| Setting::Price(u64::from_le_bytes(le))),
        _ => None,
    }
}

/// The fee of a transaction: its signatures, the signatures it has the Ed25519 program verify, and the priority fee.
pub fn fee(message: &VersionedMessage) -> u64 {
    let keys = message.static_account_keys();
    let verified = message
        .instructions()
        .iter()
        .filter(|instruction| keys.get(usize::from(instruction.program_id_index)) == Some(&ed25519_program::ID))
        .map(|instruction| u64::from(instruction.data.first().copied().unwrap_or(0)))
        .sum::<u64>();
    let signatures = u64::from(message.header().num_required_signatures).saturating_add(verified);
    signatures.saturating_mul(LAMPORTS_PER_SIGNATURE).saturating_add(ComputeBudget::of(message).priority_fee())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_priority_fee_is_rounded_up_and_never_overflows() {
        assert_eq!(ComputeBudget { units: 0, price: u64::MAX }.priority_fee(), 0);
        assert_eq!(ComputeBudget { units: 1, price: 1 }.priority_fee(), 1);
        assert_eq!(ComputeBudget { units: 200_000, price: 5 }.priority_fee(), 1);
        assert_eq!(ComputeBudget { units: 200_000, price: 6 }.priority_fee(), 2);
        assert_eq!(ComputeBudget { units: u32::MAX, price: 1_000_000 }.priority_fee(), 1_400_000);
        assert_eq!(ComputeBudget { units: 1_400_000, price: u64::MAX }.priority_fee(), u64::MAX);
    }

    #[test]
    fn a_setting_has_one_spelling() {
        let [units, price] = ComputeBudget { units: 300, price: 7 }.instructions();
        assert_eq!(parse(&units.data), Some(Setting::Units(300)));
        assert_eq!(parse(&price.data), Some(Setting::Price(7)));
        for bytes in [&[][..], &[1, 0, 0, 0, 0], &[2, 0, 0, 0], &[2, 0, 0, 0, 0, 0], &[3, 0], &[4, 0, 0, 0, 0]] {
            assert_eq!(parse(bytes), None);
        }
    }
}
