//! What is proved by the settlements and the growth between two balances.

use crate::domain::amount::Amount;
use solana_signature::Signature;

/// A settlement on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Its transaction.
    pub signature: Signature,
    /// Its slot.
    pub slot: u64,
    /// What the merchant was told it pays.
    pub told: Option<Amount>,
}

/// What happened between two balances that the merchant may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The settlements, oldest first.
    pub settlements: Vec<Settled>,
    /// Other transactions that named the account: deposits of others, and debits of the merchant's own.
    pub others: usize,
    /// By how much the balance grew, in base units; unknown when an end cannot be read.
    pub growth: Option<i128>,
}

/// What a span proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The balance grew by what was told, at least.
    Paid,
    /// It grew by less.
    Short {
        /// What is missing, in base units.
        missing: u128,
    },
    /// Settlements landed and the balance did not grow: they moved zero.
    Nothing,
    /// It grew, and nobody told by how much it should have.
    Grew,
    /// Other transactions, or a balance that cannot be read, leave it open.
    Open,
}

impl Verdict {
    /// The word for programs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Short { .. } => "short",
            Self::Nothing => "nothing",
            Self::Grew => "grew",
            Self::Open => "open",
        }
    }
}

impl Span {
    /// The sum that was told for its settlements; unknown when one was not told of.
    pub fn told(&self) -> Option<u128> {
        self.settlements.iter().map(|settled| settled.told.map(|amount| u128::from(amount.get()))).sum()
    }

    /// The sum of what was told, whatever else there is: a transfer that makes a balance readable moves nothing, and nobody
    /// is told of it.
    fn told_at_least(&self) -> u128 {
        self.settlements.iter().filter_map(|settled| settled.told).map(|amount| u128::from(amount.get())).sum()
    }

    /// What it proves. Others' deposits could hide a shortfall and the merchant's own debits could feign one, so with
    /// other transactions in between nothing is said.
    pub fn verdict(&self) -> Verdict {
        let (Some(growth), 0) = (self.growth, self.others) else { return Verdict::Open };
        let grown = u128::try_from(growth).unwrap_or(0);
        match self.told() {
            Some(told) if told <= grown => Verdict::Paid,
            _ if grown == 0 => Verdict::Nothing,
            _ => match self.told_at_least().checked_sub(grown) {
                Some(missing @ 1..) => Verdict::Short { missing },
                Some(0) | None => Verdict::Grew,
            },
        }
    }
}

/// What the account's history proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptProof {
    /// Oldest first; only those with settlements.
    pub spans: Vec<Span>,
    /// Transactions the merchant was told of that are not on chain as settlements to them.
    pub absent: Vec<Signature>,
    /// The newest transaction that was looked at: where the next proof goes on.
    pub newest: Option<Signature>,
}

impl ReceiptProof {
    /// Whether everything told is proved to be received.
    pub fn holds(&self) -> bool {
        self.absent.is_empty() && self.spans.iter().all(|span| matches!(span.verdict(), Verdict::Paid | Verdict::Grew))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(told: &[Option<u64>], others: usize, growth: Option<i128>) -> Span {
        let settled =
            |told: &Option<u64>| Settled { signature: Signature::default(), slot: 1, told: told.and_then(Amount::new) };
        Span { settlements: told.iter().map(settled).collect(), others, growth }
    }

    #[test]
    fn growth_is_held_against_what_was_told() {
        assert_eq!(span(&[Some(3), Some(4)], 0, Some(7)).verdict(), Verdict::Paid);
        assert_eq!(span(&[Some(3), Some(4)], 0, Some(3)).verdict(), Verdict::Short { missing: 4 });
        assert_eq!(span(&[Some(3)], 0, Some(0)).verdict(), Verdict::Nothing);
        assert_eq!(span(&[None], 0, Some(0)).verdict(), Verdict::Nothing);
        assert_eq!(span(&[Some(3), None], 0, Some(9)).verdict(), Verdict::Grew);
    }

    #[test]
    fn what_others_did_in_between_leaves_it_open() {
        assert_eq!(span(&[Some(3)], 1, Some(3)).verdict(), Verdict::Open);
        assert_eq!(span(&[Some(3)], 0, None).verdict(), Verdict::Open);
        assert_eq!(span(&[Some(3)], 1, Some(-9)).verdict(), Verdict::Open);
    }
}
