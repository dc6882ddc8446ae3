//! Settlements that are held: nothing is signed for them and nothing they carry is given back until more is known. What an
//! operator may say of one.

use super::{AbsenceProof, SettlementId};
use crate::domain::clock::UnixSeconds;
use solana_signature::Signature;

/// Why a settlement is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeldBecause {
    /// It has had all its attempts, each of which was proved absent.
    Attempts,
    /// Its attempt is found by nobody and can no longer land, and the account's balance has changed in a way that is not
    /// explained.
    Moved,
    /// Not enough providers say that its attempt has no effect: one is silent, late, or has forgotten that time.
    Silence,
    /// Providers contradict each other about it.
    Contradiction,
    /// A provider that told of its landing does not say that it has no effect: it stands by it, or is asked no more.
    Seen,
}

impl HeldBecause {
    /// Every cause.
    pub const ALL: [Self; 5] = [Self::Attempts, Self::Moved, Self::Silence, Self::Contradiction, Self::Seen];

    /// The word in the ledger.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Attempts => "attempts",
            Self::Moved => "moved",
            Self::Silence => "silence",
            Self::Contradiction => "contradiction",
            Self::Seen => "seen",
        }
    }

    /// The cause that is written as this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.word() == word)
    }

    /// The cause in a sentence for an operator.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Attempts => "all its attempts were proved absent, which is hardly true of so many",
            Self::Moved => {
                "nobody has its attempt, and the payer's balance has moved since in a way that the account's history does \
                 not explain"
            }
            Self::Silence => "not enough RPC providers say that its attempt never landed",
            Self::Contradiction => "RPC providers contradict each other about its attempt",
            Self::Seen => "an RPC provider that told of its landing does not say that it has no effect",
        }
    }
}

/// That a settlement is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettlementHeld {
    /// Why.
    pub because: HeldBecause,
    /// Since when.
    pub since: UnixSeconds,
}

/// What an operator found out about a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This attempt is on the chain, without an error and final.
    Landed {
        /// Its transaction.
        signature: Signature,
        /// The slot it landed in.
        slot: u64,
    },
    /// None of its attempts is on the chain or will be.
    Absent(AbsenceProof),
    /// None of its attempts has an effect or will have one: its last one is on the chain with an error that is final.
    Failed {
        /// The slot it landed in.
        slot: u64,
    },
}

/// What an operator says of a settlement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// Of which.
    pub settlement: SettlementId,
    /// What they found.
    pub verdict: Verdict,
    /// In their words, at most [`Resolution::MOST_WORDS`] characters; empty only where they found a transaction.
    pub words: String,
}

impl Resolution {
    /// The most characters of an operator's words.
    pub const MOST_WORDS: usize = 1_000;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_read_as_it_was_written() {
        assert!(HeldBecause::ALL.into_iter().all(|cause| HeldBecause::from_word(cause.word()) == Some(cause)));
        assert_eq!(HeldBecause::from_word("weather"), None);
    }
}
