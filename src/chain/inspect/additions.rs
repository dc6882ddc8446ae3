//! What wallets add to a transaction while they sign it: a compute budget, and assertions that can only make it fail.
//!
//! One rule for everything that we co-sign; whatever else stands in a transaction is a matter of its template.

use super::TransactionRefusal;
use crate::chain::fees::{self, ComputeBudget, Setting};
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;
use solana_sdk_ids::compute_budget;

/// Lighthouse, whose assertions wallets add while signing.
pub(super) const LIGHTHOUSE: Pubkey = Pubkey::from_str_const("L2TExMFKdjpN9kozasaurPirfHy9P8sbXoAN1qA3S95");
/// Phantom adds up to three.
pub(super) const MAX_LIGHTHOUSE: usize = 3;
/// Lighthouse's first byte: 0 and 1 write and close memory accounts, 2 to 17 are the assertions (its public source);
/// what comes later is unknown and refused.
pub(super) const LIGHTHOUSE_ASSERTIONS: std::ops::RangeInclusive<u8> = 2..=17;

/// What of this the walk over the instructions has found so far.
#[derive(Debug, Default)]
pub(super) struct Additions {
    units: bool,
    price: bool,
    lighthouse: usize,
}

impl Additions {
    /// Accepts an instruction that wallets add, and gives it as we would have built it; `None` for any other instruction.
    /// `most` is the compute we pay for.
    pub(super) fn accept(
        &mut self,
        index: usize,
        seen: &Instruction,
        most: ComputeBudget,
        is_ours: &dyn Fn(&Pubkey) -> bool,
    ) -> Result<Option<Instruction>, TransactionRefusal> {
        if seen.program_id == compute_budget::ID {
            self.compute_budget(index, seen, most).map(Some)
        } else if seen.program_id == LIGHTHOUSE {
            self.lighthouse(index, seen, is_ours).map(Some)
        } else {
            Ok(None)
        }
    }

    fn compute_budget(
        &mut self,
        index: usize,
        seen: &Instruction,
        most: ComputeBudget,
    ) -> Result<Instruction, TransactionRefusal> {
        let setting = fees::parse(&seen.data).ok_or_else(|| foreign(index, seen))?;
        let (before, within, what) = match setting {
            Setting::Units(units) => (&mut self.units, units <= most.units, "compute-unit limit"),
            Setting::Price(price) => (&mut self.price, price <= most.price, "compute-unit price"),
        };
        if std::mem::replace(before, true) {
            return Err(TransactionRefusal::TooMany { index, what });
        }
        if !within {
            return Err(TransactionRefusal::ComputeBudget);
        }
        let ours = Instruction { program_id: compute_budget::ID, accounts: Vec::new(), data: seen.data.clone() };
        same(index, seen, ours, "a compute-budget instruction has no accounts")
    }

    fn lighthouse(
        &mut self,
        index: usize,
        seen: &Instruction,
        is_ours: &dyn Fn(&Pubkey) -> bool,
    ) -> Result<Instruction, TransactionRefusal> {
        self.lighthouse += 1;
        if self.lighthouse > MAX_LIGHTHOUSE {
            return Err(TransactionRefusal::TooMany { index, what: "Lighthouse" });
        }
        if !seen.data.first().is_some_and(|opcode| LIGHTHOUSE_ASSERTIONS.contains(opcode)) {
            return Err(TransactionRefusal::LighthouseWrites { index });
        }
        if seen.accounts.iter().any(|account| is_ours(&account.pubkey)) {
            return Err(TransactionRefusal::LighthouseNamesUs { index });
        }
        // Read-only and unsigned in our compilation, so that an assertion can raise nobody's rights: the comparison
        // of the merged sets refuses it if it does.
        let accounts = seen.accounts.iter().map(|account| AccountMeta::new_readonly(account.pubkey, false)).collect();
        Ok(Instruction { program_id: LIGHTHOUSE, accounts, data: seen.data.clone() })
    }
}

/// Compares program, ordered keys and bytes; rights are compared later, over the whole message.
pub(super) fn same(
    index: usize,
    seen: &Instruction,
    ours: Instruction,
    what: &'static str,
) -> Result<Instruction, TransactionRefusal> {
    let keys = |instruction: &Instruction| instruction.accounts.iter().map(|a| a.pubkey).collect::<Vec<_>>();
    if seen.program_id == ours.program_id && seen.data == ours.data && keys(seen) == keys(&ours) {
        Ok(ours)
    } else {
        Err(TransactionRefusal::Differs { index, what })
    }
}

pub(super) fn foreign(index: usize, seen: &Instruction) -> TransactionRefusal {
    TransactionRefusal::ForeignInstruction { index, program: seen.program_id }
}
